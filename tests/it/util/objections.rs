//! A creator who objects, and the operator who decides.

use local::http::Response;
use serde_json::{Value, json};
use vidintel::{inventory::Table, objections::Objections};

use super::{World, app_of, patient, subject::everything, token_in};

pub(crate) const PATH: &str = "/v1/objections";
pub(crate) const CONFIRM: &str = "ConfirmObjectionFunction";
pub(crate) const DECIDE: &str = "DecideObjectionFunction";
pub(crate) const WATCH: &str = "WatchObjectionsFunction";

/// A creator whom the stand-in for TikTok knows…
pub(crate) const CREATOR: &str = "alba.bakes";
/// …and one whom it does not.
pub(crate) const UNKNOWN: &str = "nobody.known";

/// An objection that was asked for.
pub(crate) struct Asked {
    pub(crate) id: String,
    pub(crate) code: String,
    pub(crate) token: String,
}

pub(crate) fn form(username: &str, email: &str, kind: &str) -> Value {
    json!({ "username": username, "email": email, "kind": kind })
}

pub(crate) async fn post(world: &World, form: &Value) -> Response {
    let client = world.cloud.client();
    world.send(client.post(PATH, form)).await
}

/// Asks, and reads the token from the mail.
pub(crate) async fn ask(world: &World, form: &Value) -> Asked {
    let before = world.cloud.ses.mails().len();
    let answer = post(world, form).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    let mails = world.cloud.ses.mails().split_off(before);
    let address = form["email"].as_str().expect("an address");
    let mail = mails.iter().rfind(|it| it.to == [address]).expect("a mail");
    let text = mail.text.as_deref().expect("a text part");
    let field = |name: &str| answer.json()[name].as_str().expect(name).to_owned();
    let asked = Asked { id: field("id"), code: field("code"), token: token_in(text) };
    for part in [&asked.token, &asked.code] {
        assert!(text.contains(part), "{part} is not in the text");
        assert!(mail.html.as_deref().expect("an HTML part").contains(part), "nor in the HTML");
    }
    assert!(!answer.text().contains(&asked.token), "the token is for the mailbox only");
    asked
}

pub(crate) async fn confirm(world: &World, asked: &Asked) -> Response {
    let client = world.cloud.client();
    let body = json!({ "token": asked.token });
    world.send(client.post(format!("{PATH}/confirm"), &body)).await
}

/// Confirms; what the answer says.
pub(crate) async fn confirmed(world: &World, asked: &Asked) -> Value {
    let answer = confirm(world, asked).await;
    assert_eq!(answer.status, 200, "{}: {}", answer.text(), world.logs(CONFIRM));
    answer.json()
}

pub(crate) async fn view(world: &World, asked: &Asked) -> Response {
    let client = world.cloud.client();
    world.send(client.get(format!("{PATH}/{}", asked.id))).await
}

pub(crate) async fn state(world: &World, asked: &Asked) -> Value {
    view(world, asked).await.json()["state"].clone()
}

/// What the operator gets for an order.
pub(crate) async fn operate(world: &World, order: &Value) -> Result<Value, String> {
    let mut order = order.clone();
    order["time"] = json!(instant(world));
    world.cloud.invoke(DECIDE, &order).await.map_err(|error| error.message)
}

pub(crate) async fn queue(world: &World) -> Vec<Value> {
    let answer = operate(world, &json!({})).await.expect("the queue");
    answer["queued"].as_array().expect("a list").clone()
}

/// The present, as events have it.
pub(crate) fn instant(world: &World) -> String {
    let now = world.cloud.clock.now();
    now.format(&time::format_description::well_known::Rfc3339).expect("a time")
}

pub(crate) async fn with_research() -> World {
    let mut options = patient();
    options.parameters.insert("TikTokResearch".to_owned(), "on".to_owned());
    World::start_with(options).await
}

pub(crate) async fn items(world: &World, table: Table) -> Vec<Value> {
    world.cloud.dynamodb.items(table.name()).await.expect("the items")
}

/// The library's list with the service's own secret.
pub(crate) async fn own_list(world: &World) -> Objections {
    let app = app_of(&world.cloud, world.cloud.redis.direct_url());
    let peppers = app.secrets.get().await.expect("the secret").pepper;
    Objections::new(app.store, app.redis, peppers)
}

pub(crate) async fn is_left_out(world: &World, username: &str) -> bool {
    !own_list(world).await.among(&[username]).await.expect("read").is_empty()
}

/// Checks that no table, Redis key, file or log holds any of `words`.
pub(crate) async fn assert_forgotten(world: &World, words: &[&str]) {
    for text in everything(world).await {
        let text = text.to_lowercase();
        for word in words {
            assert!(!text.contains(&word.to_lowercase()), "{word} is left: {text}");
        }
    }
}

/// Uses every endpoint and job of objections in every way that reaches further. Research is on.
pub(crate) async fn use_objections(world: &World) {
    let order = |asked: &Asked| json!({ "id": asked.id, "decision": "accept" });
    for kind in ["object", "withdraw"] {
        let asked = ask(world, &form(CREATOR, &format!("proven-{kind}@example.com"), kind)).await;
        assert_eq!(state(world, &asked).await, "unconfirmed");
        assert_eq!(confirmed(world, &asked).await["state"], "waiting_for_code");
        world.cloud.tiktok.set_bio(CREATOR, &asked.code);
        confirmed(world, &asked).await;
        view(world, &asked).await;
        let asked = ask(world, &form(UNKNOWN, &format!("queued-{kind}@example.com"), kind)).await;
        for _ in 0..2 {
            assert_eq!(confirmed(world, &asked).await["state"], "queued");
        }
        assert_eq!(queue(world).await.len(), 1);
        world.run_job(WATCH).await;
        operate(world, &order(&asked)).await.expect("decided");
    }
}
