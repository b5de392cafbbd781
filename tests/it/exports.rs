//! A copy of everything that is kept: what is in it, who gets it, and when it ends.

use std::collections::BTreeSet;

use local::{http::Client, standins};
use serde_json::{Value, json};
use time::Duration;
use vidintel::{
    files::Sizes,
    ids::random_base62,
    inventory::{CATEGORIES, Export, Place, Table},
    privacy,
};

use crate::util::{
    World, app_of, assert_kept, assert_problem,
    billing::plant_subscription,
    copy::{EXPORTS, ask, fetch, items_of, json_of, state_of},
    far_away,
    plant::{item, plant},
    stored::{read_back, reduced, stored},
    subject::{erase, marked, opened_at, residue},
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
    // An item stays while its file does.
    world.cloud.s3.fail_after(Some(0));
    let run = world.run_job("PurgeExportsFunction").await;
    assert_eq!((&run["deleted"], &run["complete"]), (&json!(0), &json!(false)));
    world.cloud.s3.fail_after(None);
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
    plant_subscription(&world, &ada.account_id).await;
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
    assert!(known >= 20, "{known} items");
    let [account] = &items_of(&copy, "accounts")[..] else { panic!("one account") };
    assert_eq!(
        (&account["customer"], &account["subscription_plan"]),
        (&json!("cus_1"), &json!("pro"))
    );
    assert_eq!(account["subscription_past_due_since"], account["subscription_period_start"]);
    let records = items_of(&copy, "billing-records");
    let invoice = records.iter().find(|it| it["kind"] == "invoice").expect("an invoice");
    assert_eq!(invoice["lines"][0]["cents"], 2500);
    assert_eq!(invoice["lines"].as_array().expect("lines").len(), 2);
    let tasks = items_of(&copy, "billing-tasks");
    let kinds: BTreeSet<_> = tasks.iter().filter_map(|it| it["kind"].as_str()).collect();
    assert_eq!(
        kinds.into_iter().collect::<Vec<_>>(),
        [
            "dunning",
            "ended-mail",
            "flag",
            "keys-mail",
            "plan-mail",
            "record-mail",
            "refund",
            "refund-mail",
        ]
    );
    let requests = items_of(&copy, "privacy-requests");
    assert_eq!(requests.len(), 2, "a legal hold is the operator's: {requests:?}");
    assert_valid(&schema, "manifest", &json_of(&copy, "manifest.json"));
}

