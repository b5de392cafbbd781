//! Mails that did not arrive and that the law demands: the operator is told, and finds what it is about.

use local::standins::{ses::Fate, stripe::Card};
use serde_json::{Value, json};
use vidintel::{inventory::Table, plans::Plan};

use crate::{
    mail::{ADA, WORKER, stopped},
    util::{
        World,
        purchases::{DECIDE, WORK, buy, order, tasks_of},
        stored::all_of,
        subject,
    },
};

const ANSWERS: &str = "DecideObjectionFunction";

/// What SES has told of the last receipt to `email`, as an event that comes once more.
fn last_bounce(world: &World, email: &str) -> Value {
    let is_it = |it: &Value| {
        let mail = &it["detail"]["mail"];
        mail["destination"][0] == email && mail["tags"]["kind"][0] == "receipt"
    };
    world.cloud.events.all().into_iter().rfind(is_it).expect("a receipt has come back")
}

/// How often the alarm about what did not arrive was given something to count.
async fn undelivered(world: &World) -> usize {
    world.cloud.settle().await;
    world.cloud.runtime.settled().await;
    world.logs(WORKER).matches(r#""MailsUndelivered":1"#).count()
}

/// What waits for the operator because a receipt did not arrive.
async fn undelivered_receipts(world: &World) -> Vec<Value> {
    world.cloud.settle().await;
    let waiting = order(world, DECIDE, &json!({})).await.expect("the queue");
    let flags = waiting["flags"].as_array().expect("a list").iter();
    flags.filter(|it| it["sign"] == "undelivered").cloned().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_that_comes_back_is_told_to_the_operator_once() {
    let world = World::start().await;
    let ada = world.customer(ADA).await;
    world.cloud.ses.fate(ADA, Fate::Suppressed);
    buy(&world, &ada, Plan::Basic, Card::Good).await;
    world.cloud.settle().await;
    world.run_job(WORK).await;
    world.cloud.settle().await;
    for _ in 0..2 {
        let waiting = order(&world, DECIDE, &json!({})).await.expect("the queue");
        let flags = waiting["flags"].as_array().expect("a list");
        assert_eq!(flags.len(), 1, "{waiting}");
        assert_eq!(flags[0]["sign"], "undelivered");
        assert!(flags[0]["detail"].as_str().expect("a text").starts_with("in_"), "{waiting}");
        for event in world.cloud.events.all() {
            world.cloud.events.deliver(&event);
        }
        world.cloud.settle().await;
    }
    world.cloud.runtime.settled().await;
    assert!(world.logs(WORKER).contains(r#""MailsUndelivered":1"#), "{}", world.logs(WORKER));
    assert_eq!(stopped(&world, &ada).await, "bounce");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ses_has_given_up_is_told_to_the_operator_and_stops_nothing() {
    let world = World::start().await;
    let given_up = [
        Fate::SoftBounce,
        Fate::TooLarge,
        Fate::ContentRejected,
        Fate::AttachmentRejected,
        Fate::Undetermined,
    ];
    for (n, fate) in given_up.into_iter().enumerate() {
        world.forget_mails().await;
        let email = format!("c{n}@example.net");
        let customer = world.customer(&email).await;
        world.cloud.ses.fate(&email, fate);
        buy(&world, &customer, Plan::Basic, Card::Good).await;
        world.cloud.settle().await;
        let told = undelivered_receipts(&world).await;
        assert_eq!(told.len(), n + 1, "{fate:?}: {told:?}");
        assert!(told.iter().any(|it| it["account"] == customer.account_id), "{fate:?}");
        assert_eq!(stopped(&world, &customer).await, Value::Null, "{fate:?}");
        assert_eq!(undelivered(&world).await, n + 1, "{fate:?}");
    }
    let customer = world.customer("gone@example.net").await;
    subject::erase(&world, &customer).await;
    let sent = world.cloud.ses.mails().pop().expect("a mail");
    assert_eq!(sent.subject, "Your account has been deleted");
    world.cloud.ses.report(&sent.id, Fate::SoftBounce);
    world.cloud.settle().await;
    let waiting = order(&world, ANSWERS, &json!({})).await.expect("the queue");
    assert_eq!(waiting["undelivered"].as_array().map(Vec::len), Some(1), "{waiting}");
    assert!(!all_of(&world, Table::Sessions).await.iter().any(|it| it.get("why").is_some()));
    assert!(world.logs(WORKER).contains("Transient/MailboxFull"), "{}", world.logs(WORKER));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_automatic_reply_is_a_line_in_the_log_and_no_more() {
    let world = World::start().await;
    let ada = world.customer(ADA).await;
    world.cloud.ses.fate(ADA, Fate::GeneralBounce);
    buy(&world, &ada, Plan::Basic, Card::Good).await;
    world.cloud.settle().await;
    assert_eq!(undelivered(&world).await, 0);
    assert!(undelivered_receipts(&world).await.is_empty());
    assert!(tasks_of(&world, &ada).await.is_empty());
    assert_eq!(stopped(&world, &ada).await, Value::Null);
    let logs = world.logs(WORKER);
    assert!(logs.contains("Transient/General") && logs.contains("\"about\":\"in_"), "{logs}");
    assert!(!logs.contains("example.com"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_alarm_of_what_did_not_arrive_always_leads_somewhere() {
    let world = World::start().await;
    let ada = world.customer(ADA).await;
    world.cloud.ses.fate(ADA, Fate::HardBounce);
    buy(&world, &ada, Plan::Basic, Card::Good).await;
    world.cloud.settle().await;
    let flag = undelivered_receipts(&world).await.pop().expect("a flag");
    assert_eq!(undelivered(&world).await, 1);
    // As long as it waits, it may be told again.
    let bounce = last_bounce(&world, ADA);
    world.cloud.events.deliver(&bounce);
    assert_eq!(undelivered(&world).await, 2);
    let clear = json!({ "account": ada.account_id, "task": flag["task"], "decision": "clear" });
    order(&world, DECIDE, &clear).await.expect("cleared");
    world.cloud.events.deliver(&bounce);
    assert_eq!(undelivered(&world).await, 2, "the operator has seen it");
    assert!(undelivered_receipts(&world).await.is_empty());

    // To an address that no account has, or that an account has got since: nothing waits, so the log says what it is.
    let invoice = flag["detail"].as_str().expect("a number").to_owned();
    let line = |world: &World, number: &str| {
        let logs = world.logs(WORKER);
        let mut lines = logs.lines();
        lines.any(|it| it.contains("only this line says so") && it.contains(number))
    };
    assert!(!line(&world, &invoice));
    world.forget_mails().await;
    let newer = world.customer("newer@example.net").await;
    for (n, address) in ["stranger@example.net", "newer@example.net"].into_iter().enumerate() {
        let mut elsewhere = bounce.clone();
        let number = format!("{invoice}{n}");
        elsewhere["detail"]["mail"]["destination"] = json!([address]);
        elsewhere["detail"]["mail"]["tags"]["about"] = json!([number]);
        elsewhere["detail"]["mail"]["timestamp"] = "2026-11-01T12:00:00.000Z".into();
        world.cloud.events.deliver(&elsewhere);
        assert_eq!(undelivered(&world).await, 3 + n, "{address}");
        assert!(line(&world, &number), "{address}: {}", world.logs(WORKER));
    }
    assert!(tasks_of(&world, &newer).await.is_empty());
    // A number that SES did not take, and a request that is not known (any more).
    for (kind, about) in [("receipt", None), ("certificate", Some("req_4kPq9ZtR2mWx"))] {
        let before = undelivered(&world).await;
        let mut unknown = bounce.clone();
        let tags = unknown["detail"]["mail"]["tags"].as_object_mut().expect("tags");
        tags.insert("kind".to_owned(), json!([kind]));
        tags.remove("about");
        tags.extend(about.map(|it| ("about".to_owned(), json!([it]))));
        world.cloud.events.deliver(&unknown);
        assert_eq!(undelivered(&world).await, before + 1, "{kind}");
        assert!(line(&world, about.unwrap_or(kind)), "{kind}: {}", world.logs(WORKER));
    }
    assert!(!world.logs(WORKER).contains("example.net"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_comes_back_is_told_to_the_operator_and_stays_on_the_record() {
    let world = World::start().await;
    let ada = world.customer(ADA).await;
    subject::erase(&world, &ada).await;
    let sent = world.cloud.ses.mails().pop().expect("a mail");
    assert_eq!(sent.subject, "Your account has been deleted");
    for _ in 0..2 {
        world.cloud.ses.report(&sent.id, Fate::HardBounce);
        world.cloud.settle().await;
    }
    let waiting = order(&world, ANSWERS, &json!({})).await.expect("the queue");
    let id = waiting["undelivered"][0]["id"].as_str().expect("a request").to_owned();
    assert_eq!(waiting["undelivered"].as_array().map(Vec::len), Some(1), "{waiting}");
    order(&world, ANSWERS, &json!({ "seen": id })).await.expect("seen");
    let counted = undelivered(&world).await;
    world.cloud.ses.report(&sent.id, Fate::HardBounce);
    assert_eq!(undelivered(&world).await, counted, "the operator has seen it");
    let waiting = order(&world, ANSWERS, &json!({})).await.expect("the queue");
    assert_eq!(waiting["undelivered"], json!([]));
    order(&world, ANSWERS, &json!({ "seen": id })).await.expect_err("seen already");
    let requests = all_of(&world, Table::PrivacyRequests).await;
    let request = requests.iter().find(|it| it["id"] == id.as_str()).expect("its record");
    assert!(request["undelivered_at"].is_i64(), "{request}");
}
