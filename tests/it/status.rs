//! Suspending an account, and letting it go on.

use serde_json::json;
use time::Duration;
use vidintel::audit;

use crate::util::{
    World, app_of, assert_problem,
    purchases::{account_of, order, subjects},
    subject::DELETIONS,
};

pub(crate) const SET: &str = "SetAccountStatusFunction";

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_suspended_at_once_told_of_it_and_let_go_on() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    // The gate has loaded it.
    assert_eq!(world.video(0, &ada).await.status, 200);
    let set = async |status: &str| {
        let to = json!({ "account": ada.account_id, "status": status, "reason": "file 2026-1" });
        order(&world, SET, &to).await.expect("set")
    };
    let before = account_of(&world, &ada).await.gate_version;
    for changed in [true, false] {
        assert_eq!(set("suspended").await, json!({ "status": "suspended", "changed": changed }));
        assert_problem(&world.video(0, &ada).await, 403, "account-inactive");
        assert_problem(&world.get("/v1/usage", &ada).await, 403, "account-inactive");
        assert_eq!(world.get("/v1/privacy/requests", &ada).await.status, 200);
    }
    assert_eq!(account_of(&world, &ada).await.gate_version, before + 1);
    for changed in [true, false] {
        assert_eq!(set("active").await, json!({ "status": "active", "changed": changed }));
        assert_eq!(world.video(0, &ada).await.status, 200);
    }
    assert_eq!(account_of(&world, &ada).await.gate_version, before + 2);
    let told = subjects(&world, "ada@example.com");
    assert_eq!(told[1..], ["Your account is suspended", "Your account is active again"]);
    let mails = world.cloud.ses.mails();
    assert!(mails[1].text.as_deref().expect("a text").contains("file 2026-1"));
    let app = app_of(&world.cloud, world.cloud.redis.direct_url());
    let links = audit::verify(&app.store, "account-status").await.expect("read");
    assert_eq!(links, Ok(4));
    assert!(!world.logs(SET).contains("acc_"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_cut_off_is_made_up_for_by_doing_it_again() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    assert_eq!(world.video(0, &ada).await.status, 200);
    let to = json!({ "account": ada.account_id, "status": "suspended", "reason": "file 1" });
    world.cloud.redis.fault(local::redis::Fault::Refuse);
    order(&world, SET, &to).await.expect_err("the gate is not told");
    world.cloud.redis.fault(local::redis::Fault::None);
    world.cloud.ses.fault(local::standins::Fault::Down);
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    order(&world, SET, &to).await.expect_err("the customer is not told");
    assert_problem(&world.video(0, &ada).await, 403, "account-inactive");
    world.cloud.ses.fault(local::standins::Fault::None);
    for _ in 0..2 {
        order(&world, SET, &to).await.expect("set");
    }
    assert_eq!(subjects(&world, "ada@example.com")[1..], ["Your account is suspended"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_or_is_being_erased_is_refused() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    let set = async |account: &str, status: &str| {
        order(&world, SET, &json!({ "account": account, "status": status, "reason": "file 1" }))
            .await
    };
    let unknown = set("acc_Example00001", "suspended").await.expect_err("unknown");
    assert!(unknown.contains("no such account"), "{unknown}");
    set(&ada.account_id, "erasing").await.expect_err("no status of the operator's");
    set(&ada.account_id, "gone").await.expect_err("no status");
    world.post(DELETIONS, &json!({ "confirm": true }), &ada).await;
    world.wait(Duration::days(7));
    world.run_job("ProcessDeletionsFunction").await;
    for status in ["active", "suspended"] {
        let erasing = set(&ada.account_id, status).await.expect_err("it is being erased");
        assert!(erasing.contains("being deleted"), "{erasing}");
    }
    crate::util::subject::finish(&world).await;
    set(&ada.account_id, "active").await.expect_err("it is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_account_is_erased_as_any_other() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    let to = json!({ "account": ada.account_id, "status": "suspended", "reason": "file 1" });
    order(&world, SET, &to).await.expect("suspended");
    crate::util::subject::erase(&world, &ada).await;
    assert_problem(&world.get("/v1/privacy/requests", &ada).await, 401, "invalid-api-key");
}
