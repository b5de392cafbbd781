//! A customer to be erased: every store holds a marker that is found nowhere else.

use std::io::{Cursor, Read};

use local::http::Response;
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};
use vidintel::{inventory::Table, usage::read_pack};

use super::{
    Customer, World,
    billing::plant_billing,
    plant::{item, plant},
    sign_up, token_in,
};
use crate::usage::packs;

pub(crate) const DELETIONS: &str = "/v1/privacy/deletions";

/// Found in nothing but the erased person's data.
const MARKER: &str = "eraseme";

/// A customer whose every store holds the marker.
pub(crate) async fn marked(world: &World) -> Customer {
    marked_as(world, "eraseme@example.com").await
}

/// Lets the customer's account have been opened at `at`.
pub(crate) async fn opened_at(world: &World, customer: &Customer, at: OffsetDateTime) {
    let update = json!({
        "TableName": world.cloud.dynamodb.table("accounts"),
        "Key": { "id": { "S": customer.account_id } },
        "UpdateExpression": "SET created_at = :at",
        "ExpressionAttributeValues": { ":at": { "N": at.unix_timestamp().to_string() } },
    });
    world.cloud.dynamodb.call("UpdateItem", &update).await.expect("opened");
}

pub(crate) async fn marked_as(world: &World, email: &str) -> Customer {
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
    let mail = mails.iter().rfind(|it| it.to == [email]).expect("a mail");
    let token = token_in(mail.text.as_deref().expect("a text"));
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
    plant_billing(world, &customer.account_id).await;
    let mut message =
        item(Table::SupportMessages, &customer.account_id, 1, now - Duration::days(1));
    for name in ["subject", "body"] {
        message[name] = json!({ "S": format!("{name} of eraseme") });
    }
    plant(&world.cloud, Table::SupportMessages, &message).await;
    let consent = json!({
        "account": { "S": customer.account_id }, "consent": { "S": "1" }, "kind": { "S": "eraseme" },
    });
    plant(&world.cloud, Table::Consents, &consent).await;
}

pub(crate) async fn post(world: &World, customer: &Customer, confirm: bool) -> Response {
    let client = world.cloud.client();
    let body = json!({ "confirm": confirm });
    world.send(client.post(DELETIONS, &body).key(&customer.key)).await
}

/// Runs the job until the deletion that it is at is done: it waits for what is on its way, then for
/// whoever may still be moving it.
pub(crate) async fn finish(world: &World) {
    world.run_job("RollUpUsageFunction").await;
    world.wait(Duration::minutes(6));
    assert_eq!(world.run_job("ProcessDeletionsFunction").await["waiting"], 1);
    world.wait(Duration::minutes(3));
    let run = world.run_job("ProcessDeletionsFunction").await;
    assert_eq!(run["done"], 1, "{run} {}", world.logs("ProcessDeletionsFunction"));
}

/// Confirms, lets the grace period pass, and runs the job until the deletion is done.
pub(crate) async fn erase(world: &World, customer: &Customer) -> String {
    let answer = post(world, customer, true).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    let id = answer.json()["id"].as_str().expect("an id").to_owned();
    world.wait(Duration::days(7));
    assert_eq!(world.run_job("ProcessDeletionsFunction").await["waiting"], 1);
    finish(world).await;
    id
}

/// Every item of every table, every key and value in Redis, every file and log, as text.
pub(crate) async fn everything(world: &World) -> Vec<String> {
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
    for file in world.cloud.s3.files().expect("the files") {
        let bytes = std::fs::read(&file).expect("a file");
        all.push(format!("s3 {}: {}", file.display(), unpacked(&bytes)));
    }
    all
}

/// What is in a ZIP file, as text; another file as it is.
fn unpacked(bytes: &[u8]) -> String {
    let Ok(mut archive) = zip::ZipArchive::new(Cursor::new(bytes)) else {
        return String::from_utf8_lossy(bytes).into_owned();
    };
    let mut text = String::new();
    for at in 0..archive.len() {
        archive.by_index(at).expect("a file").read_to_string(&mut text).expect("text");
    }
    text
}

pub(crate) async fn residue(world: &World, account: &str) -> Vec<String> {
    let found = everything(world).await.into_iter();
    found.filter(|it| it.contains(MARKER) || it.contains(account)).collect()
}

/// Checks that nothing of `account` is left but what the law keeps, which names nobody.
pub(crate) async fn assert_erased(world: &World, account: &str) {
    for text in residue(world, account).await {
        assert!(!text.contains(MARKER), "{text}");
        let may_stay = ["billing-records: ", "privacy-requests: ", "deletions: "];
        assert!(may_stay.iter().any(|it| text.starts_with(it)), "{text}");
        // What is in a queue ends when it has been worked off.
        let ends = text.contains("expires_at") || text.contains("\"queue\":{\"S\":\"redaction\"}");
        assert!(ends, "without an end: {text}");
    }
}
