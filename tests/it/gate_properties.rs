//! The gate's invariants over random schedules of everything that can happen to it: requests, upstream
//! failures, functions that die at any await, wipes, replicas that lag behind, Redis away and back,
//! sweeps, clock moves and month ends.
//!
//! The library runs against a real Redis server and the embedded DynamoDB.

use std::{future::Future, pin::pin, sync::Arc, task::Poll};

use local::{redis::Fault, redis::Snapshot};
use proptest::{prelude::*, test_runner::TestRunner};
use time::{Duration, OffsetDateTime, macros::datetime};
use tokio::runtime::Runtime;
use vidintel::{
    accounts::{self},
    app::App,
    error::{AuthError, Error},
    gate::{self, Denial},
    ids::{AccountId, KeyId},
    inventory::{CACHE_SECONDS, declares_redis_key},
    keys::{self, ApiKey, Environment, KeyItem, KeyName},
    plans::{Period, Plan},
    secrets::{Pepper, Peppers},
};

use crate::util::{World, app_of, far_away, store_account};

/// Most requests asked for at once; a minute of the Free plan allows ten.
const MOST_AT_ONCE: u64 = 8;

#[derive(Clone, Debug)]
enum Step {
    Ask,
    AskTogether(usize),
    /// A batch: so many requests at once, all or none.
    AskMany(u64),
    /// The upstream fails: the request is given back.
    Fail,
    /// Of a batch, so many are not found: they are given back.
    FailPartly(u64, u64),
    /// The function dies at its n-th await, while it asks for so many at once.
    Die(usize, u64),
    DieInSweep(usize),
    Sweep,
    Wipe,
    Snapshot,
    RestoreStale,
    RedisAway,
    RedisBack,
    Wait(i64),
    NextMonth,
    ClockBack,
    RevokeAndReplaceKey,
}

fn steps(stale: bool) -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        12 => Just(Step::Ask),
        3 => (2usize..6).prop_map(Step::AskTogether),
        4 => (2..=MOST_AT_ONCE).prop_map(Step::AskMany),
        2 => Just(Step::Fail),
        3 => (2..=MOST_AT_ONCE).prop_flat_map(|count| (Just(count), 1..=count))
            .prop_map(|(count, back)| Step::FailPartly(count, back)),
        3 => (1usize..40, prop_oneof![2 => Just(1), 1 => 2..=MOST_AT_ONCE])
            .prop_map(|(at, count)| Step::Die(at, count)),
        2 => (1usize..20).prop_map(Step::DieInSweep),
        3 => Just(Step::Sweep),
        1 => Just(Step::Wipe),
        if stale { 2 } else { 1 } => Just(Step::Snapshot),
        if stale { 2 } else { 1 } => Just(if stale { Step::RestoreStale } else { Step::Ask }),
        1 => Just(Step::RedisAway),
        2 => Just(Step::RedisBack),
        3 => (1i64..120).prop_map(Step::Wait),
        1 => Just(Step::NextMonth),
        1 => Just(Step::ClockBack),
        1 => Just(Step::RevokeAndReplaceKey),
    ];
    prop::collection::vec(step, 1..120)
}

/// One customer and everything that is known of what was done for it.
struct Run {
    world: Arc<World>,
    app: App,
    peppers: Peppers,
    account: AccountId,
    key: ApiKey,
    now: OffsetDateTime,
    served: std::collections::BTreeMap<String, u64>,
    snapshot: Option<Snapshot>,
    stale_restores: u64,
    /// Most requests that were asked for at once so far.
    largest: u64,
    /// Requests that may have been taken by a function that then died.
    died: u64,
    /// Whether something was lost in a way that is not given back.
    wiped: bool,
    away: bool,
}

impl Run {
    async fn new(world: Arc<World>) -> Self {
        world.cloud.redis.fault(Fault::None);
        world.cloud.redis.flush().await.expect("an empty Redis");
        // A new environment: nothing is remembered.
        let app = app_of(&world.cloud, world.cloud.redis.url());
        let peppers =
            Peppers { current: Pepper::new(1, [1; 32]), previous: None, retired: Vec::new() };
        let (account, now) = (AccountId::random(), datetime!(2026-11-24 12:00 UTC));
        let key = ApiKey::random(account.clone(), Environment::Live);
        let run = Self {
            world,
            app,
            peppers,
            account,
            key,
            now,
            served: Default::default(),
            snapshot: None,
            stale_restores: 0,
            largest: 1,
            died: 0,
            wiped: false,
            away: false,
        };
        run.open_account().await;
        run
    }

    async fn open_account(&self) {
        store_account(&self.world.cloud, &self.account).await;
        self.store_key(&self.key).await;
    }

