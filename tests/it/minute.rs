//! The limit in any minute: exact with Redis, and never more than the limit without it.

use std::time::Duration as Wait;

use local::redis::{self, Fault};
use proptest::{prelude::*, test_runner::TestRunner};
use serde_json::json;
use time::{Duration, OffsetDateTime, macros::datetime};
use vidintel::{
    config::RedisConfig,
    gate::{Asked, ask_ring},
    plans::Plan,
    redis::Redis,
};

use crate::util::{Customer, World, assert_problem, rate_limit};

const MINUTE: i64 = 60_000;

/// What is allowed, how long after the one before it was sent, how much later than it was sent it arrives
/// (ms), and how many requests it counts as.
type Request = (u64, i64, i64, u64);

/// Requests of accounts whose plan may change at any time. Pauses are such as to fall on the minute's end
/// often.
fn requests() -> impl Strategy<Value = Vec<Request>> {
    let limit = prop_oneof![6 => Just(None), 1 => (1u64..=12).prop_map(Some)];
    let pause = prop_oneof![
        6 => 0i64..3_000,
        2 => prop_oneof![Just(0), Just(MINUTE - 1), Just(MINUTE), Just(MINUTE + 1)],
        1 => 0i64..200_000,
    ];
    let late = prop_oneof![4 => Just(0i64), 1 => 1i64..4_000];
    let count = prop_oneof![4 => Just(1u64), 1 => 2u64..14];
    prop::collection::vec((limit, pause, late, count), 1..120).prop_map(|all| {
        let mut limit = 5;
        let with_limit = all.into_iter().map(|(changed, pause, late, count)| {
            limit = changed.unwrap_or(limit);
            (limit, pause, late, count)
        });
        with_limit.collect()
    })
}

/// The same, as simple as can be: a list of instants, oldest first.
#[derive(Default)]
struct Model {
    instants: Vec<i64>,
    /// As many are remembered as were ever allowed.
    most: usize,
}

impl Model {
    fn in_window(&self, now: i64) -> Vec<i64> {
        self.instants.iter().copied().filter(|at| *at > now - MINUTE).collect()
    }

    fn has_room(&self, now: i64, count: u64, limit: u64) -> bool {
        self.in_window(now).len() as u64 + count <= limit
    }

    fn ask(&mut self, now: i64, count: u64, limit: u64) -> Asked {
        let before = self.in_window(now);
        let is_let_in = self.has_room(now, count, limit);
        if is_let_in {
            // Overtaken: as of the instant of what has overtaken it.
            let at = self.instants.last().copied().unwrap_or_default().max(now);
            self.instants.extend((0..count).map(|_| at));
            self.most = self.most.max(limit as usize);
            let forgotten = self.instants.len().saturating_sub(self.most);
            self.instants.drain(..forgotten);
        }
        let free = limit.saturating_sub(before.len() as u64 + if is_let_in { count } else { 0 });
        let wait = if is_let_in {
            self.in_window(now)[0] + MINUTE - now
        } else if count > limit {
            MINUTE
        } else {
            (1..=2 * MINUTE).find(|wait| self.has_room(now + wait, count, limit)).expect("an end")
        };
        Asked { is_let_in, free, wait: Wait::from_millis(wait as u64) }
    }
}

#[test]
fn the_ring_says_what_a_list_of_all_instants_says() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let server = runtime.block_on(redis::Redis::start()).expect("a server");
    let client = Redis::new(&RedisConfig {
        url: server.direct_url().to_owned().into(),
        response_timeout: Wait::from_secs(5),
        connect_timeout: Wait::from_secs(5),
    })
    .expect("a client");
    let config =
        ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() };
    let outcome = TestRunner::new(config).run(&requests(), |requests| {
        runtime.block_on(async {
            let key = format!("{{{}}}:w:live", vidintel::ids::random_base62(12));
            let (mut model, mut sent, mut let_in) =
                (Model::default(), 1_795_521_600_000, Vec::new());
            for (limit, pause, late, count) in requests {
                // One that was sent earlier arrives now: others have overtaken it.
                sent += pause;
                let at = sent - late;
                let now = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at) * 1_000_000);
                let now = now.expect("an instant");
                let asked = ask_ring(&client, &key, (count, limit), now).await.expect("an answer");
                assert_eq!(asked, model.ask(at, count, limit), "{count} of {limit} at {at}");
                if asked.is_let_in {
                    let_in.extend((0..count).map(|_| at));
                }
            }
            // Whatever was overtaken and however the plan has changed: by the requests' own times.
            let_in.sort_unstable();
            let most = model.most.max(1);
            let spans = let_in.windows(most + 1).map(|span| span[most] - span[0]);
            assert!(spans.min().is_none_or(|span| span >= MINUTE), "more than {most} in a minute");
        });
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_clock_far_ahead_locks_nobody_out() {
    let server = redis::Redis::start().await.expect("a server");
    let client = Redis::new(&RedisConfig {
        url: server.direct_url().to_owned().into(),
        response_timeout: Wait::from_secs(5),
        connect_timeout: Wait::from_secs(5),
    })
    .expect("a client");
    let noon = datetime!(2026-11-24 12:00 UTC);
    let ask = async |now| ask_ring(&client, "{a}:w:live", (1, 3), now).await.expect("an answer");
    for now in [noon, noon + Duration::hours(1)] {
        assert!(ask(now).await.is_let_in);
    }
    let second = noon + Duration::SECOND;
    assert_eq!([ask(second).await.free, ask(second).await.free], [1, 0], "noon is not forgotten");
    assert!(!ask(second).await.is_let_in);
    let keys = server.keys().await.expect("the keys");
    assert!(matches!(keys[..], [(_, left)] if left > 0 && left <= 300_000), "{keys:?}");
}

