//! Erasing an account: what goes, what stays, what stops it, and that a restored backup does not undo it.

use std::{collections::BTreeMap, pin::pin, time::Instant};

use local::dynamodb::Fault;
use serde_json::{Value, json};
use time::Duration;
use vidintel::{inventory::Table, privacy, usage::read_pack};

use crate::{
    usage::packs,
    util::{
        Customer, World, advance, app_of, assert_problem,
        plant::{item, plant},
        sign_up, token_in,
    },
};

/// Points at which the saga is killed lie so many polls apart. Odd, so that over the accounts it falls
/// before, between and after the calls.
const STRIDE: usize = 7;

const DELETIONS: &str = "/v1/privacy/deletions";

/// Found in nothing but the erased person's data.
const MARKER: &str = "eraseme";

/// Tables that hold what the other features will write.
const TO_COME: [Table; 2] = [Table::SupportMessages, Table::BillingRecords];

/// A customer whose every store holds the marker.
async fn marked(world: &World) -> Customer {
    marked_as(world, "eraseme@example.com").await
}

async fn marked_as(world: &World, email: &str) -> Customer {
    // Only so many may sign up from one network within an hour.
    let mut redis = world.cloud.redis.connection().await.expect("connected");
    for (key, _) in world.cloud.redis.keys().await.expect("the keys") {
        if key.starts_with("mails:") {
            redis::cmd("DEL").arg(key).exec_async(&mut redis).await.expect("deleted");
        }
    }
    let client = world.cloud.client();
    let mut form = sign_up(email);
    form["company"] = json!("eraseme Ltd");
    let answer = world.send(client.post("/v1/accounts", &form)).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    let mails = world.cloud.ses.mails();
    let token = token_in(mails.last().expect("a mail").text.as_deref().expect("a text"));
    let answer = world.send(client.post("/v1/accounts/verify", &json!({ "token": token }))).await;
    let body = answer.json();
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let customer = Customer {
        account_id: text(&body["account_id"]),
        key: text(&body["api_key"]["key"]),
        key_id: text(&body["api_key"]["id"]),
    };
    let named = client.post("/v1/keys", &json!({ "name": "eraseme key" })).key(&customer.key);
    assert_eq!(world.send(named).await.status, 201);
    fill(world, &customer).await;
    customer
}

/// Requests, their logs and statistics, and items of features that are to come.
async fn fill(world: &World, customer: &Customer) {
    let client = world.cloud.client();
    for n in 0..3 {
        let path = format!("/v1/videos/{}", world.video_id(n));
        let request = client.get(&path).key(&customer.key).header("user-agent", "eraseme/1.0");
        assert_eq!(world.send(request).await.status, 200);
    }
    world.run_job("RollUpUsageFunction").await;
    let now = world.cloud.clock.now();
    for table in TO_COME {
        let mut item = item(table, &customer.account_id, 1, now - Duration::days(1));
        for name in ["email", "company", "subject", "body"] {
            if item.get(name).is_some() {
                item[name] = json!({ "S": format!("{name} of eraseme") });
            }
        }
        plant(&world.cloud, table, &item).await;
    }
    let consent = json!({
        "account": { "S": customer.account_id }, "consent": { "S": "1" }, "kind": { "S": "eraseme" },
    });
    plant(&world.cloud, Table::Consents, &consent).await;
}

async fn post(world: &World, customer: &Customer, confirm: bool) -> local::http::Response {
    let client = world.cloud.client();
    let body = json!({ "confirm": confirm });
    world.send(client.post(DELETIONS, &body).key(&customer.key)).await
}

/// Runs the job until the deletion that it is at is done: it waits for what is on its way, then for
/// whoever may still be moving it.
async fn finish(world: &World) {
    world.run_job("RollUpUsageFunction").await;
    world.wait(Duration::minutes(6));
    assert_eq!(world.run_job("ProcessDeletionsFunction").await["waiting"], 1);
    world.wait(Duration::minutes(3));
    let run = world.run_job("ProcessDeletionsFunction").await;
    assert_eq!(run["done"], 1, "{run} {}", world.logs("ProcessDeletionsFunction"));
}

/// Confirms, lets the grace period pass, and runs the job until the deletion is done.
async fn erase(world: &World, customer: &Customer) -> String {
    let answer = post(world, customer, true).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    let id = answer.json()["id"].as_str().expect("an id").to_owned();
    world.wait(Duration::days(7));
    assert_eq!(world.run_job("ProcessDeletionsFunction").await["waiting"], 1);
    finish(world).await;
    id
}

