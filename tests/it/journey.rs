//! The documented journey of a customer, from signing up to being forgotten.

use serde_json::json;
use time::Duration;

use crate::util::{World, assert_problem, rate_limit};

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_signs_up_uses_the_service_and_meets_its_limits() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;

    let miss = world.video(0, &ada).await;
    assert_eq!(miss.status, 200, "{}", miss.text());
    assert_eq!(miss.json()["cached"], false);
    let hit = world.video(0, &ada).await;
    assert_eq!(hit.json()["cached"], true);
    assert_eq!(rate_limit(&hit, "minute", 'r'), 8);
    assert_eq!(rate_limit(&hit, "month", 'r'), 48);
    let policy = hit.header("ratelimit-policy").expect("a policy");
    assert_eq!(policy, r#""minute";q=10;w=60, "month";q=50;w=2592000"#);

    for _ in 2..10 {
        assert_eq!(world.video(0, &ada).await.status, 200);
    }
    let eleventh = world.video(0, &ada).await;
    assert_problem(&eleventh, 429, "quota-exceeded");
    assert_eq!(eleventh.json()["violated-policies"], json!(["minute"]));
    let wait: i64 = eleventh.header("retry-after").and_then(|it| it.parse().ok()).expect("seconds");

    // Told when to come back, it is let in then.
    world.wait(Duration::seconds(wait));
    assert_eq!(world.video(0, &ada).await.status, 200);
    for _ in 11..50 {
        world.wait(Duration::seconds(7));
        assert_eq!(world.video(1, &ada).await.status, 200);
    }
    world.wait(Duration::seconds(7));
    let fifty_first = world.video(1, &ada).await;
    assert_problem(&fifty_first, 429, "quota-exceeded");
    assert_eq!(fifty_first.json()["violated-policies"], json!(["month"]));
    assert_eq!(rate_limit(&fifty_first, "month", 'r'), 0);

    world.run_job("RollUpUsageFunction").await;
    let usage = world.get("/v1/usage", &ada).await.json();
    assert_eq!((&usage["used"], &usage["remaining"]), (&json!(50), &json!(0)));
    assert_eq!(usage["days"][0]["charged"], 50);
    assert_eq!(usage["days"][0]["limited"], 2);

    let client = world.cloud.client();
    let revoked = world
        .send(client.delete(format!("/v1/keys/{}?confirm=last", ada.key_id)).key(&ada.key))
        .await;
    assert_eq!(revoked.status, 204);
    assert_problem(&world.video(0, &ada).await, 401, "invalid-api-key");
}
