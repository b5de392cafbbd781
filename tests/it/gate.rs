//! What the gate does when the things under it fail, seen from outside.

use futures_util::future::join_all;
use local::{dynamodb, redis};
use serde_json::{Value, json};
use time::Duration;
use vidintel::http::{Call, Visit};

use crate::util::{Customer, World, app_of, assert_problem};

/// Asks until the quota is used up; returns how many were served.
async fn use_up(world: &World, customer: &Customer) -> u64 {
    let mut served = 0;
    world.wait(Duration::minutes(2));
    for _ in 0..60 {
        world.wait(Duration::seconds(7));
        let answer = world.video(0, customer).await;
        match answer.status.as_u16() {
            200 => served += 1,
            429 => {
                assert_eq!(answer.json()["violated-policies"][0], "month");
                return served;
            }
            other => panic!("{other}: {}", answer.text()),
        }
    }
    panic!("the quota never ends");
}

async fn withheld(world: &World, customer: &Customer) -> u64 {
    world.get("/v1/usage", customer).await.json()["withheld"].as_u64().expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_quiet_account_had_leased_survives_a_wipe() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    for _ in 0..3 {
        assert_eq!(world.video(0, &ada).await.status, 200);
    }
    world.wait(Duration::seconds(11));
    assert_eq!(world.run_job("SweepGatesFunction").await["ended"], 1);
    world.cloud.redis.flush().await.expect("wiped");
    assert_eq!(use_up(&world, &ada).await, 47);
    assert_eq!(withheld(&world, &ada).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wipe_in_use_costs_at_most_the_lease_and_is_told() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    assert_eq!(world.video(0, &ada).await.status, 200);
    world.cloud.redis.flush().await.expect("wiped");
    let served = 1 + use_up(&world, &ada).await;
    let withheld = withheld(&world, &ada).await;
    assert!((46..=50).contains(&served), "{served}");
    // What was served under the lost lease is withheld too: nobody can tell it from the rest.
    assert_eq!(served - 1 + withheld, 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_the_quota_is_exact() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    world.cloud.redis.fault(redis::Fault::Refuse);
    assert_eq!(use_up(&world, &ada).await, 50);
    world.cloud.redis.fault(redis::Fault::None);
    world.cloud.kill("GetVideoFunction").await.expect("killed");
    world.wait(Duration::seconds(7));
    assert_problem(&world.video(0, &ada).await, 429, "quota-exceeded");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_a_minute_has_its_limit_too() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    world.cloud.redis.fault(redis::Fault::Refuse);
    for _ in 0..10 {
        assert_eq!(world.video(0, &ada).await.status, 200);
    }
    let answer = world.video(0, &ada).await;
    assert_problem(&answer, 429, "quota-exceeded");
    assert_eq!(answer.json()["violated-policies"][0], "minute");
    assert_eq!(answer.header("retry-after"), Some("60"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_redis_delays_the_first_request_and_not_the_next_ones() {
    // As impatient as when deployed.
    let world = World::start_with(local::Options::test()).await;
    let ada = world.customer("ada@example.com").await;
    assert_eq!(world.video(0, &ada).await.status, 200);
    world.cloud.redis.fault(redis::Fault::Delay(std::time::Duration::from_secs(2)));
    for _ in 0..5 {
        assert_eq!(world.video(0, &ada).await.status, 200);
    }
    world.cloud.redis.fault(redis::Fault::None);
    tokio::time::sleep(std::time::Duration::from_millis(2500)).await;
    assert_eq!(6 + use_up(&world, &ada).await + withheld(&world, &ada).await, 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_dynamodb_leased_requests_are_served_and_then_none() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    assert_eq!(world.video(0, &ada).await.status, 200);
    world.cloud.dynamodb.fault(dynamodb::Fault::Down);
    // The first lease of a Free account is of four.
    for _ in 1..4 {
        assert_eq!(world.video(0, &ada).await.status, 200);
    }
    assert_problem(&world.video(0, &ada).await, 503, "unavailable");
    world.cloud.dynamodb.fault(dynamodb::Fault::None);
    assert_eq!(4 + use_up(&world, &ada).await, 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_are_served_exactly_the_minute_and_waste_no_lease() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    let answers = join_all((0..30).map(|_| world.video(0, &ada))).await;
    let count = |status: u16| answers.iter().filter(|it| it.status == status).count();
    assert_eq!((count(200), count(429)), (10, 20));
    world.wait(Duration::minutes(2));
    assert_eq!(10 + use_up(&world, &ada).await, 50);
    assert_eq!(withheld(&world, &ada).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_lagged_behind_is_noticed() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    assert_eq!(world.video(0, &ada).await.status, 200);
    let stale = world.cloud.redis.snapshot().await.expect("a snapshot");
    for _ in 0..2 {
        assert_eq!(world.video(0, &ada).await.status, 200);
    }
    world.cloud.redis.restore(&stale).await.expect("restored");
    // The same environment sees its numbers come again and pays in DynamoDB.
    assert_eq!(world.video(0, &ada).await.status, 200);
    assert!(4 + use_up(&world, &ada).await <= 50);
    let logs = world.logs("GetVideoFunction");
    assert!(logs.contains("ran backwards"), "{logs}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_month_has_a_new_quota() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    assert_eq!(use_up(&world, &ada).await, 50);
    world.cloud.clock.set(time::macros::datetime!(2026-12-01 00:00 UTC));
    assert_eq!(world.video(0, &ada).await.status, 200);
    let usage = world.get("/v1/usage", &ada).await.json();
    assert_eq!((usage["used"].as_u64(), usage["remaining"].as_u64()), (Some(1), Some(49)));
    assert_eq!(usage["resets_at"], "2027-01-01T00:00:00Z");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overtaken_event_of_the_month_before_costs_the_new_month_nothing() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    world.cloud.clock.set(time::macros::datetime!(2026-12-01 00:00 UTC));
    for _ in 0..4 {
        assert_eq!(world.video(0, &ada).await.status, 200);
    }
    world.wait(-Duration::seconds(1));
    assert_eq!(world.video(0, &ada).await.status, 200);
    assert_eq!(4 + use_up(&world, &ada).await, 50);
    assert_eq!(withheld(&world, &ada).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_killed_under_load_cost_nothing_but_what_they_were_serving() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    let (mut served, mut died) = (0, 0);
    for round in 0..8 {
        world.wait(Duration::minutes(2));
        let asking = join_all((0..4).map(|_| world.video(0, &ada)));
        let killing = async {
            tokio::time::sleep(std::time::Duration::from_millis(round * 3)).await;
            world.cloud.kill("GetVideoFunction").await.expect("killed");
        };
        let (answers, ()) = futures_util::join!(asking, killing);
        served += answers.iter().filter(|it| it.status == 200).count() as u64;
        died += answers.iter().filter(|it| it.status.is_server_error()).count() as u64;
    }
    // A refill that died holds the gate for two seconds at most.
    tokio::time::sleep(std::time::Duration::from_millis(2100)).await;
    let total = served + use_up(&world, &ada).await;
    assert!(total <= 50 && total + died >= 50, "{total} served, {died} died");
    assert_eq!(withheld(&world, &ada).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_after_the_gate_costs_nothing_and_is_logged() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    let app = app_of(&world.cloud, world.cloud.redis.direct_url());
    let mut event: Value =
        serde_json::from_str(include_str!("../../events/get-video.json")).expect("an event");
    event["headers"]["x-api-key"] = ada.key.as_str().into();
    let request = lambda_http::request::from_str(&event.to_string()).expect("a request");
    let call = Call::new(request).expect("a call");
    let (visit, _) =
        Visit::admit(&app, &call, Vec::new(), 1, &["video:1".to_owned()]).await.expect("admitted");
    let reply = visit.finish(&app, &call, async { panic!("made up") }).await;
    assert_eq!(reply.status(), 500);
    app.usage.flush().await;
    world.run_job("RollUpUsageFunction").await;
    let usage = world.get("/v1/usage", &ada).await.json();
    assert_eq!((&usage["used"], &usage["remaining"]), (&json!(0), &json!(50)), "{usage}");
    assert_eq!(usage["days"][0]["server_errors"], 1, "{usage}");
}