/// Every item of every table, and every key and value in Redis, as text.
async fn everything(world: &World) -> Vec<String> {
    let mut all = Vec::new();
    for table in Table::ALL {
        let items = world.cloud.dynamodb.items(table.name()).await.expect("the items");
        all.extend(items.into_iter().map(|it| format!("{}: {it}", table.name())));
    }
    for pack in packs(world).await {
        all.push(format!("api-logs: {:?}", read_pack(&pack).expect("a pack")));
    }
    let mut redis = world.cloud.redis.connection().await.expect("connected");
    for (key, _) in world.cloud.redis.keys().await.expect("the keys") {
        let value: Vec<u8> =
            redis::cmd("DUMP").arg(&key).query_async(&mut redis).await.expect("read");
        all.push(format!("{key}: {}", String::from_utf8_lossy(&value)));
    }
    for function in &world.cloud.template.functions {
        all.push(world.logs(&function.id));
    }
    all
}

async fn residue(world: &World, account: &str) -> Vec<String> {
    let found = everything(world).await.into_iter();
    found.filter(|it| it.contains(MARKER) || it.contains(account)).collect()
}

/// Checks that nothing of `account` is left but what the law keeps, which names nobody.
async fn assert_erased(world: &World, account: &str) {
    for text in residue(world, account).await {
        assert!(!text.contains(MARKER), "{text}");
        let may_stay = ["billing-records: ", "privacy-requests: ", "deletions: "];
        assert!(may_stay.iter().any(|it| text.starts_with(it)), "{text}");
        assert!(text.contains("expires_at"), "without an end: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_erased_after_the_grace_period_and_only_it() {
    let world = World::start().await;
    let (ada, bob) = (marked(&world).await, world.customer("bob@example.com").await);
    assert_eq!(world.video(0, &bob).await.status, 200);
    // His idle lease comes back, so that nothing of his changes by itself any more.
    world.wait(Duration::seconds(11));
    world.run_job("RollUpUsageFunction").await;
    let of_bob = |all: Vec<String>| -> Vec<String> {
        let mut own: Vec<_> = all
            .into_iter()
            .filter(|it| it.contains(&bob.account_id) && !it.starts_with('{'))
            .collect();
        own.sort();
        own
    };
    let before = of_bob(everything(&world).await);
    assert!(before.len() >= 5, "{before:?}");

    let preview = post(&world, &ada, false).await;
    assert_eq!(preview.status, 200);
    let preview = preview.json();
    let outcome = |view: &Value, id: &str| {
        let all = view["categories"].as_array().expect("categories").iter();
        all.clone().find(|it| it["category"] == id).expect("the category").clone()
    };
    assert_eq!(preview["grace_days"], 7);
    assert_eq!(outcome(&preview, "api-keys")["items"], 2);
    assert_eq!(outcome(&preview, "api-logs")["items"], 1);
    let billing = outcome(&preview, "billing-records");
    assert_eq!((&billing["action"], &billing["items"]), (&json!("kept"), &json!(1)));
    assert!(billing["reason"].as_str().expect("a reason").contains("tax law"));
    assert!(billing["until"].as_str().expect("an end").starts_with("2033-12-01"));
    let list = world.get("/v1/privacy/requests", &ada).await.json();
    assert_eq!(list["requests"], json!([]), "a preview is no request");

    let answer = post(&world, &ada, true).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    let id = answer.json()["id"].as_str().expect("an id").to_owned();
    assert_eq!(answer.json()["state"], "scheduled");
    assert_eq!(post(&world, &ada, true).await.json()["id"], *id, "asking twice is asking once");
    let mails = world.cloud.ses.mails();
    let mail = mails.last().expect("a mail");
    assert_eq!(
        (&mail.to[..], mail.subject.as_str()),
        (&["eraseme@example.com".to_owned()][..], "Your account will be deleted")
    );
    // Until the grace period is over nothing happens.
    world.wait(Duration::days(7) - Duration::minutes(1));
    let run = world.run_job("ProcessDeletionsFunction").await;
    assert_eq!((&run["done"], &run["waiting"]), (&json!(0), &json!(0)));
    let path = format!("{DELETIONS}/{id}");
    assert_eq!(world.get(&path, &ada).await.json()["state"], "scheduled");
    assert_problem(&world.get(&path, &bob).await, 404, "not-found");
    assert_eq!(world.video(0, &ada).await.status, 200);

    world.wait(Duration::minutes(1));
    assert_eq!(world.run_job("ProcessDeletionsFunction").await["waiting"], 1);
    assert_problem(&world.video(0, &ada).await, 401, "invalid-api-key");
    world.wait(Duration::minutes(6));
    // What was asked for last is still on its way.
    assert_eq!(world.run_job("ProcessDeletionsFunction").await["waiting"], 1);
    finish(&world).await;

    assert_erased(&world, &ada.account_id).await;
    let client = world.cloud.client();
    let certificate = world.send(client.get(&path)).await.json();
    assert_eq!(certificate["state"], "done");
    assert_eq!(outcome(&certificate, "api-logs")["items"], 2);
    assert_eq!(outcome(&certificate, "support-messages")["items"], 1);
    let mails = world.cloud.ses.mails();
    let last = mails.last().expect("a mail");
    assert_eq!(last.subject, "Your account has been deleted");
    assert!(last.text.as_deref().expect("a text").contains(&id));
    // Everybody else's data is as it was.
    assert_eq!(of_bob(everything(&world).await), before);

    // The same address again: another account, which inherits nothing.
    let again = marked(&world).await;
    assert_ne!(again.account_id, ada.account_id);
    let usage = world.get("/v1/usage", &again).await.json();
    assert_eq!(usage["used"], 3);
    assert_eq!(usage["days"].as_array().expect("days").len(), 1);
    assert_eq!(world.get("/v1/privacy/requests", &again).await.json()["requests"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_can_be_cancelled_until_it_begins() {
    let world = World::start().await;
    let ada = marked(&world).await;
    let client = world.cloud.client();
    let mails = |subject: &str| {
        world.cloud.ses.mails().into_iter().filter(|it| it.subject == subject).count()
    };
    let first = post(&world, &ada, true).await.json()["id"].as_str().expect("an id").to_owned();
    let cancel =
        async |id: &str| world.send(client.delete(format!("{DELETIONS}/{id}")).key(&ada.key)).await;
    for _ in 0..2 {
        let answer = cancel(&first).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["state"]), (200, &json!("cancelled")));
    }
    assert_eq!(mails("Your account stays"), 1);
    world.wait(Duration::days(8));
    assert_eq!(world.run_job("ProcessDeletionsFunction").await["done"], 0);
    assert_eq!(world.video(0, &ada).await.status, 200);
    // Asking again is a new request, and one mail, however often.
    post(&world, &ada, true).await;
    let second = post(&world, &ada, true).await.json()["id"].as_str().expect("an id").to_owned();
    assert_ne!(first, second);
    assert_eq!(mails("Your account will be deleted"), 2);
    let list = world.get("/v1/privacy/requests", &ada).await.json();
    assert_eq!(list["requests"].as_array().expect("requests").len(), 2);
    assert_problem(&cancel("req_Example00001").await, 404, "not-found");
    assert_problem(&cancel("1").await, 400, "invalid-value");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_legal_hold_stops_a_deletion_and_its_release_lets_it_go_on() {
    let world = World::start().await;
    let ada = marked(&world).await;
    let set = async |hold: bool| {
        let time = "2026-11-24T12:00:00Z";
        let order =
            json!({ "time": time, "account": ada.account_id, "hold": hold, "reason": "file 1" });
        world.cloud.invoke("SetLegalHoldFunction", &order).await.expect("set");
    };
    set(true).await;
    post(&world, &ada, true).await;
    let before = residue(&world, &ada.account_id).await.len();
    world.wait(Duration::days(8));
    assert_eq!(world.run_job("ProcessDeletionsFunction").await["held"], 1);
    assert_eq!(residue(&world, &ada.account_id).await.len(), before);
    set(false).await;
    world.wait(Duration::days(1));
    assert_eq!(world.run_job("ProcessDeletionsFunction").await["waiting"], 1);
    finish(&world).await;
    assert_erased(&world, &ada.account_id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_is_tried_again_and_never_called_done() {
    let world = World::start().await;
    let ada = marked(&world).await;
    let id = post(&world, &ada, true).await.json()["id"].as_str().expect("an id").to_owned();
    world.wait(Duration::days(7));
    // Without Redis the gate cannot be told that the keys are gone.
    world.cloud.redis.fault(local::redis::Fault::Refuse);
    for failures in 1..=3 {
        let run = world.run_job("ProcessDeletionsFunction").await;
        assert_eq!((&run["failed"], &run["done"]), (&json!(1), &json!(0)));
        assert_eq!(run["stuck"], u8::from(failures == 3));
        assert_eq!(world.run_job("ProcessDeletionsFunction").await["failed"], 0, "it waits");
        world.wait(Duration::hours(1));
    }
    world.cloud.redis.fault(local::redis::Fault::None);
    assert_eq!(world.run_job("ProcessDeletionsFunction").await["waiting"], 1);
    // Its connection is a broken one; the next run has a new one.
    let _ = world.cloud.run_job("RollUpUsageFunction").await;
    world.cloud.dynamodb.fault(Fault::Down);
    world.cloud.run_job("ProcessDeletionsFunction").await.expect_err("nothing to work with");
    world.cloud.dynamodb.fault(Fault::None);
    finish(&world).await;
    assert_erased(&world, &ada.account_id).await;
    let client = world.cloud.client();
    let certificate = world.send(client.get(format!("{DELETIONS}/{id}"))).await;
    assert_eq!(certificate.json()["state"], "done");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_any_two_calls_it_comes_to_the_same() {
    let world = World::start().await;
    let app = app_of(&world.cloud, world.cloud.redis.direct_url());
    let deadline = Instant::now() + std::time::Duration::from_secs(600);
    let mut points = 0;
    loop {
        let ada = marked_as(&world, &format!("eraseme{points}@example.com")).await;
        let id = post(&world, &ada, true).await.json()["id"].as_str().expect("an id").to_owned();
        let id = id.parse().expect("an id");
        world.wait(Duration::days(7));
        world.run_job("RollUpUsageFunction").await;
        // It dies on the way to each of its pauses and to its end, and goes on from there.
        let mut finished = false;
        for pause in [Duration::minutes(6), Duration::minutes(3), Duration::ZERO] {
            let run = pin!(privacy::process(&app, world.cloud.clock.now(), deadline));
            finished = advance(run, points).await.is_some();
            privacy::process(&app, world.cloud.clock.now(), deadline).await.expect("it runs");
            world.wait(pause);
        }
        let request = privacy::load(&app.store, &id).await.expect("read").expect("a request");
        assert_eq!(request.state, privacy::State::Done, "killed at {points}: {request:?}");
        assert_eq!(request.found["api-keys"], 2, "killed at {points}");
        assert_eq!(request.found["api-logs"], 1, "killed at {points}");
        assert_erased(&world, &ada.account_id).await;
        if finished {
            break;
        }
        points += STRIDE;
    }
    assert!(points > 20, "{points}");
    // Each account is in the ledger once, without a gap in the numbers.
    let entries = world.cloud.dynamodb.items("deletions").await.expect("the ledger");
    let mut numbers: Vec<u64> = entries
        .iter()
        .filter(|it| it.get("account").is_some())
        .map(|it| it["sequence"]["N"].as_str().expect("a number").parse().expect("a number"))
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
}

type Snapshot = BTreeMap<&'static str, Vec<Value>>;

/// Tables that a restore brings back; the ledger and the requests are not among them.
const RESTORED: [Table; 8] = [
    Table::Accounts,
    Table::ApiKeys,
    Table::Quotas,
    Table::ApiLogs,
    Table::UsageStats,
    Table::BillingRecords,
    Table::SupportMessages,
    Table::Consents,
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
    let backup = snapshot(&world).await;
    erase(&world, &ada).await;
    assert_eq!(world.run_job("GuardRestoresFunction").await["closed"], false);
    // The same address once more: this account must survive the replay.
    let again = marked(&world).await;
    let newer = snapshot(&world).await;
    assert_eq!(world.video(0, &bob).await.status, 200);

    restore(&world, &backup).await;
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

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_and_beginning_exclude_each_other() {
    let world = World::start().await;
    let app = app_of(&world.cloud, world.cloud.redis.direct_url());
    let deadline = Instant::now() + std::time::Duration::from_secs(600);
    let client = world.cloud.client();
    let (mut cancelled, mut refused) = (0, 0);
    for points in (0..42).step_by(3) {
        let ada = marked_as(&world, &format!("eraseme{points}@example.com")).await;
        let id = post(&world, &ada, true).await.json()["id"].as_str().expect("an id").to_owned();
        world.wait(Duration::days(7));
        // The job has got so far when the customer cancels, and then goes on.
        let mut run = pin!(privacy::process(&app, world.cloud.clock.now(), deadline));
        let ended = advance(run.as_mut(), points).await.is_some();
        let path = format!("{DELETIONS}/{id}");
        let answer = world.send(client.delete(&path).key(&ada.key)).await;
        if !ended {
            run.await.expect("it runs");
        }
        let request = privacy::load(&app.store, &id.parse().expect("an id")).await;
        let state = request.expect("read").expect("a request").state;
        if answer.status == 200 {
            cancelled += 1;
            assert_eq!(state, privacy::State::Cancelled, "cancelled at {points}");
            assert_eq!(world.get("/v1/usage", &ada).await.status, 200, "cancelled at {points}");
        } else {
            refused += 1;
            // Too late, or, once it is suspended, without a key that works.
            assert!([401, 403, 409].contains(&answer.status.as_u16()), "{}", answer.text());
            assert_eq!(state, privacy::State::Running, "refused at {points}");
        }
    }
    assert!(cancelled > 0 && refused > 0, "{cancelled} cancelled, {refused} refused");
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
