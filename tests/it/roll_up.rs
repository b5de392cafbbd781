//! The roll-up when something is wrong: an account that fails, entries that cannot be read, a slow
//! DynamoDB, more than one run can do.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration as Pause, Instant},
};

use local::dynamodb::Fault;
use serde_json::{Value, json};
use time::Duration;
use vidintel::{app::App, inventory::CACHE_SECONDS, usage};

use crate::util::{
    World, app_of,
    crowd::{Member, counted, crowd, log},
};

const ROLL_UP: &str = "RollUpUsageFunction";
/// Where entries lie that could not be read.
const ASIDE: &str = "unreadable";

fn app(world: &World) -> App {
    app_of(&world.cloud, world.cloud.redis.direct_url())
}

/// The account's statistics of today cannot be added to, so that its every transaction fails.
async fn spoil(world: &World, member: &Member) {
    let item = json!({
        "account": { "S": member.account.to_string() },
        "day": { "S": world.cloud.clock.now().date().to_string() },
        "requests": { "S": "many" },
    });
    let put = json!({ "TableName": world.cloud.dynamodb.table("usage-stats"), "Item": item });
    world.cloud.dynamodb.call("PutItem", &put).await.expect("spoilt");
}

async fn heal(world: &World, member: &Member) {
    let key = json!({
        "account": { "S": member.account.to_string() },
        "day": { "S": world.cloud.clock.now().date().to_string() },
    });
    let delete = json!({ "TableName": world.cloud.dynamodb.table("usage-stats"), "Key": key });
    world.cloud.dynamodb.call("DeleteItem", &delete).await.expect("healed");
}

/// Puts `texts` into one of the streams, in the place of entries.
async fn append(world: &World, stream: &str, texts: impl IntoIterator<Item = String>) {
    let mut redis = world.cloud.redis.connection().await.expect("connected");
    let mut pipeline = redis::pipe();
    for text in texts {
        pipeline.cmd("XADD").arg(stream).arg("*").arg("entry").arg(text).ignore();
    }
    pipeline.cmd("EXPIRE").arg(stream).arg(CACHE_SECONDS).ignore();
    pipeline.exec_async(&mut redis).await.expect("appended");
}

