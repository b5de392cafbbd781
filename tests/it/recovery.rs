//! Getting back into an account by mail.

use futures_util::future::join_all;
use local::{http::Response, standins::Fault};
use serde_json::{Value, json};
use time::Duration;
use vidintel::inventory::Table;

use crate::util::{
    Customer, World, assert_problem, objections::items, purchases::subjects, sign_up,
    subject::DELETIONS,
};

pub(crate) const RECOVER: &str = "/v1/accounts/recover";

async fn recover(world: &World, body: &Value) -> Response {
    world.send(world.cloud.client().post(RECOVER, body)).await
}

/// Who the answer makes of `before`.
fn recovered(before: &Customer, answer: &Response) -> Customer {
    assert_eq!(answer.status, 201, "{}", answer.text());
    let body = answer.json();
    assert_eq!(body["account_id"], before.account_id);
    let text = |name: &str| body["api_key"][name].as_str().expect(name).to_owned();
    Customer { key: text("key"), key_id: text("id"), ..before.clone() }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_steals_a_key_and_takes_everything_is_beaten_by_the_mailbox() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    let client = world.cloud.client();
    // The thief makes a key, revokes the owner's, fills the account with keys and asks for its end.
    let made = world.send(client.post("/v1/keys", &json!({ "name": "mine" })).key(&ada.key)).await;
    let thief = Customer {
        key: made.json()["key"].as_str().expect("a key").to_owned(),
        key_id: made.json()["id"].as_str().expect("an id").to_owned(),
        ..ada.clone()
    };
    let path = format!("/v1/keys/{}", ada.key_id);
    assert_eq!(world.send(client.delete(path).key(&thief.key)).await.status, 204);
    let mut more = Vec::new();
    for _ in 1..20 {
        let made = world.send(client.post("/v1/keys", &json!({ "name": "x" })).key(&thief.key));
        more.push(made.await.json()["key"].as_str().expect("a key").to_owned());
    }
    let asked = world.post(DELETIONS, &json!({ "confirm": true }), &thief).await;
    let deletion = asked.json()["id"].as_str().expect("an id").to_owned();
    assert_eq!(world.video(0, &thief).await.status, 200);
    assert_problem(&world.video(0, &ada).await, 401, "invalid-api-key");
    // Told of the deletion, the owner has no key to stop it with, but the mailbox.
    world.wait(Duration::days(3));
    let token = world.ask_for_token("ada@example.com").await;
    let body = json!({ "token": token });
    assert_problem(&recover(&world, &body).await, 409, "conflict");
    let body = json!({ "token": token, "revoke_other_keys": true, "cancel_deletion": true });
    let answer = recover(&world, &body).await;
    let owner = recovered(&ada, &answer);
    assert_eq!(
        (&answer.json()["other_keys"], &answer.json()["deletion_is_open"]),
        (&json!(0), &json!(false))
    );
    for key in more.iter().chain([&thief.key, &ada.key]) {
        let shut_out = Customer { key: key.clone(), ..ada.clone() };
        assert_problem(&world.get("/v1/keys", &shut_out).await, 401, "invalid-api-key");
    }
    assert_problem(&world.video(0, &thief).await, 401, "invalid-api-key");
    assert_eq!(world.video(0, &owner).await.status, 200);
    let state = world.get(&format!("{DELETIONS}/{deletion}"), &owner).await.json();
    assert_eq!(state["state"], "cancelled");
    let list = world.get("/v1/keys", &owner).await.json();
    assert_eq!(list["keys"].as_array().map(Vec::len), Some(1), "{list}");
    let told = subjects(&world, "ada@example.com");
    assert!(told.iter().any(|it| it == "A new key for your account"), "{told:?}");
    assert!(told.iter().any(|it| it == "Your account stays"), "{told:?}");
    world.wait(Duration::days(8));
    assert_eq!(world.run_job("ProcessDeletionsFunction").await["done"], 0);
    assert_eq!(world.video(1, &owner).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_last_key_is_replaced_and_the_others_stay_unless_said() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    let token = world.ask_for_token("ada@example.com").await;
    let answer = recover(&world, &json!({ "token": token })).await;
    let again = recovered(&ada, &answer);
    assert_eq!(answer.json()["other_keys"], 1);
    assert_eq!(world.video(0, &ada).await.status, 200);
    assert_eq!(world.video(0, &again).await.status, 200);
    let client = world.cloud.client();
    for customer in [&ada, &again] {
        let path = format!("/v1/keys/{}?confirm=last", customer.key_id);
        assert_eq!(world.send(client.delete(path).key(&customer.key)).await.status, 204);
    }
    // What was revoked does not come back with the token that it was made by.
    assert_problem(&recover(&world, &json!({ "token": token })).await, 401, "invalid-token");
    let token = world.ask_for_token("ada@example.com").await;
    let third = recovered(&ada, &recover(&world, &json!({ "token": token })).await);
    assert_eq!(world.video(0, &third).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_used_once_and_its_answer_can_be_asked_for_again() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    let token = world.ask_for_token("ada@example.com").await;
    let body = json!({ "token": token });
    let first = recover(&world, &body).await;
    assert_eq!(first.status, 201, "{}", first.text());
    for answer in join_all((0..8).map(|_| recover(&world, &body))).await {
        assert_eq!((answer.status.as_u16(), answer.json()), (201, first.json()));
    }
    // Whoever has seen that a key was stolen may still say so.
    let shut = json!({ "token": token, "revoke_other_keys": true });
    let owner = recovered(&ada, &recover(&world, &shut).await);
    assert_eq!(owner.key, first.json()["api_key"]["key"].as_str().expect("a key"));
    assert_problem(&world.video(0, &ada).await, 401, "invalid-api-key");
    assert_eq!(world.video(0, &owner).await.status, 200);
    world.wait(Duration::minutes(11));
    assert_problem(&recover(&world, &body).await, 401, "invalid-token");
    let told = subjects(&world, "ada@example.com").into_iter();
    assert_eq!(told.filter(|it| it == "A new key for your account").count(), 1);
    // One that is never used ends by itself.
    world.forget_mails().await;
    let token = world.ask_for_token("ada@example.com").await;
    world.wait(Duration::hours(5));
    world.run_job("PurgeSessionsFunction").await;
    world.wait(Duration::minutes(59));
    let late = world.ask_for_token("ada@example.com").await;
    assert_eq!(recover(&world, &json!({ "token": token })).await.status, 201);
    world.wait(Duration::hours(6));
    let answer = recover(&world, &json!({ "token": late })).await;
    assert_problem(&answer, 401, "invalid-token");
    assert!(answer.json()["detail"].as_str().expect("a text").contains("sign up"));
    // It is no token of a sign-up, nor that of one a token of this.
    world.forget_mails().await;
    let client = world.cloud.client();
    let token = world.ask_for_token("ada@example.com").await;
    let verified = world.send(client.post("/v1/accounts/verify", &json!({ "token": token }))).await;
    assert_problem(&verified, 401, "invalid-token");
    let new = world.ask_for_token("bob@example.com").await;
    assert_problem(&recover(&world, &json!({ "token": new })).await, 401, "invalid-token");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_sent_many_times_at_once_makes_one_key() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    let token = world.ask_for_token("ada@example.com").await;
    let body = json!({ "token": token, "revoke_other_keys": true });
    let all = join_all((0..8).map(|_| recover(&world, &body))).await;
    for answer in &all {
        assert_eq!((answer.status.as_u16(), answer.json()), (201, all[0].json()));
    }
    let owner = recovered(&ada, &all[0]);
    let list = world.get("/v1/keys", &owner).await.json();
    assert_eq!(list["keys"].as_array().map(Vec::len), Some(1), "{list}");
    assert!(subjects(&world, "ada@example.com").contains(&"A new key for your account".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn known_and_unknown_addresses_are_the_same_work_and_the_same_answer() {
    let world = World::start().await;
    world.customer("ada@example.com").await;
    let client = world.cloud.client();
    let mut seen = Vec::new();
    for email in ["ada@example.com", "bob@example.com"] {
        let before = world.cloud.access.count("SignUpFunction");
        let answer = world.send(client.post("/v1/accounts", &sign_up(email))).await;
        let calls = world.cloud.access.count("SignUpFunction") - before;
        seen.push((answer.status.as_u16(), answer.text(), calls));
    }
    assert_eq!(seen[0], seen[1]);
    let mails = world.cloud.ses.mails();
    let known = mails.iter().rfind(|it| it.to == ["ada@example.com"]).expect("a mail");
    let text = known.text.as_deref().expect("a text");
    let stored = items(&world, Table::Sessions).await;
    // Opening what it leads to changes nothing: mail scanners do that too.
    let link = text.split_whitespace().find(|it| it.contains("/recover?token=")).expect("a link");
    assert!(known.html.as_deref().expect("HTML").contains(link));
    let path = link.strip_prefix(world.cloud.url()).expect("ours");
    for _ in 0..2 {
        assert_eq!(world.send(client.get(path)).await.status, 200);
    }
    assert_eq!(items(&world, Table::Sessions).await, stored);
    let waiting = stored.iter().find(|it| it.get("account").is_some()).expect("a recovery");
    let token = crate::util::token_in(text);
    assert!(!waiting.to_string().contains(&token) && !waiting.to_string().contains("ada@"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_account_gets_its_rights_back_and_is_not_served_by_it() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    let order = json!({ "account": ada.account_id, "status": "suspended", "reason": "file 1" });
    crate::util::purchases::order(&world, crate::status::SET, &order).await.expect("suspended");
    let token = world.ask_for_token("ada@example.com").await;
    let body = json!({ "token": token, "revoke_other_keys": true });
    let again = recovered(&ada, &recover(&world, &body).await);
    assert_eq!(world.get("/v1/privacy/requests", &again).await.status, 200);
    assert_problem(&world.video(0, &again).await, 403, "account-inactive");
    assert_problem(&world.get("/v1/keys", &again).await, 403, "account-inactive");
    let exported = world.post("/v1/privacy/exports", &json!({}), &again).await;
    assert_eq!(exported.status, 202);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_being_erased_is_not_recovered() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    // The mark that a revoked key leaves goes with the account.
    let revoked = world.test_key(&ada).await;
    let client = world.cloud.client();
    let revoke = client.delete(format!("/v1/keys/{}", revoked.key_id)).key(&ada.key);
    assert_eq!(world.send(revoke).await.status, 204);
    let marks = items(&world, Table::ApiKeys).await;
    assert!(marks.iter().any(|it| it.to_string().contains("revoked#")), "{marks:?}");
    world.post(DELETIONS, &json!({ "confirm": true }), &ada).await;
    world.wait(Duration::days(7) - Duration::minutes(1));
    let token = world.ask_for_token("ada@example.com").await;
    world.wait(Duration::minutes(2));
    world.run_job("ProcessDeletionsFunction").await;
    let body = json!({ "token": token, "cancel_deletion": true });
    assert_problem(&recover(&world, &body).await, 409, "conflict");
    crate::util::subject::finish(&world).await;
    assert_problem(&recover(&world, &body).await, 401, "invalid-token");
    for item in items(&world, Table::ApiKeys).await {
        assert!(!item.to_string().contains(&ada.account_id), "{item}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recovery_that_was_cut_off_goes_on_with_the_same_token() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    world.video(0, &ada).await;
    let token = world.ask_for_token("ada@example.com").await;
    let body = json!({ "token": token, "revoke_other_keys": true });
    world.cloud.redis.fault(local::redis::Fault::Refuse);
    assert_problem(&recover(&world, &body).await, 503, "unavailable");
    world.cloud.redis.fault(local::redis::Fault::None);
    world.cloud.ses.fault(Fault::Down);
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    assert_problem(&recover(&world, &body).await, 503, "unavailable");
    world.cloud.ses.fault(Fault::None);
    let owner = recovered(&ada, &recover(&world, &body).await);
    assert_problem(&world.video(0, &ada).await, 401, "invalid-api-key");
    assert_eq!(world.video(0, &owner).await.status, 200);
    assert!(subjects(&world, "ada@example.com").contains(&"A new key for your account".to_owned()));
}
