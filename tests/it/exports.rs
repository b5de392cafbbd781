//! A copy of everything that is kept: what is in it, who gets it, and when it ends.

use std::{collections::BTreeSet, time::Instant};

use local::http::Client;
use serde_json::{Map, Value, json};
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};
use vidintel::{
    files::Sizes,
    inventory::{CATEGORIES, Export, Field, Kind, Place, Table},
    privacy,
    usage::read_pack,
};

use crate::{
    usage::packs,
    util::{
        World, app_of, assert_kept, assert_problem,
        copy::{EXPORTS, ask, fetch, items_of, json_of, state_of},
        plant::{item, plant},
        subject::{erase, marked, residue},
    },
};

const JOB: &str = "BuildExportsFunction";

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_asked_for_made_announced_fetched_and_ended() {
    let world = World::start().await;
    let (ada, bob) = (marked(&world).await, world.customer("bob@example.com").await);
    let asked = ask(&world, &ada).await;
    let id = asked["id"].as_str().expect("an id").to_owned();
    assert_eq!((&asked["state"], &asked["file"]), (&json!("scheduled"), &Value::Null));
    assert_eq!(ask(&world, &ada).await["id"], *id, "asking twice is asking once");
    let download = format!("{EXPORTS}/{id}/download");
    assert_problem(&world.get(&download, &ada).await, 409, "conflict");

    assert_eq!(world.run_job(JOB).await["done"], 1, "{}", world.logs(JOB));
    let view = state_of(&world, &ada, &id).await;
    assert_eq!(view["state"], "done");
    assert_eq!(view["file"]["created_at"], "2026-11-24T12:00:00Z");
    // Its job deletes ahead, up to an hour.
    assert_eq!(view["file"]["available_until"], "2026-12-01T11:00:00Z");
    let mails = world.cloud.ses.mails();
    let mail = mails.last().expect("a mail");
    assert_eq!(mail.subject, "Your data is ready");
    let text = mail.text.as_deref().expect("a text");
    assert!(text.contains(&download) && !text.contains("X-Amz"), "no bare link: {text}");

    let copy = fetch(&world, &ada, &id).await;
    assert!(String::from_utf8_lossy(&copy["data/accounts.json"]).contains("eraseme@example.com"));
    // Nobody else, and nobody without a key.
    for path in [format!("{EXPORTS}/{id}"), download.clone()] {
        assert_problem(&world.get(&path, &bob).await, 404, "not-found");
        let client = world.cloud.client();
        assert_problem(&world.send(client.get(&path)).await, 401, "invalid-api-key");
    }
    assert_problem(&world.get(&format!("{EXPORTS}/1"), &ada).await, 400, "invalid-value");
    // A deletion's id is not an export's.
    let list = world.get("/v1/privacy/requests", &ada).await.json();
    assert_eq!(list["requests"][0]["kind"], "export");
    assert_eq!(list["requests"][0]["file"]["bytes"], view["file"]["bytes"]);

    // For a day it is the same one, then another one can be asked for.
    world.wait(Duration::hours(23));
    assert_eq!(ask(&world, &ada).await["id"], *id);
    world.wait(Duration::hours(2));
    let second = ask(&world, &ada).await["id"].as_str().expect("an id").to_owned();
    assert_ne!(second, id);
    assert_eq!(world.run_job(JOB).await["done"], 1);
    assert_eq!(world.cloud.s3.files().expect("files").iter().filter(|it| is_zip(it)).count(), 2);

    world.wait(Duration::days(6));
    assert_eq!(world.run_job("PurgeExportsFunction").await["deleted"], 1);
    assert_eq!(world.cloud.s3.files().expect("files").iter().filter(|it| is_zip(it)).count(), 1);
    assert_problem(&world.get(&download, &ada).await, 410, "gone");
    assert_eq!(state_of(&world, &ada, &id).await["file"], Value::Null);
    fetch(&world, &ada, &second).await;
}