    async fn store_key(&self, key: &ApiKey) {
        let name = KeyName::parse("key").expect("a name");
        let item = KeyItem::new(key, KeyId::random(), name, &self.peppers.current, self.now);
        keys::insert(&self.app.store, item).await.expect("stored");
    }

    fn period(&self) -> Period {
        Period::month_of(self.now)
    }

    async fn ask(&self) -> Result<gate::Admission, Error> {
        self.ask_in(&self.app, 1).await
    }

    async fn ask_in(&self, app: &App, count: u64) -> Result<gate::Admission, Error> {
        let (keys, now) = (["video:1".to_owned()], self.now);
        let asked = app.gate.admit(&self.key, &self.peppers, count, &keys, now).await;
        let admission = asked.map(|(admission, _)| admission)?;
        assert_eq!(admission.cost, count, "all or none");
        Ok(admission)
    }

    fn note(&mut self, outcome: Result<gate::Admission, Error>) {
        match outcome {
            Ok(admission) => {
                assert_eq!(admission.period, self.period());
                *self.served.entry(self.period().key()).or_default() += admission.cost;
            }
            Err(Error::Denied(Denial::Rate { .. } | Denial::Quota { .. })) => {}
            // The rest of the quota is in a lease that cannot be reached: Redis is away, or a refill that
            // died holds the gate.
            Err(Error::Unavailable { .. }) if self.away || self.died > 0 => {}
            // A replica from before the key was made, until the next sweep.
            Err(Error::Auth(AuthError::Unknown)) if self.stale_restores > 0 => {}
            Err(error) => panic!("{error}"),
        }
    }

    async fn take(&mut self, step: &Step) {
        if let Step::AskMany(count) | Step::FailPartly(count, _) | Step::Die(_, count) = step {
            self.largest = self.largest.max(*count);
        }
        match step {
            Step::Ask => {
                let outcome = self.ask().await;
                self.note(outcome);
            }
            Step::AskTogether(count) => {
                // An environment serves one request at a time.
                let (world, url) = (&self.world.cloud, self.world.cloud.redis.url());
                let environments: Vec<App> = (0..*count).map(|_| app_of(world, url)).collect();
                let asks = environments.iter().map(|app| self.ask_in(app, 1));
                for outcome in futures_util::future::join_all(asks).await {
                    self.note(outcome);
                }
            }
            Step::AskMany(count) => {
                let outcome = self.ask_in(&self.app, *count).await;
                self.note(outcome);
            }
            Step::Fail => self.fail(1, 1).await,
            Step::FailPartly(count, back) => self.fail(*count, *back).await,
            Step::Die(at, count) => {
                let asking = self.ask_in(&self.app, *count);
                if interrupted(asking, *at).await.is_none_or(|it| it.is_ok()) {
                    self.died += count;
                }
                settle().await;
            }
            Step::DieInSweep(at) => {
                let sweep = gate::sweep(&self.app.redis, &self.app.store, self.now, far_away());
                interrupted(sweep, *at).await;
                settle().await;
            }
            Step::Sweep => {
                let swept =
                    gate::sweep(&self.app.redis, &self.app.store, self.now, far_away()).await;
                let is_whole = swept.as_ref().is_ok_and(|it| it.failed == 0);
                assert!(is_whole || self.away, "{swept:?}");
            }
            Step::Wipe => {
                self.world.cloud.redis.flush().await.expect("wiped");
                self.wiped = true;
            }
            Step::Snapshot => {
                self.snapshot = Some(self.world.cloud.redis.snapshot().await.expect("a copy"));
            }
            Step::RestoreStale => {
                if let Some(snapshot) = &self.snapshot {
                    self.world.cloud.redis.restore(snapshot).await.expect("restored");
                    self.stale_restores += 1;
                    // Another environment answers from now on: the worst case.
                    self.app = app_of(&self.world.cloud, self.world.cloud.redis.url());
                }
            }
            Step::RedisAway => {
                self.world.cloud.redis.fault(Fault::Refuse);
                self.away = true;
            }
            Step::RedisBack => {
                self.world.cloud.redis.fault(Fault::None);
                // A new environment, rather than waiting for the breaker.
                self.app = app_of(&self.world.cloud, self.world.cloud.redis.url());
                self.away = false;
            }
            Step::Wait(seconds) => self.now += Duration::seconds(*seconds),
            Step::NextMonth => self.now = self.period().end + Duration::seconds(3),
            Step::ClockBack => self.now -= Duration::seconds(90),
            Step::RevokeAndReplaceKey => self.replace_key().await,
        }
    }

    /// Asks for `count` at once, of which `back` are not served.
    async fn fail(&mut self, count: u64, back: u64) {
        let Ok(mut admission) = self.ask_in(&self.app, count).await else { return };
        let id = vidintel::ids::random_base62(16);
        if self.app.gate.give_back(&admission, back, &id).await.is_err() {
            self.died += back;
        }
        admission.cost = count - back;
        self.note(Ok(admission));
    }

