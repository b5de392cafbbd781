//! `GET /health`.

use local::redis::Fault;
use serde_json::json;

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
