//! Erasing an account that has bought something: billing ends first, and what Stripe keeps for now is not
//! forgotten.

use std::pin::pin;

use local::{
    dynamodb::{Trouble, Which},
    standins::stripe::{Card, Fault, WEBHOOK_SECRET},
};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime, macros::datetime};
use vidintel::{app::App, billing, inventory::Table, plans::Plan, privacy};

use crate::util::{
    Customer, World, advance, app_of,
    billing::{buy, open_checkout, unheard},
    far_away,
    plant::plant,
    purchases::{self, DECIDE, order},
    subject::{DELETIONS, assert_erased, erase, finish, marked, marked_as, post, residue},
};

const JOB: &str = "ProcessDeletionsFunction";

/// One who has bought Pro, and it is written down.
async fn subscriber(world: &World, app: &App, email: &str) -> (Customer, String) {
    let customer = marked_as(world, email).await;
    let at_stripe = buy(world, app, &customer, Plan::Pro).await;
    billing::sync(app, &at_stripe, world.cloud.clock.now()).await.expect("written down");
    (customer, at_stripe)
}

fn app(world: &World) -> App {
    app_of(&world.cloud, world.cloud.redis.direct_url())
}

/// The records of `account`, as they are stored.
async fn records_of(world: &World, account: &str) -> Vec<Value> {
    let items = world.cloud.dynamodb.items("billing-records").await.expect("the items");
    items.into_iter().filter(|it| it["account"]["S"] == account).collect()
}

