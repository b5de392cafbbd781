//! Making, listing and revoking API keys.

use serde_json::json;
use time::Duration;

use vidintel::{
    error::{AuthError, Error},
    ids::{AccountId, KeyId},
    keys::{self, Environment, KeyName},
};

use crate::util::{Customer, World, app_of, assert_problem};

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_made_shown_once_listed_and_revoked_at_once() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    let client = world.cloud.client();
    // The gate has loaded the account before the second key exists.
    assert_eq!(world.video(0, &ada).await.status, 200);
    let made = world
        .send(client.post("/v1/keys", &json!({ "name": "  production " })).key(&ada.key))
        .await;
    assert_eq!(made.status, 201, "{}", made.text());
    let made = made.json();
    assert_eq!(made["name"], "production");
    let second = Customer {
        key: made["key"].as_str().expect("the key").to_owned(),
        key_id: made["id"].as_str().expect("its id").to_owned(),
        ..ada.clone()
    };
    assert_eq!(world.video(0, &second).await.status, 200);
    world.run_job("RollUpUsageFunction").await;

    let list = world.get("/v1/keys", &ada).await;
    assert!(!list.text().contains(&second.key) && !list.text().contains(&ada.key));
    let list = list.json();
    assert_eq!(list["keys"].as_array().map(Vec::len), Some(2));
    assert_eq!(list["keys"][1]["last_used_at"], "2026-11-24T12:00:00Z");

    for _ in 0..2 {
        let path = format!("/v1/keys/{}", second.key_id);
        assert_eq!(world.send(client.delete(path).key(&ada.key)).await.status, 204);
        assert_problem(&world.video(0, &second).await, 401, "invalid-api-key");
        assert_eq!(world.video(0, &ada).await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idempotency_key_makes_one_key() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    let client = world.cloud.client();
    let make = |name: &str, seed: &str| {
        let body = json!({ "name": name });
        client.post("/v1/keys", &body).key(&ada.key).header("idempotency-key", seed)
    };
    let first = world.send(make("ci", "\"a-1\"")).await;
    assert_eq!(first.status, 201);
    assert_eq!(world.send(make("ci", "\"a-1\"")).await.json(), first.json());
    assert_problem(&world.send(make("other", "\"a-1\"")).await, 422, "idempotency-key-reused");
    assert_ne!(world.send(make("ci", "\"a-2\"")).await.json()["id"], first.json()["id"]);
    world.wait(Duration::hours(25));
    assert_problem(&world.send(make("ci", "\"a-1\"")).await, 409, "conflict");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_of_the_environment_that_was_asked_for() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    let client = world.cloud.client();
    let make = |environment: &str| {
        let body = json!({ "name": "ci", "environment": environment });
        client.post("/v1/keys", &body).key(&ada.key).header("idempotency-key", "a")
    };
    let made = world.send(make("test")).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let key = made.json()["key"].as_str().expect("the key").to_owned();
    assert!(key.starts_with("tvi_test_"));
    assert_eq!(world.send(make("test")).await.json(), made.json());
    // The same words for another key: that is another request.
    assert_problem(&world.send(make("live")).await, 422, "idempotency-key-reused");
    assert_problem(&world.send(make("production")).await, 400, "invalid-body");
    let list = world.get("/v1/keys", &ada).await.json();
    // Made in the same second: in any order.
    let mut environments: Vec<_> =
        (0..2).map(|n| list["keys"][n]["environment"].as_str().expect("a text")).collect();
    environments.sort_unstable();
    assert_eq!(environments, ["live", "test"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn there_are_at_most_twenty_live_keys() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    let client = world.cloud.client();
    let make = || client.post("/v1/keys", &json!({ "name": "more" })).key(&ada.key);
    for _ in 1..20 {
        assert_eq!(world.send(make()).await.status, 201);
    }
    assert_problem(&world.send(make()).await, 409, "conflict");
    assert_eq!(world.video(0, &ada).await.status, 200);
    let path = format!("/v1/keys/{}", ada.key_id);
    assert_eq!(world.send(client.delete(path).key(&ada.key)).await.status, 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_cannot_touch_another_ones_keys() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    let bob = world.customer("bob@example.com").await;
    let client = world.cloud.client();
    let path = format!("/v1/keys/{}", ada.key_id);
    // As an id that is nowhere: it does not tell that it is another's.
    let foreign = world.send(client.delete(path).key(&bob.key)).await;
    assert_problem(&foreign, 404, "not-found");
    let unknown = world.send(client.delete("/v1/keys/key_Example00001").key(&bob.key)).await;
    assert_problem(&unknown, 404, "not-found");
    assert_eq!(foreign.json()["detail"], unknown.json()["detail"]);
    assert_eq!(world.video(0, &ada).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_does_not_come_back_by_its_idempotency_key() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    let client = world.cloud.client();
    let make = || {
        let body = json!({ "name": "ci" });
        client.post("/v1/keys", &body).key(&ada.key).header("idempotency-key", "ci")
    };
    let made = world.send(make()).await.json();
    let leaked = Customer { key: made["key"].as_str().expect("the key").to_owned(), ..ada.clone() };
    assert_eq!(world.video(0, &leaked).await.status, 200);
    let path = format!("/v1/keys/{}", made["id"].as_str().expect("its id"));
    assert_eq!(world.send(client.delete(&path).key(&ada.key)).await.status, 204);
    for pause in [Duration::ZERO, Duration::hours(53), Duration::days(400)] {
        world.wait(pause);
        let again = world.send(make()).await;
        assert_problem(&again, 409, "conflict");
        assert!(again.json()["detail"].as_str().expect("a text").contains("revoked"));
        assert_problem(&world.video(0, &leaked).await, 401, "invalid-api-key");
        // It was this account's: revoking it again is as good as the first time.
        assert_eq!(world.send(client.delete(&path).key(&ada.key)).await.status, 204);
    }
    let list = world.get("/v1/keys", &ada).await.json();
    assert_eq!(list["keys"].as_array().map(Vec::len), Some(1), "{list}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_live_key_is_revoked_only_when_that_is_said() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    // It opens the sandbox and nothing else.
    world.test_key(&ada).await;
    let client = world.cloud.client();
    let revoke = async |id: &str, confirm: &str| {
        world.send(client.delete(format!("/v1/keys/{id}{confirm}")).key(&ada.key)).await
    };
    let refused = revoke(&ada.key_id, "").await;
    assert_problem(&refused, 409, "conflict");
    assert!(refused.json()["detail"].as_str().expect("a text").contains("confirm=last"));
    assert_problem(&revoke(&ada.key_id, "?confirm=yes").await, 400, "invalid-value");
    assert_eq!(world.video(0, &ada).await.status, 200);
    // One of two is not the last, however many are revoked at the same moment.
    let made = world.send(client.post("/v1/keys", &json!({ "name": "b" })).key(&ada.key)).await;
    let second = made.json()["id"].as_str().expect("its id").to_owned();
    let both = tokio::join!(revoke(&ada.key_id, ""), revoke(&second, ""));
    let statuses = [both.0.status.as_u16(), both.1.status.as_u16()];
    // Whichever comes second is refused, as the last one or because its key is gone.
    assert!(statuses.contains(&204) && statuses != [204, 204], "{statuses:?}");
    let ada = match statuses[0] {
        204 => Customer {
            key: made.json()["key"].as_str().expect("the key").to_owned(),
            key_id: second,
            ..ada.clone()
        },
        _ => ada.clone(),
    };
    assert_eq!(world.video(0, &ada).await.status, 200);
    let path = format!("/v1/keys/{}?confirm=last", ada.key_id);
    assert_eq!(world.send(client.delete(path).key(&ada.key)).await.status, 204);
    assert_problem(&world.video(0, &ada).await, 401, "invalid-api-key");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_that_the_gate_could_not_be_told_of_says_so_and_can_be_repeated() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    let client = world.cloud.client();
    let made = world.send(client.post("/v1/keys", &json!({ "name": "ci" })).key(&ada.key)).await;
    let key = made.json()["key"].as_str().expect("the key").to_owned();
    let second = Customer { key, ..ada.clone() };
    assert_eq!(world.video(0, &second).await.status, 200);
    let id = made.json()["id"].as_str().expect("its id").to_owned();
    let revoke = || client.delete(format!("/v1/keys/{id}")).key(&ada.key);

    world.cloud.redis.fault(local::redis::Fault::Refuse);
    assert_problem(&world.send(revoke()).await, 503, "unavailable");
    // Without Redis the tables are asked, where it is gone.
    assert_problem(&world.video(0, &second).await, 401, "invalid-api-key");
    world.cloud.redis.fault(local::redis::Fault::None);
    assert_eq!(world.send(revoke()).await.status, 204);
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    assert_problem(&world.video(0, &second).await, 401, "invalid-api-key");
    assert_eq!(world.video(0, &ada).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_revoked_after_it_has_let_a_request_in_makes_no_other() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    let client = world.cloud.client();
    let made =
        world.send(client.post("/v1/keys", &json!({ "name": "leaked" })).key(&ada.key)).await;
    let leaked = made.json()["id"].as_str().expect("its id").to_owned();
    let revoked = world.send(client.delete(format!("/v1/keys/{leaked}")).key(&ada.key)).await;
    assert_eq!(revoked.status, 204);
    let app = app_of(&world.cloud, world.cloud.redis.direct_url());
    let account: AccountId = ada.account_id.parse().expect("an id");
    let make = async |by: &str| {
        let by: KeyId = by.parse().expect("an id");
        let wanted = (KeyName::parse("more").expect("a name"), Environment::Live);
        keys::create(&app, (&account, &by), wanted, None, world.cloud.clock.now()).await
    };
    assert!(matches!(make(&leaked).await, Err(Error::Auth(AuthError::Unknown))));
    assert!(make(&ada.key_id).await.is_ok());
    assert_eq!(world.get("/v1/keys", &ada).await.json()["keys"].as_array().map(Vec::len), Some(2));
}
