//! Refunds of the first purchase: asked for by the customer, decided by the operator, paid once. And signs
//! of fraud, which wait in the same place.

use std::pin::pin;

use http::Method;
use local::{http::Response, standins::stripe::Card};
use serde_json::{Value, json};
use time::Duration;
use vidintel::{
    audit,
    billing::{self, CHAIN, Decision, task::Work},
    inventory::Table,
    plans::Plan,
};

use crate::util::{
    Customer, World, advance, assert_problem,
    purchases::{
        DECIDE, PREPARE, WORK, account_of, buy, id_of, library, order, plan_of, subjects, tasks_of,
    },
    stored::all_of,
};

const PATH: &str = "/v1/billing/refunds";
const ADA: &str = "ada@example.com";

async fn ask(world: &World, customer: &Customer) -> Response {
    let client = world.cloud.client();
    world.send(client.request(Method::POST, PATH).key(&customer.key)).await
}

async fn list(world: &World, customer: &Customer) -> Vec<Value> {
    let answer = world.get(PATH, customer).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["refunds"].as_array().expect("a list").clone()
}

async fn queue(world: &World) -> Value {
    order(world, DECIDE, &json!({})).await.expect("the queue")
}

/// The operator's decision on the one refund that waits.
async fn decide(world: &World, decision: &str, reason: Option<&str>) -> Result<Value, String> {
    let waiting = queue(world).await["refunds"][0].clone();
    let (account, task) = (&waiting["account"], &waiting["task"]);
    let decided =
        json!({ "account": account, "task": task, "decision": decision, "reason": reason });
    order(world, DECIDE, &decided).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_is_asked_for_approved_and_paid_once() {
    let world = World::start().await;
    let ada = world.customer(ADA).await;
    assert_problem(&ask(&world, &ada).await, 409, "conflict");
    let at_stripe = buy(&world, &ada, Plan::Pro, Card::Good).await;
    assert!(list(&world, &ada).await.is_empty());
    world.pass(Duration::days(7)).await;
    let asked = ask(&world, &ada).await;
    assert_eq!(asked.status, 201, "{}", asked.text());
    let view = asked.json();
    assert_eq!(
        (&view["state"], &view["amount_cents"], &view["currency"], &view["decided_at"]),
        (&json!("open"), &json!(2_000), &json!("usd"), &Value::Null)
    );
    // The same one, whenever it is asked for again; what it comes to stays.
    world.wait(Duration::days(2));
    let again = ask(&world, &ada).await;
    assert_eq!((again.status.as_u16(), again.json()), (200, view.clone()));
    assert_eq!(list(&world, &ada).await, std::slice::from_ref(&view));
    let waiting = queue(&world).await;
    assert_eq!(waiting["refunds"][0]["amount_cents"], 2_000);
    assert!(!waiting.to_string().contains("example.com"), "it names an address: {waiting}");
    let report = world.run_job(WORK).await;
    assert_eq!((&report["refunds_waiting"], &report["refunds_late"]), (&json!(1), &json!(1)));

    let decided = decide(&world, "approve", None).await.expect("decided");
    assert_eq!((&decided["state"], &decided["id"]), (&json!("paid"), &view["id"]));
    world.cloud.settle().await;
    assert_eq!(plan_of(&world, &ada).await, Plan::Free, "a refund ends the plan");
    let refunds = world.cloud.stripe.refunds(&at_stripe);
    assert_eq!(refunds.iter().map(|it| it.amount).collect::<Vec<_>>(), [2_000]);
    assert_eq!(world.cloud.stripe.subscriptions(&at_stripe)[0].status, "canceled");
    world.run_job(WORK).await;
    let told = subjects(&world, ADA);
    for subject in ["Your refund was approved", "Your refund of $20.00", "Your plan has ended"] {
        assert_eq!(told.iter().filter(|it| **it == subject).count(), 1, "{subject}: {told:?}");
    }
    // Again, by the operator and by the customer: nothing more.
    let task = format!("refund#{}", view["id"].as_str().expect("an id"));
    let again = json!({ "account": ada.account_id, "task": task, "decision": "approve" });
    let again = order(&world, DECIDE, &again).await.expect("as before");
    assert_eq!(again["state"], "paid");
    let refuse =
        json!({ "account": ada.account_id, "task": task, "decision": "refuse", "reason": "no" });
    assert!(order(&world, DECIDE, &refuse).await.is_err(), "it was paid");
    let asked = ask(&world, &ada).await;
    assert_eq!((asked.status.as_u16(), &asked.json()["state"]), (200, &json!("paid")));
    assert_eq!(world.cloud.stripe.refunds(&at_stripe).len(), 1);
    let app = library(&world);
    assert_eq!(audit::verify(&app.store, CHAIN).await.expect("read"), Ok(2));
    let links = all_of(&world, Table::Audit).await;
    let links = links.iter().filter(|it| it["chain"] == CHAIN);
    for link in links {
        assert!(!link.to_string().contains(&ada.account_id), "it names somebody: {link}");
    }
    // Kept for two years, in no queue.
    let kept = tasks_of(&world, &ada).await;
    let kept = kept.iter().find(|it| it.task == task).expect("kept");
    assert!(kept.expires_at.is_some() && kept.queue.is_none() && kept.next_at.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_week_gives_half_and_then_it_is_over() {
    let world = World::start().await;
    let ada = world.customer(ADA).await;
    let bob = world.customer("bob@example.com").await;
    let at_stripe = buy(&world, &ada, Plan::Basic, Card::Good).await;
    buy(&world, &bob, Plan::Basic, Card::Good).await;
    world.pass(Duration::days(8)).await;
    let charge = world.cloud.stripe.charges(&at_stripe)[0].id.clone();
    world.cloud.stripe.refund_from_dashboard(&charge, 101).expect("given back");
    world.cloud.settle().await;
    // Half of 500, less what went back already.
    let asked = ask(&world, &ada).await;
    assert_eq!((asked.status.as_u16(), &asked.json()["amount_cents"]), (201, &json!(149)));
    world.pass(Duration::days(7)).await;
    assert_problem(&ask(&world, &bob).await, 409, "conflict");
    assert_eq!(ask(&world, &ada).await.status, 200, "it was asked for in time");
    decide(&world, "approve", None).await.expect("decided");
    assert_eq!(world.cloud.stripe.totals(&at_stripe).refunded, 250);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_is_refused_with_a_reason() {
    let world = World::start().await;
    let ada = world.customer(ADA).await;
    let at_stripe = buy(&world, &ada, Plan::Pro, Card::Good).await;
    ask(&world, &ada).await;
    assert!(decide(&world, "refuse", None).await.is_err(), "without a reason");
    assert!(decide(&world, "clear", None).await.is_err(), "it is no sign");
    let decided = decide(&world, "refuse", Some("made up")).await.expect("decided");
    assert_eq!((&decided["state"], &decided["reason"]), (&json!("refused"), &json!("made up")));
    assert_eq!(list(&world, &ada).await, [decided]);
    assert_eq!(queue(&world).await["refunds"], json!([]));
    let mail = world.cloud.ses.mails().pop().expect("a mail");
    assert!(mail.text.expect("a text part").contains("The reason: made up"));
    assert_eq!(plan_of(&world, &ada).await, Plan::Pro);
    assert!(world.cloud.stripe.refunds(&at_stripe).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_anywhere_a_refund_is_paid_once() {
    let world = World::start().await;
    let ada = world.customer(ADA).await;
    let at_stripe = buy(&world, &ada, Plan::Pro, Card::Good).await;
    let id = ask(&world, &ada).await.json()["id"].as_str().expect("an id").to_owned();
    let (app, account, task) = (library(&world), id_of(&ada), format!("refund#{id}"));
    let mut points = 1;
    loop {
        // Longer than Stripe knows a key again.
        world.wait(Duration::hours(25));
        let now = world.cloud.clock.now();
        let run = billing::decide(&app, &account, &task, Decision::Approve, None, now);
        if let Some(outcome) = advance(pin!(run), points).await {
            outcome.expect("decided");
            break;
        }
        points += 5;
    }
    world.cloud.settle().await;
    assert_eq!(world.cloud.stripe.totals(&at_stripe).refunded, 2_000);
    assert_eq!(world.cloud.stripe.refunds(&at_stripe).len(), 1);
    assert_eq!(list(&world, &ada).await[0]["state"], "paid");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_given_back_by_hand_meanwhile_is_not_given_again() {
    let world = World::start().await;
    let ada = world.customer(ADA).await;
    let at_stripe = buy(&world, &ada, Plan::Pro, Card::Good).await;
    ask(&world, &ada).await;
    let charge = world.cloud.stripe.charges(&at_stripe)[0].id.clone();
    world.cloud.stripe.refund_from_dashboard(&charge, 2_000).expect("given back");
    world.pass(Duration::hours(1)).await;
    let decided = decide(&world, "approve", None).await.expect("decided");
    assert_eq!(decided["state"], "paid");
    assert_eq!(world.cloud.stripe.totals(&at_stripe).refunded, 2_000);
    assert_eq!(world.cloud.stripe.subscriptions(&at_stripe)[0].status, "canceled");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_the_bank_sends_back_waits_to_be_decided_on_again() {
    let world = World::start().await;
    let ada = world.customer(ADA).await;
    let at_stripe = buy(&world, &ada, Plan::Pro, Card::Good).await;
    ask(&world, &ada).await;
    decide(&world, "approve", None).await.expect("decided");
    world.cloud.settle().await;
    let first = world.cloud.stripe.refunds(&at_stripe)[0].id.clone();
    world.cloud.stripe.fail_refund(&first).expect("it fails");
    world.cloud.settle().await;
    assert_eq!(list(&world, &ada).await[0]["state"], "open");
    let waiting = queue(&world).await;
    assert_eq!(waiting["flags"][0]["sign"], "refund-failed", "{waiting}");
    assert_eq!(waiting["flags"][0]["detail"], first.as_str());
    let invoice = world.get("/v1/billing/invoices", &ada).await.json()["invoices"][0].clone();
    assert_eq!(invoice["refunded_cents"], 0, "{invoice}");
    // Within the day in which Stripe still knows the key of the first one.
    assert_eq!(decide(&world, "approve", None).await.expect("decided")["state"], "paid");
    world.cloud.settle().await;
    assert_eq!(world.cloud.stripe.totals(&at_stripe).refunded, 2_000);
    assert_eq!(world.cloud.stripe.refunds(&at_stripe).len(), 2);
    assert_eq!(list(&world, &ada).await[0]["state"], "paid", "and it stays so");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inquiry_of_the_bank_takes_nothing_and_stops_no_refund() {
    let world = World::start().await;
    let ada = world.customer(ADA).await;
    let at_stripe = buy(&world, &ada, Plan::Pro, Card::Good).await;
    let charge = world.cloud.stripe.charges(&at_stripe)[0].id.clone();
    let inquiry = world.cloud.stripe.inquire(&charge).expect("an inquiry");
    world.cloud.settle().await;
    assert_eq!(queue(&world).await["flags"][0]["sign"], "dispute");
    let asked = ask(&world, &ada).await;
    assert_eq!((asked.status.as_u16(), &asked.json()["amount_cents"]), (201, &json!(2_000)));
    decide(&world, "approve", None).await.expect("decided");
    world.cloud.stripe.close_dispute(&inquiry, true).expect("closed");
    world.cloud.settle().await;
    let records = all_of(&world, Table::BillingRecords).await;
    assert!(!records.iter().any(|it| it["kind"] == "dispute"), "{records:?}");
    assert_eq!(world.cloud.stripe.totals(&at_stripe).refunded, 2_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_takes_nothing_away_that_was_paid_for_besides() {
    let world = World::start().await;
    let ada = world.customer(ADA).await;
    let at_stripe = buy(&world, &ada, Plan::Basic, Card::Good).await;
    world.pass(Duration::days(1)).await;
    let raised = world.post("/v1/billing/plan", &json!({ "plan": "business" }), &ada).await;
    assert_eq!(raised.status, 200, "{}", raised.text());
    // The larger plan has credited 29 of 30 days.
    assert_eq!(ask(&world, &ada).await.json()["amount_cents"], 17);
    decide(&world, "approve", None).await.expect("decided");
    world.cloud.settle().await;
    assert_eq!(world.cloud.stripe.totals(&at_stripe).refunded, 17);
    assert_eq!(plan_of(&world, &ada).await, Plan::Business, "it was paid for");
    world.pass(Duration::days(30)).await;
    assert_eq!(plan_of(&world, &ada).await, Plan::Free);
    assert_eq!(world.cloud.stripe.subscriptions(&at_stripe)[0].status, "canceled");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_job_finishes_what_the_operator_has_begun() {
    let world = World::start().await;
    let ada = world.customer(ADA).await;
    let at_stripe = buy(&world, &ada, Plan::Pro, Card::Good).await;
    ask(&world, &ada).await;
    // Stripe fails once the approval is stored.
    let approved = async |world: &World| {
        let all = tasks_of(world, &ada).await;
        all.iter()
            .any(|it| matches!(&it.work, Work::Refund(request) if request.decided_at.is_some()))
    };
    let (app, account) = (library(&world), id_of(&ada));
    let task = queue(&world).await["refunds"][0]["task"].as_str().expect("a task").to_owned();
    let mut points = 1;
    while !approved(&world).await {
        let now = world.cloud.clock.now();
        let run = billing::decide(&app, &account, &task, Decision::Approve, None, now);
        advance(pin!(run), points).await;
        points += 1;
    }
    world.run_job(WORK).await;
    world.cloud.settle().await;
    assert_eq!(list(&world, &ada).await[0]["state"], "paid");
    assert_eq!(world.cloud.stripe.refunds(&at_stripe).len(), 1);
    assert_eq!(plan_of(&world, &ada).await, Plan::Free);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dispute_waits_for_the_operator_and_stops_the_refund() {
    let world = World::start().await;
    let ada = world.customer(ADA).await;
    let at_stripe = buy(&world, &ada, Plan::Pro, Card::Good).await;
    ask(&world, &ada).await;
    let charge = world.cloud.stripe.charges(&at_stripe)[0].id.clone();
    let dispute = world.cloud.stripe.dispute(&charge).expect("disputed");
    world.cloud.settle().await;
    let report = world.run_job(WORK).await;
    assert_eq!((&report["flags_waiting"], &report["refunds_waiting"]), (&json!(1), &json!(1)));
    let flag = queue(&world).await["flags"][0].clone();
    assert_eq!(flag["sign"], "dispute");
    assert!(flag["detail"].as_str().expect("a detail").contains(&dispute), "{flag}");
    let refused = decide(&world, "approve", None).await.expect_err("the bank decides");
    assert!(refused.contains("disputed"), "{refused}");
    assert!(world.cloud.stripe.refunds(&at_stripe).is_empty());
    let clear = json!({ "account": flag["account"], "task": flag["task"], "decision": "clear" });
    for _ in 0..2 {
        let cleared = order(&world, DECIDE, &clear).await.expect("cleared");
        assert_eq!(cleared, json!({ "cleared": "dispute" }));
    }
    assert_eq!(queue(&world).await["flags"], json!([]));
    // It is the same dispute still: not a new sign.
    billing::sync(&library(&world), &at_stripe, world.cloud.clock.now()).await.expect("read back");
    assert_eq!(queue(&world).await["flags"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_accounts_from_one_network_are_a_sign_and_stop_nobody() {
    let world = World::start().await;
    for n in 0..5 {
        world.customer(&format!("customer-{n}@example.com")).await;
    }
    assert_eq!(queue(&world).await["flags"], json!([]));
    let sixth = world.customer("customer-5@example.com").await;
    let flags = queue(&world).await["flags"].clone();
    assert_eq!(flags.as_array().map(Vec::len), Some(1), "{flags}");
    assert_eq!(
        (&flags[0]["account"], &flags[0]["sign"], &flags[0]["detail"]),
        (&json!(sixth.account_id), &json!("many-sign-ups"), &json!("6"))
    );
    for item in all_of(&world, Table::Sessions).await {
        assert!(!item.to_string().contains("127.0.0"), "an address: {item}");
    }
    // Another day is counted anew.
    world.wait(Duration::days(1));
    world.customer("customer-6@example.com").await;
    assert_eq!(queue(&world).await["flags"].as_array().map(Vec::len), Some(1));
    // Nobody can sign up less for it.
    assert_eq!(account_of(&world, &sixth).await.key_count, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sold_is_made_at_stripe_once() {
    let world = World::start().await;
    for made in [3, 0] {
        let prepared = order(&world, PREPARE, &json!({})).await.expect("prepared");
        assert_eq!((&prepared["made"], &prepared["lacking"]), (&json!(made), &json!([])));
        // What the operator enters at the endpoint is what is gone by.
        assert_eq!(prepared["webhook_events"], json!(vidintel::billing::events::KINDS.to_vec()));
    }
    // Prices of which nobody has said yet how they are taxed are told so, and only they.
    let told = || world.cloud.stripe.counts().get("POST /v1/prices/{id}").copied();
    assert_eq!(told(), None);
    world.cloud.stripe.omit("price", "tax_behavior");
    assert_eq!(order(&world, PREPARE, &json!({})).await.expect("prepared")["made"], 0);
    assert_eq!(told(), Some(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_key_may_not_do_at_stripe_is_named_before_it_is_needed() {
    let world = World::start().await;
    let stripe = &world.cloud.stripe;
    let lacking = async || {
        let prepared = order(&world, PREPARE, &json!({})).await.expect("prepared");
        prepared["lacking"].clone()
    };
    for (permission, row) in [
        ("rak_charge_write", "Charges and Refunds: Write"),
        ("rak_customer_write", "Customers: Write"),
        ("rak_subscription_write", "Subscriptions: Write"),
        ("rak_invoice_write", "Invoices: Write"),
        ("rak_checkout_session_write", "Checkout Sessions: Write"),
        ("rak_customer_portal_write", "Customer portal: Write"),
        ("rak_payment_intent_read", "Payment Intents: Read"),
        ("rak_dispute_read", "Disputes: Read"),
        ("rak_credit_note_read", "Credit notes: Read"),
        ("rak_redaction_job_write", "Redaction jobs: Write"),
    ] {
        stripe.forbid(&[permission]);
        assert_eq!(lacking().await, json!([row]));
        assert!(world.logs(PREPARE).contains(permission), "Stripe's own name for it");
    }
    stripe.forbid(&[]);
    stripe.open_previews(false);
    assert_eq!(lacking().await, json!(["Redaction jobs (a preview): not open to this account"]));
    stripe.open_previews(true);
    assert_eq!(lacking().await, json!([]));
    assert!(stripe.customers().is_empty(), "asking changes nothing");
    // What nobody has looked for is in the log once it is needed.
    stripe.forbid(&["rak_plan_read"]);
    let refused = order(&world, PREPARE, &json!({})).await.expect_err("it needs the prices");
    assert!(refused.contains("Having the 'rak_plan_read' permission"), "{refused}");
}
