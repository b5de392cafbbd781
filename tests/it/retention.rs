//! API logs end after 30 days, statistics after 12 months, and nothing else goes with them.

use serde_json::json;
use time::Duration;
use vidintel::inventory::Table;

use crate::{
    usage::packs,
    util::{
        World, app_of,
        plant::{item, plant},
        store_account,
    },
};

#[tokio::test(flavor = "multi_thread")]
async fn logs_are_gone_after_30_days_and_statistics_are_not() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    assert_eq!(world.video(0, &ada).await.status, 200);
    world.cloud.advance(std::time::Duration::from_secs(3600)).await.expect("an hour passes");
    assert_eq!(packs(&world).await.len(), 1);
    world.wait(Duration::days(29) - Duration::hours(1));
    world.run_job("PurgeApiLogsFunction").await;
    assert_eq!(packs(&world).await.len(), 1, "a day too early");
    world.wait(Duration::hours(23));
    let run = world.run_job("PurgeApiLogsFunction").await;
    assert_eq!((run["deleted"].as_u64(), run["overdue"].as_u64()), (Some(1), Some(0)));
    assert!(packs(&world).await.is_empty());

    let app = app_of(&world.cloud, world.cloud.redis.direct_url());
    let account = ada.account_id.parse().expect("an account id");
    let (from, to) = (time::macros::date!(2026 - 11 - 01), time::macros::date!(2026 - 12 - 31));
    let now = world.cloud.clock.now();
    let days = vidintel::usage::days(&app.store, &account, from, to, now).await.expect("days");
    assert_eq!(days.iter().map(|day| day.requests).collect::<Vec<_>>(), [1]);
    // A year later they are not shown any more, whether or not DynamoDB has come to delete them.
    let later = now + Duration::days(366);
    let days = vidintel::usage::days(&app.store, &account, from, to, later).await.expect("days");
    assert!(days.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_week_without_runs_is_made_up_for() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    for _ in 0..7 {
        assert_eq!(world.video(0, &ada).await.status, 200);
        world.run_job("RollUpUsageFunction").await;
        world.wait(Duration::days(1));
    }
    // The job has run before, then not for weeks.
    world.run_job("PurgeApiLogsFunction").await;
    world.wait(Duration::days(30));
    let run = world.run_job("PurgeApiLogsFunction").await;
    assert_eq!((run["deleted"].as_u64(), run["overdue"].as_u64()), (Some(7), Some(7)));
    assert!(packs(&world).await.is_empty());
    let again = world.run_job("PurgeApiLogsFunction").await;
    assert_eq!(again["due"].as_u64(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_legal_hold_keeps_what_is_due_until_it_is_released() {
    let world = World::start().await;
    let (held, other) = ("acc_Example00001", "acc_Example00002");
    store_account(&world.cloud, &held.parse().expect("an id")).await;
    let now = world.cloud.clock.now();
    let from = now - Duration::days(30) + Duration::minutes(30);
    let planted = [held, other].map(|owner| item(Table::ApiLogs, owner, 1, from));
    for item in &planted {
        plant(&world.cloud, Table::ApiLogs, item).await;
    }
    let set = async |hold: bool| {
        let time = "2026-11-24T12:00:00Z";
        let order = json!({ "time": time, "account": held, "hold": hold, "reason": "file 1" });
        world.cloud.invoke("SetLegalHoldFunction", &order).await.expect("set");
    };
    set(true).await;
    let run = world.run_job("PurgeApiLogsFunction").await;
    assert_eq!((&run["due"], &run["deleted"], &run["held"]), (&json!(2), &json!(1), &json!(1)));
    // For as long as it stands, however often the job runs, and DynamoDB's own TTL does not take it.
    for _ in 0..3 {
        world.wait(Duration::days(3) + Duration::hours(1));
        let run = world.run_job("PurgeApiLogsFunction").await;
        assert_eq!((&run["deleted"], &run["held"]), (&json!(0), &json!(1)));
    }
    let kept = world.cloud.dynamodb.items("api-logs").await.expect("the items");
    let [kept] = &kept[..] else { panic!("{kept:?}") };
    for (name, value) in planted[0].as_object().expect("an object") {
        assert!(name.starts_with("expires_") || kept[name] == *value, "{name} has changed");
    }
    assert_eq!(kept["held_from"], planted[0]["expires_at"]);
    let proof = world.run_job("VerifyRetentionFunction").await;
    assert_eq!(proof["overdue"], 0, "what is held is not overdue: {proof}");
    set(false).await;
    world.wait(Duration::days(3) + Duration::hours(1));
    assert_eq!(world.run_job("PurgeApiLogsFunction").await["deleted"], 1);
    assert!(packs(&world).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_daily_proof_finds_what_no_job_has_deleted() {
    let world = World::start().await;
    let now = world.cloud.clock.now();
    for (n, ago) in [Duration::hours(1), Duration::hours(40)].into_iter().enumerate() {
        let item = item(Table::Exports, "acc_Example00001", n, now - ago);
        plant(&world.cloud, Table::Exports, &item).await;
    }
    assert_eq!(world.run_job("VerifyRetentionFunction").await["overdue"], 0);
    // The job never runs.
    world.wait(Duration::days(6));
    assert_eq!(world.run_job("VerifyRetentionFunction").await["overdue"], 1);
    world.wait(Duration::days(1));
    assert_eq!(world.run_job("VerifyRetentionFunction").await["overdue"], 2, "still there");
    assert!(world.logs("VerifyRetentionFunction").contains("kept beyond its period"));
    assert_eq!(world.run_job("PurgeExportsFunction").await["overdue"], 2);
    let proof = world.run_job("VerifyRetentionFunction").await;
    assert_eq!(proof["overdue"], 0);
    // A restored table brings back what the job has done with: the proof finds it and sends it back.
    let restored =
        item(Table::Exports, "acc_Example00001", 3, world.cloud.clock.now() - Duration::days(27));
    plant(&world.cloud, Table::Exports, &restored).await;
    assert_eq!(world.run_job("PurgeExportsFunction").await["due"], 0);
    assert_eq!(world.run_job("VerifyRetentionFunction").await["overdue"], 1);
    assert_eq!(world.run_job("PurgeExportsFunction").await["deleted"], 1);

    let app = app_of(&world.cloud, world.cloud.redis.direct_url());
    let links = vidintel::audit::verify(&app.store, "verify-retention").await.expect("read");
    assert_eq!(links, Ok(5));
    let change = json!({
        "TableName": world.cloud.dynamodb.table("audit"),
        "Key": { "chain": { "S": "verify-retention" }, "sequence": { "N": "2" } },
        "UpdateExpression": "SET details = :details",
        "ExpressionAttributeValues": { ":details": { "S": "{\"overdue\":0}" } },
    });
    world.cloud.dynamodb.call("UpdateItem", &change).await.expect("forged");
    let links = vidintel::audit::verify(&app.store, "verify-retention").await.expect("read");
    assert_eq!(links, Err(vidintel::audit::Broken { at: 2 }));
}