    async fn replace_key(&mut self) {
        if self.away {
            return;
        }
        let old = keys::list(&self.app.store, &self.account).await.expect("keys").remove(0);
        let revoked = self.key.clone();
        keys::revoke(&self.app.store, &self.account, &old.key_id).await.expect("revoked");
        self.tell_gate().await;
        let asked = self
            .app
            .gate
            .admit(&revoked, &self.peppers, 1, &["video:1".to_owned()], self.now)
            .await;
        assert!(matches!(asked, Err(Error::Auth(AuthError::Unknown))), "{asked:?}: a revoked key");
        self.key = ApiKey::random(self.account.clone(), Environment::Live);
        self.store_key(&self.key).await;
        self.tell_gate().await;
    }

    async fn tell_gate(&self) {
        let account = accounts::get(&self.app.store, &self.account).await.expect("read");
        let version = account.expect("an account").gate_version;
        self.app.gate.invalidate(&self.account, version).await.expect("told");
    }

    async fn check(&self) {
        let limit = Plan::Free.requests_per_period();
        // A stale replica brings back at most what was left of the lease that it knows, and of the one
        // put aside before; whatever it knows, what DynamoDB has granted meanwhile stays granted. A lease
        // is a sixteenth of the limit at most, or as many as one request asks for where that is more: a
        // batch is served from one lease, so the largest batch bounds what a lost write can cost.
        let lease = limit.div_ceil(16).max(self.largest);
        let allowed = limit + self.stale_restores * 2 * lease;
        for (period, served) in &self.served {
            assert!(*served <= allowed, "{served} served in {period}");
        }
        for (key, left) in self.world.cloud.redis.keys().await.expect("the keys") {
            assert!(declares_redis_key(&key).is_some(), "{key} is not declared");
            assert!(left > 0 && left <= CACHE_SECONDS * 1000, "{key} lives for {left} ms");
        }
    }

    /// A refill that died holds the gate for two seconds.
    async fn wait_for_abandoned_refill(&self) {
        let mut connection = self.world.cloud.redis.connection().await.expect("connected");
        let mut held = redis::cmd("HEXISTS");
        held.arg(gate::gate_key(&self.account)).arg("lk");
        if held.query_async(&mut connection).await.expect("an answer") {
            tokio::time::sleep(std::time::Duration::from_millis(2_050)).await;
        }
    }

    /// In the end everything is well, and the customer uses the rest up.
    async fn finish(mut self) {
        self.take(&Step::RedisBack).await;
        self.wait_for_abandoned_refill().await;
        self.now += Duration::minutes(5);
        let period = self.period();
        for _ in 0..2 {
            gate::sweep(&self.app.redis, &self.app.store, self.now, far_away())
                .await
                .expect("swept");
        }
        for _ in 0..60 {
            self.now = (self.now + Duration::seconds(7)).min(period.end - Duration::seconds(1));
            match self.ask().await {
                Err(Error::Denied(Denial::Quota { .. })) => break,
                outcome => self.note(outcome),
            }
        }
        self.check().await;
        let quota = gate::read_quota(&self.app.store, &self.account, &period).await.expect("read");
        let served = self.served.get(&period.key()).copied().unwrap_or_default();
        let limit = Plan::Free.requests_per_period();
        if period.end - self.now > Duration::minutes(10) && self.stale_restores == 0 {
            assert!(
                served + quota.lost + self.died >= limit,
                "{served} served, {} lost, {} died: something was not given back",
                quota.lost,
                self.died
            );
            if !self.wiped {
                assert_eq!(quota.lost, 0, "lost without a wipe");
            }
        }
    }
}

/// Polls `future` at most `polls` times; what it has sent by then has been sent.
async fn interrupted<F: Future>(future: F, polls: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = polls;
    std::future::poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}

/// What a function had sent before it died arrives.
async fn settle() {
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
}

fn hold_for(cases: u32, stale: bool) {
    let runtime = Runtime::new().expect("a runtime");
    let world = Arc::new(runtime.block_on(World::start()));
    // What fails is printed whole; a file of seeds would not help, as timing is part of it.
    let config = ProptestConfig {
        cases,
        max_shrink_iters: 60,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let outcome = TestRunner::new(config).run(&steps(stale), |steps| {
        runtime.block_on(async {
            let mut run = Run::new(world.clone()).await;
            for step in &steps {
                run.take(step).await;
                run.check().await;
            }
            run.finish().await;
        });
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn whatever_happens_no_quota_is_over_served_and_what_is_provably_unserved_comes_back() {
    hold_for(24, false);
}

#[test]
fn a_stale_replica_costs_at_most_its_leases() {
    hold_for(12, true);
}