/// Of request logs there is a partition a day, of which only the last ones can hold anything. The rest lies in one.
#[tokio::test(flavor = "multi_thread")]
async fn the_copy_of_an_account_of_ten_years_is_whole_and_asks_for_a_hundred_days() {
    let world = World::start().await;
    let ada = marked(&world).await;
    let now = world.cloud.clock.now();
    opened_at(&world, &ada, now - Duration::days(3653)).await;
    // The oldest that there can be of each.
    let old = [
        (Table::UsageStats, "usage-statistics", 364),
        (Table::BillingRecords, "billing-records", 7 * 365),
        (Table::SupportMessages, "support-messages", 729),
        (Table::Quotas, "quotas", 364),
    ];
    for (table, _, days) in old {
        let item = item(table, &ada.account_id, days as usize, now - Duration::days(days));
        plant(&world.cloud, table, &item).await;
    }
    let id = ask(&world, &ada).await["id"].as_str().expect("an id").to_owned();
    let queries = || {
        let counts = world.cloud.dynamodb.counts().into_iter();
        counts.filter(|it| it.0.1 == "Query").map(|it| it.1.requests).sum::<u64>()
    };
    world.cloud.dynamodb.reset_counts();
    assert_eq!(world.run_job(JOB).await["done"], 1, "{}", world.logs(JOB));
    assert!(queries() < 200, "{} queries", queries());
    let copy = fetch(&world, &ada, &id).await;
    for (table, category, days) in old {
        let name = format!("{} {days}", ada.account_id);
        let named = |it: &Value| it.to_string().contains(&name);
        assert!(items_of(&copy, category).iter().any(named), "{}", table.name());
    }
    assert_eq!(items_of(&copy, "api-logs").len(), 3);
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
        let names = entry["recipients"].as_array().expect("recipients").iter();
        let names: Vec<_> = names.map(|it| it["recipient"].clone()).collect();
        assert_eq!(json!(names), json!(category.recipients));
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

/// What a person looks for stands on the page itself: no number of seconds, no `null`, no bare id of a step.
#[tokio::test(flavor = "multi_thread")]
async fn the_page_shows_the_data_itself() {
    let world = World::start().await;
    let (ada, bob) = (marked(&world).await, world.customer("bob@example.com").await);
    plant_subscription(&world, &ada.account_id).await;
    let mut copies = Vec::new();
    for who in [&ada, &bob] {
        let id = ask(&world, who).await["id"].as_str().expect("an id").to_owned();
        world.run_job(JOB).await;
        copies.push(fetch(&world, who, &id).await);
    }
    let page = |n: usize| String::from_utf8(copies[n]["index.html"].clone()).expect("text");
    let (adas, bobs) = (page(0), page(1));
    for shown in ["eraseme@example.com", "Pro", "25.00 USD", "support@example.com", "Your account"]
    {
        let lower = adas.to_lowercase();
        assert!(lower.contains(&shown.to_lowercase()), "{shown} is not on the page: {adas}");
    }
    assert!(bobs.contains("bob@example.com") && bobs.contains("nothing was bought"), "{bobs}");
    // The plan is the one that was bought.
    let [account] = &items_of(&copies[0], "accounts")[..] else { panic!("one account") };
    assert_eq!(
        (&account["plan"], &account["plan_without_subscription"]),
        (&json!("pro"), &json!("free"))
    );
    // Who received it, by name; who did not, is not said to have.
    let received = |n: usize, category: &str| {
        let manifest = json_of(&copies[n], "manifest.json");
        let all = manifest["categories"].as_array().expect("categories").clone();
        let entry = all.into_iter().find(|it| it["category"] == category).expect("the category");
        let each = entry["recipients"].as_array().expect("recipients").iter();
        each.map(|it| {
            (it["recipient"].as_str().expect("a name").to_owned(), it["received"] == true)
        })
        .collect::<Vec<_>>()
    };
    let name = |text: &str| text.to_owned();
    let aws = (name("Amazon Web Services (cloud hosting)"), true);
    let ses = (name("Amazon SES (e-mail service)"), true);
    let stripe = |is_so| (name("Stripe (payment processor)"), is_so);
    assert_eq!(received(0, "accounts"), [aws.clone(), ses.clone(), stripe(true)]);
    assert_eq!(received(1, "accounts"), [aws, ses, stripe(false)]);
    assert!(!bobs.contains("Stripe (payment processor)"), "nothing of Bob's went there");
    // Times are times, counts are counts.
    let invoices = items_of(&copies[0], "billing-records");
    let lines = invoices.iter().filter_map(|it| it["lines"].as_array()).flatten();
    let mut seen = 0;
    for line in lines {
        assert!(line["from"].as_str().is_some_and(|it| it.ends_with('Z')), "{line}");
        assert!(line["to"].as_str().is_some_and(|it| it.ends_with('Z')), "{line}");
        seen += 1;
    }
    assert!(seen > 0);
    for day in items_of(&copies[0], "usage-statistics") {
        for count in
            ["requests", "charged", "client_errors", "server_errors", "limited", "cache_hits"]
        {
            assert!(day[count].is_u64(), "{count} of {day}");
        }
        assert!(!day.to_string().contains("latency_"), "{day}");
        for step in day["latency"].as_array().expect("steps") {
            assert!(step["from_ms"].as_u64() <= step["to_ms"].as_u64(), "{step}");
        }
    }
    // What is stored and not in the copy is named.
    let manifest = json_of(&copies[0], "manifest.json");
    assert_eq!(manifest["controller"]["contact"], "support@example.com");
    let all = manifest["categories"].as_array().expect("categories");
    let keys = all.iter().find(|it| it["category"] == "api-keys").expect("keys");
    assert_eq!(keys["fields_left_out"], json!(["hash", "pepper_version"]));
    assert!(adas.contains("<code>hash</code>"));
}

/// An export and a certificate count the same things.
#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_counts_requests_as_an_export_does() {
    let world = World::start().await;
    let ada = marked(&world).await;
    for n in 0..5 {
        world.video(n, &ada).await;
    }
    world.run_job("RollUpUsageFunction").await;
    let id = ask(&world, &ada).await["id"].as_str().expect("an id").to_owned();
    world.run_job(JOB).await;
    let entries = items_of(&fetch(&world, &ada, &id).await, "api-logs").len();
    assert!(entries >= 5, "{entries}");
    let deletion = erase(&world, &ada).await;
    let client = world.cloud.client();
    let certificate = world.send(client.get(format!("/v1/privacy/deletions/{deletion}"))).await;
    let certificate = certificate.json();
    let all = certificate["categories"].as_array().expect("categories");
    let logs = all.iter().find(|it| it["category"] == "api-logs").expect("logs");
    assert_eq!(logs["items"], entries, "{logs}");
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

/// More than one part of S3's, and more than one file of a category; and S3 failing in the middle of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_large_export_comes_in_parts_and_files() {
    const MESSAGES: usize = 60;
    let world = World::start().await;
    let ada = marked(&world).await;
    let now = world.cloud.clock.now();
    for n in 0..MESSAGES {
        let mut message = item(Table::SupportMessages, &ada.account_id, n + 10, now);
        // Nothing that compression makes small.
        message["body"] = json!({ "S": random_base62(250_000) });
        plant(&world.cloud, Table::SupportMessages, &message).await;
    }
    let mut app = app_of(&world.cloud, world.cloud.redis.direct_url());
    // The smallest parts that S3 takes.
    app.files.sizes = Sizes { part: 5 << 20, file: 4 << 20 };
    let id = ask(&world, &ada).await["id"].as_str().expect("an id").to_owned();
    // It begins and sends three parts before it makes them one.
    for calls in [1, 3, 4] {
        world.cloud.s3.fail_after(Some(calls));
        let run = privacy::build_exports(&app, world.cloud.clock.now(), far_away()).await;
        assert_eq!(run.expect("it runs").failed, 1, "after {calls} calls");
        world.cloud.s3.fail_after(None);
        world.wait(Duration::hours(6));
    }
    assert_ne!(parts(&world), 0, "S3 could not be told to drop them");
    let run = privacy::build_exports(&app, world.cloud.clock.now(), far_away()).await;
    assert_eq!(run.expect("it runs").done, 1);
    assert_eq!(parts(&world), 0, "the next run drops them");

    let copy = fetch(&world, &ada, &id).await;
    let schema = json_of(&copy, "schema.json");
    let page = String::from_utf8_lossy(&copy["index.html"]).into_owned();
    let (mut messages, mut files) = (0, 0);
    for path in copy.keys().filter(|it| it.starts_with("data/support-messages")) {
        let file = json_of(&copy, path);
        assert_valid(&schema, "support-messages", &file);
        assert!(page.contains(&format!("href=\"{path}\"")), "{path} is not on the page");
        messages += file["items"].as_array().expect("items").len();
        files += 1;
    }
    assert_eq!((messages, files), (MESSAGES + 1, 4));
}

/// Parts of unfinished uploads.
fn parts(world: &World) -> usize {
    let files = world.cloud.s3.files().expect("files");
    files.iter().filter(|it| it.to_string_lossy().contains(".part-")).count()
}

/// Who cannot be reached by mail finds the copy all the same, and can ask for another one.
#[tokio::test(flavor = "multi_thread")]
async fn an_export_that_cannot_be_announced_is_closed_all_the_same() {
    let world = World::start().await;
    let ada = marked(&world).await;
    let id = ask(&world, &ada).await["id"].as_str().expect("an id").to_owned();
    world.cloud.ses.fault(standins::Fault::Throttle);
    let mut rounds = 0;
    while world.run_job(JOB).await["done"] == 0 {
        assert_eq!(state_of(&world, &ada, &id).await["state"], "done");
        fetch(&world, &ada, &id).await;
        rounds += 1;
        assert!(rounds < 20, "it goes on for ever");
        world.wait(Duration::hours(6));
    }
    assert!(rounds > 10, "{rounds} tries in two days");
    assert_ne!(ask(&world, &ada).await["id"], *id);
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
