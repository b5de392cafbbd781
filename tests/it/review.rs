//! What a review has found: races and dead ends that no schedule of whole requests comes upon, because
//! they lie between two steps of one.

use std::pin::pin;

use local::redis::Fault;
use serde_json::json;
use time::{Duration, OffsetDateTime, macros::datetime};
use vidintel::{
    accounts,
    app::App,
    error::{AuthError, Error},
    flight::{Flights, Looked, Outcome},
    gate::{self, Admission},
    ids::{AccountId, KeyId, random_base62},
    inventory::CACHE_SECONDS,
    keys::{self, ApiKey, Environment, KeyItem, KeyName},
    lookup::video_key,
    plans::{Period, Plan},
    privacy::{close_service, guard, is_closed},
    secrets::{Pepper, Peppers},
    usage::{self, Agent, Entry},
    video::{FetchError, VideoId, VideoRecord},
};

use crate::util::{World, advance, app_of, far_away, store_account};

const NOON: OffsetDateTime = datetime!(2026-11-24 12:00 UTC);

/// Points at which a request is held up: its last ones lie beyond its end.
const POINTS: usize = 48;

/// How often all of them are tried until one is where it matters.
const ROUNDS: usize = 10;

/// A customer of the library, without the functions around it.
struct Customer<'a> {
    world: &'a World,
    account: AccountId,
    key: ApiKey,
    key_id: KeyId,
    peppers: Peppers,
}

impl<'a> Customer<'a> {
    async fn new(world: &'a World) -> Self {
        let account = AccountId::random();
        store_account(&world.cloud, &account).await;
        let peppers = Peppers {
            current: Pepper::new(1, [1; 32]),
            previous: None,
            next: None,
            retired: Vec::new(),
        };
        let (key, key_id) = (ApiKey::random(account.clone(), Environment::Live), KeyId::random());
        let name = KeyName::parse("key").expect("a name");
        let item = KeyItem::new(&key, key_id.clone(), name, &peppers.current, NOON);
        let customer = Self { world, account, key, key_id, peppers };
        keys::insert(&customer.environment().store, item, None).await.expect("stored");
        customer
    }

    /// What one environment of a function has.
    fn environment(&self) -> App {
        app_of(&self.world.cloud, self.world.cloud.redis.direct_url())
    }

    async fn ask(&self, app: &App, now: OffsetDateTime) -> Result<Admission, Error> {
        let asked = app.gate.admit(&self.key, &self.peppers, 1, &["video:1".to_owned()], now).await;
        asked.map(|(admission, _)| admission)
    }

    async fn quota(&self, app: &App, at: OffsetDateTime) -> gate::Quota {
        let period = Period::month_of(at);
        gate::read_quota(&app.store, &self.account, &period).await.expect("read")
    }

    /// Whether a refill is under way.
    async fn refills(&self) -> bool {
        let mut redis = self.world.cloud.redis.connection().await.expect("connected");
        let mut held = redis::cmd("HEXISTS");
        held.arg(gate::gate_key(&self.account)).arg("lk");
        held.query_async(&mut redis).await.expect("read")
    }

    /// Lets the time run out that a refill has; says whether there was one.
    async fn end_hold(&self) -> bool {
        let mut redis = self.world.cloud.redis.connection().await.expect("connected");
        let key = gate::gate_key(&self.account);
        let held: bool =
            redis::cmd("HEXISTS").arg(&key).arg("lk").query_async(&mut redis).await.expect("read");
        if held {
            let mut end = redis::cmd("HSET");
            end.arg(&key).arg("lt").arg(0).exec_async(&mut redis).await.expect("written");
        }
        held
    }

    /// Makes another key, with which it asks from now on.
    async fn take_another_key(&mut self) {
        (self.key, self.key_id) =
            (ApiKey::random(self.account.clone(), Environment::Live), KeyId::random());
        let name = KeyName::parse("key").expect("a name");
        let item = KeyItem::new(&self.key, self.key_id.clone(), name, &self.peppers.current, NOON);
        let app = self.environment();
        keys::insert(&app.store, item, None).await.expect("stored");
        app.gate.invalidate_now(&self.account).await.expect("told");
    }

