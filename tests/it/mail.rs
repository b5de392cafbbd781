//! Mail and SES: who may send to whom, and what becomes of a mail.

use local::standins::{
    Fault,
    ses::Fate,
    stripe::{Card, Webhooks},
};
use serde_json::{Value, json};
use time::Duration;
use vidintel::{inventory::Table, plans::Plan};

use crate::{
    recovery::RECOVER,
    status::SET,
    util::{
        Customer, World, objections,
        purchases::{WORK, account_of, buy, order, subjects, tasks_of},
        sign_up,
        stored::all_of,
    },
};

pub(crate) const ADA: &str = "ada@example.net";
pub(crate) const WORKER: &str = "ProcessMailEventsFunction";

/// Signs up with `email`; the status of the answer, and how many mails have been sent to it since.
async fn ask_for_mail(world: &World, email: &str) -> (u16, usize) {
    // The limits on mails are `mailboxes.rs`'s to hold.
    world.cloud.redis.evict("mails:*").await.expect("forgotten");
    let sent = |world: &World| world.cloud.ses.mails().iter().filter(|it| it.to == [email]).count();
    let before = sent(world);
    let client = world.cloud.client();
    let answer = world.send(client.post("/v1/accounts", &sign_up(email))).await;
    (answer.status.as_u16(), sent(world) - before)
}

/// Why mail to `customer` is stopped, as its holder sees it.
pub(crate) async fn stopped(world: &World, customer: &Customer) -> Value {
    world.cloud.settle().await;
    world.get("/v1/usage", customer).await.json()["mail_stopped"]["reason"].clone()
}

/// Suspends and lets go on, which the law wants told: two mails.
async fn suspend(world: &World, customer: &Customer) {
    for status in ["suspended", "active"] {
        let to = json!({ "account": customer.account_id, "status": status, "reason": "file 1" });
        order(world, SET, &to).await.expect("set");
    }
    world.cloud.settle().await;
}

/// Makes a key, of which a mail tells; whether the job sent it.
async fn is_told(world: &World, customer: &Customer) -> bool {
    let before = world.cloud.ses.mails().len();
    let client = world.cloud.client();
    let request = client.post("/v1/keys", &json!({ "name": "ci" })).key(&customer.key);
    assert_eq!(world.send(request).await.status, 201);
    world.wait(Duration::minutes(5));
    let run = world.run_job(WORK).await;
    assert_eq!((&run["done"], &run["failed"]), (&json!(1), &json!(0)), "{run}");
    world.cloud.ses.mails().len() > before
}

