//! The restore drill, by the procedure of docs/OPERATIONS.md, "Restoring from a backup": tables that are restored to new
//! names and put in place by a deployment. Whatever was erased, revoked, suspended or asked for since then stands.

use std::{collections::BTreeMap, time::Instant};

use local::standins::stripe::Card;
use serde_json::{Value, json};
use time::Duration;
use vidintel::{
    accounts::Status,
    inventory::{BACKUP_DAYS, DELETIONS as LEDGER, Table},
    plans::Plan,
    privacy::{Kind, replay},
};

use crate::{
    recovery::RECOVER,
    status::SET,
    util::{
        Customer, World, account_item, app_of, assert_problem,
        copy::ask,
        purchases::{DECIDE, account_of, buy, library, order},
        subject::{DELETIONS, finish, post},
    },
};

pub(crate) const REPLAY: &str = "ReplayErasuresFunction";
const GUARD: &str = "GuardRestoresFunction";
const RECONCILE: &str = "ReconcileBillingFunction";

/// Accounts that are erased between the backup and its restore.
const ERASED: usize = 500;

/// The tables that are restored, and the template's parameters that name them: without `quotas`, by which what was
/// used would be handed out once more.
const RESTORED: [(Table, &str); 10] = [
    (Table::Accounts, "AccountsSuffix"),
    (Table::ApiKeys, "ApiKeysSuffix"),
    (Table::Sessions, "SessionsSuffix"),
    (Table::ApiLogs, "ApiLogsSuffix"),
    (Table::UsageStats, "UsageStatsSuffix"),
    (Table::BillingRecords, "BillingRecordsSuffix"),
    (Table::BillingTasks, "BillingTasksSuffix"),
    (Table::SupportMessages, "SupportMessagesSuffix"),
    (Table::Consents, "ConsentsSuffix"),
    (Table::Exports, "ExportsSuffix"),
];

/// What begins the number of each account that is erased.
const GONE: &str = "acc_Gone";

fn gone(n: usize) -> String {
    format!("{GONE}{n:08}")
}

/// Puts many items, 25 at a time.
async fn put(world: &World, table: Table, items: Vec<Value>) {
    let name = world.cloud.dynamodb.table(table.name());
    for some in items.chunks(25) {
        let puts: Vec<_> = some.iter().map(|it| json!({ "PutRequest": { "Item": it } })).collect();
        let batch = json!({ "RequestItems": { name.as_str(): puts } });
        world.cloud.dynamodb.call("BatchWriteItem", &batch).await.expect("put");
    }
}

/// Accounts as they are before they are erased: each with its marker, a key, statistics and a message.
async fn plant_accounts(world: &World) {
    let each = |item: &dyn Fn(usize) -> Value| (0..ERASED).map(item).collect::<Vec<_>>();
    let text = |value: String| json!({ "S": value });
    let account = |n: usize| {
        let mut item = account_item(&gone(n).parse().expect("an id"));
        item["email_hash"] = text(format!("hash{n}"));
        item
    };
    put(world, Table::Accounts, each(&account)).await;
    let marker =
        |n: usize| json!({ "id": text(format!("email#hash{n}")), "account": text(gone(n)) });
    put(world, Table::Accounts, each(&marker)).await;
    let key =
        |n: usize| json!({ "account": text(gone(n)), "key_id": text(format!("key_{n:012}")) });
    put(world, Table::ApiKeys, each(&key)).await;
    let day = |n: usize| json!({ "account": text(gone(n)), "day": text("2026-11-23".to_owned()) });
    put(world, Table::UsageStats, each(&day)).await;
}

/// Erases them as the saga does at its end: they are gone, the ledger says so, and every table has the last number.
async fn erase_accounts(world: &World, marks: &[(Table, Value)]) {
    let now = world.cloud.clock.now();
    let number = |value: i64| json!({ "N": value.to_string() });
    let mut entries = Vec::new();
    for n in 0..ERASED {
        let expiry = LEDGER.expiry(now, &gone(n));
        entries.push(json!({
            "id": { "S": format!("req_Gone{n:08}") }, "account": { "S": gone(n) },
            "opened_at": number((now - Duration::days(2)).unix_timestamp()),
            "erased_at": number(now.unix_timestamp()), "sequence": number(n as i64 + 1),
            "expires_at": number(expiry.at), "expires_on": { "S": expiry.on },
        }));
    }
    put(world, Table::Deletions, entries).await;
    let head = json!({ "id": { "S": "erasure-ledger" }, "sequence": number(ERASED as i64) });
    put(world, Table::Deletions, vec![head]).await;
    for (table, key) in marks {
        let mut mark = key.clone();
        mark["ledger_position"] = number(ERASED as i64);
        put(world, *table, vec![mark]).await;
    }
    for (table, names) in [
        (Table::Accounts, vec!["id"]),
        (Table::ApiKeys, vec!["account", "key_id"]),
        (Table::UsageStats, vec!["account", "day"]),
    ] {
        let items = world.cloud.dynamodb.items(table.name()).await.expect("the items");
        let name = world.cloud.dynamodb.table(table.name());
        let is_gone = |it: &&Value| it.to_string().contains(GONE);
        let keys: Vec<Value> = items
            .iter()
            .filter(is_gone)
            .map(|it| names.iter().map(|key| ((*key).to_owned(), it[*key].clone())).collect())
            .collect();
        for some in keys.chunks(25) {
            let deletes: Vec<_> =
                some.iter().map(|it| json!({ "DeleteRequest": { "Key": it } })).collect();
            let batch = json!({ "RequestItems": { name.as_str(): deletes } });
            world.cloud.dynamodb.call("BatchWriteItem", &batch).await.expect("deleted");
        }
    }
}

