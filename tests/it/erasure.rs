//! Erasing an account: what goes, what stays, and what stops it.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use local::dynamodb::Fault;
use serde_json::{Value, json};
use time::Duration;
use vidintel::{
    inventory::Table,
    usage::{self, Entry, read_pack},
};

use crate::{
    usage::packs,
    util::{
        World, app_of, assert_problem,
        copy::ask,
        plant::{item, plant},
        subject::{
            DELETIONS, assert_erased, erase, everything, finish, marked, opened_at, post, residue,
        },
    },
};

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
    assert_eq!(outcome(&preview, "api-logs")["items"], 3);
    let billing = outcome(&preview, "billing-records");
    assert_eq!((&billing["action"], &billing["items"]), (&json!("kept"), &json!(3)));
    assert!(billing["reason"].as_str().expect("a reason").contains("tax law"));
    assert!(billing["until"].as_str().expect("an end").starts_with("2033-12-02"));
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
    // What came in after it had begun was not kept at all.
    assert_eq!(outcome(&certificate, "api-logs")["items"], 3);
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

/// A preview counts what the deletion will: also logs that should have been deleted already.
#[tokio::test(flavor = "multi_thread")]
async fn a_preview_counts_logs_that_are_kept_for_longer_than_promised() {
    let world = World::start().await;
    let ada = marked(&world).await;
    let now = world.cloud.clock.now();
    opened_at(&world, &ada, now - Duration::days(400)).await;
    let mut log = item(Table::ApiLogs, &ada.account_id, 1, now - Duration::days(300));
    log["count"] = json!({ "N": "2" });
    plant(&world.cloud, Table::ApiLogs, &log).await;
    let counted = async || {
        let preview = post(&world, &ada, false).await.json();
        let all = preview["categories"].as_array().expect("categories").clone();
        all.into_iter().find(|it| it["category"] == "api-logs").expect("it is told")["items"].take()
    };
    // Of an age that only a legal hold has kept.
    assert_eq!(counted().await, 3);
    let hold = json!({ "time": "2026-11-24T12:00:00Z", "account": ada.account_id, "hold": true, "reason": "file 1" });
    world.cloud.invoke("SetLegalHoldFunction", &hold).await.expect("placed");
    assert_eq!(counted().await, 5);
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
async fn confirming_and_cancelling_at_the_same_moment_is_done_once_and_told_once() {
    let world = World::start().await;
    let ada = marked(&world).await;
    let client = world.cloud.client();
    let mails = |subject: &str| {
        world.cloud.ses.mails().into_iter().filter(|it| it.subject == subject).count()
    };
    for round in 1..=3 {
        let confirm = json!({ "confirm": true });
        let confirms = (0..6).map(|_| world.send(client.post(DELETIONS, &confirm).key(&ada.key)));
        let mut ids = BTreeSet::new();
        for answer in join_all(confirms).await {
            assert_eq!(answer.status, 202, "{}", answer.text());
            ids.insert(answer.json()["id"].as_str().expect("an id").to_owned());
        }
        assert_eq!(ids.len(), 1, "{ids:?}");
        assert_eq!(mails("Your account will be deleted"), round);
        let path = format!("{DELETIONS}/{}", ids.first().expect("one"));
        let cancels = (0..6).map(|_| world.send(client.delete(&path).key(&ada.key)));
        for answer in join_all(cancels).await {
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert_eq!(answer.json()["state"], "cancelled");
        }
        assert_eq!(mails("Your account stays"), round);
    }
}

/// Whoever was at it died between taking the mail on and sending it.
#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_nobody_has_sent_in_the_end_is_sent_by_the_next_one() {
    let world = World::start().await;
    let ada = marked(&world).await;
    world.cloud.ses.fault(local::standins::Fault::Down);
    assert_eq!(post(&world, &ada, true).await.status, 503);
    world.cloud.ses.fault(local::standins::Fault::None);
    let requests = world.cloud.dynamodb.items("privacy-requests").await.expect("the items");
    let update = json!({
        "TableName": world.cloud.dynamodb.table("privacy-requests"),
        "Key": { "id": requests[0]["id"] },
        "UpdateExpression": "SET mailing_at = :at",
        "ExpressionAttributeValues": { ":at": { "N": "1" } },
    });
    world.cloud.dynamodb.call("UpdateItem", &update).await.expect("taken on");
    let before = world.cloud.ses.mails().len();
    for _ in 0..2 {
        assert_eq!(post(&world, &ada, true).await.status, 202);
    }
    assert_eq!(world.cloud.ses.mails().len(), before + 1);
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
async fn the_holder_of_a_suspended_account_keeps_their_rights() {
    let world = World::start().await;
    let ada = marked(&world).await;
    let suspend = json!({
        "TableName": world.cloud.dynamodb.table("accounts"),
        "Key": { "id": { "S": ada.account_id } },
        "UpdateExpression": "SET #status = :status",
        "ExpressionAttributeNames": { "#status": "status" },
        "ExpressionAttributeValues": { ":status": { "S": "suspended" } },
    });
    world.cloud.dynamodb.call("UpdateItem", &suspend).await.expect("suspended");
    assert_problem(&world.get("/v1/usage", &ada).await, 403, "account-inactive");
    ask(&world, &ada).await;
    assert_eq!(world.run_job("BuildExportsFunction").await["done"], 1);
    assert_eq!(world.get("/v1/privacy/requests", &ada).await.status, 200);
    erase(&world, &ada).await;
    assert_erased(&world, &ada.account_id).await;
}

/// A function can be frozen with a log entry in its hand and wake up when everything is over.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_entry_that_comes_too_late_is_dropped() {
    let world = World::start().await;
    let ada = marked(&world).await;
    let app = app_of(&world.cloud, world.cloud.redis.direct_url());
    let entries: Vec<Entry> = packs(&world)
        .await
        .iter()
        .flat_map(|it| read_pack(it).expect("a pack"))
        .map(|it| Entry { request_id: format!("{} again", it.request_id), ..it })
        .collect();
    assert_eq!(usage::append(&app.store, &entries[..1]).await.expect("appended"), 1);
    let answer = post(&world, &ada, true).await;
    assert_eq!(answer.status, 202);
    world.wait(Duration::days(7));
    assert_eq!(world.run_job("ProcessDeletionsFunction").await["waiting"], 1);
    assert_eq!(usage::append(&app.store, &entries[1..]).await.expect("dropped"), 0, "suspended");
    finish(&world).await;
    assert_eq!(usage::append(&app.store, &entries[1..]).await.expect("dropped"), 0, "gone");
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
