//! A restored backup must not undo an erasure.

use std::{collections::BTreeMap, pin::pin, time::Instant};

use local::access::LIBRARY_KEY;
use serde_json::{Value, json};
use time::Duration;
use vidintel::{
    inventory::{DELETIONS, Table},
    privacy::{close_service, is_closed, replay},
};

use crate::util::{
    World, advance_until, app_of, assert_problem,
    copy::ask,
    far_away, library_of,
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

fn number(value: i64) -> Value {
    json!({ "N": value.to_string() })
}

/// Enters `count` accounts of ten years that were erased since the backup into the ledger.
async fn plant_erasures(world: &World, count: i64) {
    let now = world.cloud.clock.now();
    for n in 1..=count {
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
    let head = json!({ "id": { "S": "erasure-ledger" }, "sequence": number(count) });
    plant(&world.cloud, Table::Deletions, &head).await;
}

/// The reproduction of the fault: accounts of ten years, and hardly any time in each run.
#[tokio::test(flavor = "multi_thread")]
async fn a_replay_of_old_accounts_with_hardly_any_time_ends() {
    const OLD: i64 = 20;
    let world = World::start().await;
    let now = world.cloud.clock.now();
    plant_erasures(&world, OLD).await;
    assert_eq!(world.run_job("GuardRestoresFunction").await["closed"], true);
    let app = app_of(&world.cloud, world.cloud.redis.direct_url());
    world.cloud.dynamodb.reset_counts();
    let (mut runs, mut erasures) = (0, 0);
    loop {
        let soon = Instant::now() + std::time::Duration::from_millis(50);
        let run = replay(&app, None, now, soon).await.expect("replayed");
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

/// Closes the service, without the wait for those who have not heard of it.
async fn close(app: &vidintel::app::App, now: time::OffsetDateTime) {
    let noted = async || {
        let item =
            app.store.get(Table::Jobs, [("name", "restore-gate".to_owned())]).await.expect("read");
        item.and_then(|it| it.get("closing").cloned())
    };
    let before = noted().await;
    let is_noted = async {
        while noted().await == before {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        closed = close_service(app, now) => panic!("it waits: {closed:?}"),
        () = is_noted => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closing_during_a_replay_is_not_opened_by_it_wherever_it_is() {
    let world = World::start().await;
    let now = world.cloud.clock.now();
    let app = app_of(&world.cloud, world.cloud.redis.direct_url());
    close(&app, now).await;
    // Its own calls are counted apart from those that close.
    let slow = library_of(&world.cloud, world.cloud.redis.direct_url());
    let calls = || {
        let counts = world.cloud.dynamodb.counts().into_iter();
        let own = counts.filter(|((caller, _), _)| caller == LIBRARY_KEY);
        own.map(|it| it.1.requests).sum::<u64>()
    };
    let mut overtaken = 0;
    for point in (1..).step_by(3) {
        world.cloud.dynamodb.reset_counts();
        let mut running = pin!(replay(&slow, None, now, far_away()));
        if let Some(run) = advance_until(running.as_mut(), || calls() >= point).await {
            assert!(run.expect("replayed").complete);
            break;
        }
        close(&app, now).await;
        let run = running.await.expect("replayed");
        let is_closed = is_closed(&app.store).await.expect("read");
        if run.complete {
            // It had opened the service, and was only not done yet.
            assert!(is_closed && overtaken > 2, "{run:?}");
            continue;
        }
        assert!(is_closed && run.overtaken, "at {point}: {run:?}");
        overtaken += 1;
    }
    assert!(overtaken > 2, "it was held up {overtaken} times");
    assert!(!is_closed(&app.store).await.expect("read"));
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_of_one_order_do_not_open_what_was_closed_between_them() {
    let world = World::start().await;
    let now = world.cloud.clock.now();
    let app = app_of(&world.cloud, world.cloud.redis.direct_url());
    close(&app, now).await;
    let first = replay(&app, None, now, Instant::now()).await.expect("replayed");
    let closing = first.closing.expect("one");
    assert!(!first.complete && !first.overtaken);
    // Those of the same order go on…
    let second = replay(&app, Some(&closing), now, Instant::now()).await.expect("replayed");
    assert_eq!((second.closing.as_ref(), second.overtaken), (Some(&closing), false));
    close(&app, now).await;
    // …and end here.
    let third = replay(&app, Some(&closing), now, far_away()).await.expect("replayed");
    assert!(third.overtaken && is_closed(&app.store).await.expect("read"), "{third:?}");
    let order = json!({ "time": "2026-12-02T12:00:00Z" });
    let another = world.cloud.invoke("ReplayErasuresFunction", &order).await.expect("replayed");
    assert_eq!((&another["complete"], &another["overtaken"]), (&json!(true), &json!(false)));
    assert_ne!(another["closing"], closing);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_replaced_during_a_replay_keeps_its_own_number() {
    let world = World::start().await;
    let now = world.cloud.clock.now();
    plant_erasures(&world, 3).await;
    let app = app_of(&world.cloud, world.cloud.redis.direct_url());
    close(&app, now).await;
    world.cloud.dynamodb.reset_counts();
    let mut running = pin!(replay(&app, None, now, far_away()));
    let has_begun = || world.cloud.dynamodb.counts().keys().any(|it| it.1 == "Scan");
    assert!(advance_until(running.as_mut(), has_begun).await.is_none());
    // The consents of another point in time.
    let mark = |at: i64| {
        json!({
            "account": { "S": "erasure-ledger" }, "consent": { "S": "erasure-ledger" },
            "ledger_position": number(at),
        })
    };
    plant(&world.cloud, Table::Consents, &mark(1)).await;
    let run = running.await.expect("replayed");
    assert!(run.overtaken && is_closed(&app.store).await.expect("read"), "{run:?}");
    let consents = world.cloud.dynamodb.items("consents").await.expect("the items");
    assert_eq!(consents, [mark(1)]);
    let again = replay(&app, None, now, far_away()).await.expect("replayed");
    assert_eq!((again.erasures, again.complete), (2, true));
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
