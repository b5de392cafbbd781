//! Stripe's limits and odd answers: failures that it remembers, customers that it knows no more, fields that it leaves
//! out, and what it asks of whoever listens to it.

use std::time::Duration as Real;

use local::{
    cloud::Options,
    standins::stripe::{Card, Fault, Webhooks},
};
use serde_json::{Value, json};
use time::Duration;
use vidintel::{
    accounts::Account,
    billing::{self, record, stripe::PriceChange},
    ids::AccountId,
    inventory::Table,
    plans::Plan,
};

use crate::util::{
    Customer, World, app_of, assert_problem,
    billing::{buy as buy_there, unheard},
    plant::plant_item,
    purchases::{DECIDE, account_of, id_of, library, order},
};

const ADA: &str = "ada@example.com";
const REFUNDS: &str = "/v1/billing/refunds";

async fn shop() -> (World, Customer) {
    let world = World::start().await;
    world.sell().await;
    let ada = world.customer(ADA).await;
    (world, ada)
}

/// How often `interface` was asked so far.
fn asked(world: &World, interface: &str) -> u64 {
    world.cloud.stripe.counts().get(interface).copied().unwrap_or_default()
}

/// Lets the next call of `interface` fail inside Stripe, which remembers that.
fn fail_inside(world: &World, interface: &'static str) {
    let after = asked(world, interface);
    world.cloud.stripe.fault(Fault::DownInside { interface, after, times: 1 });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_that_stripe_remembers_keeps_nobody_from_buying() {
    let (world, ada) = shop().await;
    fail_inside(&world, "POST /v1/customers");
    assert_problem(&world.checkout("pro", &ada).await, 503, "unavailable");
    world.wait(Duration::minutes(1));
    assert_eq!(world.checkout("pro", &ada).await.status, 201);
    world.cloud.settle().await;
    assert_eq!(world.cloud.stripe.customers().len(), 1);
    // The caller's own key is as good as a new one.
    fail_inside(&world, "POST /v1/checkout/sessions");
    let first = world.post_as("/v1/billing/checkout", "basic", &ada, "order-1").await;
    assert_eq!(first.status, 201, "{}", first.text());
    let again = world.post_as("/v1/billing/checkout", "basic", &ada, "order-1").await;
    assert_eq!(again.json(), first.json());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_nothing_the_second_time_is_not_held_back_by_a_failure_before() {
    let (world, ada) = shop().await;
    let at_stripe = world.buy("pro", &ada, Card::FailsLater).await;
    world.pass(Duration::days(31)).await;
    let stripe = library(&world).stripe().await.expect("set up");
    let open = world.cloud.stripe.invoices(&at_stripe)[1].clone();
    assert_eq!(open.status, "open");
    fail_inside(&world, "POST /v1/invoices/{id}/void");
    assert!(stripe.void(&open.id).await.is_err());
    stripe.void(&open.id).await.expect("withdrawn");
    assert_eq!(world.cloud.stripe.invoices(&at_stripe)[1].status, "void");

    let bob = world.customer("bob@example.com").await;
    let session = world.checkout("pro", &bob).await.json()["id"].as_str().expect("one").to_owned();
    fail_inside(&world, "POST /v1/checkout/sessions/{id}/expire");
    assert!(stripe.expire_checkout(&session).await.is_err());
    stripe.expire_checkout(&session).await.expect("closed");
    assert!(world.cloud.stripe.pay(&session, Card::Good).is_err());
}

/// Buys Pro and asks for it back: the customer's number at Stripe, and the operator's approval.
async fn refund_asked(world: &World, ada: &Customer) -> (String, Value) {
    let at_stripe = world.buy("pro", ada, Card::Good).await;
    assert_eq!(world.post(REFUNDS, &json!({}), ada).await.status, 201);
    (at_stripe, approval(world).await)
}

async fn approval(world: &World) -> Value {
    let waiting = order(world, DECIDE, &json!({})).await.expect("the queue");
    let it = &waiting["refunds"][0];
    json!({ "account": it["account"], "task": it["task"], "decision": "approve" })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_stripe_has_refused_is_paid_when_it_is_approved_again() {
    let (world, ada) = shop().await;
    let (at_stripe, approve) = refund_asked(&world, &ada).await;
    // As for want of balance: the operator tops it up, and repeats.
    fail_inside(&world, "POST /v1/refunds");
    assert!(order(&world, DECIDE, &approve).await.is_err());
    assert_eq!(world.cloud.stripe.totals(&at_stripe).refunded, 0);
    let paid = order(&world, DECIDE, &approve).await.expect("paid");
    assert_eq!(paid["state"], "paid", "{paid}");
    assert_eq!(world.cloud.stripe.refunds(&at_stripe).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_whose_answer_was_lost_is_paid_once() {
    let (world, ada) = shop().await;
    let (at_stripe, approve) = refund_asked(&world, &ada).await;
    let interface = "POST /v1/refunds";
    let after = asked(&world, interface);
    world.cloud.stripe.fault(Fault::Mute { interface, after, times: 1 });
    assert!(order(&world, DECIDE, &approve).await.is_err());
    let paid = order(&world, DECIDE, &approve).await.expect("paid");
    assert_eq!(paid["state"], "paid", "{paid}");
    assert_eq!(world.cloud.stripe.totals(&at_stripe).refunded, 2_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_is_charged_though_nobody_listens() {
    for (hears_of_drafts, charges_after) in [(false, [2, 2]), (true, [1, 2])] {
        let (world, ada) = shop().await;
        let stripe = &world.cloud.stripe;
        let at_stripe = world.buy("pro", &ada, Card::Good).await;
        let heard = stripe.webhooks();
        let events = heard.events.clone().filter(|_| !hears_of_drafts);
        stripe.set_webhooks(Webhooks {
            url: Some("http://127.0.0.1:9/".to_owned()),
            events,
            ..heard
        });
        let renewal = world.cloud.clock.now() + Duration::days(30);
        for (hours, expected) in [2, 73].into_iter().zip(charges_after) {
            world.cloud.clock.set(renewal + Duration::hours(hours));
            stripe.run_due(world.cloud.clock.now());
            assert_eq!(stripe.charges(&at_stripe).len(), expected, "{hears_of_drafts} {hours}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_customer_that_stripe_knows_no_more_costs_the_plan() {
    for knows in [false, true] {
        let (world, ada) = shop().await;
        world.cloud.stripe.know_deleted(knows);
        let at_stripe = world.buy("pro", &ada, Card::Good).await;
        world.cloud.stripe.delete_customer(&at_stripe).expect("deleted");
        world.cloud.settle().await;
        assert_eq!(world.billing(&ada).await["plan"], "free", "{knows}");
        assert_eq!(world.billing(&ada).await["subscription"], Value::Null);
        // What was paid is written down as before, and another plan can be bought.
        let list = world.get("/v1/billing/invoices", &ada).await.json();
        assert_eq!(list["invoices"][0]["paid_cents"], 2_000, "{list}");
        world.buy("basic", &ada, Card::Good).await;
        assert_eq!(world.billing(&ada).await["plan"], "basic");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_that_stripe_never_knew_costs_nobody_the_plan() {
    let (world, ada) = shop().await;
    world.buy("pro", &ada, Card::Good).await;
    // As it is with the key of another account of Stripe's.
    let unknown = "cus_Unknown0000001";
    let update = json!({
        "TableName": world.cloud.dynamodb.table("accounts"),
        "Key": { "id": { "S": ada.account_id } },
        "UpdateExpression": "SET customer = :unknown",
        "ExpressionAttributeValues": { ":unknown": { "S": unknown } },
    });
    world.cloud.dynamodb.call("UpdateItem", &update).await.expect("noted");
    let (app, now) = (library(&world), world.cloud.clock.now());
    assert!(billing::sync_account(&app, &id_of(&ada), unknown, now).await.is_err());
    assert_eq!(account_of(&world, &ada).await.plan_at(now), Plan::Pro);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_lines_of_an_invoice_are_written_down() {
    let (world, ada) = shop().await;
    let at_stripe = world.buy("pro", &ada, Card::Good).await;
    for n in 1..=12 {
        world.cloud.stripe.add_item(&at_stripe, &format!("Item {n}"), 10 * n).expect("added");
    }
    world.pass(Duration::days(31)).await;
    let list = world.get("/v1/billing/invoices", &ada).await.json();
    let invoice = &list["invoices"][0];
    let lines = invoice["lines"].as_array().expect("lines");
    let sum: i64 = lines.iter().filter_map(|it| it["amount_cents"].as_i64()).sum();
    assert_eq!((lines.len(), sum), (13, 2_780), "{invoice}");
    assert_eq!((&invoice["total_cents"], &invoice["plan"]), (&json!(2_780), &json!("pro")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_says_what_the_balance_has_paid_and_credit_notes_are_records() {
    let (world, ada) = shop().await;
    let at_stripe = world.buy("pro", &ada, Card::Good).await;
    let stripe = &world.cloud.stripe;
    stripe.set_balance(&at_stripe, -500).expect("set");
    world.pass(Duration::days(31)).await;
    let newest =
        async || world.get("/v1/billing/invoices", &ada).await.json()["invoices"][0].take();
    let facts = |it: &Value| {
        ["total_cents", "from_balance_cents", "paid_cents", "credited_cents"]
            .map(|name| it[name].as_i64().expect(name))
    };
    let invoice = newest().await;
    assert_eq!(facts(&invoice), [2_000, 500, 1_500, 0], "{invoice}");
    let mails = || -> Vec<String> {
        let all = world.cloud.ses.mails();
        all.iter().filter(|it| it.to == [ADA]).filter_map(|it| it.text.clone()).collect()
    };
    let told = mails().pop().expect("a mail");
    assert!(told.contains("Total: $20.00.") && !told.contains("taxes"), "{told}");
    assert!(told.contains("From your balance: -$5.00. Paid: $15.00."), "{told}");

    let id = invoice["id"].as_str().expect("an id").to_owned();
    let note = |cents, to| stripe.credit(&id, cents, to).expect("credited");
    note(300, local::standins::stripe::CreditTo::Balance);
    world.cloud.settle().await;
    let told = mails().pop().expect("a mail");
    assert!(told.contains("takes $3.00 off invoice"), "{told}");
    assert!(told.contains("Added to your balance, for the next invoices: $3.00."), "{told}");
    note(200, local::standins::stripe::CreditTo::Refund);
    world.cloud.settle().await;
    let invoice = newest().await;
    assert_eq!(facts(&invoice), [2_000, 500, 1_500, 500], "{invoice}");
    assert_eq!(invoice["refunded_cents"], 200);
    // The money is Stripe's, to the cent.
    let records = record::of_account(&library(&world).store, &id_of(&ada)).await.expect("read");
    let money: i64 = records.iter().map(|it| it.kind.money(it.amount_cents)).sum();
    let totals = stripe.totals(&at_stripe);
    assert_eq!(money, totals.charged - totals.refunded);
    assert_eq!(money, 2_000 + 1_500 - 200);
    let run = world.run_job("ReconcileBillingFunction").await;
    assert_eq!((&run["accounts"], &run["differences"]), (&json!(1), &json!({})), "{run}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_field_that_stripe_leaves_out_stops_a_customers_billing() {
    let world = unheard().await;
    let app = app_of(&world.cloud, world.cloud.redis.direct_url());
    let ada = world.customer(ADA).await;
    let at_stripe = buy_there(&world, &app, &ada, Plan::Pro).await;
    let stripe = &world.cloud.stripe;
    let now = world.cloud.clock.now();
    billing::sync(&app, &at_stripe, now).await.expect("written down");
    let shown = [
        stripe.invoice(&stripe.invoices(&at_stripe)[0].id),
        stripe.charge(&stripe.charges(&at_stripe)[0].id),
        stripe.subscription(&stripe.subscriptions(&at_stripe)[0].id),
    ];
    for object in shown {
        let name = object["object"].as_str().expect("a name");
        for field in object.as_object().expect("fields").keys() {
            stripe.omit(name, field);
            let synced = billing::sync(&app, &at_stripe, now).await;
            assert!(synced.is_ok(), "{name} without {field}: {synced:?}");
            let account = account_of(&world, &ada).await;
            assert_eq!(account.plan_at(now), Plan::Pro, "{name} without {field}");
            assert_eq!(account.quota_at(now), 10_000, "{name} without {field}");
            stripe.omit_nothing();
        }
    }
    // An invoice that cannot be read does not keep a refund from being written down, and the operator is told.
    stripe.omit("invoice", "total");
    let charge = stripe.charges(&at_stripe)[0].id.clone();
    stripe.refund_from_dashboard(&charge, 500).expect("given back");
    assert_eq!(billing::sync(&app, &at_stripe, now).await.expect("written down").records, 1);
    let waiting = order(&world, DECIDE, &json!({})).await.expect("the queue");
    assert!(waiting["flags"].to_string().contains("unreadable"), "{waiting}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_events_keeps_within_stripes_limit() {
    let world = World::start().await;
    world.sell().await;
    let stripe = &world.cloud.stripe;
    let heard = stripe.webhooks();
    stripe.set_webhooks(Webhooks::default());
    let app = library(&world);
    let ada = world.customer(ADA).await;
    let customers = 24;
    for _ in 0..customers {
        // Without signing up: one network gets so many mails in an hour.
        let account = Account { id: AccountId::random(), ..account_of(&world, &ada).await };
        plant_item(&app, Table::Accounts, &account).await;
        let customer = Customer { account_id: account.id.to_string(), ..ada.clone() };
        buy_there(&world, &app, &customer, Plan::Basic).await;
    }
    let events = stripe.take_events();
    // All is five times as slow as at Stripe, for a machine that is busy with other tests: answers take half a
    // second, and five calls of one operation are taken in one. Each customer takes two answers, one after the other.
    stripe.limit_rate(Some(5));
    stripe.fault(Fault::Slow(Real::from_millis(500)));
    stripe.set_webhooks(heard);
    // All of them wait when the first is handled.
    world.cloud.sqs.pause();
    for event in events.iter().filter(|it| it.kind == "invoice.paid") {
        stripe.resend(&event.id);
    }
    world.cloud.settle().await;
    world.cloud.sqs.resume();
    world.cloud.settle().await;
    assert_eq!(stripe.limited(), 0);
    // What a charge says there is none of is not asked for.
    for none in ["GET /v1/refunds", "GET /v1/disputes"] {
        assert_eq!(asked(&world, none), 0, "{none}");
    }
    let accounts = world.cloud.dynamodb.items("accounts").await.expect("the items");
    assert_eq!(accounts.iter().filter(|it| !it["subscription"].is_null()).count(), customers);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_changes_the_plan_too_often_is_told_to_come_tomorrow() {
    let (world, ada) = shop().await;
    let at_stripe = world.buy("basic", &ada, Card::Good).await;
    let stripe = library(&world).stripe().await.expect("set up");
    for n in 0..19 {
        world.wait(Duration::minutes(10));
        let plan = if n % 2 == 0 { Plan::Pro } else { Plan::Basic };
        let price = stripe.price(plan).await.expect("asked").expect("one");
        let bought = stripe.subscriptions(&at_stripe).await.expect("read").remove(0);
        let key = format!("change {n}");
        let changed = stripe.change_price(&bought, &price, PriceChange::AtOnce, &key).await;
        changed.expect("changed");
    }
    world.cloud.settle().await;
    let refused = world.change("business", &ada).await;
    assert_problem(&refused, 409, "conflict");
    assert!(refused.text().contains("tomorrow"), "{}", refused.text());
    world.wait(Duration::days(1));
    assert_eq!(world.change("business", &ada).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_larger_plan_has_credited_is_not_given_back_again() {
    let (world, ada) = shop().await;
    let (at_stripe, approve) = refund_asked(&world, &ada).await;
    assert_eq!(world.video(0, &ada).await.status, 200);
    let waiting = || async {
        order(&world, DECIDE, &json!({})).await.expect("the queue")["refunds"][0].take()
    };
    let seen = |it: &Value| it["used"].as_i64().expect("a number");
    let before = waiting().await;
    assert_eq!(
        (&before["outstanding_cents"], &before["credited_cents"]),
        (&json!(2_000), &json!(0))
    );
    assert_eq!((&before["used"], &before["limit"]), (&json!(1), &json!(10_000)), "{before}");
    assert_eq!(before["is_heavily_used"], false);
    // More than a fifth is worth a second look.
    let now = world.cloud.clock.now();
    let period = account_of(&world, &ada).await.period(now).key();
    for (used, is_heavy) in [(2_000, false), (2_001, true), (1, false)] {
        let set = json!({
            "TableName": world.cloud.dynamodb.table("quotas"),
            "Key": { "account": { "S": ada.account_id }, "period": { "S": period } },
            "UpdateExpression": "SET granted = granted + :more",
            "ExpressionAttributeValues": { ":more": { "N": (used - seen(&waiting().await)).to_string() } },
        });
        world.cloud.dynamodb.call("UpdateItem", &set).await.expect("used");
        let it = waiting().await;
        assert_eq!((seen(&it), &it["is_heavily_used"]), (used, &json!(is_heavy)), "{it}");
    }
    world.pass(Duration::days(3)).await;
    assert_eq!(world.change("business", &ada).await.status, 200);
    let after = waiting().await;
    let credited = after["credited_cents"].as_i64().expect("a number");
    assert_eq!(credited, 1_800, "27 of 30 days: {after}");
    assert_eq!(after["outstanding_cents"], 200);
    let paid = order(&world, DECIDE, &approve).await.expect("paid");
    assert_eq!((&paid["state"], &paid["amount_cents"]), (&json!("paid"), &json!(200)), "{paid}");
    assert_eq!(world.cloud.stripe.totals(&at_stripe).refunded, 200);

    // Where all of it is used, there is nothing to approve.
    world.cloud.settle().await;
    let bob = world.customer("bob@example.com").await;
    let at_stripe = world.buy("pro", &bob, Card::Good).await;
    assert_eq!(world.post(REFUNDS, &json!({}), &bob).await.status, 201);
    assert_eq!(world.change("business", &bob).await.status, 200);
    let approve = approval(&world).await;
    let refused = order(&world, DECIDE, &approve).await.expect_err("nothing to pay");
    assert!(refused.contains("nothing is outstanding"), "{refused}");
    assert_eq!(world.cloud.stripe.totals(&at_stripe).refunded, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkout_takes_cards_only_and_none_after_the_account_is_to_go() {
    let (world, ada) = shop().await;
    let open = async |plan| {
        world.checkout(plan, &ada).await.json()["id"].as_str().expect("an id").to_owned()
    };
    let session = open("pro").await;
    assert!(world.cloud.stripe.pay(&session, Card::BankDebit).is_err());
    let asked = world.post("/v1/privacy/deletions", &json!({ "confirm": true }), &ada).await;
    assert_eq!(asked.status, 202, "{}", asked.text());
    assert!(world.cloud.stripe.pay(&session, Card::Good).is_err(), "it is closed");
    assert_eq!(world.billing(&ada).await["plan"], "free");
}

#[tokio::test(flavor = "multi_thread")]
async fn taxes_are_collected_where_the_operator_says_so() {
    let parameters = [("StripeTax".to_owned(), "on".to_owned())].into();
    let world = World::start_with(Options { parameters, ..Options::test() }).await;
    world.sell().await;
    let ada = world.customer(ADA).await;
    let at_stripe = world.buy("pro", &ada, Card::Good).await;
    let stripe = &world.cloud.stripe;
    assert!(stripe.customer(&at_stripe)["address"].is_object(), "the address is kept");
    let bought = stripe.subscription(&stripe.subscriptions(&at_stripe)[0].id);
    assert_eq!(bought["items"]["data"][0]["price"]["tax_behavior"], "exclusive", "{bought}");
    assert_eq!(stripe.totals(&at_stripe).charged, 2_400);
    let list = world.get("/v1/billing/invoices", &ada).await.json();
    let invoice = &list["invoices"][0];
    assert_eq!(
        (&invoice["total_cents"], &invoice["tax_cents"]),
        (&json!(2_400), &json!(400)),
        "{invoice}"
    );
    let told = world.cloud.ses.mails().pop().and_then(|it| it.text).expect("a mail");
    assert!(told.contains("Total: $24.00, of it taxes: $4.00."), "{told}");
    // A change and a renewal are taxed as well, and all of it is given back.
    assert_eq!(world.change("business", &ada).await.status, 200);
    assert_eq!(stripe.totals(&at_stripe).charged, 12_000);
    let bob = world.customer("bob@example.com").await;
    let at_stripe = world.buy("basic", &bob, Card::Good).await;
    world.pass(Duration::days(3)).await;
    let refund = world.post(REFUNDS, &json!({}), &bob).await.json();
    assert_eq!(refund["amount_cents"], 600, "{refund}");
    world.pass(Duration::days(28)).await;
    assert_eq!(stripe.totals(&at_stripe).charged, 1_200);
}
