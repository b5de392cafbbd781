//! Rotating the pepper: what was hashed before goes on working.

use serde_json::{Value, json};
use vidintel::{objections::Objections, secrets::Peppers};

use crate::util::{Customer, World, app_of, assert_problem, sign_up};

fn pepper(version: u32) -> Value {
    json!({ "version": version, "key": version.to_string().repeat(64) })
}

/// Puts the secret in place. Environments that have read another one keep it.
fn write(world: &World, peppers: &Value) {
    let function = &world.cloud.template.function("GetVideoFunction").expect("a function");
    let id = &function.environment["SECRET_ID"];
    world.cloud.secrets.put(id, &json!({ "pepper": peppers, "tiktok": null }));
}

/// Puts the secret in place; every function starts anew and reads it.
async fn put(world: &World, current: Value, previous: Value) {
    write(world, &json!({ "current": current, "previous": previous }));
    for function in &world.cloud.template.functions {
        world.cloud.kill(&function.id).await.expect("killed");
    }
}

/// Puts the secret in place, and these functions alone read it.
async fn read_by(world: &World, peppers: &Value, functions: &[&str]) {
    write(world, peppers);
    for function in functions {
        world.cloud.kill(function).await.expect("killed");
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

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_in_two_steps_breaks_nothing_while_some_have_not_read_the_secret() {
    let world = World::start().await;
    put(&world, pepper(1), pepper(7)).await;
    let ada = world.customer("ada@example.com").await;
    let client = world.cloud.client();
    // The new pepper is accepted everywhere before it is used anywhere.
    let first = json!({ "current": pepper(1), "previous": pepper(7), "next": pepper(2) });
    let second = json!({ "current": pepper(2), "previous": pepper(1) });
    write(&world, &first);
    for function in &world.cloud.template.functions {
        world.cloud.kill(&function.id).await.expect("killed");
    }
    assert_eq!(world.video(0, &ada).await.status, 200);
    assert_eq!(world.get("/v1/keys", &ada).await.status, 200);
    let waiting = world.ask_for_token("bob@example.com").await;

    // Of the second step, get-video and list-keys know nothing yet.
    read_by(&world, &second, &["CreateKeyFunction", "SignUpFunction", "VerifyAccountFunction"])
        .await;
    let make = || {
        let body = json!({ "name": "new" });
        client.post("/v1/keys", &body).key(&ada.key).header("idempotency-key", "a")
    };
    let made = world.send(make()).await;
    let key = made.json()["key"].as_str().expect("a key").to_owned();
    let renewed = Customer { key, ..ada.clone() };
    assert_eq!(world.get("/v1/keys", &renewed).await.status, 200);
    assert_eq!(world.video(0, &renewed).await.status, 200);
    assert_eq!(world.video(0, &ada).await.status, 200);
    let verified = client.post("/v1/accounts/verify", &json!({ "token": waiting }));
    assert_eq!(world.send(verified).await.status, 201);
    let cara = world.customer("cara@example.com").await;
    assert_eq!(world.video(0, &cara).await.status, 200);
    let recovery = world.ask_for_token("cara@example.com").await;

    // Who still has the first step's secret finds what was made under the second one's.
    let late =
        ["CreateKeyFunction", "SignUpFunction", "VerifyAccountFunction", "RecoverAccountFunction"];
    read_by(&world, &first, &late).await;
    assert_eq!(world.send(make()).await.json(), made.json(), "a request that is tried again");
    for email in ["bob@example.com", "cara@example.com"] {
        world.forget_mails().await;
        assert_eq!(world.send(client.post("/v1/accounts", &sign_up(email))).await.status, 202);
        let mail = world.cloud.ses.mails().pop().expect("a mail");
        assert_eq!(mail.subject, "You already have an account", "{email}");
    }
    let token = json!({ "token": recovery });
    assert_eq!(world.send(client.post("/v1/accounts/recover", &token)).await.status, 201);
    let app = app_of(&world.cloud, world.cloud.redis.direct_url());
    let list = |peppers: &Value| {
        let peppers: Peppers = serde_json::from_value(peppers.clone()).expect("peppers");
        Objections::new(app.store.clone(), app.redis.clone(), peppers)
    };
    list(&second).object("made.up", world.cloud.clock.now()).await.expect("stored");
    let found = list(&first).among(&["made.up"]).await.expect("read");
    assert_eq!(found.len(), 1, "an objection under the new pepper");
    // Without Redis it is the same.
    world.cloud.redis.fault(local::redis::Fault::Refuse);
    for customer in [&ada, &renewed, &cara] {
        assert_eq!(world.video(0, customer).await.status, 200);
    }
}