/// Where each protected table keeps its number.
fn marks() -> Vec<(Table, Value)> {
    let protected = RESTORED.iter().map(|it| it.0).chain([Table::Quotas]);
    let key = |table: Table| -> Value {
        table.key().iter().map(|it| ((*it).to_owned(), json!({ "S": "erasure-ledger" }))).collect()
    };
    protected.map(|table| (table, key(table))).collect()
}

/// Steps 2 and 3: restores each table to a new name, which gets what a restored table lacks, and deploys.
pub(crate) async fn restore(world: &mut World, at: i64, end: &str) {
    let dynamodb = world.cloud.dynamodb.clone();
    for (table, _) in RESTORED {
        let source = format!("{}{}", dynamodb.prefix(), table.name());
        let target = format!("{source}{end}");
        let order = |target: &str| json!({ "SourceTableName": source, "TargetTableName": target, "RestoreDateTime": at });
        let over = dynamodb.call("RestoreTableToPointInTime", &order(&source)).await;
        let over = over.expect_err("over the table itself").to_string();
        assert!(over.contains("TableAlreadyExistsException"), "{over}");
        dynamodb.call("RestoreTableToPointInTime", &order(&target)).await.expect("restored");
        let backups = json!({
            "PointInTimeRecoveryEnabled": true, "RecoveryPeriodInDays": BACKUP_DAYS,
        });
        let backups = json!({ "TableName": target, "PointInTimeRecoverySpecification": backups });
        dynamodb.call("UpdateContinuousBackups", &backups).await.expect("on");
        if table != Table::Exports {
            let ttl = json!({ "AttributeName": "expires_at", "Enabled": true });
            let ttl = json!({ "TableName": target, "TimeToLiveSpecification": ttl });
            dynamodb.call("UpdateTimeToLive", &ttl).await.expect("on");
        }
    }
    let mut parameters: BTreeMap<String, String> =
        RESTORED.iter().map(|it| (it.1.to_owned(), end.to_owned())).collect();
    parameters.insert("Tables".to_owned(), "in-stack".to_owned());
    // The tables are there already: CloudFormation would make them once more, and fail.
    let made = world.cloud.deploy(parameters.clone()).await.expect_err("they are there");
    assert!(format!("{made:#}").contains("ResourceInUseException"), "{made:#}");
    parameters.insert("Tables".to_owned(), "detached".to_owned());
    world.cloud.deploy(parameters).await.expect("deployed");
}

/// The number that the restored accounts have.
async fn position(world: &World) -> i64 {
    let items = world.cloud.dynamodb.items("accounts").await.expect("the items");
    let mark = items.iter().find(|it| it["id"]["S"] == "erasure-ledger");
    mark.map_or(0, |it| it["ledger_position"]["N"].as_str().expect("one").parse().expect("one"))
}

async fn signed_up(world: &World, name: &str) -> Customer {
    world.forget_mails().await;
    world.customer(&format!("{name}@example.com")).await
}

async fn set(world: &World, customer: &Customer, status: &str) {
    let to = json!({ "account": customer.account_id, "status": status, "reason": "file 1" });
    order(world, SET, &to).await.expect("set");
}