async fn waiting(world: &World, stream: &str) -> usize {
    let mut redis = world.cloud.redis.connection().await.expect("connected");
    redis::cmd("XLEN").arg(stream).query_async(&mut redis).await.expect("read")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_fails_stops_no_other() {
    let world = World::start().await;
    let members = crowd(&world, 40).await;
    let now = world.cloud.clock.now();
    let (bad, good) = members.split_at(1);
    spoil(&world, &bad[0]).await;
    // More of them than are read at a time, before anything of the others.
    let entries = (0..2_500).map(|_| serde_json::to_string(&bad[0].entry(now)).expect("an entry"));
    append(&world, "log:0", entries).await;
    let others = good.iter().map(|it| serde_json::to_string(&it.entry(now)).expect("an entry"));
    append(&world, "log:0", others).await;
    let run = world.run_job(ROLL_UP).await;
    assert_eq!((&run["new"], &run["failed"]), (&json!(39), &json!(1)), "{run}");
    let logs = world.logs(ROLL_UP);
    assert!(logs.contains(r#""UsageAccountsFailing":1"#), "{logs}");
    let counts: BTreeMap<_, _> = counted(&world).await.into_iter().collect();
    assert!(good.iter().all(|it| counts[&it.account.to_string()] == 1), "{counts:?}");
    // What is left is tried again, and is not lost.
    assert_eq!(waiting(&world, "log:0").await, 2_500);
    assert_eq!(world.run_job(ROLL_UP).await["failed"], 1);
    heal(&world, &bad[0]).await;
    let run = world.run_job(ROLL_UP).await;
    assert_eq!((&run["new"], &run["failed"]), (&json!(2_500), &json!(0)), "{run}");
    assert_eq!(waiting(&world, "log:0").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_kept_for_the_next_version() {
    let world = World::start().await;
    let member = crowd(&world, 1).await.remove(0);
    let now = world.cloud.clock.now();
    let of_next_version = json!({ "request": "a", "account": member.account.to_string() });
    append(&world, "log:1", [of_next_version.to_string()]).await;
    log(&app(&world), [member.entry(now)]).await;
    for new in [1, 0] {
        let run = world.run_job(ROLL_UP).await;
        assert_eq!((&run["new"], &run["unreadable"]), (&json!(new), &json!(1)), "{run}");
    }
    let logs = world.logs(ROLL_UP);
    assert!(logs.contains(r#""UsageEntriesUnreadable":1"#), "{logs}");
    assert!(!logs.contains(&member.account.to_string()), "{logs}");
    assert_eq!(waiting(&world, "log:1").await, 0);
    let keys: BTreeMap<_, _> =
        world.cloud.redis.keys().await.expect("the keys").into_iter().collect();
    let life = keys[ASIDE];
    assert!(life > 0 && life <= CACHE_SECONDS * 1000, "{life}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_set_aside_is_rolled_up_by_a_version_that_can_read_it() {
    let world = World::start().await;
    let (members, app) = (crowd(&world, 2).await, app(&world));
    let (own, other) = (&members[0].account, &members[1].account);
    let mut redis = world.cloud.redis.connection().await.expect("connected");
    let (seconds, _): (i64, i64) =
        redis::cmd("TIME").query_async(&mut redis).await.expect("a time");
    let entry = members[0].entry(world.cloud.clock.now());
    let unknown = format!("of {own}");
    let mut put = redis::cmd("ZADD");
    put.arg(ASIDE).arg(seconds * 1000 - 7).arg(serde_json::to_string(&entry).expect("an entry"));
    put.arg(seconds * 1000).arg(&unknown);
    put.arg((seconds - CACHE_SECONDS) * 1000).arg("an old one");
    put.exec_async(&mut redis).await.expect("put");
    let waits = async |account| usage::is_waiting(&app.redis, account).await.expect("read");
    assert!(waits(own).await && !waits(other).await);
    let run = world.run_job(ROLL_UP).await;
    assert_eq!((&run["new"], &run["unreadable"]), (&json!(1), &json!(1)), "{run}");
    assert_eq!(counted(&world).await, [(own.to_string(), 1)]);
    // An erasure waits for what names the account, although nobody knows what it is.
    assert!(waits(own).await && !waits(other).await);
    let mut left = redis::cmd("ZRANGE");
    let left: Vec<String> =
        left.arg(ASIDE).arg(0).arg(-1).query_async(&mut redis).await.expect("read");
    assert_eq!(left, [unknown]);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_a_run_can_do_goes_on_in_the_next_also_two_at_once() {
    let world = World::start().await;
    let (members, app) = (crowd(&world, 150).await, app(&world));
    let now = world.cloud.clock.now();
    // In two minutes, of which the runs may see a part each.
    for at in [now - Duration::minutes(1), now] {
        log(&app, members.iter().flat_map(|it| [it.entry(at), it.entry(at)])).await;
    }
    let run = usage::roll_up(&app, now, Instant::now()).await.expect("a run");
    assert_eq!((run.read, run.complete), (0, false));
    let mut runs = 0;
    loop {
        runs += 1;
        // At first enough for a part of it at most.
        let deadline = Instant::now() + Pause::from_millis(20 * runs);
        let run = || usage::roll_up(&app, now, deadline);
        let (one, other) = futures_util::join!(run(), run());
        let (one, other) = (one.expect("a run"), other.expect("a run"));
        if one.complete && other.complete && one.failed + other.failed == 0 {
            break;
        }
        assert!(runs < 100, "{one:?} {other:?}");
    }
    let counts = counted(&world).await;
    assert!(counts.len() == 150 && counts.iter().all(|it| it.1 == 4), "{counts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_is_rolled_up_in_time_though_dynamodb_is_slow() {
    let world = World::start().await;
    let members = crowd(&world, 3_000).await;
    let now = world.cloud.clock.now();
    log(&app(&world), members.iter().map(|it| it.entry(now))).await;
    world.cloud.dynamodb.fault(Fault::Slow(Pause::from_millis(20)));
    // One after the other, this takes four minutes; and a run has 60 s.
    let mut new = 0;
    for _ in 0..10 {
        let run = world.run_job(ROLL_UP).await;
        new += run["new"].as_u64().expect("a number");
        if run["complete"] == true {
            break;
        }
    }
    assert_eq!(new, 3_000);
    let counts = counted(&world).await;
    assert!(counts.len() == 3_000 && counts.iter().all(|it| it.1 == 1));
    let accounts: BTreeSet<_> = members.iter().map(|it| it.account.to_string()).collect();
    assert!(counts.iter().all(|it| accounts.contains(&it.0)));
    let used = world.cloud.dynamodb.items("api-keys").await.expect("the items");
    let of =
        |it: &Value| it["last_used_at"]["N"].as_str() == Some(&now.unix_timestamp().to_string());
    assert!(used.iter().all(of));
}

#[tokio::test(flavor = "multi_thread")]
async fn while_dynamodb_is_away_a_run_gives_up_soon_and_loses_nothing() {
    let world = World::start().await;
    let members = crowd(&world, 300).await;
    let now = world.cloud.clock.now();
    log(&app(&world), members.iter().map(|it| it.entry(now))).await;
    world.cloud.dynamodb.fault(Fault::Down);
    let run = world.run_job(ROLL_UP).await;
    let failed = run["failed"].as_u64().expect("a number");
    assert!((64..300).contains(&failed) && run["complete"] == false, "{run}");
    world.cloud.dynamodb.fault(Fault::None);
    let run = world.run_job(ROLL_UP).await;
    assert_eq!((&run["new"], &run["complete"]), (&json!(300), &json!(true)), "{run}");
    assert_eq!(counted(&world).await.len(), 300);
}
