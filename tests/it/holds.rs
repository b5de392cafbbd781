//! Legal holds: of whom, how soon, and on what.

use std::pin::pin;

use serde_json::{Value, json};
use time::Duration;
use vidintel::{
    inventory::{BILLING_RECORDS, BILLING_TASKS, Table},
    privacy::place_hold,
    retention::Purge,
};

use crate::util::{
    World, advance_until, app_of, far_away,
    plant::{item, plant},
    purchases::order,
    store_account,
    subject::{erase, marked},
};

const HOLD: &str = "SetLegalHoldFunction";

async fn set(world: &World, account: &str, hold: bool) -> Result<Value, String> {
    order(world, HOLD, &json!({ "account": account, "hold": hold, "reason": "file 1" })).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_on_an_account_that_never_was_is_refused() {
    let world = World::start().await;
    let refused = set(&world, "acc_Mistyped0001", true).await.expect_err("never there");
    assert!(refused.contains("no such account"), "{refused}");
    let requests = world.cloud.dynamodb.items("privacy-requests").await.expect("the items");
    assert!(requests.is_empty(), "{requests:?}");
    let ada = marked(&world).await;
    set(&world, &ada.account_id, true).await.expect("it is there");
    set(&world, &ada.account_id, false).await.expect("released");
    erase(&world, &ada).await;
    // What the law keeps of it can be held all the same.
    set(&world, &ada.account_id, true).await.expect("it was erased");
    set(&world, &ada.account_id, false).await.expect("released");
}

/// That it was erased is forgotten after 24 months; its billing records are kept for 7 years, and are what a court asks
/// for.
#[tokio::test(flavor = "multi_thread")]
async fn a_hold_keeps_the_billing_records_of_an_account_that_was_erased_years_ago() {
    let world = World::start().await;
    let (gone, other) = ("acc_Gone00000001", "acc_Gone00000002");
    let now = world.cloud.clock.now();
    let until = BILLING_RECORDS.keep.until(now).expect("it expires");
    let from = now - (until - now) + Duration::minutes(30);
    for owner in [gone, other] {
        let record = item(Table::BillingRecords, owner, 1, from);
        plant(&world.cloud, Table::BillingRecords, &record).await;
    }
    set(&world, gone, true).await.expect("placed");
    let run = world.run_job("PurgeBillingRecordsFunction").await;
    assert_eq!((&run["deleted"], &run["held"]), (&json!(1), &json!(1)));
    let left = world.cloud.dynamodb.items("billing-records").await.expect("the items");
    assert_eq!((left.len(), &left[0]["account"]["S"]), (1, &json!(gone)));
    set(&world, gone, false).await.expect("released");
    world.wait(Duration::days(4));
    assert_eq!(world.run_job("PurgeBillingRecordsFunction").await["deleted"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_acts_on_a_run_that_is_under_way() {
    const DUE: usize = 1_200;
    let world = World::start().await;
    let app = app_of(&world.cloud, world.cloud.redis.direct_url());
    let held = "acc_Example00001";
    let id = held.parse().expect("an id");
    store_account(&world.cloud, &id).await;
    let now = world.cloud.clock.now();
    let due = now - Duration::days(30) + Duration::minutes(30);
    let first = item(Table::ApiLogs, held, 0, due);
    let items: Vec<Value> = (0..DUE)
        .map(|n| {
            let mut item = item(Table::ApiLogs, held, n, due);
            // All of them in one partition of the index.
            item["expires_on"] = first["expires_on"].clone();
            item
        })
        .collect();
    let name = world.cloud.dynamodb.table("api-logs");
    for some in items.chunks(25) {
        let puts: Vec<_> = some.iter().map(|it| json!({ "PutRequest": { "Item": it } })).collect();
        let batch = json!({ "RequestItems": { name.as_str(): puts } });
        world.cloud.dynamodb.call("BatchWriteItem", &batch).await.expect("put");
    }
    world.cloud.dynamodb.reset_counts();
    let mut run = pin!(Purge::of(Table::ApiLogs).expect("a job").run(&app, now, far_away()));
    let has_begun = || world.cloud.dynamodb.counts().keys().any(|it| it.1 == "BatchWriteItem");
    assert!(advance_until(run.as_mut(), has_begun).await.is_none());
    place_hold(&app.store, &id, "file 1", now).await.expect("placed");
    let purged = run.await.expect("purged");
    assert_eq!(purged.due, DUE as u64);
    assert!(purged.held >= 600 && purged.deleted >= 25, "{purged:?}");
    let kept = world.cloud.dynamodb.items("api-logs").await.expect("the items");
    assert_eq!(kept.len() as u64, purged.held);
}

#[tokio::test(flavor = "multi_thread")]
async fn billing_tasks_are_held_as_the_rest() {
    let world = World::start().await;
    let (held, other) = ("acc_Example00001", "acc_Example00002");
    store_account(&world.cloud, &held.parse().expect("an id")).await;
    let now = world.cloud.clock.now();
    let until = BILLING_TASKS.keep.until(now).expect("it expires");
    let from = now - (until - now) + Duration::minutes(30);
    for owner in [held, other] {
        plant(&world.cloud, Table::BillingTasks, &item(Table::BillingTasks, owner, 1, from)).await;
    }
    set(&world, held, true).await.expect("placed");
    let run = world.run_job("PurgeBillingTasksFunction").await;
    assert_eq!((&run["deleted"], &run["held"]), (&json!(1), &json!(1)));
    let left = world.cloud.dynamodb.items("billing-tasks").await.expect("the items");
    assert_eq!((left.len(), &left[0]["account"]["S"]), (1, &json!(held)));
    set(&world, held, false).await.expect("released");
    world.wait(Duration::days(4));
    assert_eq!(world.run_job("PurgeBillingTasksFunction").await["deleted"], 1);
}