/// Gets back in with a token that is mailed.
async fn confirm_again(world: &World, email: &str) {
    let token = world.ask_for_token(email).await;
    let recovered =
        world.send(world.cloud.client().post(RECOVER, &json!({ "token": token }))).await;
    assert_eq!(recovered.status, 201, "{}", recovered.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn in_the_sandbox_of_ses_the_operator_can_sign_up_with_a_verified_address() {
    let world = World::start().await;
    world.cloud.ses.sandbox(true);
    world.cloud.ses.verify("operator@example.org");
    assert_eq!(ask_for_mail(&world, "operator@example.org").await, (202, 1));
    assert_eq!(ask_for_mail(&world, "stranger@example.net").await, (503, 0));
    world.cloud.runtime.settled().await;
    assert!(world.logs("SignUpFunction").contains("MessageRejected"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_with_a_configuration_set_by_default_can_send() {
    let world = World::start().await;
    world.cloud.ses.set_default("example.com", "my-first-configuration-set");
    assert_eq!(ask_for_mail(&world, ADA).await, (202, 1));
    let sent = world.cloud.ses.mails().pop().expect("a mail");
    let own = format!("{}mail", world.cloud.dynamodb.prefix());
    assert_eq!(sent.configuration_set, Some(own), "{:?}", sent.tags);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bounce_or_complaint_stops_all_but_what_the_law_demands_until_the_address_is_confirmed() {
    for (fate, reason) in [(Fate::HardBounce, "bounce"), (Fate::Complaint, "complaint")] {
        let world = World::start().await;
        let ada = world.customer(ADA).await;
        assert!(is_told(&world, &ada).await);
        assert_eq!(stopped(&world, &ada).await, Value::Null);
        world.wait(Duration::hours(1));
        world.cloud.ses.fate(ADA, fate);
        suspend(&world, &ada).await;
        assert_eq!(stopped(&world, &ada).await, reason);
        assert!(!is_told(&world, &ada).await, "{reason}");
        world.cloud.runtime.settled().await;
        assert!(world.logs(WORK).contains(r#""MailsNotSent":1"#));
        let before = world.cloud.ses.mails().len();
        suspend(&world, &ada).await;
        assert_eq!(world.cloud.ses.mails().len(), before + 2, "the law demands them");

        world.wait(Duration::hours(1));
        world.cloud.ses.fate(ADA, Fate::Arrives);
        confirm_again(&world, ADA).await;
        assert_eq!(stopped(&world, &ada).await, Value::Null);
        assert!(is_told(&world, &ada).await);
        assert!(!world.logs(WORKER).contains("example.net"));
        assert!(world.cloud.sqs.dead("MailEventsQueue").expect("a queue").is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_passes_stops_nothing() {
    let world = World::start().await;
    let ada = world.customer(ADA).await;
    for fate in [Fate::SoftBounce, Fate::Undetermined, Fate::NotSpam] {
        world.cloud.ses.fate(ADA, fate);
        suspend(&world, &ada).await;
        assert_eq!(stopped(&world, &ada).await, Value::Null, "{fate:?}");
    }
    assert_eq!(world.cloud.events.all().len(), 6);
    let sessions = all_of(&world, Table::Sessions).await;
    assert!(!sessions.iter().any(|it| it.get("why").is_some()), "{sessions:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_come_twice_or_late_come_to_the_same() {
    let world = World::start().await;
    let ada = world.customer(ADA).await;
    world.wait(Duration::hours(1));
    suspend(&world, &ada).await;
    let old = world.cloud.ses.mails().pop().expect("a mail").id;
    world.wait(Duration::hours(1));
    confirm_again(&world, ADA).await;
    world.wait(Duration::hours(1));
    // Sent before a token came through: the mailbox is there.
    world.cloud.ses.report(&old, Fate::HardBounce);
    assert_eq!(stopped(&world, &ada).await, Value::Null);
    // Called spam after it.
    world.cloud.ses.report(&old, Fate::Complaint);
    assert_eq!(stopped(&world, &ada).await, "complaint");
    let since = account_of(&world, &ada).await.mail_stopped;
    world.wait(Duration::hours(1));
    world.cloud.sqs.duplicates(4);
    for event in world.cloud.events.all().iter().rev() {
        world.cloud.events.deliver(event);
    }
    assert_eq!(stopped(&world, &ada).await, "complaint");
    assert_eq!(account_of(&world, &ada).await.mail_stopped, since);
    confirm_again(&world, ADA).await;
    for event in world.cloud.events.all() {
        world.cloud.events.deliver(&event);
    }
    assert_eq!(stopped(&world, &ada).await, Value::Null);
    assert!(!all_of(&world, Table::Sessions).await.iter().any(|it| it.get("why").is_some()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_refuses_mail_gets_a_token_a_day_and_is_kept_as_a_hash() {
    let world = World::start().await;
    let email = "bounce@simulator.amazonses.com";
    assert_eq!(ask_for_mail(&world, email).await, (202, 1));
    world.cloud.settle().await;
    // Once more: it may be right by now.
    assert_eq!(ask_for_mail(&world, email).await, (202, 1));
    world.cloud.settle().await;
    assert_eq!(ask_for_mail(&world, email).await, (202, 0));
    world.wait(Duration::hours(25));
    assert_eq!(ask_for_mail(&world, email).await, (202, 1));
    let stops = |all: Vec<Value>| all.into_iter().filter(|it| it.get("why").is_some()).collect();
    let stops: Vec<Value> = stops(all_of(&world, Table::Sessions).await);
    assert_eq!(stops.len(), 1);
    assert!(!stops[0].to_string().contains("simulator"), "{stops:?}");
    world.cloud.settle().await;
    // It ends after 12 months.
    world.wait(Duration::days(366));
    world.run_job("PurgeSessionsFunction").await;
    assert!(!all_of(&world, Table::Sessions).await.iter().any(|it| it.get("why").is_some()));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_token_is_tried_once_a_day_and_a_try_that_failed_is_none() {
    let world = World::start().await;
    let email = "bounce@simulator.amazonses.com";
    let objects = async || {
        world.cloud.redis.evict("mails:*").await.expect("forgotten");
        let before = world.cloud.ses.mails().len();
        let answer = objections::post(&world, &objections::form("made.up", email, "object")).await;
        world.cloud.settle().await;
        (answer.status.as_u16(), world.cloud.ses.mails().len() - before)
    };
    let signs_up = async || {
        let done = ask_for_mail(&world, email).await;
        world.cloud.settle().await;
        done
    };
    assert_eq!(signs_up().await, (202, 1));
    // It refuses mail now: once more of each kind, and a stranger's sign-ups do not use up a creator's objection.
    assert_eq!(signs_up().await, (202, 1));
    assert_eq!(objects().await, (202, 1));
    assert_eq!(signs_up().await, (202, 0));
    assert_eq!(objects().await, (202, 0));
    world.wait(Duration::hours(25));
    world.cloud.ses.fault(Fault::Down);
    assert_eq!(signs_up().await, (503, 0));
    assert_eq!(objects().await, (503, 0));
    world.cloud.ses.fault(Fault::None);
    assert_eq!(signs_up().await, (202, 1));
    assert_eq!(objects().await, (202, 1));
    assert_eq!(signs_up().await, (202, 0));
    assert_eq!(objects().await, (202, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_keys_are_told_once_and_together() {
    let world = World::start().await;
    let ada = world.customer(ADA).await;
    let client = world.cloud.client();
    let make = |name: &str| {
        let request = client.post("/v1/keys", &json!({ "name": name })).key(&ada.key);
        request.header("idempotency-key", name)
    };
    let mut ids = Vec::new();
    for name in ["one", "two", "two"] {
        let made = world.send(make(name)).await;
        assert_eq!(made.status, 201, "{}", made.text());
        ids.push(made.json()["id"].as_str().expect("an id").to_owned());
    }
    for _ in 0..2 {
        let revoked = world.send(client.delete(format!("/v1/keys/{}", ids[0])).key(&ada.key)).await;
        assert_eq!(revoked.status, 204);
    }
    for _ in 0..2 {
        world.wait(Duration::minutes(5));
        world.run_job(WORK).await;
    }
    let told: Vec<_> = subjects(&world, ADA).into_iter().skip(1).collect();
    assert_eq!(told, ["Your API keys have changed"]);
    let text = world.cloud.ses.mails().pop().expect("a mail").text.expect("a text part");
    assert!(text.contains("Made: \"one\", \"two\".\n"), "{text}");
    assert!(text.contains("Revoked: \"one\".\n"), "{text}");
    assert!(tasks_of(&world, &ada).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_a_plan_are_told_once() {
    let world = World::start().await;
    let ada = world.customer(ADA).await;
    buy(&world, &ada, Plan::Basic, Card::Good).await;
    world.cloud.settle().await;
    // From here on only what is answered is known: whatever is heard besides changes nothing.
    let heard = world.cloud.stripe.webhooks();
    for plan in ["pro", "basic", "pro", "free", "pro"] {
        world.cloud.stripe.set_webhooks(Webhooks::default());
        for _ in 0..2 {
            let changed = world.change(plan, &ada).await;
            assert!([200, 409].contains(&changed.status.as_u16()), "{plan}: {}", changed.text());
        }
        world.wait(Duration::minutes(5));
        world.run_job(WORK).await;
        world.cloud.stripe.set_webhooks(heard.clone());
    }
    world.cloud.settle().await;
    world.wait(Duration::minutes(5));
    world.run_job(WORK).await;
    let told = subjects(&world, ADA).into_iter();
    let told: Vec<_> = told.filter(|it| it.contains(" plan ")).collect();
    assert_eq!(
        told,
        [
            "Your plan is Pro now",
            "Your plan will be Basic",
            "Your plan stays Pro",
            "Your Pro plan ends on 2026-12-24",
            "Your Pro plan goes on",
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_is_asked_for_twice_is_told_once() {
    let world = World::start().await;
    let ada = world.customer(ADA).await;
    buy(&world, &ada, Plan::Basic, Card::Good).await;
    world.cloud.settle().await;
    for status in [201, 200] {
        let asked = world.post("/v1/billing/refunds", &json!({}), &ada).await;
        assert_eq!(asked.status, status, "{}", asked.text());
        world.wait(Duration::minutes(5));
        world.run_job(WORK).await;
    }
    let told = subjects(&world, ADA).into_iter();
    let told: Vec<_> = told.filter(|it| it.contains("refund")).collect();
    assert_eq!(told, ["You asked for a refund"]);
    let mails = world.cloud.ses.mails();
    let mail = mails.iter().find(|it| it.subject == told[0]).expect("a mail");
    let text = mail.text.as_deref().expect("a text part");
    assert!(text.contains("A refund of $5.00 was asked for"), "{text}");
    assert!(text.contains("If not, somebody else has a key of yours"), "{text}");
}
