//! The declarations hold each other: inventory, template, tables, Redis keys, permissions.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use futures_util::future::join_all;
use local::{
    access::Call,
    standins::{
        ses::Fate,
        stripe::{Card, WEBHOOK_SECRET, Webhooks},
    },
};
use serde_json::{Value, json};
use time::Duration;
use vidintel::{
    billing::task::{Task, WORK as WORK_QUEUE, Work},
    inventory::{
        BACKUP_DAYS, CACHE_SECONDS, CATEGORIES, EXPORT_FILES, FUNCTION_LOG_DAYS, Keep, Place,
        Table, declares_redis_key,
    },
    plans::Plan,
};

use crate::{
    recovery::RECOVER,
    status::SET,
    util::{
        Customer, World, app_of,
        billing::{buy, plant_billing},
        copy::{ask, fetch},
        endpoints::{self, metered},
        objections::use_objections,
        patient,
        plant::{expiring, item, plant, plant_item},
        purchases::{DECIDE, PREPARE, WORK, order},
        store_account,
    },
};

/// Uses every endpoint and job in every way that reaches further: each failure makes functions do
/// what they otherwise do not.
async fn use_everything(world: &World) {
    let client = world.cloud.client();
    let ada = world.customer("ada@example.com").await;
    world.customer("bob@example.com").await;
    world.send(client.get("/health")).await;
    world.send(client.get("/openapi.json")).await;
    world.send(client.get("/docs")).await;
    world.send(client.get("/problems/not-found")).await;
    world.send(client.get("/confirm?token=nobody.known")).await;
    world.send(client.get("/v1/policy")).await;
    // First, while there is something left of what a free account may ask of Research.
    assert_eq!(world.get("/v1/videos/7000000000000000001", &ada).await.status, 404);
    for n in 0..3 {
        assert_eq!(world.video(n, &ada).await.status, 200);
    }
    let made = world
        .send(
            client
                .post("/v1/keys", &json!({ "name": "ci" }))
                .key(&ada.key)
                .header("idempotency-key", "a"),
        )
        .await;
    let again = client
        .post("/v1/keys", &json!({ "name": "ci" }))
        .key(&ada.key)
        .header("idempotency-key", "a");
    assert_eq!(world.send(again).await.status, 201);
    let id = made.json()["id"].as_str().expect("an id").to_owned();
    assert_eq!(world.get("/v1/keys", &ada).await.status, 200);
    for _ in 0..2 {
        let revoked = world.send(client.delete(format!("/v1/keys/{id}")).key(&ada.key)).await;
        assert_eq!(revoked.status, 204);
    }
    use_recovery(world).await;
    // Without Redis the log goes straight to the tables.
    world.cloud.redis.fault(local::redis::Fault::Refuse);
    assert_eq!(world.video(0, &ada).await.status, 200);
    world.cloud.redis.fault(local::redis::Fault::None);
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    world.wait(Duration::seconds(1));
    assert_eq!(world.video(0, &ada).await.status, 200);
    world.wait(Duration::minutes(1));
    world.run_job("RollUpUsageFunction").await;
    world.run_job("SweepGatesFunction").await;
    assert_eq!(world.get("/v1/usage", &ada).await.status, 200);
    assert_eq!(world.video(5, &ada).await.status, 200);
    use_objections(world).await;
    use_lookups(world).await;
    use_retention(world, &ada).await;
    use_exports(world, &ada).await;
    let heard = use_billing(world, &ada).await;
    use_erasure(world, &ada).await;
    use_mail_events(world).await;
    // What was not heard of comes when nobody is left.
    world.cloud.stripe.set_webhooks(heard);
    world.cloud.settle().await;
    // A customer that was made for whoever is erased is deleted again.
    let app = app_of(&world.cloud, world.cloud.redis.direct_url());
    let stripe = app.stripe().await.expect("set up");
    let late = stripe.create_customer(&ada.account_id, "late@example.com", None, "late").await;
    let late = late.expect("made").id;
    world.cloud.settle().await;
    assert!(!world.cloud.stripe.customers().contains(&late));
    // A customer whose function died before it was noted is noted by its event.
    let ivy = world.customer("ivy@example.com").await;
    let made = stripe.create_customer(&ivy.account_id, "ivy@example.com", None, "ivy").await;
    let made = made.expect("made").id;
    world.cloud.settle().await;
    assert!(world.cloud.stripe.customers().contains(&made));
    world.use_billing().await;
    use_refunds(world).await;
    use_the_cdn(world).await;
}

