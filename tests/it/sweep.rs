//! Leases are taken back whatever the logs do, and fairly.

use std::time::{Duration as Pause, Instant};

use serde_json::{Value, json};
use time::{Duration, OffsetDateTime, macros::datetime};
use vidintel::{
    app::App,
    gate::{self, Admission},
    ids::{AccountId, KeyId},
    inventory::Table,
    keys::{self, ApiKey, Environment, KeyItem, KeyName},
    plans::{Period, Plan},
    secrets::{Pepper, Peppers},
    usage,
};

use crate::util::{World, account_item, app_of, crowd::Member, far_away};

const NOON: OffsetDateTime = datetime!(2026-11-24 12:00 UTC);

fn peppers() -> Peppers {
    Peppers { current: Pepper::new(1, [1; 32]), previous: None, next: None, retired: Vec::new() }
}

struct Customer {
    member: Member,
    key: ApiKey,
}

impl Customer {
    /// One whose account has `more` attributes than usual.
    async fn new(world: &World, app: &App, more: Value) -> Self {
        let account = AccountId::random();
        let mut item = account_item(&account);
        let more = more.as_object().expect("attributes").clone();
        item.as_object_mut().expect("attributes").extend(more);
        let put = json!({ "TableName": world.cloud.dynamodb.table("accounts"), "Item": item });
        world.cloud.dynamodb.call("PutItem", &put).await.expect("an account");
        let (key, key_id) = (ApiKey::random(account.clone(), Environment::Live), KeyId::random());
        let name = KeyName::parse("key").expect("a name");
        let item = KeyItem::new(&key, key_id.clone(), name, &peppers().current, NOON);
        keys::insert(&app.store, item, None).await.expect("stored");
        Self { member: Member { account, key_id }, key }
    }

    async fn ask(&self, app: &App, now: OffsetDateTime) -> Option<Admission> {
        let asked = app.gate.admit(&self.key, &peppers(), 1, &[], now).await;
        asked.ok().map(|(admission, _)| admission)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_by_the_hour_gets_all_that_was_bought_while_its_logs_fail() {
    let world = World::start().await;
    let app = app_of(&world.cloud, world.cloud.redis.direct_url());
    let bought_requests = Plan::Basic.requests_per_period();
    let end = NOON + Duration::days(30);
    let period = Period { start: NOON, end };
    let at = |it: OffsetDateTime| json!({ "N": it.unix_timestamp().to_string() });
    let bought = json!({ "subscription": { "M": {
        "id": { "S": "sub_1" },
        "plan": { "S": Plan::Basic.name() },
        "anchor": at(NOON),
        "period": { "M": { "start": at(NOON), "end": at(end) } },
    } } });
    let ada = Customer::new(&world, &app, bought).await;
    let mut redis = world.cloud.redis.connection().await.expect("connected");
    let mut served = 0;
    // A month has fewer hours than requests: two in each.
    for hour in 0..bought_requests.cast_signed() / 2 {
        let now = NOON + Duration::hours(hour);
        for _ in 0..2 {
            served += u64::from(ada.ask(&app, now).await.is_some());
        }
        let minute_later = now + Duration::minutes(1);
        // Now and then is enough to see that it fails whenever it runs.
        if hour % 100 == 0 {
            let day = json!({
                "account": { "S": ada.member.account.to_string() },
                "day": { "S": now.date().to_string() },
                "requests": { "S": "many" },
            });
            let table = world.cloud.dynamodb.table(Table::UsageStats.name());
            let put = json!({ "TableName": table, "Item": day });
            world.cloud.dynamodb.call("PutItem", &put).await.expect("spoilt");
            app.usage.push(ada.member.entry(now));
            app.usage.flush().await;
            let run = usage::roll_up(&app, minute_later, far_away()).await.expect("a run");
            assert_eq!((run.new, run.failed), (0, 1));
        }
        gate::sweep(&app.redis, &app.store, minute_later, far_away()).await.expect("swept");
        // Redis does so after 50 minutes; its clock does not follow ours.
        let key = gate::gate_key(&ada.member.account);
        redis::cmd("DEL").arg(key).exec_async(&mut redis).await.expect("forgotten");
    }
    let quota = gate::read_quota(&app.store, &ada.member.account, &period).await.expect("read");
    assert_eq!((served, quota.granted, quota.lost), (bought_requests, bought_requests, 0));
    assert!(ada.ask(&app, end - Duration::minutes(30)).await.is_none(), "one more");
}

#[tokio::test(flavor = "multi_thread")]
async fn sweeps_that_end_at_their_deadline_take_turns() {
    let world = World::start().await;
    let app = app_of(&world.cloud, world.cloud.redis.direct_url());
    let mut customers = Vec::new();
    for _ in 0..200 {
        customers.push(Customer::new(&world, &app, json!({})).await);
    }
    let (busy, quiet) = customers.split_at(100);
    for (some, at) in [(busy, NOON), (quiet, NOON + Duration::SECOND)] {
        for it in some {
            assert!(it.ask(&app, at).await.is_some());
        }
    }
    // They are always in use, and always come first.
    let mut redis = world.cloud.redis.connection().await.expect("connected");
    for it in busy {
        let key = gate::gate_key(&it.member.account);
        let last = (NOON + Duration::days(1)).unix_timestamp() * 1000;
        let mut set = redis::cmd("HSET");
        set.arg(key).arg("last").arg(last).exec_async(&mut redis).await.expect("set");
    }
    let mut ended = 0;
    let (mut now, mut runs) = (NOON, 0);
    while runs < 30 {
        now += Duration::minutes(1);
        // Not enough for all.
        let deadline = Instant::now() + Pause::from_millis(5);
        let swept = gate::sweep(&app.redis, &app.store, now, deadline).await.expect("swept");
        assert_eq!(swept.failed, 0);
        // On a busy machine there may have been no time for any.
        runs += usize::from(swept.looked_at > 0);
        ended += swept.ended;
        if ended == quiet.len() {
            return;
        }
    }
    panic!("{ended} of {} leases were taken back", quiet.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_goes_on_past_an_account_that_cannot_be_looked_at() {
    let world = World::start().await;
    let app = app_of(&world.cloud, world.cloud.redis.direct_url());
    let bad = Customer::new(&world, &app, json!({})).await;
    let good = Customer::new(&world, &app, json!({})).await;
    for it in [&bad, &good] {
        assert!(it.ask(&app, NOON).await.is_some());
    }
    let update = json!({
        "TableName": world.cloud.dynamodb.table("accounts"),
        "Key": { "id": { "S": bad.member.account.to_string() } },
        "UpdateExpression": "SET gate_version = :spoilt",
        "ExpressionAttributeValues": { ":spoilt": { "S": "many" } },
    });
    world.cloud.dynamodb.call("UpdateItem", &update).await.expect("spoilt");
    world.wait(Duration::minutes(1));
    let run = world.run_job("SweepGatesFunction").await;
    assert_eq!((&run["ended"], &run["failed"]), (&json!(1), &json!(1)), "{run}");
    let logs = world.logs("SweepGatesFunction");
    assert!(logs.contains(r#""GatesNotSwept":1"#), "{logs}");
    let quota = gate::read_quota(&app.store, &good.member.account, &Period::month_of(NOON)).await;
    assert_eq!(quota.expect("read").granted, 1);
}