/// Asks `count` times; how many were served.
async fn served(world: &World, count: usize, customer: &Customer) -> usize {
    let mut served = 0;
    for _ in 0..count {
        served += usize::from(world.video(0, customer).await.status == 200);
    }
    served
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_the_limit_at_each_full_minute_is_always_served() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    for minute in 0..3 {
        assert_eq!(served(&world, 11, &ada).await, 10, "minute {minute}");
        let refused = world.video(0, &ada).await;
        assert_problem(&refused, 429, "quota-exceeded");
        assert_eq!(rate_limit(&refused, "minute", 'r'), 0);
        assert_eq!(rate_limit(&refused, "minute", 't'), 60);
        assert_eq!(refused.header("retry-after"), Some("60"));
        world.wait(Duration::minutes(1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_bursts_around_a_full_minute_are_one_minute() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    world.wait(Duration::milliseconds(59_500));
    assert_eq!(served(&world, 10, &ada).await, 10);
    for (wait, t) in [(Duration::seconds(1), "59"), (Duration::milliseconds(58_999), "1")] {
        world.wait(wait);
        let refused = world.video(0, &ada).await;
        assert_problem(&refused, 429, "quota-exceeded");
        assert_eq!(refused.header("retry-after"), Some(t));
    }
    world.wait(Duration::milliseconds(1));
    assert_eq!(served(&world, 11, &ada).await, 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_to_be_left_is_left_and_comes_when_it_is_said_to() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    let batch = async |count| world.batch(&world.ids(0..count), &ada).await;
    assert_eq!(rate_limit(&batch(4).await, "minute", 'r'), 6);
    world.wait(Duration::seconds(20));
    let answer = batch(5).await;
    assert_eq!((rate_limit(&answer, "minute", 'r'), rate_limit(&answer, "minute", 't')), (1, 40));
    // Two have room with the first four, six with all.
    for (count, t) in [(2, 40), (6, 60)] {
        let refused = batch(count).await;
        assert_problem(&refused, 429, "quota-exceeded");
        assert_eq!(rate_limit(&refused, "minute", 'r'), 1, "{count}");
        assert_eq!(rate_limit(&refused, "minute", 't'), t, "{count}");
        assert_eq!(refused.header("retry-after"), Some(t.to_string().as_str()));
    }
    world.wait(Duration::seconds(40));
    assert_eq!(rate_limit(&batch(5).await, "minute", 'r'), 0);
    world.wait(Duration::seconds(20));
    assert_eq!(batch(5).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_plan_forgets_nothing_of_the_minute() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    assert_eq!(served(&world, 11, &ada).await, 10);
    world.upgrade(&ada, Plan::Basic).await;
    assert_eq!(served(&world, 21, &ada).await, 20);
    world.upgrade(&ada, Plan::Free).await;
    assert_eq!(served(&world, 1, &ada).await, 0);
    world.upgrade(&ada, Plan::Basic).await;
    assert_eq!(served(&world, 1, &ada).await, 0);
    world.wait(Duration::minutes(1));
    assert_eq!(served(&world, 31, &ada).await, 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_a_burst_at_the_end_of_a_minute_leaves_nothing_for_the_next() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    let test = world.test_key(&ada).await;
    world.cloud.redis.fault(Fault::Refuse);
    world.wait(Duration::milliseconds(59_900));
    assert_eq!(served(&world, 11, &ada).await, 10);
    world.wait(Duration::milliseconds(200));
    let refused = world.video(0, &ada).await;
    assert_problem(&refused, 429, "quota-exceeded");
    assert_eq!(refused.json()["violated-policies"], json!(["minute"]));
    // Slots of five seconds: that of 11:59:55 has left at 12:01:00.
    assert_eq!(refused.header("retry-after"), Some("60"));
    assert_eq!(rate_limit(&refused, "minute", 't'), 60);
    // The sandbox holds up nobody, and nobody it.
    let path = format!("/v1/videos/{}", vidintel::sandbox::VIDEOS[0].key);
    assert_eq!(world.get(&path, &test).await.status, 200);
    world.wait(Duration::seconds(60));
    assert_eq!(served(&world, 11, &ada).await, 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_a_new_month_goes_on_with_the_minute_of_the_old_one() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    world.cloud.redis.fault(Fault::Refuse);
    world.cloud.clock.set(datetime!(2026-11-30 23:59:58 UTC));
    assert_eq!(served(&world, 10, &ada).await, 10);
    world.wait(Duration::seconds(3));
    assert_eq!(served(&world, 1, &ada).await, 0);
    world.wait(Duration::seconds(64));
    assert_eq!(served(&world, 11, &ada).await, 10);
}