/// Has every function that answers a `GET` look whether it came through the CDN, if there is one.
async fn use_the_cdn(world: &World) {
    let client = world.cloud.client();
    for route in world.cloud.template.functions.iter().flat_map(|it| &it.routes) {
        // What no other route takes is served too.
        let key = route.key().replace("$default", "ANY /");
        if let Some(path) = key.strip_prefix("ANY ") {
            let request = client.get(path.replace(['{', '}'], ""));
            let request = request.header("cf-connecting-ip", "192.0.2.7");
            world.send(request.header("x-origin-verify", "0123456789abcdef0123456789abcdef")).await;
        }
    }
}

/// Lets the certificate of the erasure and a suspended customer's mails come back.
async fn use_mail_events(world: &World) {
    let certificate =
        world.cloud.ses.mails().into_iter().rfind(|it| it.subject.contains("has been deleted"));
    let certificate = certificate.expect("a certificate").id;
    for _ in 0..2 {
        world.cloud.ses.report(&certificate, Fate::HardBounce);
        world.cloud.settle().await;
    }
    let waiting = order(world, "DecideObjectionFunction", &json!({})).await.expect("the queue");
    let seen = json!({ "seen": waiting["undelivered"][0]["id"] });
    order(world, "DecideObjectionFunction", &seen).await.expect("seen");
    let customer = world.customer("mia@example.com").await;
    world.cloud.ses.fate("mia@example.com", Fate::HardBounce);
    let to = json!({ "account": customer.account_id, "status": "suspended", "reason": "file 1" });
    order(world, SET, &to).await.expect("set");
    // Whatever the mail was about: a receipt needs a purchase.
    let receipt = world.cloud.events.all().pop().map(|mut event| {
        event["detail"]["mail"]["tags"]["kind"] = json!(["receipt"]);
        event["detail"]["mail"]["tags"]["about"] = json!(["in_Example0001"]);
        event
    });
    world.cloud.events.deliver(&receipt.expect("an event"));
    world.cloud.settle().await;
}

/// Gets back into a suspended account that is to be deleted.
async fn use_recovery(world: &World) {
    let customer = world.customer("rae@example.com").await;
    let path = "/v1/privacy/deletions";
    assert_eq!(world.post(path, &json!({ "confirm": true }), &customer).await.status, 202);
    for status in ["suspended", "active"] {
        let to = json!({ "account": customer.account_id, "status": status, "reason": "file 1" });
        order(world, SET, &to).await.expect("set");
    }
    let token = world.ask_for_token("rae@example.com").await;
    let body = json!({ "token": token, "revoke_other_keys": true, "cancel_deletion": true });
    let recovered = world.send(world.cloud.client().post(RECOVER, &body)).await;
    assert_eq!(recovered.status, 201, "{}", recovered.text());
}

