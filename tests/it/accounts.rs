//! Signing up and confirming.

use serde_json::json;
use time::Duration;

use crate::util::{World, assert_problem, sign_up, token_in};

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_does_not_tell_whether_an_address_is_known() {
    let world = World::start().await;
    world.customer("ada@example.com").await;
    let client = world.cloud.client();
    let known = world.send(client.post("/v1/accounts", &sign_up("ada@example.com"))).await;
    let new = world.send(client.post("/v1/accounts", &sign_up("bob@example.com"))).await;
    assert_eq!((known.status, known.text()), (new.status, new.text()));
    let mails = world.cloud.ses.mails();
    let known = mails.iter().rfind(|mail| mail.to == ["ada@example.com"]).expect("a mail");
    assert_eq!(known.subject, "You already have an account");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_child_nothing_is_kept() {
    let world = World::start().await;
    let client = world.cloud.client();
    let mut body = sign_up("kid@example.com");
    body["is_13_or_older"] = json!(false);
    let answer = world.send(client.post("/v1/accounts", &body)).await;
    assert_problem(&answer, 403, "under-age");
    assert!(world.cloud.ses.mails().is_empty());
    assert!(world.cloud.access.calls().iter().all(|call| call.caller != "SignUpFunction"));
    assert!(!world.logs("SignUpFunction").contains("kid@example.com"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_can_be_asked_for_again_and_a_used_token_ends() {
    let world = World::start().await;
    let token = world.ask_for_token("ada@example.com").await;
    let client = world.cloud.client();
    let body = json!({ "token": token });
    let first = world.send(client.post("/v1/accounts/verify", &body)).await;
    assert_eq!(first.status, 201);
    let again = world.send(client.post("/v1/accounts/verify", &body)).await;
    assert_eq!((again.status, again.json()), (first.status, first.json()));
    world.wait(Duration::minutes(11));
    let late = world.send(client.post("/v1/accounts/verify", &body)).await;
    assert_problem(&late, 401, "invalid-token");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_valid_for_a_day_and_only_one_account_opens() {
    let world = World::start().await;
    let client = world.cloud.client();
    let first = world.ask_for_token("ada@example.com").await;
    let second = world.ask_for_token("Ada@example.com").await;
    let verify = |token: &str| client.post("/v1/accounts/verify", &json!({ "token": token }));
    assert_eq!(world.send(verify(&first)).await.status, 201);
    assert_problem(&world.send(verify(&second)).await, 409, "conflict");
    let third = world.ask_for_token("bob@example.com").await;
    world.wait(Duration::hours(24));
    assert_problem(&world.send(verify(&third)).await, 401, "invalid-token");
    assert_problem(&world.send(verify(&"0".repeat(32))).await, 401, "invalid-token");
}

#[tokio::test(flavor = "multi_thread")]
async fn mails_are_limited_by_address_without_saying_so() {
    let world = World::start().await;
    let client = world.cloud.client();
    for _ in 0..5 {
        let answer = world.send(client.post("/v1/accounts", &sign_up("ada@example.com"))).await;
        assert_eq!(answer.status, 202);
    }
    assert_eq!(world.cloud.ses.mails().len(), 3);
    for n in 0..15 {
        let email = format!("user{n}@example.com");
        assert_eq!(world.send(client.post("/v1/accounts", &sign_up(&email))).await.status, 202);
    }
    let answer = world.send(client.post("/v1/accounts", &sign_up("one-more@example.com"))).await;
    assert_problem(&answer, 429, "too-many-sign-ups");
    assert!(answer.header("retry-after").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_has_both_parts_and_both_hold_the_token() {
    let world = World::start().await;
    let token = world.ask_for_token("ada@example.com").await;
    let mail = world.cloud.ses.mails().pop().expect("a mail");
    assert_eq!(token_in(mail.text.as_deref().expect("text")), token);
    assert!(mail.html.expect("HTML").contains(&token));
    assert!(!mail.subject.contains(&token));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_key_that_was_revoked_does_not_come_back_by_its_token() {
    let world = World::start().await;
    let token = world.ask_for_token("ada@example.com").await;
    let client = world.cloud.client();
    let verify = || client.post("/v1/accounts/verify", &json!({ "token": token }));
    let opened = world.send(verify()).await.json();
    let text = |name: &str| opened["api_key"][name].as_str().expect(name).to_owned();
    let (first, id) = (text("key"), text("id"));
    let made = world.send(client.post("/v1/keys", &json!({ "name": "b" })).key(&first)).await;
    let second = made.json()["key"].as_str().expect("a key").to_owned();
    let revoke = client.delete(format!("/v1/keys/{id}")).key(&second);
    assert_eq!(world.send(revoke).await.status, 204);
    assert_problem(&world.send(verify()).await, 401, "invalid-token");
    assert_problem(&world.send(client.get("/v1/keys").key(&first)).await, 401, "invalid-api-key");
}
