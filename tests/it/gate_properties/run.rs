//! One run of a schedule, and what must hold after each step and in the end.

use std::{collections::BTreeMap, future::Future, pin::pin, sync::Arc, task::Poll};

use local::{
    dynamodb::Which,
    redis::{Fault, Snapshot},
};
use time::{Duration, OffsetDateTime, macros::datetime};
use vidintel::{
    accounts::{self},
    app::App,
    error::{AuthError, Error},
    gate::{self, Denial},
    ids::{AccountId, KeyId, random_base62},
    inventory::{CACHE_SECONDS, declares_redis_key},
    keys::{self, ApiKey, Environment, KeyItem, KeyName},
    plans::{Period, Plan},
    secrets::{Pepper, Peppers},
};

use super::{MOST_AT_ONCE, Step};
use crate::util::{World, advance, far_away, library_of, store_account};

/// A request that has been let through and has not ended.
struct Held {
    admission: gate::Admission,
    /// The environment that serves it.
    app: App,
}

/// One customer and everything that is known of what was done for it.
pub(super) struct Run {
    world: Arc<World>,
    app: App,
    peppers: Peppers,
    account: AccountId,
    key: ApiKey,
    now: OffsetDateTime,
    served: BTreeMap<String, u64>,
    held: Vec<Held>,
    /// What a replica knows, and whether the neighbour is in it.
    snapshot: Option<(Snapshot, bool)>,
    stale_restores: u64,
    /// Most requests that were asked for at once so far.
    largest: u64,
    /// Requests that may have been taken by a function that then died, by period.
    died: BTreeMap<String, u64>,
    /// How often Redis has lost the gate: each time it may have held a lease.
    losses: u64,
    /// Whether a sweep fails, because of another account.
    has_neighbour: bool,
    away: bool,
}

