//! From a request to its log entry, statistics and settlement.

use local::Options;
use serde_json::json;
use time::Duration;
use vidintel::{store::Item, usage::read_pack};

use crate::util::{Customer, World, app_of, patient};

/// Every pack in the table.
pub(crate) async fn packs(world: &World) -> Vec<Item> {
    let app = app_of(&world.cloud, world.cloud.redis.direct_url());
    let table = app.store.name(vidintel::inventory::Table::ApiLogs);
    let answer = app.store.client().scan().table_name(table).send().await.expect("a scan");
    // The erasure ledger's mark is no pack.
    let items = answer.items.unwrap_or_default().into_iter();
    items.filter(|it| !it.contains_key("ledger_position")).collect()
}

async fn roll_up(world: &World) -> serde_json::Value {
    world.run_job("RollUpUsageFunction").await
}

async fn today(world: &World, customer: &Customer) -> serde_json::Value {
    world.get("/v1/usage", customer).await.json()["days"][0].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_holds_what_the_policy_names() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    let client = world.cloud.client();
    let id = world.video_id(0);
    let agent = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";
    let request = client
        .get(format!("/v1/videos/{id}"))
        .key(&ada.key)
        .header("user-agent", agent)
        .header("referer", "https://app.example.com/dashboard");
    assert_eq!(world.send(request).await.status, 200);
    roll_up(&world).await;
    let packs = packs(&world).await;
    assert_eq!(packs.len(), 1);
    let entry = read_pack(&packs[0]).expect("a readable pack").remove(0);
    assert_eq!(entry.account.to_string(), ada.account_id);
    assert_eq!(entry.key_id.to_string(), ada.key_id);
    assert_eq!(entry.endpoint, "GET /v1/videos/{video_id}");
    assert_eq!(entry.parameters, [("video_id".to_owned(), id.to_string())]);
    assert_eq!((entry.status, entry.cached, entry.charged), (200, false, 1));
    assert_eq!(entry.referrer.as_deref(), Some("https://app.example.com/dashboard"));
    let agent = entry.agent.expect("an agent");
    assert_eq!(agent.browser.as_deref(), Some("Firefox"));
    assert_eq!(agent.system.as_deref(), Some("Linux"));
    assert_eq!(entry.ip, "127.0.0.1");
    assert!(entry.lease.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn rolling_up_twice_or_after_a_restore_counts_once() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    for _ in 0..5 {
        assert_eq!(world.video(0, &ada).await.status, 200);
    }
    world.cloud.runtime.settled().await;
    let before = world.cloud.redis.snapshot().await.expect("a snapshot");
    assert_eq!(roll_up(&world).await["new"], 5);
    assert_eq!(roll_up(&world).await["read"], 0);
    world.cloud.redis.restore(&before).await.expect("restored");
    let again = roll_up(&world).await;
    assert_eq!((&again["read"], &again["new"]), (&json!(5), &json!(0)));
    assert_eq!(today(&world, &ada).await["requests"], 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_roll_ups_at_once_count_once() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    for _ in 0..8 {
        assert_eq!(world.video(0, &ada).await.status, 200);
    }
    futures_util::join!(roll_up(&world), roll_up(&world), roll_up(&world));
    let today = today(&world, &ada).await;
    assert_eq!((&today["requests"], &today["charged"]), (&json!(8), &json!(8)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_roll_up_is_made_up_for() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    let mut asked = 0;
    for round in 0..6 {
        world.wait(Duration::minutes(1));
        for _ in 0..4 {
            assert_eq!(world.video(0, &ada).await.status, 200);
            asked += 1;
        }
        let killing = async {
            tokio::time::sleep(std::time::Duration::from_millis(2 + round * 4)).await;
            world.cloud.kill("RollUpUsageFunction").await.expect("killed");
        };
        // Whether it had ended before it was killed does not matter.
        let _ = futures_util::join!(world.cloud.run_job("RollUpUsageFunction"), killing);
    }
    roll_up(&world).await;
    assert_eq!(today(&world, &ada).await["requests"], asked);
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_are_kept_when_redis_is_away() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    world.cloud.redis.fault(local::redis::Fault::Refuse);
    for _ in 0..3 {
        assert_eq!(world.video(0, &ada).await.status, 200);
    }
    let today = today(&world, &ada).await;
    assert_eq!((&today["requests"], &today["charged"]), (&json!(3), &json!(3)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_is_counted_and_not_charged() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    assert_eq!(world.get("/v1/videos/7000000000000000001", &ada).await.status, 404);
    roll_up(&world).await;
    let usage = world.get("/v1/usage", &ada).await.json();
    assert_eq!((&usage["used"], &usage["remaining"]), (&json!(0), &json!(50)));
    assert_eq!(usage["days"][0]["client_errors"], 1);
    assert_eq!(usage["days"][0]["charged"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn past_days_can_be_asked_for() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    assert_eq!(world.video(0, &ada).await.status, 200);
    roll_up(&world).await;
    world.wait(Duration::days(31));
    let usage = world.get("/v1/usage", &ada).await.json();
    assert_eq!((&usage["used"], &usage["days"]), (&json!(0), &json!([])));
    let past = world.get("/v1/usage?from=2026-11-24&to=2026-11-24", &ada).await.json();
    assert_eq!(past["days"][0]["requests"], 1);
    for query in
        ["from=2026-13-01", "from=yesterday", "from=2026-12-26", "from=2025-12-01", "to=%00"]
    {
        let answer = world.get(&format!("/v1/usage?{query}"), &ada).await;
        crate::util::assert_problem(&answer, 400, "invalid-value");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_refusals_does_not_flood_the_log() {
    // Each environment keeps to it by itself: on a busy machine there may be several.
    let world = World::start_with(Options { max_environments: 1, ..patient() }).await;
    let ada = world.customer("ada@example.com").await;
    for _ in 0..10 {
        assert_eq!(world.video(0, &ada).await.status, 200);
    }
    for _ in 0..80 {
        assert_eq!(world.video(0, &ada).await.status, 429);
    }
    roll_up(&world).await;
    let today = today(&world, &ada).await;
    assert_eq!((&today["charged"], &today["limited"]), (&json!(10), &json!(60)));
}