/// Lets one refund be decided by the operator, and one be finished by the job; each finds a reminder that
/// is not due any more. Many sign-ups from one network are noted.
async fn use_refunds(world: &World) {
    let stripe = &world.cloud.stripe;
    order(world, PREPARE, &json!({})).await.expect("prepared");
    for name in ["e1", "e2", "e3", "e4", "e5", "e6"] {
        world.customer(&format!("{name}@example.com")).await;
    }
    let app = app_of(&world.cloud, world.cloud.redis.direct_url());
    for (name, is_paid_at_once) in [("fay", true), ("gil", false)] {
        let customer = world.customer(&format!("{name}@example.com")).await;
        let heard = stripe.webhooks();
        stripe.set_webhooks(Webhooks {
            url: Some(format!("{}/webhooks/stripe", world.cloud.url())),
            secrets: vec![WEBHOOK_SECRET.to_owned()],
            ..heard.clone()
        });
        world.buy("basic", &customer, Card::Good).await;
        stripe.set_webhooks(Webhooks::default());
        let asked = world.post("/v1/billing/refunds", &json!({}), &customer).await;
        assert_eq!(asked.status, 201, "{}", asked.text());
        assert_eq!(world.get("/v1/billing/refunds", &customer).await.status, 200);
        let account = customer.account_id.parse().expect("an id");
        let work = Work::Dunning { subscription: "sub_old".to_owned(), since: 0, sent: 4 };
        let now = world.cloud.clock.now();
        let stale = Task::new(&account, "dunning#sub_old".to_owned(), work, WORK_QUEUE, now);
        let stale = Task { next_at: Some(now.unix_timestamp() + 86_400), ..stale };
        plant_item(&app, Table::BillingTasks, &stale).await;
        let waiting = order(world, DECIDE, &json!({})).await.expect("listed");
        assert!(waiting.to_string().contains(&customer.account_id), "{waiting}");
        let task = format!("refund#{}", asked.json()["id"].as_str().expect("an id"));
        if is_paid_at_once {
            let approve =
                json!({ "account": customer.account_id, "task": task, "decision": "approve" });
            order(world, DECIDE, &approve).await.expect("approved");
        } else {
            // Approved, and then whoever did it died.
            let update = json!({
                "TableName": world.cloud.dynamodb.table("billing-tasks"),
                "Key": { "account": { "S": customer.account_id }, "task": { "S": task } },
                "UpdateExpression": "SET #state = :state, queue = :queue, decided_at = :now",
                "ExpressionAttributeNames": { "#state": "state" },
                "ExpressionAttributeValues": {
                    ":state": { "S": "approved" }, ":queue": { "S": WORK_QUEUE },
                    ":now": { "N": now.unix_timestamp().to_string() },
                },
            });
            world.cloud.dynamodb.call("UpdateItem", &update).await.expect("approved");
        }
        world.wait(Duration::hours(1));
        world.run_job(WORK).await;
        let view = world.get("/v1/billing/refunds", &customer).await;
        assert!(view.text().contains("paid"), "{} {}", view.text(), world.logs(WORK));
    }
}

/// Buys without that an event tells of it, so that the nightly comparison has something to do; leaves one
/// with an overdue payment, and one whose overdue payment is over. Where events are to go again.
async fn use_billing(world: &World, ada: &Customer) -> Webhooks {
    let (stripe, heard) = (&world.cloud.stripe, world.cloud.stripe.webhooks());
    stripe.set_webhooks(Webhooks::default());
    let app = app_of(&world.cloud, world.cloud.redis.direct_url());
    let dora = world.customer("dora@example.com").await;
    let mut bought = Vec::new();
    for customer in [ada, &dora] {
        let at_stripe = buy(world, &app, customer, Plan::Pro).await;
        stripe.set_card(&at_stripe, Card::FailsLater).expect("set");
        bought.push(at_stripe);
    }
    let reconcile = "ReconcileBillingFunction";
    assert_eq!(world.run_job(reconcile).await["left"], 0, "{}", world.logs(reconcile));
    world.wait(Duration::days(32));
    stripe.run_due(world.cloud.clock.now());
    assert_eq!(world.run_job(reconcile).await["left"], 0, "{}", world.logs(reconcile));
    for it in stripe.subscriptions(&bought[1]) {
        stripe.cancel(&it.id).expect("ended");
    }
    world.wait(Duration::days(1));
    assert_eq!(world.run_job(reconcile).await["left"], 0, "{}", world.logs(reconcile));
    heard
}