async fn view(world: &World, id: &str) -> Value {
    let client = world.cloud.client();
    let answer = world.send(client.get(format!("{DELETIONS}/{id}"))).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_ends_billing_first_and_keeps_the_records_for_7_years() {
    let world = unheard().await;
    let app = app(&world);
    let (ada, at_stripe) = subscriber(&world, &app, "eraseme@example.com").await;
    let stripe = &world.cloud.stripe;
    open_checkout(&world, &app, &ada, Plan::Business).await;

    let preview = post(&world, &ada, false).await.json();
    let notes = preview["notes"].to_string();
    assert!(notes.contains("not refunded automatically") && notes.contains("7 years"), "{notes}");
    let bob = world.customer("bob@example.com").await;
    assert_eq!(post(&world, &bob, false).await.json()["notes"], json!([]));

    let id = post(&world, &ada, true).await.json()["id"].as_str().expect("an id").to_owned();
    let mail = world.cloud.ses.mails().pop().expect("a mail").text.expect("a text");
    assert!(mail.contains("cancelled at once"), "{mail}");
    world.wait(Duration::days(7));
    assert_eq!(world.run_job(JOB).await["waiting"], 1, "{}", world.logs(JOB));
    // Nothing is charged any more, and everything is still there.
    let status = || stripe.subscriptions(&at_stripe)[0].status.clone();
    assert_eq!(status(), "canceled");
    assert_eq!(stripe.customers(), std::slice::from_ref(&at_stripe));
    let accounts = world.cloud.dynamodb.items("accounts").await.expect("the items");
    assert!(accounts.iter().any(|it| it["id"]["S"] == ada.account_id.as_str()));
    finish(&world).await;
    assert_erased(&world, &ada.account_id).await;
    assert!(stripe.customers().is_empty(), "the customer is deleted, with cards and address");

    // Beside the three that were planted: invoice, receipt and payment.
    let records = records_of(&world, &ada.account_id).await;
    assert_eq!(records.len(), 6, "{records:?}");
    for record in &records {
        assert!(record.get("email").is_none() && record.get("company").is_none(), "{record}");
    }
    let certificate = view(&world, &id).await;
    let remainder = &certificate["remainder"];
    assert_eq!((&certificate["state"], &remainder["state"]), (&json!("done"), &json!("scheduled")));
    assert_eq!(remainder["from"], "2027-03-24T12:00:00Z", "120 days after the payment");
    assert_eq!(remainder["due_at"], "2027-04-23T12:00:00Z");
    let other = remainder["id"].as_str().expect("an id");
    let mail = world.cloud.ses.mails().pop().expect("a mail");
    assert_eq!(mail.subject, "Your account has been deleted");
    let text = mail.text.expect("a text");
    let wanted =
        ["cards and your address were deleted at Stripe", "2027-03-24", "lost in a dispute", other];
    for words in wanted {
        assert!(text.contains(words), "{words}: {text}");
    }
    let own = view(&world, other).await;
    assert_eq!((&own["id"], &own["remainder"]), (&json!(other), remainder));

    let purge = async |at: OffsetDateTime| {
        world.cloud.clock.set(at);
        world.run_job("PurgeBillingRecordsFunction").await;
        records_of(&world, &ada.account_id).await.len()
    };
    // They were issued at noon; the planted ones a day before.
    assert_eq!(purge(datetime!(2033-11-23 11:59 UTC)).await, 6, "not 7 years yet");
    assert_eq!(purge(datetime!(2033-11-23 12:01 UTC)).await, 3);
    assert_eq!(purge(datetime!(2033-11-24 11:59 UTC)).await, 3, "not 7 years yet");
    assert_eq!(purge(datetime!(2033-11-24 12:01 UTC)).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_was_asked_for_is_decided_first() {
    let world = World::start().await;
    let ada = world.customer("eraseme@example.com").await;
    let at_stripe = purchases::buy(&world, &ada, Plan::Pro, Card::Good).await;
    let asked = world.post("/v1/billing/refunds", &json!({}), &ada).await;
    assert_eq!(asked.status, 201, "{}", asked.text());
    // Everybody whom it concerns is told that the deletion waits for it.
    const SAID: &str = "You asked for a refund: it is decided first";
    let preview = post(&world, &ada, false).await.json();
    assert!(preview["notes"][0].as_str().is_some_and(|it| it.starts_with(SAID)), "{preview}");
    let confirmed = post(&world, &ada, true).await.json();
    let mail = world.cloud.ses.mails().pop().expect("a mail").text.expect("a text");
    assert!(mail.contains(SAID), "{mail}");
    let waiting = order(&world, DECIDE, &json!({})).await.expect("listed");
    assert_eq!(waiting["refunds"][0]["deletion_waits"], true, "{waiting}");
    let path = format!("{DELETIONS}/{}", confirmed["id"].as_str().expect("an id"));
    assert_eq!(world.get(&path, &ada).await.json()["waits_for"], Value::Null);
    world.wait(Duration::days(7));
    let run = world.run_job(JOB).await;
    assert_eq!((&run["waiting"], &run["failed"]), (&json!(1), &json!(0)), "{run}");
    let stalled = world.get(&path, &ada).await.json();
    assert_eq!((&stalled["state"], &stalled["waits_for"]), (&json!("running"), &json!("refund")));
    // Nobody knows how long that takes: it is not charged for again.
    let subscription = world.cloud.stripe.subscriptions(&at_stripe).remove(0);
    assert_eq!((subscription.status.as_str(), subscription.cancel_at_period_end), ("active", true));
    let task = format!("refund#{}", asked.json()["id"].as_str().expect("an id"));
    let approve = json!({ "account": ada.account_id, "task": task, "decision": "approve" });
    order(&world, DECIDE, &approve).await.expect("approved");
    world.wait(Duration::hours(1));
    world.run_job(JOB).await;
    assert_eq!(world.cloud.stripe.totals(&at_stripe).refunded, 2_000);
    assert_eq!(world.cloud.stripe.subscriptions(&at_stripe)[0].status, "canceled");
    assert_eq!(world.get(&path, &ada).await.json()["waits_for"], Value::Null);
}

/// The account was read just before the deletion was asked for, and the page is opened just after.
#[tokio::test(flavor = "multi_thread")]
async fn a_checkout_that_a_deletion_has_overtaken_is_closed_again() {
    let world = World::start().await;
    world.sell().await;
    let ada = world.customer("eraseme@example.com").await;
    // The account is Stripe's customer from then on, and both functions are warm.
    assert_eq!(world.checkout("basic", &ada).await.status, 201);
    let at_stripe = world.cloud.stripe.customers().remove(0);
    assert_eq!(post(&world, &ada, false).await.status, 200);
    // What hears of the customer reads the account too.
    world.cloud.settle().await;
    world.cloud.runtime.settled().await;
    let late = Trouble::Late(std::time::Duration::from_millis(1_500));
    world.cloud.dynamodb.trouble("accounts", late, Which::Next(1));
    let (opened, asked) = futures_util::join!(world.checkout("pro", &ada), async {
        while world.cloud.dynamodb.troubles_met() == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        post(&world, &ada, true).await
    });
    assert_eq!(asked.status, 202, "{}", asked.text());
    assert_eq!(opened.status, 409, "{}", opened.text());
    assert!(opened.text().contains("withdraw the deletion first"), "{}", opened.text());
    let checkouts = app(&world).stripe().await.expect("set up").open_checkouts(&at_stripe).await;
    assert_eq!(checkouts.expect("read"), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_stripe_nothing_is_deleted() {
    let world = unheard().await;
    let app = app(&world);
    let (ada, at_stripe) = subscriber(&world, &app, "eraseme@example.com").await;
    post(&world, &ada, true).await;
    world.wait(Duration::days(7));
    let before = residue(&world, &ada.account_id).await.len();
    world.cloud.stripe.fault(Fault::Down);
    for failures in 1..=3 {
        let run = world.run_job(JOB).await;
        assert_eq!((&run["failed"], &run["done"]), (&json!(1), &json!(0)), "{run}");
        assert_eq!(run["stuck"], u8::from(failures == 3), "{run} {}", world.logs(JOB));
        world.wait(Duration::hours(1));
    }
    assert!(residue(&world, &ada.account_id).await.len() >= before, "something is gone");
    world.cloud.stripe.fault(Fault::None);
    assert_eq!(world.run_job(JOB).await["waiting"], 1, "{}", world.logs(JOB));
    // Away again when the customer is to be deleted.
    world.wait(Duration::minutes(3));
    world.cloud.stripe.fault(Fault::RateLimited);
    let before = residue(&world, &ada.account_id).await.len();
    assert_eq!(world.run_job(JOB).await["failed"], 1);
    assert!(residue(&world, &ada.account_id).await.len() >= before, "something is gone");
    world.cloud.stripe.fault(Fault::None);
    world.wait(Duration::hours(1));
    assert_eq!(world.run_job(JOB).await["done"], 1, "{}", world.logs(JOB));
    assert_erased(&world, &ada.account_id).await;
    assert_eq!(world.cloud.stripe.subscriptions(&at_stripe)[0].status, "canceled");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_never_bought_anything_needs_no_stripe() {
    let world = unheard().await;
    world.cloud.stripe.fault(Fault::Down);
    let ada = marked(&world).await;
    let id = erase(&world, &ada).await;
    assert_erased(&world, &ada.account_id).await;
    assert!(world.cloud.stripe.counts().is_empty(), "{:?}", world.cloud.stripe.counts());
    assert_eq!(view(&world, &id).await["remainder"], Value::Null);
}

/// It was opened, and wanted to go, after the moment to which `accounts` was restored.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_a_restore_has_lost_goes_at_stripe_too() {
    let world = unheard().await;
    let app = app(&world);
    let (ada, at_stripe) = subscriber(&world, &app, "eraseme@example.com").await;
    let id = post(&world, &ada, true).await.json()["id"].as_str().expect("an id").to_owned();
    let key = json!({ "id": { "S": ada.account_id } });
    let item = json!({ "TableName": world.cloud.dynamodb.table("accounts"), "Key": key });
    world.cloud.dynamodb.call("DeleteItem", &item).await.expect("deleted");
    world.wait(Duration::days(7));
    assert_eq!(world.run_job(JOB).await["waiting"], 1, "{}", world.logs(JOB));
    finish(&world).await;
    assert!(world.cloud.stripe.customers().is_empty(), "the customer is deleted");
    assert_eq!(world.cloud.stripe.subscriptions(&at_stripe)[0].status, "canceled");
    assert_eq!(view(&world, &id).await["remainder"]["state"], "scheduled");
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_a_legal_hold_keeps_from_going_is_not_charged_again() {
    let world = unheard().await;
    let app = app(&world);
    let (ada, at_stripe) = subscriber(&world, &app, "eraseme@example.com").await;
    open_checkout(&world, &app, &ada, Plan::Business).await;
    let hold = async |hold: bool| {
        let hold = json!({ "account": ada.account_id, "hold": hold, "reason": "file 1" });
        order(&world, "SetLegalHoldFunction", &hold).await.expect("set");
    };
    hold(true).await;
    post(&world, &ada, true).await;
    world.wait(Duration::days(8));
    let stripe = &world.cloud.stripe;
    // As long as Stripe does not answer, it is tried again.
    stripe.fault(Fault::Down);
    assert_eq!(world.run_job(JOB).await["failed"], 1, "{}", world.logs(JOB));
    stripe.fault(Fault::None);
    world.wait(Duration::minutes(10));
    assert_eq!(world.run_job(JOB).await["held"], 1, "{}", world.logs(JOB));
    let subscription = || stripe.subscriptions(&at_stripe).remove(0);
    assert_eq!(
        (subscription().status.as_str(), subscription().cancel_at_period_end),
        ("active", true)
    );
    let checkouts = app.stripe().await.expect("set up").open_checkouts(&at_stripe).await;
    assert!(checkouts.expect("read").is_empty());
    world.wait(Duration::days(40));
    stripe.run_due(world.cloud.clock.now());
    assert_eq!(world.run_job(JOB).await["held"], 1, "{}", world.logs(JOB));
    assert_eq!(subscription().status, "canceled");
    assert_eq!(stripe.totals(&at_stripe).charged, 2_000, "the first month, and nothing since");
    hold(false).await;
    world.wait(Duration::days(1));
    assert_eq!(world.run_job(JOB).await["waiting"], 1, "{}", world.logs(JOB));
    finish(&world).await;
    assert_erased(&world, &ada.account_id).await;
}

/// Whoever makes a customer at Stripe may die before noting it at the account.
#[tokio::test(flavor = "multi_thread")]
async fn a_customer_that_was_never_noted_is_found_by_its_event_and_goes_with_the_account() {
    let world = World::start().await;
    let app = app(&world);
    let stripe = app.stripe().await.expect("set up");
    let made = async |customer: &Customer, email: &str| {
        let made = stripe.create_customer(&customer.account_id, email, None, email).await;
        world.cloud.settle().await;
        made.expect("a customer").id
    };
    let ada = marked(&world).await;
    let at_stripe = made(&ada, "eraseme@example.com").await;
    let known = purchases::account_of(&world, &ada).await;
    assert_eq!(known.customer.as_deref(), Some(at_stripe.as_str()));
    erase(&world, &ada).await;
    assert_erased(&world, &ada.account_id).await;
    assert!(world.cloud.stripe.customers().is_empty());

    // Nor one whose account is to be deleted by then.
    let bob = world.customer("eraseme3@example.com").await;
    post(&world, &bob, true).await;
    made(&bob, "eraseme3@example.com").await;
    assert!(world.cloud.stripe.customers().is_empty());
}

/// An overdue payment is not asked for any more.
#[tokio::test(flavor = "multi_thread")]
async fn an_open_invoice_is_withdrawn() {
    let world = unheard().await;
    let app = app(&world);
    let (ada, at_stripe) = subscriber(&world, &app, "eraseme@example.com").await;
    let stripe = &world.cloud.stripe;
    stripe.set_card(&at_stripe, local::standins::stripe::Card::FailsLater).expect("set");
    world.wait(Duration::days(31));
    stripe.run_due(world.cloud.clock.now());
    let is_open = || stripe.invoices(&at_stripe).iter().any(|it| it.status == "open");
    assert!(is_open(), "{:?}", stripe.invoices(&at_stripe));
    erase(&world, &ada).await;
    assert!(!is_open());
    let records = records_of(&world, &ada.account_id).await;
    assert!(records.iter().any(|it| it["kind"]["S"] == "void"), "{records:?}");
    assert_erased(&world, &ada.account_id).await;
}

/// Runs the job every five minutes until a redaction is done; how often it ran.
async fn redact(world: &World) -> u32 {
    for runs in 1..20 {
        let run = world.run_job(JOB).await;
        assert_eq!(run["failed"], 0, "{}", world.logs(JOB));
        if run["done"] == 1 {
            return runs;
        }
        assert_eq!(run["waiting"], 1, "{run}");
        world.wait(Duration::minutes(5));
    }
    panic!("it never ends");
}

/// Nothing that was paid by `customer` names anybody at Stripe.
fn assert_redacted(world: &World, customer: &str) {
    let stripe = &world.cloud.stripe;
    let invoices = stripe.invoices(customer);
    assert!(!invoices.is_empty());
    for it in &invoices {
        assert_eq!(stripe.invoice(&it.id)["customer_email"], "[redacted]", "{customer}");
    }
    for it in &stripe.charges(customer) {
        assert_eq!(stripe.charge(&it.id)["billing_details"]["email"], "[redacted]", "{customer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn payments_are_redacted_by_their_customer_where_stripe_still_takes_it() {
    let world = unheard().await;
    let app = app(&world);
    world.cloud.stripe.know_deleted(true);
    let (ada, at_stripe) = subscriber(&world, &app, "eraseme@example.com").await;
    let id = erase(&world, &ada).await;
    world.cloud.clock.set(datetime!(2027-03-24 12:00 UTC));
    redact(&world).await;
    assert_redacted(&world, &at_stripe);
    assert_eq!(view(&world, &id).await["remainder"]["state"], "done");
}

#[tokio::test(flavor = "multi_thread")]
async fn past_payments_are_redacted_120_days_after_the_last_one() {
    let world = unheard().await;
    let app = app(&world);
    let (ada, at_stripe) = subscriber(&world, &app, "eraseme@example.com").await;
    let id = erase(&world, &ada).await;
    let remainder = view(&world, &id).await["remainder"]["id"].as_str().expect("an id").to_owned();
    world.cloud.clock.set(datetime!(2027-03-24 11:59 UTC));
    let run = world.run_job(JOB).await;
    assert_eq!((&run["waiting"], &run["seconds_left"]), (&json!(0), &Value::Null), "too early");
    world.wait(Duration::minutes(1));
    let run = world.run_job(JOB).await;
    assert_eq!(run["waiting"], 1, "{}", world.logs(JOB));
    // Alarms go off in its last week.
    assert!(run["seconds_left"].as_i64().expect("a number") > 29 * 86_400, "{run}");
    world.wait(Duration::minutes(5));
    redact(&world).await;
    assert_redacted(&world, &at_stripe);
    let own = view(&world, &remainder).await;
    assert_eq!(own["state"], "done");
    assert_eq!(view(&world, &id).await["remainder"]["state"], "done");
    let requests = world.cloud.dynamodb.items("privacy-requests").await.expect("the items");
    assert!(!requests.iter().any(|it| it.to_string().contains(&at_stripe)), "{requests:?}");
    assert_erased(&world, &ada.account_id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_customer_paid_that_was_deleted_before_is_redacted_too() {
    let world = World::start().await;
    let ada = marked(&world).await;
    let first = purchases::buy(&world, &ada, Plan::Pro, Card::Good).await;
    world.cloud.stripe.delete_customer(&first).expect("deleted");
    world.cloud.settle().await;
    let account = purchases::account_of(&world, &ada).await;
    assert_eq!((account.customer, account.past_customers), (None, vec![first.clone()]));
    let second = purchases::buy(&world, &ada, Plan::Basic, Card::Good).await;
    let id = erase(&world, &ada).await;
    assert_erased(&world, &ada.account_id).await;
    world.cloud.clock.set(datetime!(2027-03-24 12:00 UTC));
    redact(&world).await;
    for customer in [&first, &second] {
        assert_redacted(&world, customer);
    }
    assert_eq!(view(&world, &id).await["remainder"]["state"], "done");
    let requests = world.cloud.dynamodb.items("privacy-requests").await.expect("the items");
    assert!(!requests.iter().any(|it| it.to_string().contains("cus_")), "{requests:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redaction_that_stripe_refuses_is_tried_again() {
    let world = unheard().await;
    let app = app(&world);
    let (ada, at_stripe) = subscriber(&world, &app, "eraseme@example.com").await;
    let stripe = &world.cloud.stripe;
    let dispute = stripe.dispute(&stripe.charges(&at_stripe)[0].id).expect("disputed");
    let id = erase(&world, &ada).await;
    assert_erased(&world, &ada.account_id).await;
    world.cloud.clock.set(datetime!(2027-03-24 12:00 UTC));
    for _ in 0..3 {
        assert_eq!(world.run_job(JOB).await["failed"], 0, "{}", world.logs(JOB));
        world.wait(Duration::minutes(5));
    }
    assert_eq!(view(&world, &id).await["remainder"]["state"], "running");
    assert!(world.logs(JOB).contains("invalid_state"), "why: {}", world.logs(JOB));
    // It is left alone for a week.
    assert_eq!(world.run_job(JOB).await["waiting"], 0);
    stripe.close_dispute(&dispute, true).expect("closed");
    world.wait(Duration::days(7));
    redact(&world).await;
    assert_eq!(view(&world, &id).await["remainder"]["state"], "done");
}

/// Stripe takes ten in one go.
#[tokio::test(flavor = "multi_thread")]
async fn the_payments_of_more_customers_than_one_redaction_takes_are_all_redacted() {
    let world = unheard().await;
    let app = app(&world);
    world.cloud.stripe.know_deleted(true);
    let (ada, at_stripe) = subscriber(&world, &app, "eraseme@example.com").await;
    let stripe = app.stripe().await.expect("set up");
    let account = ada.account_id.as_str();
    let mut past = Vec::new();
    for n in 0..11 {
        let key = format!("past-{n}");
        let made = stripe.create_customer(account, "eraseme@example.com", None, &key).await;
        let made = made.expect("made").id;
        world.cloud.stripe.delete_customer(&made).expect("deleted");
        past.push(json!({ "S": made }));
    }
    let update = json!({
        "TableName": world.cloud.dynamodb.table("accounts"),
        "Key": { "id": { "S": ada.account_id } },
        "UpdateExpression": "SET past_customers = :past",
        "ExpressionAttributeValues": { ":past": { "L": past } },
    });
    world.cloud.dynamodb.call("UpdateItem", &update).await.expect("updated");
    let id = erase(&world, &ada).await;
    world.cloud.clock.set(datetime!(2027-03-24 12:00 UTC));
    redact(&world).await;
    assert_redacted(&world, &at_stripe);
    assert_eq!(view(&world, &id).await["remainder"]["state"], "done");
    assert_eq!(world.cloud.stripe.counts()["POST /v1/privacy/redaction_jobs"], 2);
}

/// Stripe remembers a failure with its idempotency key for a day.
#[tokio::test(flavor = "multi_thread")]
async fn a_redaction_at_which_stripe_has_failed_is_tried_again_within_the_hour() {
    let world = unheard().await;
    let app = app(&world);
    let (ada, at_stripe) = subscriber(&world, &app, "eraseme@example.com").await;
    let id = erase(&world, &ada).await;
    world.cloud.clock.set(datetime!(2027-03-24 12:00 UTC));
    for interface in ["POST /v1/privacy/redaction_jobs", "POST /v1/privacy/redaction_jobs/{id}/run"]
    {
        let after = world.cloud.stripe.counts().get(interface).copied().unwrap_or_default();
        world.cloud.stripe.fault(Fault::DownInside { interface, after, times: 1 });
        let mut failed = 0;
        for _ in 0..4 {
            failed += world.run_job(JOB).await["failed"].as_i64().expect("a number");
            // Twice as long as between two looks: so long a failed request is left alone.
            world.wait(Duration::minutes(10));
            if failed > 0 {
                break;
            }
        }
        assert_eq!(failed, 1, "{interface}");
    }
    redact(&world).await;
    assert!(world.cloud.clock.now() < datetime!(2027-03-24 13:00 UTC));
    assert_redacted(&world, &at_stripe);
    assert_eq!(view(&world, &id).await["remainder"]["state"], "done");
}

/// Stripe tells of the end when nobody is left.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_comes_too_late_changes_nothing() {
    let world = unheard().await;
    let app = app(&world);
    let (ada, at_stripe) = subscriber(&world, &app, "eraseme@example.com").await;
    erase(&world, &ada).await;
    let tables = ["accounts", "billing-records", "billing-tasks"];
    let stored = async || {
        let mut all = Vec::new();
        for table in tables {
            all.push(world.cloud.dynamodb.items(table).await.expect("the items"));
        }
        all
    };
    let before = stored().await;
    let credentials = app.secrets.get().await.expect("read").stripe.expect("set up");
    let now = world.cloud.clock.now();
    let mut events = Vec::new();
    for event in world.cloud.stripe.take_events() {
        let secrets = [WEBHOOK_SECRET.to_owned()];
        let signature = world.cloud.stripe.sign(&event.payload, &secrets);
        let taken = billing::events::take_in(&event.payload, Some(&signature), &credentials, now);
        events.extend(taken.expect("signed"));
    }
    assert!(events.iter().any(|it| it.kind == "customer.deleted"), "{events:?}");
    let failed = billing::events::handle(&app, events, now).await;
    assert!(failed.is_empty(), "{failed:?}");
    assert_eq!(billing::sync(&app, &at_stripe, now).await.expect("read"), Default::default());
    assert_eq!(stored().await, before);
    assert_erased(&world, &ada.account_id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_after_a_restore_needs_no_stripe() {
    let world = unheard().await;
    let app = app(&world);
    let (ada, _) = subscriber(&world, &app, "eraseme@example.com").await;
    let mut backup = Vec::new();
    for table in [Table::Accounts, Table::BillingRecords, Table::BillingTasks] {
        for item in world.cloud.dynamodb.items(table.name()).await.expect("the items") {
            backup.push((table, item));
        }
    }
    erase(&world, &ada).await;
    for (table, item) in &backup {
        plant(&world.cloud, *table, item).await;
    }
    let key = json!({ "account": { "S": "erasure-ledger" }, "task": { "S": "erasure-ledger" } });
    let table = world.cloud.dynamodb.table("billing-tasks");
    let mark = json!({ "TableName": table, "Key": key });
    world.cloud.dynamodb.call("DeleteItem", &mark).await.expect("deleted");
    assert_eq!(world.run_job("GuardRestoresFunction").await["closed"], true);
    world.cloud.stripe.fault(Fault::Down);
    let order = json!({ "time": "2026-12-02T12:00:00Z" });
    let replayed = world.cloud.invoke("ReplayErasuresFunction", &order).await.expect("replayed");
    assert_eq!((&replayed["complete"], &replayed["erasures"]), (&json!(true), &json!(1)));
    assert_erased(&world, &ada.account_id).await;
}

/// Points at which the saga is killed lie so many polls apart; `KILL_STRIDE=1` is the whole proof.
fn stride() -> usize {
    std::env::var("KILL_STRIDE").map_or(23, |it| it.parse().expect("a number"))
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_any_two_calls_billing_ends_once() {
    let world = unheard().await;
    let app = app(&world);
    let mut points = 0;
    loop {
        let email = format!("eraseme{points}@example.com");
        let (ada, at_stripe) = subscriber(&world, &app, &email).await;
        let id = post(&world, &ada, true).await.json()["id"].as_str().expect("an id").to_owned();
        world.wait(Duration::days(7));
        world.run_job("RollUpUsageFunction").await;
        let mut finished = true;
        for pause in [Duration::minutes(6), Duration::minutes(3), Duration::ZERO] {
            let run = pin!(privacy::process(&app, world.cloud.clock.now(), far_away()));
            finished &= advance(run, points).await.is_some();
            privacy::process(&app, world.cloud.clock.now(), far_away()).await.expect("it runs");
            world.wait(pause);
        }
        let own = view(&world, &id).await;
        assert_eq!(own["state"], "done", "killed at {points}: {own}");
        assert_eq!(own["remainder"]["state"], "scheduled", "killed at {points}: {own}");
        let status = &world.cloud.stripe.subscriptions(&at_stripe)[0].status;
        assert_eq!(status, "canceled", "killed at {points}");
        assert!(world.cloud.stripe.customers().is_empty(), "killed at {points}");
        assert_eq!(records_of(&world, &ada.account_id).await.len(), 6, "killed at {points}");
        let requests = world.cloud.dynamodb.items("privacy-requests").await.expect("the items");
        let is_own = |it: &&Value| {
            it["kind"]["S"] == "redaction" && it["account"]["S"] == ada.account_id.as_str()
        };
        assert_eq!(requests.iter().filter(is_own).count(), 1, "killed at {points}");
        assert_erased(&world, &ada.account_id).await;
        if finished {
            break;
        }
        points += stride();
    }
    assert!(points > 20, "{points}");
}
