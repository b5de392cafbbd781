//! `GET /v1/videos/{video_id}`.

use futures_util::future::join_all;
use local::standins::tiktok::{Endpoint, Fault};
use serde_json::json;
use time::Duration;

use crate::util::{World, assert_problem};

#[tokio::test(flavor = "multi_thread")]
async fn many_misses_ask_the_source_once() {
    let world = World::start().await;
    let customers =
        [world.customer("ada@example.com").await, world.customer("bob@example.com").await];
    let asks = (0..16).map(|n| world.video(3, &customers[n % 2]));
    for answer in join_all(asks).await {
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    assert_eq!(world.cloud.tiktok.counts().oembed, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_served_from_the_cache_for_an_hour_and_no_longer() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    assert_eq!(world.video(0, &ada).await.json()["cached"], false);
    world.wait(Duration::minutes(59));
    let hit = world.video(0, &ada).await.json();
    assert_eq!((&hit["cached"], &hit["age_seconds"]), (&json!(true), &json!(59 * 60)));
    world.wait(Duration::minutes(1));
    assert_eq!(world.video(0, &ada).await.json()["cached"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_way_to_fail_has_its_problem_and_costs_nothing() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    assert_problem(
        &world.get("/v1/videos/7000000000000000001", &ada).await,
        404,
        "video-not-found",
    );
    let cases = [
        (Fault::Status(500), 502, "source-failed"),
        (Fault::RateLimited, 503, "source-busy"),
        (Fault::Hang, 504, "source-timeout"),
    ];
    for (n, (fault, status, kind)) in cases.into_iter().enumerate() {
        world.cloud.tiktok.fault(Endpoint::Oembed, fault);
        world.wait(Duration::minutes(1));
        let answer = world.video(n, &ada).await;
        assert_problem(&answer, status, kind);
        assert!(answer.header("ratelimit").is_some());
    }
    world.cloud.tiktok.fault(Endpoint::Oembed, Fault::None);
    let usage = world.get("/v1/usage", &ada).await.json();
    assert_eq!((&usage["used"], &usage["remaining"]), (&json!(0), &json!(50)));
}