/// Asks each metered endpoint, with and without Redis.
async fn use_lookups(world: &World) {
    let cy = world.customer("cy@example.com").await;
    world.upgrade(&cy, Plan::Business).await;
    for (n, is_there) in [(1, true), (2, false), (3, true)] {
        if !is_there {
            world.cloud.redis.fault(local::redis::Fault::Refuse);
        }
        for request in metered(world, n) {
            let answer = endpoints::ask(world, &cy, &request).await;
            assert_eq!(answer.status, 200, "{} {}: {}", request.0, request.1, answer.text());
        }
        world.cloud.redis.fault(local::redis::Fault::None);
        // Until the breakers of the environments are closed again.
        tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
        world.wait(Duration::minutes(1));
    }
    let unknown = format!("/v1/videos/{}/comments", "7000000000000000001");
    assert_eq!(world.get(&unknown, &cy).await.status, 404);
    // Some ask Redis twice before they log. And a machine that is busy may be too late for it.
    for calls in [1, 2, 1, 2, 1, 2] {
        if lose_the_logs_answers(world, &cy, calls).await > metered(world, 3).len() {
            break;
        }
    }
}

/// Functions that have looked for a log entry in the tables.
fn packs_are_read_by(world: &World) -> usize {
    let packs = format!("table/{}", world.cloud.dynamodb.table("api-logs"));
    let calls = world.cloud.access.calls().into_iter();
    let reads = calls.filter(|it| it.action == "dynamodb:Query" && it.resource.ends_with(&packs));
    reads.map(|it| it.caller).collect::<BTreeSet<_>>().len()
}