impl Run {
    pub(super) async fn new(world: Arc<World>) -> Self {
        world.cloud.dynamodb.end_troubles();
        world.cloud.redis.fault(Fault::None);
        world.cloud.redis.flush().await.expect("an empty Redis");
        // A new environment: nothing is remembered.
        let app = library_of(&world.cloud, world.cloud.redis.url());
        let peppers = Peppers {
            current: Pepper::new(1, [1; 32]),
            previous: None,
            next: None,
            retired: Vec::new(),
        };
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
            held: Vec::new(),
            snapshot: None,
            stale_restores: 0,
            largest: 1,
            died: BTreeMap::new(),
            losses: 0,
            has_neighbour: false,
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
        keys::insert(&self.app.store, item, None).await.expect("stored");
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
            Err(Error::Unavailable { .. }) if self.away || !self.died.is_empty() => {}
            // A replica from before the key was made, until the next sweep.
            Err(Error::Auth(AuthError::Unknown)) if self.stale_restores > 0 => {}
            Err(error) => panic!("{error}"),
        }
    }

    pub(super) async fn take(&mut self, step: &Step) {
        if let Step::AskMany(count)
        | Step::Hold(count)
        | Step::FailPartly(count, _)
        | Step::Die(_, count) = step
        {
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
                let environments: Vec<App> = (0..*count).map(|_| library_of(world, url)).collect();
                let asks = environments.iter().map(|app| self.ask_in(app, 1));
                for outcome in futures_util::future::join_all(asks).await {
                    self.note(outcome);
                }
            }
            Step::AskMany(count) => {
                let outcome = self.ask_in(&self.app, *count).await;
                self.note(outcome);
            }
            Step::Hold(count) => self.hold(*count).await,
            Step::FailInRefill(at) => self.fail_in_refill(*at).await,
            Step::End(which, back) => self.end(*which, *back).await,
            Step::EndDuring(which, back, at) => self.end_during(*which, *back, *at).await,
            Step::Trouble(trouble, calls) => {
                self.world.cloud.dynamodb.trouble("quotas", *trouble, Which::Next(*calls));
            }
            Step::FailingNeighbour => self.add_neighbour().await,
            Step::EvictGate => {
                self.delete(&gate::gate_key(&self.account)).await;
                self.losses += 1;
            }
            Step::EvictLeases => self.delete("leases").await,
            Step::Fail => self.fail(1, 1).await,
            Step::FailPartly(count, back) => self.fail(*count, *back).await,
            Step::Die(at, count) => {
                let asking = self.ask_in(&self.app, *count);
                if interrupted(asking, *at).await.is_none_or(|it| it.is_ok()) {
                    self.note_died(&self.period(), *count);
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
                assert!(is_whole || self.away || self.has_neighbour, "{swept:?}");
            }
            Step::Wipe => {
                self.world.cloud.redis.flush().await.expect("wiped");
                self.losses += 1;
                self.has_neighbour = false;
            }
            Step::Snapshot => {
                let copy = self.world.cloud.redis.snapshot().await.expect("a copy");
                self.snapshot = Some((copy, self.has_neighbour));
            }
            Step::RestoreStale => {
                if let Some((snapshot, had_neighbour)) = &self.snapshot {
                    self.has_neighbour = *had_neighbour;
                    self.world.cloud.redis.restore(snapshot).await.expect("restored");
                    self.stale_restores += 1;
                    // Another environment answers from now on: the worst case.
                    self.app = library_of(&self.world.cloud, self.world.cloud.redis.url());
                }
            }
            Step::RedisAway => {
                self.world.cloud.redis.fault(Fault::Refuse);
                self.away = true;
            }
            Step::RedisBack => {
                self.world.cloud.redis.fault(Fault::None);
                // A new environment, rather than waiting for the breaker.
                self.app = library_of(&self.world.cloud, self.world.cloud.redis.url());
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
        let id = random_base62(16);
        if self.app.gate.give_back(&admission, back, &id).await.is_err() {
            self.note_died(&admission.period, back);
        }
        admission.cost = count - back;
        self.note(Ok(admission));
    }

    /// Ends a request in flight, of which `back` are not served.
    async fn end(&mut self, which: usize, back: u64) {
        if self.held.is_empty() {
            return;
        }
        let held = self.held.swap_remove(which % self.held.len());
        let back = back.min(held.admission.cost);
        let id = random_base62(16);
        if held.app.gate.give_back(&held.admission, back, &id).await.is_err() {
            self.note_died(&held.admission.period, back);
        }
        let served = self.served.get_mut(&held.admission.period.key()).expect("it was noted");
        *served -= back;
    }

    /// As [`Self::end`], while another request is held up at its `at`-th await.
    async fn end_during(&mut self, which: usize, back: u64, at: usize) {
        let other = library_of(&self.world.cloud, self.world.cloud.redis.url());
        let (key, peppers, now) = (self.key.clone(), self.peppers.clone(), self.now);
        let keys = ["video:1".to_owned()];
        let mut asking = pin!(other.gate.admit(&key, &peppers, 1, &keys, now));
        let first = advance(asking.as_mut(), at).await;
        self.end(which, back).await;
        let outcome = match first {
            Some(outcome) => outcome,
            None => asking.await,
        };
        self.note(outcome.map(|(admission, _)| admission));
    }

    /// Uses the lease up with requests that stay in flight, and fails the last one during the refill.
    async fn fail_in_refill(&mut self, at: usize) {
        let mut redis = self.world.cloud.redis.connection().await.expect("connected");
        for _ in 0..MOST_AT_ONCE {
            let mut left = redis::cmd("HGET");
            left.arg(gate::gate_key(&self.account)).arg("rem");
            let left: Option<u64> = left.query_async(&mut redis).await.expect("an answer");
            if left == Some(0) {
                break;
            }
            self.hold(1).await;
        }
        let last = self.held.len().saturating_sub(1);
        self.end_during(last, 1, at).await;
    }

    async fn hold(&mut self, count: u64) {
        let asked = self.ask_in(&self.app, count).await;
        if let Ok(admission) = &asked {
            self.held.push(Held { admission: admission.clone(), app: self.app.clone() });
        }
        self.note(asked);
    }

    fn note_died(&mut self, period: &Period, count: u64) {
        *self.died.entry(period.key()).or_default() += count;
    }

    /// As Redis evicts a key, whether the library reaches it or not.
    async fn delete(&self, key: &str) {
        let mut redis = self.world.cloud.redis.connection().await.expect("connected");
        redis::cmd("DEL").arg(key).exec_async(&mut redis).await.expect("deleted");
    }

    async fn add_neighbour(&mut self) {
        let mut redis = self.world.cloud.redis.connection().await.expect("connected");
        let neighbour = AccountId::random();
        let mut add = redis::pipe();
        add.cmd("SET").arg(gate::gate_key(&neighbour)).arg("no hash").arg("EX").arg(600);
        add.cmd("ZADD").arg("leases").arg(1).arg(neighbour.tag());
        add.cmd("EXPIRE").arg("leases").arg(3600);
        add.exec_async(&mut redis).await.expect("added");
        self.has_neighbour = true;
    }

    async fn replace_key(&mut self) {
        if self.away {
            return;
        }
        let old = keys::list(&self.app.store, &self.account).await.expect("keys").remove(0);
        let revoked = self.key.clone();
        keys::revoke(&self.app.store, &self.account, &old.key_id, true, self.now)
            .await
            .expect("revoked");
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

    /// A lease is a sixteenth of the limit at most, or as many as one request asks for where that is more.
    fn largest_lease(&self) -> u64 {
        Plan::Free.requests_per_period().div_ceil(16).max(self.largest)
    }

    pub(super) async fn check(&self) {
        let limit = Plan::Free.requests_per_period();
        // A stale replica brings back at most what was left of the lease that it knows, and of the one
        // put aside before; whatever it knows, what DynamoDB has granted meanwhile stays granted.
        let lease = self.largest_lease();
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
    pub(super) async fn finish(mut self) {
        self.take(&Step::RedisBack).await;
        self.world.cloud.dynamodb.end_troubles();
        self.wait_for_abandoned_refill().await;
        self.now += Duration::minutes(5);
        let period = self.period();
        for _ in 0..2 {
            let swept = gate::sweep(&self.app.redis, &self.app.store, self.now, far_away()).await;
            let is_whole = swept.as_ref().is_ok_and(|it| it.failed == 0);
            assert!(is_whole || self.has_neighbour, "{swept:?}");
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
        let died = self.died.get(&period.key()).copied().unwrap_or_default();
        let limit = Plan::Free.requests_per_period();
        if period.end - self.now > Duration::minutes(10) && self.stale_restores == 0 {
            assert!(
                served + quota.lost + died >= limit,
                "{served} served, {} lost, {died} died: something was not given back",
                quota.lost
            );
            // What does not come back: one lease for each time that Redis lost the gate, and what was taken by
            // functions that died.
            assert!(
                quota.lost <= self.losses * self.largest_lease(),
                "{} are written off after {} losses",
                quota.lost,
                self.losses
            );
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
