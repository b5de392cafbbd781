//! `GET /health`.

use local::{
    redis::Fault,
    standins::tiktok::{self, Endpoint},
};
use serde_json::json;
use time::Duration;

use crate::util::World;

#[tokio::test(flavor = "multi_thread")]
async fn health_tells_what_is_missing_and_no_secret() {
    let world = World::start().await;
    let client = world.cloud.client();
    let well = world.send(client.get("/health")).await;
    assert_eq!(well.status, 200);
    assert_eq!(well.json()["status"], "ok");
    world.cloud.redis.fault(Fault::Refuse);
    let degraded = world.send(client.get("/health")).await;
    assert_eq!((degraded.status.as_u16(), &degraded.json()["status"]), (200, &json!("degraded")));
    world.cloud.dynamodb.fault(local::dynamodb::Fault::Down);
    let down = world.send(client.get("/health")).await;
    assert_eq!((down.status.as_u16(), &down.json()["status"]), (503, &json!("down")));
    assert!(!down.text().contains("127.0.0.1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn health_tells_how_the_sources_did_without_asking_them() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    let source = async || {
        let health = world.send(world.cloud.client().get("/health")).await.json();
        let parts = health["parts"].as_array().expect("parts").clone();
        let part = parts.into_iter().find(|it| it["name"] == "oembed").expect("the source");
        (health["status"].clone(), part)
    };
    assert_eq!(source().await.1, json!({ "name": "oembed", "status": "unknown" }));
    assert_eq!(world.video(0, &ada).await.status, 200);
    let noon = "2026-11-24T12:00:00Z";
    let answered = json!({ "name": "oembed", "status": "ok", "last_answer_at": noon });
    assert_eq!(source().await, (json!("ok"), answered));
    world.wait(Duration::minutes(1));
    world.cloud.tiktok.fault(Endpoint::Oembed, tiktok::Fault::Status(500));
    assert_eq!(world.video(1, &ada).await.status, 502);
    let (health, failing) = source().await;
    assert_eq!((health, &failing["status"]), (json!("degraded"), &json!("failing")));
    assert_eq!(failing["last_failure_at"], "2026-11-24T12:01:00Z");
    let asked = world.cloud.tiktok.counts().oembed;
    source().await;
    assert_eq!(world.cloud.tiktok.counts().oembed, asked);
}
