//! What the gate does when the things under it fail, seen from outside.

use futures_util::future::join_all;
use local::{dynamodb, redis};
use serde_json::{Value, json};
use time::Duration;
use vidintel::{
    gate::gate_key,
    http::{Call, Visit},
};

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
    // Counted by slots of five seconds, so that no second minute begins too early.
    assert_eq!(answer.header("retry-after"), Some("65"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_slow_redis_took_is_returned_before_the_environment_may_be_frozen() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    assert_eq!(world.video(0, &ada).await.status, 200);
    // The functions wait for a second: Redis takes the requests well after they are answered without it.
    world.cloud.redis.fault(redis::Fault::Delay(std::time::Duration::from_millis(2_000)));
    // The lease has three left.
    let answer = world.batch(&world.ids(0..3), &ada).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    world.cloud.runtime.settled().await;
    world.cloud.kill("BatchVideosFunction").await.expect("killed");
    world.cloud.redis.fault(redis::Fault::None);
    let usage = world.get("/v1/usage", &ada).await.json();
    assert_eq!((&usage["used"], &usage["withheld"]), (&json!(4), &json!(0)), "{usage}");
    assert_eq!(4 + use_up(&world, &ada).await, 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_eviction_costs_is_the_lease_and_never_a_second_minute() {
    for (pattern, lost, waits) in
        [("{*}:g", true, false), ("{*}:w:live", false, true), ("leases", false, false)]
    {
        let world = World::start().await;
        let ada = world.customer("ada@example.com").await;
        for _ in 0..6 {
            assert_eq!(world.video(0, &ada).await.status, 200, "{pattern}");
        }
        assert_eq!(world.cloud.redis.evict(pattern).await.expect("evicted"), 1, "{pattern}");
        // What was let in by the ring is not forgotten with the account, nor the other way round.
        let mut more = 0;
        while world.video(0, &ada).await.status == 200 {
            more += 1;
        }
        assert_eq!(more, if waits { 0 } else { 4 }, "{pattern}");
        world.wait(Duration::minutes(1));
        assert_eq!(world.video(0, &ada).await.status, 200, "{pattern}");
        let served = 7 + more + use_up(&world, &ada).await;
        let withheld = withheld(&world, &ada).await;
        // The second lease was of three, of which two had been served.
        assert_eq!((served, withheld), if lost { (49, 3) } else { (50, 0) }, "{pattern}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_evicts_all_the_time_over_serves_nobody() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    let mut redis = world.cloud.redis.connection().await.expect("connected");
    let noise = "x".repeat(20_000);
    let (mut served, mut losses) = (0, 0);
    for round in 0..60 {
        world.wait(Duration::seconds(7));
        let answer = world.video(0, &ada).await;
        served += u64::from(answer.status == 200);
        if answer.status == 429 && answer.json()["violated-policies"][0] == "month" {
            break;
        }
        if round % 6 == 5 {
            // Everything that was there before goes.
            world.cloud.redis.limit_memory(Some(100_000)).await.expect("limited");
            for n in 0..20 {
                let mut set = ::redis::cmd("SET");
                set.arg(format!("video:noise-{n}")).arg(&noise).arg("EX").arg(60);
                set.exec_async(&mut redis).await.expect("set");
            }
            world.cloud.redis.limit_memory(None).await.expect("not limited");
            losses += 1;
        }
    }
    assert_ne!(world.cloud.redis.info("evicted_keys").await.expect("a figure"), "0");
    served += use_up(&world, &ada).await;
    let withheld = withheld(&world, &ada).await;
    assert!(losses > 0 && served <= 50, "{served}");
    // Each loss costs at most a lease: four at the beginning, fewer later.
    assert!(withheld <= 4 * losses && served + withheld >= 50, "{served} and {withheld}");
}

#[tokio::test(flavor = "multi_thread")]
async fn half_of_a_cluster_over_serves_nobody() {
    let mut options = crate::util::patient();
    options.redis = redis::Kind::HalfOfACluster;
    let world = World::start_with(options).await;
    let mut redis = world.cloud.redis.connection().await.expect("connected");
    // One account of each half.
    let mut halves = [None, None];
    for n in 0.. {
        if halves.iter().all(Option::is_some) {
            break;
        }
        world.forget_mails().await;
        let customer = world.customer(&format!("customer-{n}@example.com")).await;
        let key = gate_key(&customer.account_id.parse().expect("an id"));
        let mut slot = ::redis::cmd("CLUSTER");
        let slot: u16 =
            slot.arg("KEYSLOT").arg(&key).query_async(&mut redis).await.expect("a slot");
        halves[usize::from(slot / 8192)] = Some(customer);
    }
    for customer in halves.into_iter().flatten() {
        let mut served = 0;
        for _ in 0..12 {
            served += u64::from(world.video(0, &customer).await.status == 200);
        }
        assert_eq!(served, 10, "a minute");
        served += use_up(&world, &customer).await;
        assert_eq!(served + withheld(&world, &customer).await, 50);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_redis_delays_the_first_request_and_not_the_next_ones() {
    let world = World::start().await;
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
    let call = Call::new(request, world.cloud.url()).expect("a call");
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
