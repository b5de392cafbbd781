//! Where there is help: one address of the operator's, named wherever help is offered.

use serde_json::json;

use crate::{
    status::SET,
    util::{World, assert_problem, patient, purchases::order, subject::post},
};

const ADDRESS: &str = "help@operator.example";

#[tokio::test(flavor = "multi_thread")]
async fn the_support_address_is_named_wherever_help_is_offered() {
    let mut options = patient();
    options.parameters.insert("SupportAddress".to_owned(), ADDRESS.to_owned());
    let world = World::start_with(options).await;
    let ada = world.customer("ada@example.com").await;
    let client = world.cloud.client();
    let text = async |path: &str| world.send(client.get(path)).await.text();
    for path in ["/docs", "/problems/account-inactive", "/openapi.json", "/v1/policy"] {
        assert!(text(path).await.contains(ADDRESS), "{path}");
    }
    let description = world.send(client.get("/openapi.json")).await.json();
    assert_eq!(description["info"]["contact"]["email"], ADDRESS);
    assert_eq!(world.send(client.get("/v1/policy")).await.json()["contact"], ADDRESS);
    let to = json!({ "account": ada.account_id, "status": "suspended", "reason": "file 1" });
    order(&world, SET, &to).await.expect("suspended");
    for answer in [world.video(0, &ada).await, world.get("/v1/usage", &ada).await] {
        assert_problem(&answer, 403, "account-inactive");
        let detail = format!("the account is suspended; write to {ADDRESS}");
        assert_eq!(answer.json()["detail"], detail);
    }
    assert_eq!(post(&world, &ada, true).await.status, 202);
    for mail in &world.cloud.ses.mails()[1..] {
        assert!(mail.text.as_deref().expect("a text").contains(ADDRESS), "{}", mail.subject);
    }
    assert_eq!(world.cloud.ses.mails().len(), 3);
}