fn is_zip(path: &std::path::Path) -> bool {
    path.extension().is_some_and(|it| it == "zip")
}

/// The export holds what the tables hold: field by field, item by item, as real endpoints wrote it.
#[tokio::test(flavor = "multi_thread")]
async fn an_export_has_every_field_and_reads_back_to_what_is_stored() {
    let world = World::start().await;
    let ada = marked(&world).await;
    // What nobody sees: another's data, a legal hold, what has ended.
    marked_other(&world).await;
    let now = world.cloud.clock.now();
    // A request that has been answered: with its steps and counts.
    ask(&world, &ada).await;
    assert_eq!(world.run_job(JOB).await["done"], 1, "{}", world.logs(JOB));
    world.wait(Duration::hours(25));
    let hold = json!({ "time": "2026-11-24T12:00:00Z", "account": ada.account_id, "hold": true, "reason": "file 1" });
    world.cloud.invoke("SetLegalHoldFunction", &hold).await.expect("placed");
    let ended = item(Table::SupportMessages, &ada.account_id, 9, now - Duration::days(800));
    plant(&world.cloud, Table::SupportMessages, &ended).await;
    let id = ask(&world, &ada).await["id"].as_str().expect("an id").to_owned();
    assert_eq!(world.run_job(JOB).await["done"], 1, "{}", world.logs(JOB));
    let copy = fetch(&world, &ada, &id).await;

    let schema = json_of(&copy, "schema.json");
    let served = world.send(world.cloud.client().get("/export.schema.json")).await;
    assert_eq!(served.json(), schema);
    let mut known = 0;
    for category in CATEGORIES.iter() {
        let Export::Items { fields, .. } = category.export else { continue };
        let Place::Table(table) = category.place else { panic!("{} has no table", category.id) };
        let items = items_of(&copy, category.id);
        let file = json_of(&copy, &format!("data/{}.json", category.id));
        assert_valid(&schema, category.id, &file);
        let expected = stored(&world, table, &ada.account_id).await;
        // The request itself has gone on since: it was open when the copy was made.
        let is_this = |it: &Value| it.get("id").is_some_and(|it| *it == id);
        let back: BTreeSet<String> =
            items.iter().filter(|it| !is_this(it)).map(|it| read_back(fields, it)).collect();
        let rest = expected.iter().filter(|it| !is_this(it));
        let expected: BTreeSet<String> = rest.map(|it| reduced(fields, it).to_string()).collect();
        assert!(!expected.is_empty(), "nothing is stored in {}", category.id);
        assert_eq!(back, expected, "{}", category.id);
        for item in &items {
            for field in fields.iter().filter(|it| !it.name.ends_with('*')) {
                assert!(
                    item.get(field.exported_as()).is_some(),
                    "{} of {}",
                    field.name,
                    category.id
                );
            }
        }
        known += items.len();
    }
    assert!(known >= 12, "{known} items");
    let requests = items_of(&copy, "privacy-requests");
    assert_eq!(requests.len(), 2, "a legal hold is the operator's: {requests:?}");
    assert_valid(&schema, "manifest", &json_of(&copy, "manifest.json"));
}

async fn marked_other(world: &World) {
    let other = crate::util::subject::marked_as(world, "other-eraseme@example.com").await;
    world.video(4, &other).await;
}