async fn cancel(world: &World, customer: &Customer, id: &str) -> u16 {
    let client = world.cloud.client();
    let request = client.delete(format!("{DELETIONS}/{id}")).key(&customer.key);
    world.send(request).await.status.as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_by_the_written_procedure_ends_and_brings_nothing_back() {
    let mut world = World::start().await;
    let id_of =
        |answer: local::http::Response| answer.json()["id"].as_str().expect("an id").to_owned();
    let bob = signed_up(&world, "bob").await;
    let kim = signed_up(&world, "kim").await;
    let body = json!({ "name": "leaked" });
    let made = world.post("/v1/keys", &body, &kim).await.json();
    let leaked = Customer {
        key: made["key"].as_str().expect("a key").to_owned(),
        key_id: made["id"].as_str().expect("an id").to_owned(),
        ..kim.clone()
    };
    let rae = signed_up(&world, "rae").await;
    let (sam, una) = (signed_up(&world, "sam").await, signed_up(&world, "una").await);
    set(&world, &una, "suspended").await;
    let (dee, len, cam) = (
        signed_up(&world, "dee").await,
        signed_up(&world, "len").await,
        signed_up(&world, "cam").await,
    );
    let withdrawn = id_of(post(&world, &cam, true).await);
    let pat = signed_up(&world, "pat").await;
    buy(&world, &pat, Plan::Basic, Card::Good).await;
    plant_accounts(&world).await;
    assert_eq!(world.run_job(GUARD).await["closed"], false);
    world.cloud.dynamodb.remember().await.expect("a backup");
    let at = world.cloud.clock.now().unix_timestamp();

    // What happens between that point in time and the restore.
    world.wait(Duration::hours(1));
    erase_accounts(&world, &marks()).await;
    assert_eq!(cancel(&world, &cam, &withdrawn).await, 200);
    let running = id_of(post(&world, &len, true).await);
    let refund = world.post("/v1/billing/refunds", &json!({}), &pat).await;
    assert_eq!(refund.status, 201, "{}", refund.text());
    world.wait(Duration::days(7));
    assert_eq!(world.run_job("ProcessDeletionsFunction").await["waiting"], 1);
    let client = world.cloud.client();
    let revoke = client.delete(format!("/v1/keys/{}", leaked.key_id)).key(&kim.key);
    assert_eq!(world.send(revoke).await.status, 204);
    world.forget_mails().await;
    let token = world.ask_for_token("rae@example.com").await;
    let body = json!({ "token": token, "revoke_other_keys": true });
    assert_eq!(world.send(client.post(RECOVER, &body)).await.status, 201);
    set(&world, &sam, "suspended").await;
    set(&world, &una, "active").await;
    let open = id_of(post(&world, &dee, true).await);
    let export = ask(&world, &bob).await["id"].as_str().expect("an id").to_owned();
    assert_problem(&world.video(0, &leaked).await, 401, "invalid-api-key");

    // The day's comparison with Stripe is done.
    assert_eq!(world.run_job(RECONCILE).await["complete"], true);

    // Step 1: close.
    let closed = order(&world, REPLAY, &json!({ "close": true })).await.expect("closed");
    assert_eq!(closed["closed"], true);
    restore(&mut world, at, "-r1").await;
    assert_problem(&world.video(0, &bob).await, 503, "restoring");
    assert_eq!(world.run_job(GUARD).await["closed"], true);
    assert_eq!(position(&world).await, 0);

    // Step 4: replay until it is complete. First with no time at all: each run goes further than the one before.
    let app = app_of(&world.cloud, world.cloud.redis.direct_url());
    let (mut before, mut erasures) = (0, 0);
    for _ in 0..5 {
        let run =
            replay(&app, None, world.cloud.clock.now(), Instant::now()).await.expect("replayed");
        let reached = position(&world).await;
        assert!(!run.complete && reached > before, "{run:?} at {reached} after {before}");
        assert_eq!(run.erasures, (reached - before).unsigned_abs());
        (before, erasures) = (reached, erasures + run.erasures);
    }
    // A second restore in the middle of it begins anew.
    restore(&mut world, at, "-r2").await;
    let app = app_of(&world.cloud, world.cloud.redis.direct_url());
    assert_eq!(position(&world).await, 0);
    let run = order(&world, REPLAY, &json!({})).await.expect("replayed");
    assert_eq!((&run["complete"], &run["erasures"]), (&json!(true), &json!(ERASED)), "{run}");
    assert!(run["items"].as_u64() >= Some(4 * ERASED as u64), "{run}");
    // Two keys; two accounts' status; one refund; one address that was confirmed again.
    assert_eq!((&run["acts"], &run["requests"]), (&json!(6), &json!(4)), "{run}");

    // Step 5: what was bought since is looked for at any hour.
    let run = world.run_job(RECONCILE).await;
    assert_eq!((&run["accounts"], &run["complete"]), (&json!(1), &json!(true)), "{run}");

    // Nothing has come back, and who was there is served.
    for table in Table::ALL {
        let items = world.cloud.dynamodb.items(table.name()).await.expect("the items");
        let left = items.iter().filter(|it| it.to_string().contains(GONE)).count();
        let expected = if table == Table::Deletions { ERASED } else { 0 };
        assert_eq!(left, expected, "{}", table.name());
    }
    assert_eq!(world.run_job(GUARD).await["closed"], false);
    assert_eq!(world.video(0, &bob).await.status, 200);
    assert_problem(&world.video(0, &leaked).await, 401, "invalid-api-key");
    assert_eq!(world.video(0, &kim).await.status, 200);
    assert_problem(&world.video(0, &rae).await, 401, "invalid-api-key");
    assert_problem(&world.video(0, &sam).await, 403, "account-inactive");
    assert_eq!(world.video(0, &una).await.status, 200);
    assert_eq!(account_of(&world, &kim).await.key_count, 1);
    assert_eq!(account_of(&world, &cam).await.erasure, None);
    assert_eq!(account_of(&world, &dee).await.erasure.expect("noted").to_string(), open);
    assert_eq!(account_of(&world, &bob).await.export.expect("noted").to_string(), export);
    assert_eq!(account_of(&world, &len).await.status, Status::Erasing);
    let waiting = order(&world, DECIDE, &json!({})).await.expect("listed");
    assert_eq!(waiting["refunds"][0]["account"], pat.account_id, "{waiting}");
    // The deletion that was under way comes to its end, and so does the one that was open.
    assert_eq!(world.run_job("ProcessDeletionsFunction").await["waiting"], 1);
    finish(&world).await;
    world.wait(Duration::days(7));
    assert_eq!(world.run_job("ProcessDeletionsFunction").await["waiting"], 1);
    finish(&world).await;
    for id in [running, open] {
        let id = id.parse().expect("an id");
        let request = vidintel::privacy::load(&library(&world).store, &id).await.expect("read");
        let request = request.expect("a request");
        assert_eq!((request.kind, request.closed_at.is_some()), (Kind::Erasure, true));
    }
    // Nothing is left to be done.
    let again =
        replay(&app, None, world.cloud.clock.now(), crate::util::far_away()).await.expect("done");
    assert_eq!((again.erasures, again.acts, again.complete), (0, 0, true));
    assert!(erasures > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_was_put_in_place_of_another_closes_the_service() {
    let mut world = World::start().await;
    let bob = signed_up(&world, "bob").await;
    assert_eq!(world.run_job(GUARD).await["closed"], false);
    world.cloud.dynamodb.remember().await.expect("a backup");
    let at = world.cloud.clock.now().unix_timestamp();
    // Nothing was erased since: the numbers agree. But a key was revoked.
    let made = world.post("/v1/keys", &json!({ "name": "ci" }), &bob).await.json();
    assert_eq!(made["name"], "ci");
    restore(&mut world, at, "-r1").await;
    assert_eq!(world.run_job(GUARD).await["closed"], true);
    assert_problem(&world.video(0, &bob).await, 503, "restoring");
    let run = order(&world, REPLAY, &json!({})).await.expect("replayed");
    assert_eq!(run["complete"], true, "{run}");
    assert_eq!(world.run_job(GUARD).await["closed"], false);
}

/// A restored table is put in place by a parameter: whatever names a table follows it.
#[test]
fn every_policy_and_setting_follows_the_parameter_that_names_a_table() {
    let path = local::workspace().join("template.yaml");
    let read = |parameters: BTreeMap<String, String>| {
        local::template::Template::read(&path, "live", &parameters).expect("a template")
    };
    let of_table = |id: &str| id.strip_suffix("Table").expect("a table's id").to_owned();
    let plain = read(BTreeMap::new());
    let suffixes: BTreeMap<String, String> = plain
        .tables
        .iter()
        .map(|it| (format!("{}Suffix", of_table(&it.id)), "-r1".to_owned()))
        .collect();
    let renamed = read(suffixes.clone());
    for table in &renamed.tables {
        assert!(table.name.ends_with("-r1"), "{}", table.name);
    }
    let detached = suffixes.into_iter().chain([("Tables".to_owned(), "detached".to_owned())]);
    let detached = read(detached.collect());
    assert!(detached.tables.is_empty(), "they are kept, and no part of the stack");
    for function in &detached.functions {
        for permission in function.permissions.iter().filter(|it| it.resource.contains(":table/")) {
            let table = permission.resource.split('/').nth(1).expect("a name");
            assert!(table.ends_with("-r1"), "{}: {}", function.id, permission.resource);
        }
        let told = &function.environment["TABLE_SUFFIXES"];
        let names = Table::ALL.map(|it| format!("{}=-r1", it.name())).join(",");
        assert_eq!(*told, names, "{}", function.id);
    }
}
