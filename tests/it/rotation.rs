//! Rotating the pepper: what was hashed before goes on working.

use serde_json::{Value, json};

use crate::util::{Customer, World, assert_problem, sign_up};

fn pepper(version: u32) -> Value {
    json!({ "version": version, "key": version.to_string().repeat(64) })
}

/// Puts the secret in place; every function starts anew and reads it.
async fn put(world: &World, current: Value, previous: Value) {
    let function = &world.cloud.template.function("GetVideoFunction").expect("a function");
    let id = &function.environment["SECRET_ID"];
    let secret = json!({ "pepper": { "current": current, "previous": previous }, "tiktok": null });
    world.cloud.secrets.put(id, &secret);
    for function in &world.cloud.template.functions {
        world.cloud.kill(&function.id).await.expect("killed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_and_addresses_survive_a_rotation_of_the_pepper() {
    let world = World::start().await;
    put(&world, pepper(1), Value::Null).await;
    let ada = world.customer("ada@example.com").await;
    let waiting = world.ask_for_token("bob@example.com").await;
    assert_eq!(world.video(0, &ada).await.status, 200);

    put(&world, pepper(2), pepper(1)).await;
    let client = world.cloud.client();
    assert_eq!(world.video(0, &ada).await.status, 200);
    let made = world.send(client.post("/v1/keys", &json!({ "name": "new" })).key(&ada.key)).await;
    let key = made.json()["key"].as_str().expect("a key").to_owned();
    let renewed = Customer { key, ..ada.clone() };
    assert_eq!(world.video(0, &renewed).await.status, 200);
    // A token that was mailed before is good; an address that is taken stays taken.
    let verified = client.post("/v1/accounts/verify", &json!({ "token": waiting }));
    assert_eq!(world.send(verified).await.status, 201);
    for email in ["ada@example.com", "bob@example.com"] {
        assert_eq!(world.send(client.post("/v1/accounts", &sign_up(email))).await.status, 202);
        let mail = world.cloud.ses.mails().pop().expect("a mail");
        assert_eq!(mail.subject, "You already have an account");
    }

    // Without the old pepper, what it hashed is gone.
    put(&world, pepper(2), Value::Null).await;
    world.cloud.redis.flush().await.expect("wiped");
    assert_problem(&world.video(0, &ada).await, 401, "invalid-api-key");
    assert_eq!(world.video(0, &renewed).await.status, 200);
}