/// Every personal category is in the manifest, with what the law wants told, or with why it is not.
#[tokio::test(flavor = "multi_thread")]
async fn an_export_tells_a_person_what_it_is() {
    let world = World::start().await;
    let ada = marked(&world).await;
    let id = ask(&world, &ada).await["id"].as_str().expect("an id").to_owned();
    world.run_job(JOB).await;
    let copy = fetch(&world, &ada, &id).await;
    let manifest = json_of(&copy, "manifest.json");
    assert_eq!(manifest["policy_version"], "1.0");
    let page = String::from_utf8(copy["index.html"].clone()).expect("text");
    for category in CATEGORIES.iter().filter(|it| !it.ccpa.is_empty()) {
        let all = manifest["categories"].as_array().expect("categories");
        let entry = all.iter().find(|it| it["category"] == category.id).expect(category.id);
        assert_eq!(entry["source"], category.source);
        assert_eq!(entry["recipients"], json!(category.recipients));
        assert_eq!(entry["kept"], category.keep.to_string());
        assert_eq!(entry["items"].is_null(), matches!(category.export, Export::No(_)));
        let text = category.description.split([',', ':']).next().expect("a text");
        assert!(page.contains(text), "{text} is not on the page");
    }
    let mut table = csv::Reader::from_reader(&copy["usage.csv"][..]);
    let names = table.headers().expect("names").clone();
    let rows: Vec<_> = table.records().collect::<Result<_, _>>().expect("rows");
    assert_eq!(rows.len(), 1);
    let value = |name| {
        let at = names.iter().position(|it| it == name).expect("a column");
        rows[0][at].to_owned()
    };
    assert_eq!((value("date"), value("requests")), ("2026-11-24".to_owned(), "3".to_owned()));
    assert!(value("latency_ms_p50").parse::<u64>().expect("a number") > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_ends_and_opens_nothing_else() {
    let world = World::start().await;
    let ada = marked(&world).await;
    let id = ask(&world, &ada).await["id"].as_str().expect("an id").to_owned();
    world.run_job(JOB).await;
    let answer = world.get(&format!("{EXPORTS}/{id}/download"), &ada).await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let link = answer.header("location").expect("a link").to_owned();
    assert!(link.contains("X-Amz-Expires=300"), "five minutes");
    let (host, path) = link.split_at(link.find("/local").expect("a bucket"));
    let client = Client::new(host);
    assert_eq!(world.send(client.get(path)).await.status, 200);
    for forged in [
        path.replace("X-Amz-Expires=300", "X-Amz-Expires=3000"),
        path.replace(&id, "req_Example00001"),
        path.split('?').next().expect("a path").to_owned(),
    ] {
        assert_eq!(world.send(client.get(&forged)).await.status, 403, "{forged}");
    }
    assert_eq!(world.send(client.delete(path)).await.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_is_tried_again() {
    let world = World::start().await;
    let ada = marked(&world).await;
    let id = ask(&world, &ada).await["id"].as_str().expect("an id").to_owned();
    world.cloud.s3.fail_after(Some(0));
    for failures in 1..=3 {
        let run = world.run_job(JOB).await;
        assert_eq!((&run["failed"], &run["stuck"]), (&json!(1), &json!(u8::from(failures == 3))));
        assert_eq!(world.run_job(JOB).await["failed"], 0, "it waits");
        world.wait(Duration::hours(1));
    }
    assert_eq!(state_of(&world, &ada, &id).await["state"], "running");
    world.cloud.s3.fail_after(None);
    assert_eq!(world.run_job(JOB).await["done"], 1);
    fetch(&world, &ada, &id).await;
}

/// Little data in many parts and files, as much data would be; and S3 failing in the middle of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_large_export_comes_in_parts_and_files() {
    let world = World::start().await;
    let ada = marked(&world).await;
    let mut app = app_of(&world.cloud, world.cloud.redis.direct_url());
    app.files.sizes = Sizes { part: 700, file: 900 };
    let id = ask(&world, &ada).await["id"].as_str().expect("an id").to_owned();
    let deadline = Instant::now() + std::time::Duration::from_secs(60);
    let mut failed = 0;
    for calls in 1.. {
        world.cloud.s3.fail_after(Some(calls));
        let run = privacy::build_exports(&app, world.cloud.clock.now(), deadline).await;
        let run = run.expect("it runs");
        world.cloud.s3.fail_after(None);
        if run.done == 1 {
            break;
        }
        assert_eq!(run.failed, 1, "after {calls}");
        failed += 1;
        world.wait(Duration::hours(6));
    }
    assert!(failed > 8, "{failed} calls in between");
    let left = world.cloud.s3.files().expect("files");
    let left: Vec<_> = left.iter().filter(|it| it.to_string_lossy().contains(".part-")).collect();
    assert!(left.is_empty(), "{left:?}");
    let copy = fetch(&world, &ada, &id).await;
    let schema = json_of(&copy, "schema.json");
    let (mut entries, mut files) = (0, 0);
    for path in copy.keys().filter(|it| it.starts_with("data/usage-") || it.contains("api-logs")) {
        let category = if path.contains("usage") { "usage-statistics" } else { "api-logs" };
        let file = json_of(&copy, path);
        assert_valid(&schema, category, &file);
        if category == "api-logs" {
            entries += file["items"].as_array().expect("items").len();
            files += 1;
            let page = String::from_utf8_lossy(&copy["index.html"]).into_owned();
            assert!(page.contains(&format!("href=\"{path}\"")), "{path} is not on the page");
        }
    }
    assert_eq!((entries, files), (5, 2), "{:?}", copy.keys());
}

/// Who cannot be reached by mail finds the copy all the same, and can ask for another one.
#[tokio::test(flavor = "multi_thread")]
async fn an_export_that_cannot_be_announced_is_closed_all_the_same() {
    let world = World::start().await;
    let ada = marked(&world).await;
    let id = ask(&world, &ada).await["id"].as_str().expect("an id").to_owned();
    let forget = json!({
        "TableName": world.cloud.dynamodb.table("accounts"),
        "Key": { "id": { "S": ada.account_id } },
        "UpdateExpression": "SET email = :email",
        "ExpressionAttributeValues": { ":email": { "S": "nobody@[refused]" } },
    });
    world.cloud.dynamodb.call("UpdateItem", &forget).await.expect("changed");
    let mut rounds = 0;
    while state_of(&world, &ada, &id).await["state"] != "done"
        || world.run_job(JOB).await["failed"] == 1
    {
        assert_eq!(state_of(&world, &ada, &id).await["state"], "done", "{}", world.logs(JOB));
        fetch(&world, &ada, &id).await;
        rounds += 1;
        assert!(rounds < 20, "it goes on for ever");
        world.wait(Duration::hours(6));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_takes_the_exports_with_it() {
    let world = World::start().await;
    let ada = marked(&world).await;
    let first = ask(&world, &ada).await["id"].as_str().expect("an id").to_owned();
    world.run_job(JOB).await;
    let answer = world.get(&format!("{EXPORTS}/{first}/download"), &ada).await;
    let link = answer.header("location").expect("a link").to_owned();
    world.wait(Duration::hours(25));
    // The second one is never made.
    ask(&world, &ada).await;
    let deletion = erase(&world, &ada).await;
    assert_eq!(world.run_job(JOB).await["done"], 0);
    crate::util::subject::assert_erased(&world, &ada.account_id).await;
    let (host, path) = link.split_at(link.find("/local").expect("a bucket"));
    // S3 itself would not even say that it is not there.
    assert_ne!(world.send(Client::new(host).get(path)).await.status, 200, "the file is gone");
    let client = world.cloud.client();
    let certificate = world.send(client.get(format!("/v1/privacy/deletions/{deletion}"))).await;
    let certificate = certificate.json();
    let all = certificate["categories"].as_array().expect("categories");
    let exports = all.iter().find(|it| it["category"] == "exports").expect("exports");
    assert_eq!((&exports["action"], &exports["items"]), (&json!("deleted"), &json!(2)));
    let left = residue(&world, &ada.account_id).await;
    assert!(left.iter().any(|it| it.contains("cancelled")), "{left:?}");
}

#[test]
fn the_kept_schema_is_fresh() {
    let schema = vidintel::privacy::export_schema().expect("a schema");
    assert_kept("docs/export.schema.json", &schema);
}

fn assert_valid(schema: &Value, definition: &str, file: &Value) {
    let mut schema = schema.clone();
    schema.as_object_mut().expect("a schema").remove("oneOf");
    schema["$ref"] = json!(format!("#/$defs/{definition}"));
    let options = jsonschema::options().should_validate_formats(true);
    let validator = options.build(&schema).expect("a valid schema");
    let errors: Vec<String> = validator.iter_errors(file).map(|it| it.to_string()).collect();
    assert!(errors.is_empty(), "{definition}: {errors:?}");
}

/// The items of `account` in `table`, expired ones left out, as plain JSON; entries of packs one by one.
async fn stored(world: &World, table: Table, account: &str) -> Vec<Value> {
    let now = world.cloud.clock.now().unix_timestamp();
    if table == Table::ApiLogs {
        let mut all = Vec::new();
        for pack in packs(world).await {
            let expires_at: i64 =
                pack["expires_at"].as_n().expect("a number").parse().expect("one");
            for entry in read_pack(&pack).expect("a pack") {
                if entry.account.to_string() == account {
                    all.push(json!({ "entries": entry, "expires_at": expires_at }));
                }
            }
        }
        return all;
    }
    let items = world.cloud.dynamodb.items(table.name()).await.expect("the items");
    items
        .iter()
        .map(plain)
        .filter(|it| {
            // Beside the account lies the marker of its address.
            let keys: &[&str] =
                if table == Table::Accounts { &["id"] } else { &["account", "sender"] };
            keys.iter().any(|key| it[key] == account)
                && it["expires_at"].as_i64().is_none_or(|at| at > now)
        })
        .collect()
}

/// DynamoDB's JSON as plain JSON.
fn plain(item: &Value) -> Value {
    let all = item.as_object().expect("an object").iter();
    all.map(|(name, value)| (name.clone(), plain_value(value))).collect()
}

fn plain_value(value: &Value) -> Value {
    let (kind, value) = value.as_object().expect("a value").iter().next().expect("a type");
    match kind.as_str() {
        "N" => value.as_str().expect("a number").parse::<i64>().expect("a whole one").into(),
        "M" => plain(value),
        _ => value.clone(),
    }
}

/// What of a stored item belongs into an export.
fn reduced(fields: &[Field], item: &Value) -> Value {
    let mut out = Map::new();
    for field in fields {
        if let Some(start) = field.name.strip_suffix('*') {
            let all = item.as_object().expect("an object").iter();
            out.extend(
                all.filter(|it| it.0.starts_with(start)).map(|(k, v)| (k.clone(), v.clone())),
            );
        } else {
            let pointer = format!("/{}", field.name.replace('.', "/"));
            let value = item.pointer(&pointer).cloned().unwrap_or_default();
            out.insert(field.exported_as(), value);
        }
    }
    out.into()
}

/// An exported item with its times as they are stored.
fn read_back(fields: &[Field], item: &Value) -> String {
    let mut item = item.clone();
    let seconds = |value: &Value, unit: i128| {
        let at = OffsetDateTime::parse(value.as_str().expect("a text"), &Rfc3339).expect("a time");
        json!(i64::try_from(at.unix_timestamp_nanos() / unit).expect("in range"))
    };
    for field in fields {
        let Some(value) = item.get_mut(field.exported_as()) else { continue };
        match field.kind {
            _ if value.is_null() => {}
            Kind::Instant => *value = seconds(value, 1_000_000_000),
            Kind::Milliseconds => *value = seconds(value, 1_000_000),
            Kind::Instants => {
                let all = value.as_object_mut().expect("an object").values_mut();
                all.for_each(|it| *it = seconds(it, 1_000_000_000));
            }
            _ => {}
        }
    }
    item.to_string()
}
