//! A restored backup must not undo an erasure.

use std::{collections::BTreeMap, time::Instant};

use serde_json::{Value, json};
use time::Duration;
use vidintel::{
    inventory::{DELETIONS, Table},
    privacy::replay,
};

use crate::util::{
    World, app_of, assert_problem,
    copy::ask,
    plant::{item, plant},
    sign_up,
    subject::{assert_erased, erase, marked, post, residue},
};

type Snapshot = BTreeMap<&'static str, Vec<Value>>;

/// Tables that a restore brings back; the ledger and the requests are not among them.
const RESTORED: [Table; 10] = [
    Table::Accounts,
    Table::ApiKeys,
    Table::Quotas,
    Table::ApiLogs,
    Table::UsageStats,
    Table::BillingRecords,
    Table::BillingTasks,
    Table::SupportMessages,
    Table::Consents,
    Table::Exports,
];

async fn snapshot(world: &World) -> Snapshot {
    let mut snapshot = Snapshot::new();
    for table in RESTORED {
        let items = world.cloud.dynamodb.items(table.name()).await.expect("the items");
        snapshot.insert(table.name(), items);
    }
    snapshot
}

/// Makes the tables what they were.
async fn restore(world: &World, snapshot: &Snapshot) {
    let dynamodb = &world.cloud.dynamodb;
    for table in RESTORED {
        for item in dynamodb.items(table.name()).await.expect("the items") {
            let key: serde_json::Map<_, _> =
                table.key().iter().map(|name| ((*name).to_owned(), item[*name].clone())).collect();
            let delete = json!({ "TableName": dynamodb.table(table.name()), "Key": key });
            dynamodb.call("DeleteItem", &delete).await.expect("deleted");
        }
        for item in &snapshot[table.name()] {
            plant(&world.cloud, table, item).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_backup_stays_closed_until_the_erasures_are_repeated() {
    let world = World::start().await;
    let (ada, bob) = (marked(&world).await, world.customer("bob@example.com").await);
    assert_eq!(world.video(0, &bob).await.status, 200);
    let export = ask(&world, &ada).await["id"].as_str().expect("an id").to_owned();
    assert_eq!(world.run_job("BuildExportsFunction").await["done"], 1);
    let backup = snapshot(&world).await;
    // The copy itself is in no backup of a table; here it comes back by hand.
    let files = world.cloud.s3.files().expect("the files");
    let file = files.into_iter().find(|it| it.ends_with(format!("{export}.zip"))).expect("a file");
    let copy = std::fs::read(&file).expect("read");
    erase(&world, &ada).await;
    assert_eq!(world.run_job("GuardRestoresFunction").await["closed"], false);
    // The same address once more: this account must survive the replay.
    let again = marked(&world).await;
    let newer = snapshot(&world).await;
    assert_eq!(world.video(0, &bob).await.status, 200);

    restore(&world, &backup).await;
    assert!(!file.exists());
    std::fs::write(&file, copy).expect("written");
    assert!(!residue(&world, &ada.account_id).await.is_empty());
    assert_eq!(world.run_job("GuardRestoresFunction").await["closed"], true);
    for function in &world.cloud.template.functions {
        // Environments go by what they have read for ten seconds.
        world.cloud.kill(&function.id).await.expect("killed");
    }
    let client = world.cloud.client();
    assert_problem(&world.video(0, &bob).await, 503, "restoring");
    assert_problem(&world.get("/v1/usage", &bob).await, 503, "restoring");
    assert_problem(&world.get("/v1/usage", &ada).await, 503, "restoring");
    let answer = world.send(client.post("/v1/accounts", &sign_up("eve@example.com"))).await;
    assert_problem(&answer, 503, "restoring");
    assert_eq!(world.send(client.get("/health")).await.status, 503);

    // An erasure that is due meanwhile must not hide the difference.
    let run = world.run_job("ProcessDeletionsFunction").await;
    assert_eq!((&run["done"], &run["waiting"]), (&json!(0), &json!(0)));

    let order = json!({ "time": "2026-12-02T12:00:00Z" });
    let replayed = world.cloud.invoke("ReplayErasuresFunction", &order).await.expect("replayed");
    assert_eq!((&replayed["complete"], &replayed["erasures"]), (&json!(true), &json!(1)));
    assert!(replayed["items"].as_u64().expect("a number") >= 5, "{replayed}");
    assert_erased(&world, &ada.account_id).await;
    assert!(!file.exists());
    let exports = world.cloud.dynamodb.items("exports").await.expect("the items");
    assert!(!exports.iter().any(|it| it["id"]["S"] == export), "{exports:?}");
    assert_eq!(world.run_job("GuardRestoresFunction").await["closed"], false);
    for function in &world.cloud.template.functions {
        world.cloud.kill(&function.id).await.expect("killed");
    }
    assert_eq!(world.video(0, &bob).await.status, 200);
    assert_problem(&world.get("/v1/usage", &ada).await, 401, "invalid-api-key");

    // A restore to after the erasure closes nothing, and the newer account lives.
    restore(&world, &newer).await;
    assert_eq!(world.run_job("GuardRestoresFunction").await["closed"], false);
    assert_eq!(world.get("/v1/usage", &again).await.status, 200);
}

/// The reproduction of the fault: accounts of ten years, and hardly any time in each run.
#[tokio::test(flavor = "multi_thread")]
async fn a_replay_of_old_accounts_with_hardly_any_time_ends() {
    const OLD: i64 = 20;
    let world = World::start().await;
    let now = world.cloud.clock.now();
    let number = |value: i64| json!({ "N": value.to_string() });
    for n in 1..=OLD {
        let account = format!("acc_Old{n:09}");
        let expiry = DELETIONS.expiry(now, &account);
        let entry = json!({
            "id": { "S": format!("req_Old{n:09}") }, "account": { "S": account },
            "opened_at": number((now - Duration::days(3653)).unix_timestamp()),
            "erased_at": number(now.unix_timestamp()), "sequence": number(n),
            "expires_at": number(expiry.at), "expires_on": { "S": expiry.on },
        });
        plant(&world.cloud, Table::Deletions, &entry).await;
        // A log that the backup has brought back, on the first day of which one can.
        let day = now - Duration::days(59);
        let log = item(Table::ApiLogs, &account, 1, day);
        plant(&world.cloud, Table::ApiLogs, &log).await;
    }
    let head = json!({ "id": { "S": "erasure-ledger" }, "sequence": number(OLD) });
    plant(&world.cloud, Table::Deletions, &head).await;
    assert_eq!(world.run_job("GuardRestoresFunction").await["closed"], true);
    let app = app_of(&world.cloud, world.cloud.redis.direct_url());
    world.cloud.dynamodb.reset_counts();
    let (mut runs, mut erasures) = (0, 0);
    loop {
        let soon = Instant::now() + std::time::Duration::from_millis(50);
        let run = replay(&app, now, soon).await.expect("replayed");
        (runs, erasures) = (runs + 1, erasures + run.erasures);
        if run.complete {
            break;
        }
        assert!(runs < 600, "{erasures} erasures in {runs} runs");
    }
    assert_eq!(erasures, OLD.unsigned_abs());
    let logs = world.cloud.dynamodb.items("api-logs").await.expect("the items");
    assert!(!logs.iter().any(|it| it.to_string().contains("acc_Old")), "{logs:?}");
    // It looked back for a hundred days and not for ten years.
    let calls: u64 = world.cloud.dynamodb.counts().values().map(|it| it.requests).sum();
    assert!(calls < OLD.unsigned_abs() * 400, "{calls} calls");
    assert_eq!(world.run_job("GuardRestoresFunction").await["closed"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_does_not_hide_that_a_table_was_restored() {
    let world = World::start().await;
    let (ada, bob) = (marked(&world).await, world.customer("bob@example.com").await);
    erase(&world, &ada).await;
    // One table as it was before; nobody has noticed yet.
    let dynamodb = &world.cloud.dynamodb;
    let mark = json!({
        "TableName": dynamodb.table("consents"),
        "Key": {
            "account": { "S": "erasure-ledger" },
            "consent": { "S": "erasure-ledger" },
        },
    });
    dynamodb.call("DeleteItem", &mark).await.expect("deleted");
    post(&world, &bob, true).await;
    world.wait(Duration::days(7));
    for _ in 0..2 {
        world.run_job("ProcessDeletionsFunction").await;
        world.run_job("RollUpUsageFunction").await;
        world.wait(Duration::minutes(6));
    }
    let run = world.run_job("ProcessDeletionsFunction").await;
    assert_eq!((&run["done"], &run["failed"]), (&json!(0), &json!(1)));
    assert_eq!(world.run_job("GuardRestoresFunction").await["closed"], true);
    let order = json!({ "time": "2026-12-02T12:00:00Z" });
    let replayed = world.cloud.invoke("ReplayErasuresFunction", &order).await.expect("replayed");
    assert_eq!(replayed["complete"], true);
    // Then it goes on.
    world.wait(Duration::hours(1));
    assert_eq!(world.run_job("ProcessDeletionsFunction").await["done"], 1);
}
