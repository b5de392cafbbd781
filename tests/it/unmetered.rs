//! The limits of what is not metered.

use std::time::Duration as Wait;

use local::{http::Response, redis::Fault, standins::stripe::Card};
use serde_json::json;
use time::Duration;
use vidintel::{
    accounts,
    ids::AccountId,
    keys::{ApiKey, Environment},
};

use crate::util::{Customer, World, assert_problem, purchases::library, rate_limit};

const PORTAL: &str = "/v1/billing/portal";

/// As [`World::get`], without a rest before it.
async fn get(world: &World, path: &str, key: &str) -> Response {
    world.cloud.client().get(path).key(key).send().await.expect("an answer")
}

/// As [`World::post`], without a rest before it.
async fn post(world: &World, path: &str, customer: &Customer) -> Response {
    let client = world.cloud.client();
    client.post(path, &json!({})).key(&customer.key).send().await.expect("an answer")
}

fn assert_over(answer: &Response, policy: &str) {
    assert_problem(answer, 429, "quota-exceeded");
    assert_eq!(answer.json()["violated-policies"], json!([policy]));
    assert_eq!(rate_limit(answer, policy, 'r'), 0);
    let t = rate_limit(answer, policy, 't').to_string();
    assert_eq!(answer.header("retry-after"), Some(t.as_str()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_has_sixty_requests_in_any_minute_whatever_they_ask_for() {
    let world = World::start().await;
    let (ada, bob) =
        (world.customer("ada@example.com").await, world.customer("bob@example.com").await);
    let paths = ["/v1/usage", "/v1/keys", "/v1/billing", "/v1/privacy/requests", "/v1/keys"];
    for n in 0..60 {
        let path = paths[n % paths.len()];
        let answer = get(&world, path, &ada.key).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        assert_eq!(answer.header("ratelimit-policy"), Some(r#""account";q=60;w=60"#), "{path}");
        assert_eq!(rate_limit(&answer, "account", 'r'), 59 - n as u64);
        world.wait(Duration::milliseconds(500));
    }
    assert_over(&get(&world, "/v1/usage", &ada.key).await, "account");
    // The preview of a deletion reads every table.
    let preview = post(&world, "/v1/privacy/deletions", &ada).await;
    assert_over(&preview, "account");
    assert_eq!(preview.header("retry-after"), Some("30"));
    // The metered ones have their own limit, and each account too.
    let video = format!("/v1/videos/{}", world.video_id(0));
    assert_eq!(get(&world, &video, &ada.key).await.status, 200);
    assert_eq!(get(&world, "/v1/usage", &bob.key).await.status, 200);
    world.wait(Duration::seconds(30));
    assert_eq!(get(&world, "/v1/usage", &ada.key).await.status, 200);
    assert_over(&get(&world, "/v1/usage", &ada.key).await, "account");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_asks_stripe_has_six_in_any_minute_and_no_call_more() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    world.sell().await;
    world.buy("basic", &ada, Card::Good).await;
    world.wait(Duration::minutes(1));
    for left in (0..6).rev() {
        let answer = post(&world, PORTAL, &ada).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        assert_eq!(rate_limit(&answer, "payment", 'r'), left);
    }
    let calls = world.cloud.stripe.counts();
    for path in [PORTAL, "/v1/billing/checkout", "/v1/billing/plan"] {
        assert_over(&post(&world, path, &ada).await, "payment");
    }
    assert_over(&get(&world, "/v1/billing/invoices/in_1", &ada.key).await, "payment");
    assert_eq!(world.cloud.stripe.counts(), calls);
    assert_eq!(get(&world, "/v1/billing", &ada.key).await.status, 200);
    world.wait(Duration::minutes(1));
    assert_eq!(post(&world, PORTAL, &ada).await.status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn made_up_secrets_use_up_nobodys_limit() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    let id: AccountId = ada.account_id.parse().expect("an id");
    for _ in 0..8 {
        let made_up = ApiKey::random(id.clone(), Environment::Live);
        let answer = get(&world, "/v1/usage", made_up.expose()).await;
        assert_problem(&answer, 401, "invalid-api-key");
        assert_eq!(answer.header("ratelimit"), None);
    }
    let answer = get(&world, "/v1/usage", &ada.key).await;
    assert_eq!(rate_limit(&answer, "account", 'r'), 59);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_an_environment_goes_by_what_it_has_seen() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    world.cloud.redis.fault(Fault::Refuse);
    for _ in 0..6 {
        assert_problem(&post(&world, PORTAL, &ada).await, 409, "conflict");
    }
    assert_over(&post(&world, PORTAL, &ada).await, "payment");
    world.wait(Duration::minutes(1));
    assert_problem(&post(&world, PORTAL, &ada).await, 409, "conflict");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_checkout_of_the_same_plan_is_handed_out_again() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    world.sell().await;
    let open = async |plan| {
        let answer = world.checkout(plan, &ada).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        answer.json()
    };
    let first = open("pro").await;
    assert_eq!(open("pro").await, first);
    let other = open("basic").await;
    assert_ne!(other["id"], first["id"]);
    let again = open("pro").await;
    assert_ne!(again["id"], first["id"], "it was closed for the other plan");
    let app = library(&world);
    let id: AccountId = ada.account_id.parse().expect("an id");
    let account = accounts::get(&app.store, &id).await.expect("read").expect("an account");
    let at_stripe = account.customer.expect("a customer");
    let listed = app.stripe().await.expect("set up").open_checkouts(&at_stripe).await;
    assert_eq!(listed.expect("listed"), [again["id"].as_str().expect("an id")]);
    // Too little of its day is left to pay in peace.
    world.wait(Duration::hours(23) + Duration::minutes(45));
    tokio::time::sleep(Wait::from_millis(10)).await;
    assert_ne!(open("pro").await["id"], again["id"]);
}