/// Asks each metered endpoint for what is cached, and lets Redis fall silent after so many `calls` of each, before
/// the one about the log entry, which may or may not be in the stream then. How many functions have looked for
/// one so far, `roll-up-usage` among them.
async fn lose_the_logs_answers(world: &World, customer: &Customer, calls: u64) -> usize {
    let requests = metered(world, 3);
    // So that all are connected again.
    for answer in join_all(requests.iter().map(|it| endpoints::ask(world, customer, it))).await {
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    world.cloud.runtime.settled().await;
    world.cloud.redis.fault(local::redis::Fault::Delay(std::time::Duration::from_millis(600)));
    let asking = join_all(requests.iter().map(|it| endpoints::ask(world, customer, it)));
    let silence = async {
        tokio::time::sleep(std::time::Duration::from_millis(600 * calls - 300)).await;
        world.cloud.redis.fault(local::redis::Fault::Mute);
    };
    for answer in futures_util::join!(asking, silence).0 {
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    world.cloud.runtime.settled().await;
    world.cloud.redis.fault(local::redis::Fault::None);
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    world.wait(Duration::minutes(1));
    packs_are_read_by(world)
}

/// Asks for exports, fetches one, lets one end, and leaves one for the erasure; one is begun twice, and
/// one of which a run was killed is purged.
async fn use_exports(world: &World, ada: &Customer) {
    assert_eq!(world.get("/export.schema.json", ada).await.status, 200);
    let build = "BuildExportsFunction";
    let id = ask(world, ada).await["id"].as_str().expect("an id").to_owned();
    leave_an_upload(world, &id).await;
    assert_eq!(world.run_job(build).await["done"], 1, "{}", world.logs(build));
    fetch(world, ada, &id).await;
    assert_eq!(ask(world, ada).await["state"], "done");
    assert_eq!(world.get("/v1/privacy/requests", ada).await.status, 200);
    world.wait(Duration::hours(25));
    let id = ask(world, ada).await["id"].as_str().expect("an id").to_owned();
    leave_an_upload(world, &id).await;
    world.wait(Duration::days(7));
    // With the one that nothing has looked for any more.
    assert_eq!(world.run_job("PurgeExportsFunction").await["deleted"], 3);
    leave_an_upload(world, &id).await;
}

/// What a run of the job that was killed leaves behind.
async fn leave_an_upload(world: &World, id: &str) {
    let app = app_of(&world.cloud, world.cloud.redis.direct_url());
    let upload = app.files.begin(&format!("{id}.zip")).await.expect("begun");
    let mut file = item(Table::Exports, "acc_Example00001", 7, world.cloud.clock.now());
    file["id"] = json!({ "S": id });
    file["upload"] = json!({ "S": upload });
    plant(&world.cloud, Table::Exports, &file).await;
}

/// Previews, cancels, erases, restores, repeats.
async fn use_erasure(world: &World, ada: &Customer) {
    let client = world.cloud.client();
    let path = "/v1/privacy/deletions";
    let post = async |confirm: bool| {
        let body = json!({ "confirm": confirm });
        world.send(client.post(path, &body).key(&ada.key)).await.json()
    };
    post(false).await;
    let first = post(true).await["id"].as_str().expect("an id").to_owned();
    let one = format!("{path}/{first}");
    assert_eq!(world.get(&one, ada).await.status, 200);
    assert_eq!(world.send(client.delete(&one).key(&ada.key)).await.status, 200);
    post(true).await;
    // The account that is open already is found in place of a second request.
    post(true).await;
    assert_eq!(world.get("/v1/privacy/requests", ada).await.status, 200);
    let now = world.cloud.clock.now();
    for table in [Table::SupportMessages, Table::ApiLogs, Table::Quotas] {
        plant(&world.cloud, table, &item(table, &ada.account_id, 2, now)).await;
    }
    plant_billing(world, &ada.account_id).await;
    let consents = |owner: &str| json!({ "account": { "S": owner }, "consent": { "S": "1" } });
    plant(&world.cloud, Table::Consents, &consents(&ada.account_id)).await;
    // Somebody of whom the backup does not know that a key was revoked, and that the deletion is under way.
    world.forget_mails().await;
    let zoe = world.customer("zoe@example.com").await;
    let made = world.post("/v1/keys", &json!({ "name": "ci" }), &zoe).await.json();
    let mut backup = Vec::new();
    for table in Table::ALL {
        let items = world.cloud.dynamodb.items(table.name()).await.expect("the items");
        backup.extend(items.into_iter().map(|item| (table, item)));
    }
    let revoked = format!("/v1/keys/{}", made["id"].as_str().expect("an id"));
    assert_eq!(world.send(client.delete(&revoked).key(&zoe.key)).await.status, 204);
    world.wait(Duration::minutes(8));
    assert_eq!(world.post(path, &json!({ "confirm": true }), &zoe).await.status, 202);
    world.wait(Duration::days(7) - Duration::minutes(8));
    world.run_job("ProcessDeletionsFunction").await;
    world.run_job("RollUpUsageFunction").await;
    for pause in [Duration::minutes(6), Duration::minutes(3)] {
        world.wait(pause);
        world.run_job("ProcessDeletionsFunction").await;
    }
    assert_eq!(world.run_job("GuardRestoresFunction").await["ledger"], 1);
    for (table, item) in &backup {
        let owned = [&ada.account_id, &zoe.account_id].map(|it| item.to_string().contains(it));
        let own = owned.contains(&true) || *table == Table::Exports;
        if own && *table != Table::PrivacyRequests {
            plant(&world.cloud, *table, item).await;
        }
    }
    // One table without the number of that erasure would be enough.
    for table in Table::ALL {
        let key = table.key().iter().map(|it| ((*it).to_owned(), json!({ "S": "erasure-ledger" })));
        let key: serde_json::Map<_, _> = key.collect();
        let name = world.cloud.dynamodb.table(table.name());
        if ![Table::Deletions, Table::Audit].contains(&table) {
            let mark = json!({ "TableName": name, "Key": key });
            world.cloud.dynamodb.call("DeleteItem", &mark).await.expect("deleted");
        }
    }
    assert_eq!(world.run_job("GuardRestoresFunction").await["closed"], true);
    order(world, "ReplayErasuresFunction", &json!({ "close": true })).await.expect("closed");
    let replayed = order(world, "ReplayErasuresFunction", &json!({})).await.expect("replayed");
    assert_eq!(replayed["complete"], true);
    assert_eq!((&replayed["acts"], &replayed["requests"]), (&json!(1), &json!(1)), "{replayed}");
    // What is kept of an erased account can be held, also where nothing else is known of it any more.
    let gone = "acc_Example00009";
    let years_ago = world.cloud.clock.now() - Duration::days(1_000);
    let record = item(Table::BillingRecords, gone, 1, years_ago);
    plant(&world.cloud, Table::BillingRecords, &record).await;
    for (account, hold) in [(&*ada.account_id, true), (&*ada.account_id, false), (gone, true)] {
        let hold = json!({ "account": account, "hold": hold, "reason": "file 1" });
        order(world, "SetLegalHoldFunction", &hold).await.expect("set");
    }
}

/// Lets something come due in every table, some of it held.
async fn use_retention(world: &World, ada: &Customer) {
    let cloud = &world.cloud;
    let bob = "acc_Example00001";
    store_account(cloud, &bob.parse().expect("an id")).await;
    let hold = |hold| json!({ "time": "2026-11-24T12:00:00Z", "account": bob, "hold": hold, "reason": "file 1" });
    cloud.invoke("SetLegalHoldFunction", &hold(true)).await.expect("placed");
    let now = cloud.clock.now();
    for table in Table::ALL.into_iter().filter(|it| it.retention_job().is_some()) {
        let until = expiring(table).keep.until(now).expect("it expires");
        // Due within the hour.
        let from = now - (until - now) + Duration::minutes(30);
        for owner in [ada.account_id.as_str(), bob] {
            plant(cloud, table, &item(table, owner, 1, from)).await;
        }
    }
    for function in &cloud.template.functions {
        if function.binary.starts_with("purge-") {
            world.run_job(&function.id).await;
        }
    }
    // Something overdue, which its job does not look for any more.
    let late = item(Table::Exports, bob, 2, now - Duration::days(20));
    plant(cloud, Table::Exports, &late).await;
    world.run_job("VerifyRetentionFunction").await;
    cloud.invoke("SetLegalHoldFunction", &hold(false)).await.expect("released");
}

async fn used_world() -> World {
    let mut options = patient();
    options.parameters.insert("TikTokResearch".to_owned(), "on".to_owned());
    options.parameters.insert("CdnAddressHeader".to_owned(), "CF-Connecting-IP".to_owned());
    let world = World::start_with(options).await;
    world.change_secret(|it| it["cdn"] = json!({ "current": "0123456789abcdef0123456789abcdef" }));
    use_everything(&world).await;
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn each_function_may_do_just_what_it_does() {
    let world = used_world().await;
    let calls = world.cloud.access.calls();
    let mut idle = BTreeSet::new();
    for function in &world.cloud.template.functions {
        for permission in &function.permissions {
            let covers = |call: &&Call| {
                let resource = match permission.resource.split_once('*') {
                    Some((head, _)) => call.resource.starts_with(head),
                    None => call.resource == permission.resource,
                };
                call.caller == function.id && call.action == permission.action && resource
            };
            if !calls.iter().any(|call| covers(&call)) {
                idle.insert((&function.id, &permission.action, &permission.resource));
            }
        }
    }
    assert!(idle.is_empty(), "never used: {idle:#?}");
    for function in &world.cloud.template.functions {
        let logs = world.logs(&function.id);
        assert!(!logs.contains("AccessDenied"), "{}: {logs}", function.id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_redis_key_is_declared_and_ends_within_the_hour() {
    let world = used_world().await;
    let ada = world.customer("eve@example.com").await;
    assert_eq!(world.video(7, &ada).await.status, 200);
    let keys = world.cloud.redis.keys().await.expect("the keys");
    assert!(keys.len() >= 4, "{keys:?}");
    for (key, left) in keys {
        assert!(declares_redis_key(&key).is_some(), "{key} is not declared");
        assert!(left > 0 && left <= CACHE_SECONDS * 1000, "{key} lives for {left} ms");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_stored_attribute_is_declared() {
    let world = used_world().await;
    for table in Table::ALL {
        let declared: Vec<&str> = CATEGORIES
            .iter()
            .filter(|it| it.place == Place::Table(table))
            .flat_map(|it| it.fields.iter().copied())
            .collect();
        let items = world.cloud.dynamodb.items(table.name()).await.expect("the items");
        for name in items.iter().filter_map(Value::as_object).flat_map(|item| item.keys()) {
            let known = declared.iter().any(|field| match field.strip_suffix('*') {
                Some(start) => name.starts_with(start),
                None => name == field,
            });
            assert!(known, "{table:?} has {name}, which is not in the inventory");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_personal_is_in_the_functions_logs() {
    let world = used_world().await;
    for function in &world.cloud.template.functions {
        let logs = world.logs(&function.id);
        for marker in
            ["@example.com", "tvi_live_", "acc_", "127.0.0.1\"", "bob", "sig=", "nobody.known"]
        {
            assert!(!logs.contains(marker), "{} logs {marker}: {logs}", function.id);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_template_keeps_what_the_inventory_promises() {
    let world = World::start().await;
    let template = &world.cloud.template;
    let prefix = world.cloud.dynamodb.prefix();
    let names: BTreeSet<String> =
        template.tables.iter().map(|it| it.name.replacen(&prefix, "", 1)).collect();
    assert_eq!(names, Table::ALL.iter().map(|it| it.name().to_owned()).collect());
    for table in &template.tables {
        // An export stays until its file is gone.
        let ttl = (table.id != "ExportsTable").then_some("expires_at");
        assert_eq!(table.ttl_attribute.as_deref(), ttl, "{}", table.id);
        let resource = &template.resources[&table.id];
        let properties = &resource.properties;
        let recovery = &properties["PointInTimeRecoverySpecification"];
        assert_eq!(recovery["PointInTimeRecoveryEnabled"], true, "{}", table.id);
        assert_eq!(recovery["RecoveryPeriodInDays"], BACKUP_DAYS, "{}", table.id);
        assert_eq!(properties["SSESpecification"]["SSEEnabled"], true, "{}", table.id);
        assert_eq!(resource.attributes["DeletionPolicy"], "Retain", "{}", table.id);
    }
    let [(_, bucket)] = template.of_kind("AWS::S3::Bucket").collect::<Vec<_>>()[..] else {
        panic!("one bucket")
    };
    let properties = &bucket.properties;
    let [rule] = &properties["LifecycleConfiguration"]["Rules"].as_array().expect("rules")[..]
    else {
        panic!("one rule")
    };
    assert_eq!(Keep::Days(rule["ExpirationInDays"].as_i64().expect("days")), EXPORT_FILES.keep);
    assert_eq!(rule["Status"], "Enabled");
    assert_eq!(rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"], 1);
    let encryption = &properties["BucketEncryption"]["ServerSideEncryptionConfiguration"][0];
    assert_eq!(encryption["ServerSideEncryptionByDefault"]["SSEAlgorithm"], "AES256");
    let public = properties["PublicAccessBlockConfiguration"].as_object().expect("closed");
    assert!(public.len() == 4 && public.values().all(|it| *it == true), "{public:?}");
    assert!(properties.get("VersioningConfiguration").is_none(), "what is deleted is gone");
    for (id, queue) in template.of_kind("AWS::SQS::Queue") {
        assert_eq!(queue.properties["SqsManagedSseEnabled"], true, "{id}");
    }
    let mut binaries = BTreeSet::new();
    for function in &template.functions {
        let metadata = &template.resources[&function.id].attributes["Metadata"];
        assert_eq!(metadata["BuildMethod"], "rust-cargolambda", "{}", function.id);
        binaries.insert(function.binary.clone());
    }
    assert_eq!(binaries, programs(), "each program is deployed, and as one function");
    assert_eq!(binaries.len(), template.functions.len());
    let groups: BTreeMap<&str, &Value> = template
        .of_kind("AWS::Logs::LogGroup")
        .map(|(id, it)| (id, &it.properties["RetentionInDays"]))
        .collect();
    assert_eq!(groups.len(), template.functions.len(), "a log group for each function");
    for (id, days) in groups {
        assert_eq!(*days, FUNCTION_LOG_DAYS, "{id}");
    }
}

/// The names of the functions' programs, as they lie in the areas' folders.
fn programs() -> BTreeSet<String> {
    let folder = |path: &Path| std::fs::read_dir(path).into_iter().flatten().flatten();
    let areas = folder(&local::workspace().join("functions")).map(|it| it.path().join("src/bin"));
    let files = areas.flat_map(|it| folder(&it).collect::<Vec<_>>());
    let stem = |it: std::fs::DirEntry| it.path().file_stem()?.to_str().map(str::to_owned);
    files.filter_map(stem).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_table_in_which_something_expires_has_its_job_and_index() {
    let world = World::start().await;
    let template = &world.cloud.template;
    for category in CATEGORIES.iter().filter(|it| it.keep != Keep::UntilDeleted) {
        if let Place::Table(table) = category.place {
            assert!(table.retention_job().is_some(), "{} is never deleted", category.id);
        }
        if let (Place::Queue(pattern), Keep::Days(days)) = (category.place, category.keep) {
            let start = world.cloud.dynamodb.table(pattern.trim_end_matches('*'));
            let queues = template.queues.iter().filter(|it| it.name.starts_with(&start));
            let kept: u64 = queues.map(|it| it.retention.as_secs() / 86_400).sum();
            assert_eq!(u64::try_from(days), Ok(kept), "{}: one after the other", category.id);
        }
    }
    for table in Table::ALL {
        let name = world.cloud.dynamodb.table(table.name());
        let declared = template.tables.iter().find(|it| it.name == name).expect("a table");
        let properties = &template.resources[&declared.id].properties;
        let key = properties["KeySchema"].as_array().expect("a key").iter();
        let key: Vec<&str> = key.filter_map(|it| it["AttributeName"].as_str()).collect();
        assert_eq!(key, table.key(), "{}", table.name());
        let indexes = properties["GlobalSecondaryIndexes"].as_array();
        let by_expiry = indexes.into_iter().flatten().find(|it| it["IndexName"] == "by-expiry");
        let Some(job) = table.retention_job() else {
            assert_eq!(by_expiry, None, "{}", table.name());
            continue;
        };
        let expected = json!([
            { "AttributeName": "expires_on", "KeyType": "HASH" },
            { "AttributeName": "expires_at", "KeyType": "RANGE" },
        ]);
        assert_eq!(by_expiry.expect("an index")["KeySchema"], expected, "{}", table.name());
        let function = template.functions.iter().find(|it| it.binary == job.name);
        let function = function.unwrap_or_else(|| panic!("{} is no function", job.name));
        let [schedule] = &function.schedules[..] else { panic!("{}: one schedule", job.name) };
        let noon = world.cloud.clock.now();
        let first = schedule.next_after(noon);
        assert_eq!(schedule.next_after(first) - first, job.every, "{}", job.name);
    }
}

#[test]
fn the_legacy_http_stack_stays_out() {
    let lock =
        std::fs::read_to_string(local::workspace().join("Cargo.lock")).expect("the lock file");
    for unwanted in ["aws-lc-sys", "openssl-sys"] {
        assert!(!lock.contains(&format!("name = \"{unwanted}\"")), "{unwanted}");
    }
    assert!(!lock.contains("name = \"hyper\"\nversion = \"0.14"), "hyper 0.14");
}