    async fn revoke(&self, app: &App) {
        keys::revoke(&app.store, &self.account, &self.key_id, true, NOON).await.expect("revoked");
        let account = accounts::get(&app.store, &self.account).await.expect("read");
        let version = account.expect("an account").gate_version;
        app.gate.invalidate(&self.account, version).await.expect("told");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refill_that_died_is_credited_by_the_sweep() {
    let world = World::start().await;
    // How many polls lie between taking the lease and installing it depends on the machine's load.
    for _ in 0..ROUNDS {
        let mut leases = 0;
        for point in 0..POINTS {
            let ada = Customer::new(&world).await;
            let app = ada.environment();
            let _ = advance(pin!(ada.ask(&app, NOON)), point).await;
            if ada.end_hold().await && ada.quota(&app, NOON).await.lease.is_some() {
                leases += 1;
            }
            // Nobody asks any more.
            let later = NOON + Duration::minutes(1);
            gate::sweep(&app.redis, &app.store, later, far_away()).await.expect("swept");
            let quota = ada.quota(&app, NOON).await;
            assert_eq!((quota.lease, quota.lost), (None, 0), "held up at {point}");
            assert!(quota.granted <= 1, "held up at {point}: {} are gone", quota.granted);
        }
        if leases > 0 {
            return;
        }
    }
    panic!("no refill died between taking its lease and installing it");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_refills_that_died_are_made_up_for() {
    let world = World::start().await;
    for point in 0..POINTS {
        let ada = Customer::new(&world).await;
        let app = ada.environment();
        for at in [point, 3] {
            let _ = advance(pin!(ada.ask(&app, NOON)), at).await;
            ada.end_hold().await;
        }
        assert!(ada.ask(&app, NOON).await.is_ok());
        let quota = ada.quota(&app, NOON).await;
        assert_eq!(quota.lost, 0, "held up at {point}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refill_that_was_overtaken_harms_nobody() {
    let world = World::start().await;
    for _ in 0..ROUNDS {
        let mut overtaken = 0;
        for point in 0..POINTS {
            let ada = Customer::new(&world).await;
            let (slow, quick) = (ada.environment(), ada.environment());
            let mut asking = pin!(ada.ask(&slow, NOON));
            let first = advance(asking.as_mut(), point).await;
            overtaken += usize::from(ada.end_hold().await);
            assert!(ada.ask(&quick, NOON).await.is_ok());
            let first = match first {
                Some(outcome) => outcome,
                None => asking.await,
            };
            assert!(first.is_ok(), "held up at {point}: {first:?}");
            gate::sweep(&quick.redis, &quick.store, NOON + Duration::minutes(1), far_away())
                .await
                .expect("swept");
            let quota = ada.quota(&quick, NOON).await;
            assert_eq!((quota.granted, quota.lost), (2, 0), "held up at {point}");
        }
        if overtaken > 0 {
            return;
        }
    }
    panic!("no request was held up while it refilled");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_given_back_while_its_lease_is_replaced_comes_back() {
    let world = World::start().await;
    for _ in 0..ROUNDS {
        let mut met = 0;
        for point in 0..POINTS {
            let ada = Customer::new(&world).await;
            let (one, other) = (ada.environment(), ada.environment());
            let first = ada.ask(&one, NOON).await.expect("let through");
            for _ in 1..4 {
                assert!(ada.ask(&one, NOON).await.is_ok(), "the first lease is of four");
            }
            let mut asking = pin!(ada.ask(&other, NOON));
            let fifth = advance(asking.as_mut(), point).await;
            met += usize::from(ada.refills().await);
            one.gate.give_back(&first, 1, &random_base62(16)).await.expect("given back");
            let fifth = match fifth {
                Some(outcome) => outcome,
                None => asking.await,
            };
            assert!(fifth.is_ok(), "held up at {point}: {fifth:?}");
            let later = NOON + Duration::minutes(1);
            gate::sweep(&one.redis, &one.store, later, far_away()).await.expect("swept");
            let quota = ada.quota(&one, NOON).await;
            assert_eq!((quota.granted, quota.lost), (4, 0), "held up at {point}");
        }
        if met > 0 {
            return;
        }
    }
    panic!("nothing was given back during a refill");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_revoked_during_its_own_refill_costs_no_lease() {
    let world = World::start().await;
    for _ in 0..ROUNDS {
        let mut met = 0;
        for point in 0..POINTS {
            let mut ada = Customer::new(&world).await;
            let (app, other) = (ada.environment(), ada.environment());
            {
                let mut asking = pin!(ada.ask(&app, NOON));
                let first = advance(asking.as_mut(), point).await;
                met +=
                    usize::from(ada.quota(&other, NOON).await.lease.is_some() && first.is_none());
                ada.revoke(&other).await;
                if first.is_none() {
                    let _ = asking.await;
                }
            }
            ada.take_another_key().await;
            assert!(ada.ask(&other, NOON).await.is_ok(), "held up at {point}");
            let later = NOON + Duration::minutes(1);
            gate::sweep(&other.redis, &other.store, later, far_away()).await.expect("swept");
            assert_eq!(ada.quota(&other, NOON).await.lost, 0, "held up at {point}");
        }
        if met > 0 {
            return;
        }
    }
    panic!("no key was revoked while its refill had a lease");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_given_back_as_the_period_is_used_up_can_be_used_within_a_minute() {
    let world = World::start().await;
    for point in (0..POINTS).step_by(4) {
        let ada = Customer::new(&world).await;
        let (one, other) = (ada.environment(), ada.environment());
        let (mut now, mut last) = (NOON, None);
        for _ in 0..Plan::Free.requests_per_period() {
            last = Some(ada.ask(&one, now).await.expect("let through"));
            now += Duration::seconds(7);
        }
        let last = last.expect("the period has requests");
        let mut asking = pin!(ada.ask(&other, now));
        let refused = advance(asking.as_mut(), point).await;
        one.gate.give_back(&last, 1, &random_base62(16)).await.expect("given back");
        let asked = match refused {
            Some(outcome) => outcome,
            None => asking.await,
        };
        let later = ada.ask(&other, now + Duration::seconds(61)).await;
        // It was served to one of them.
        assert!(asked.is_ok() != later.is_ok(), "held up at {point}: {asked:?} {later:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_slow_redis_is_given_back_is_given_back_once() {
    let world = World::start().await;
    let ada = Customer::new(&world).await;
    // Through the proxy, and with less patience than Redis needs.
    let app = app_of(&world.cloud, world.cloud.redis.url());
    for round in 0..2 {
        let failed = ada.ask(&app, NOON).await.expect("let through");
        if round == 1 {
            // Its lease is being replaced when it comes back.
            let mut redis = world.cloud.redis.connection().await.expect("connected");
            let mut hold = redis::cmd("HSET");
            hold.arg(gate::gate_key(&ada.account)).arg("lk").arg("a").arg("lt").arg(0);
            hold.exec_async(&mut redis).await.expect("held");
        }
        world.cloud.redis.fault(Fault::Delay(std::time::Duration::from_millis(2_300)));
        app.gate.give_back(&failed, 1, &random_base62(16)).await.expect("it will be");
        app.gate.settle().await;
        world.cloud.redis.fault(Fault::None);
        tokio::time::sleep(std::time::Duration::from_millis(2_700)).await;
        let other = ada.environment();
        let later = NOON + Duration::minutes(1);
        gate::sweep(&other.redis, &other.store, later, far_away()).await.expect("swept");
        let quota = ada.quota(&other, NOON).await;
        assert_eq!((quota.granted, quota.lost), (0, 0), "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_fails_in_the_next_month_is_given_back_to_its_own() {
    let world = World::start().await;
    let ada = Customer::new(&world).await;
    let app = ada.environment();
    let (november, december) = (datetime!(2026-11-30 23:59:59 UTC), datetime!(2026-12-01 0:00 UTC));
    let failed = ada.ask(&app, november).await.expect("let through");
    assert!(ada.ask(&app, december).await.is_ok());
    app.gate.give_back(&failed, 1, &random_base62(16)).await.expect("given back");
    gate::sweep(&app.redis, &app.store, december + Duration::minutes(1), far_away())
        .await
        .expect("swept");
    for (month, granted) in [(november, 0), (december, 1)] {
        let quota = ada.quota(&app, month).await;
        assert_eq!((quota.granted, quota.lost), (granted, 0), "{month}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_made_up_secret_has_no_lease_taken_and_holds_nobody_up() {
    let world = World::start().await;
    let ada = Customer::new(&world).await;
    let app = ada.environment();
    let made_up = async |now| {
        let key = ApiKey::random(ada.account.clone(), Environment::Live);
        let asked = app.gate.admit(&key, &ada.peppers, 1, &["video:1".to_owned()], now).await;
        assert!(matches!(asked, Err(Error::Auth(AuthError::Unknown))), "{asked:?}");
        assert!(!ada.refills().await, "a refill is waited for");
    };
    for _ in 0..3 {
        made_up(NOON).await;
    }
    assert_eq!(ada.quota(&app, NOON).await, gate::Quota::default());
    assert_eq!(world.cloud.redis.keys().await.expect("the keys"), []);
    assert!(ada.ask(&app, NOON).await.is_ok());
    // When it is time to load the account anew, what is left of the lease is lost by nobody either.
    let later = NOON + Duration::minutes(46);
    made_up(later).await;
    assert!(ada.ask(&app, later).await.is_ok());
    gate::sweep(&app.redis, &app.store, later + Duration::minutes(1), far_away())
        .await
        .expect("swept");
    let quota = ada.quota(&app, NOON).await;
    assert_eq!((quota.granted, quota.lost), (2, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closing_that_died_halfway_is_made_up_for() {
    let world = World::start().await;
    let ada = Customer::new(&world).await;
    let app = ada.environment();
    assert!(ada.ask(&app, NOON).await.is_ok());
    let half = tokio::time::timeout(std::time::Duration::from_secs(1), close_service(&app, NOON));
    assert!(half.await.is_err(), "closing waits for those who have not heard of it");
    assert!(is_closed(&app.store).await.expect("read"));
    assert!(ada.ask(&app, NOON).await.is_ok(), "who is in the gate is let through");
    assert!(guard(&app, NOON).await.expect("guarded").closed);
    let asked = ada.ask(&ada.environment(), NOON).await;
    assert!(matches!(asked, Err(Error::Restoring)), "{asked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refill_that_the_closing_overtook_installs_nothing() {
    let world = World::start().await;
    let mut customers = Vec::new();
    for _ in 0..POINTS {
        let ada = Customer::new(&world).await;
        let app = ada.environment();
        customers.push((ada, app));
    }
    let asks = customers.iter().enumerate().map(|(point, (ada, app))| async move {
        let mut asking = pin!(ada.ask(app, NOON));
        if advance(asking.as_mut(), point).await.is_none() {
            // Held up while the service closes.
            tokio::time::sleep(std::time::Duration::from_secs(8)).await;
            let _ = asking.await;
        }
    });
    let closing = async {
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        close_service(&customers[0].1, NOON).await.expect("closed");
    };
    futures_util::join!(futures_util::future::join_all(asks), closing);
    let mut redis = world.cloud.redis.connection().await.expect("connected");
    for (point, (ada, _)) in customers.iter().enumerate() {
        let mut loaded = redis::cmd("HEXISTS");
        loaded.arg(gate::gate_key(&ada.account)).arg("st");
        let is_loaded: bool = loaded.query_async(&mut redis).await.expect("read");
        assert!(!is_loaded, "held up at {point}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_of_the_month_before_burns_no_lease() {
    let world = World::start().await;
    let ada = Customer::new(&world).await;
    let app = ada.environment();
    let (before, after) = (datetime!(2026-11-30 23:59:59.9 UTC), datetime!(2026-12-01 0:00 UTC));
    for now in [before, after, before, after] {
        let admission = ada.ask(&app, now).await.expect("let through");
        assert_eq!(admission.period, Period::month_of(now));
    }
    gate::sweep(&app.redis, &app.store, after + Duration::minutes(1), far_away())
        .await
        .expect("swept");
    for month in [before, after] {
        let quota = ada.quota(&app, month).await;
        assert_eq!((quota.granted, quota.lost), (2, 0), "{month}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refill_that_died_in_the_next_month_is_credited_there() {
    let world = World::start().await;
    let (november, december) = (datetime!(2026-11-30 23:59 UTC), datetime!(2026-12-01 0:00 UTC));
    for point in 0..POINTS {
        let ada = Customer::new(&world).await;
        let app = ada.environment();
        let _ = advance(pin!(ada.ask(&app, december)), point).await;
        ada.end_hold().await;
        assert!(ada.ask(&app, november).await.is_ok());
        let later = november + Duration::seconds(30);
        gate::sweep(&app.redis, &app.store, later, far_away()).await.expect("swept");
        assert!(ada.ask(&app, december).await.is_ok());
        let quota = ada.quota(&app, december).await;
        assert_eq!(quota.lost, 0, "held up at {point}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_revoked_in_the_middle_of_a_request_is_refused_afterwards() {
    let world = World::start().await;
    for point in 0..POINTS {
        let ada = Customer::new(&world).await;
        let (one, other) = (ada.environment(), ada.environment());
        let mut asking = pin!(ada.ask(&one, NOON));
        let first = advance(asking.as_mut(), point).await;
        ada.revoke(&other).await;
        if first.is_none() {
            let _ = asking.await;
        }
        for app in [&one, &other] {
            let asked = ada.ask(app, NOON).await;
            assert!(matches!(asked, Err(Error::Auth(AuthError::Unknown))), "{point}: {asked:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sweep_outlives_an_account_that_is_gone() {
    let world = World::start().await;
    let ada = Customer::new(&world).await;
    let app = ada.environment();
    assert!(ada.ask(&app, NOON).await.is_ok());
    let key = json!({ "id": { "S": ada.account.to_string() } });
    let delete = json!({ "TableName": world.cloud.dynamodb.table("accounts"), "Key": key });
    world.cloud.dynamodb.call("DeleteItem", &delete).await.expect("deleted");
    for _ in 0..3 {
        gate::sweep(&app.redis, &app.store, NOON, far_away()).await.expect("swept");
    }
    let asked = ada.ask(&app, NOON).await;
    assert!(matches!(asked, Err(Error::Auth(AuthError::Unknown))), "{asked:?}");
}

fn entry(account: &AccountId) -> Entry {
    let noise = || random_base62(512);
    Entry {
        request_id: random_base62(16),
        at_ms: NOON.unix_timestamp() * 1000,
        account: account.clone(),
        key_id: KeyId::random(),
        endpoint: "GET /v1/videos/{video_id}".to_owned(),
        parameters: vec![("video_id".to_owned(), "7000000000000000001".to_owned())],
        status: 429,
        latency_ms: 1,
        cached: false,
        charged: 0,
        period: "2026-11-01".to_owned(),
        lease: None,
        ip: "192.0.2.1".to_owned(),
        country: None,
        agent: Some(Agent { version: Some(noise()), ..Agent::parse(&noise()) }),
        referrer: Some(noise()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn noise_in_headers_does_not_stop_the_roll_up() {
    let world = World::start().await;
    let ada = Customer::new(&world).await;
    let app = ada.environment();
    let entries: Vec<Entry> = (0..700).map(|_| entry(&ada.account)).collect();
    for new in [700, 0] {
        assert_eq!(usage::append(&app.store, &entries).await.expect("appended"), new);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_entry_stays_in_the_stream_for_more_than_an_hour() {
    let world = World::start().await;
    let ada = Customer::new(&world).await;
    let app = ada.environment();
    let stream = async || {
        let keys = world.cloud.redis.keys().await.expect("the keys");
        keys.into_iter().map(|it| it.0).find(|key| key.starts_with("log:")).expect("a stream")
    };
    app.usage.push(entry(&ada.account));
    app.usage.flush().await;
    let (key, mut redis) =
        (stream().await, world.cloud.redis.connection().await.expect("connected"));
    let (seconds, _): (i64, i64) =
        redis::cmd("TIME").query_async(&mut redis).await.expect("a time");
    let old = format!("{}-1", (seconds - CACHE_SECONDS - 1) * 1000);
    let mut remake = redis::pipe();
    remake.cmd("DEL").arg(&key);
    remake.cmd("XADD").arg(&key).arg(&old).arg("entry").arg("an old one");
    remake.exec_async(&mut redis).await.expect("made");
    app.usage.push(entry(&ada.account));
    app.usage.flush().await;
    let left: usize = redis::cmd("XLEN").arg(&key).query_async(&mut redis).await.expect("read");
    assert_eq!(left, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_finds_the_answer_at_the_last_moment_holds_nobody_up() {
    let world = World::start().await;
    let app = app_of(&world.cloud, world.cloud.redis.direct_url());
    let id: VideoId = "7000000000000000001".parse().expect("an id");
    for _ in 0..2 {
        let objections = app.objections().await.expect("the secret");
        let flights = Flights {
            redis: &app.redis,
            alone: &app.alone,
            objections: &objections,
            is_paying: true,
            now: NOON,
        };
        let fetch = |_| async { vec![Err(FetchError::NotFound)] };
        let landed: Vec<Outcome<VideoRecord>> =
            flights.land(&[video_key(id)], Looked::default(), fetch).await.expect("landed");
        assert!(matches!(landed[..], [Err(FetchError::NotFound)]), "{landed:?}");
        let keys = world.cloud.redis.keys().await.expect("the keys");
        assert!(keys.iter().all(|(key, _)| !key.starts_with("flight:")), "{keys:?}");
    }
}
