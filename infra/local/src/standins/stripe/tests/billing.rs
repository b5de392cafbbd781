//! Renewals, changes in the middle of a period, failed payments.

use serde_json::json;
use stripe_billing::{
    invoice::{PayInvoice, RetrieveInvoice, VoidInvoiceInvoice},
    subscription::{
        CancelSubscription, UpdateSubscription, UpdateSubscriptionItems,
        UpdateSubscriptionPaymentBehavior, UpdateSubscriptionProrationBehavior,
    },
};
use time::{Duration, macros::datetime};

use super::{Card, World, refusal};
use crate::standins::stripe::{AfterRetries, CreditTo};

/// As the portal of a service does it: at once, or not at all.
async fn change(
    world: &World,
    subscription: &str,
    price: &str,
    prorates: UpdateSubscriptionProrationBehavior,
) -> Result<stripe_billing::Subscription, stripe::StripeError> {
    let path = format!("/v1/subscriptions/{subscription}");
    let shown = world.call("GET", &path, "").await.json();
    let mut item = UpdateSubscriptionItems::new();
    item.id = shown["items"]["data"][0]["id"].as_str().map(str::to_owned);
    item.price = Some(price.to_owned());
    UpdateSubscription::new(subscription)
        .items([item])
        .proration_behavior(prorates)
        .payment_behavior(UpdateSubscriptionPaymentBehavior::ErrorIfIncomplete)
        .send(&world.client)
        .await
}

#[tokio::test]
async fn periods_are_renewed_by_the_calendar() {
    let world = World::start().await;
    let (customer, id) = world.subscriber(Card::Good).await;
    world.news();
    world.advance(Duration::days(28));
    assert_eq!(world.news(), ["customer.subscription.updated", "invoice.created"]);
    let draft = world.stripe.invoices(&customer)[1].clone();
    assert_eq!((draft.status.as_str(), draft.amount_due, draft.number), ("draft", 2_000, None));
    let now = world.clock.now().unix_timestamp();
    assert_eq!(draft.next_payment_attempt, Some(now + 3_600));
    world.advance(Duration::hours(1));
    assert_eq!(
        world.news(),
        [
            "invoice.finalized",
            "charge.succeeded",
            "payment_intent.succeeded",
            "invoice.updated",
            "invoice.paid",
            "invoice.payment_succeeded",
        ]
    );
    let invoice = RetrieveInvoice::new(draft.id.as_str()).send(&world.client).await;
    let invoice = invoice.expect("an invoice");
    assert!(invoice.number.is_some_and(|it| it.ends_with("-0002")));
    // The invoice's own period is the one that is over, its line's the one that is paid for.
    let start = datetime!(2027-01-31 10:00 UTC).unix_timestamp();
    let (february, march) = (datetime!(2027-02-28 10:00 UTC), datetime!(2027-03-31 10:00 UTC));
    assert_eq!((invoice.period_start, invoice.period_end), (start, february.unix_timestamp()));
    let line = &invoice.lines.data[0].period;
    assert_eq!((line.start, line.end), (february.unix_timestamp(), march.unix_timestamp()));
    world.advance(Duration::days(365));
    // From January 2027 to January 2028; in a leap year February has a day more to wait for.
    assert_eq!(world.stripe.totals(&customer).charged, 13 * 2_000);
    let only = &world.stripe.subscriptions(&customer)[0];
    assert_eq!((only.id.as_str(), only.status.as_str()), (id.as_str(), "active"));
    assert_eq!(only.period_end, datetime!(2028-02-29 10:00 UTC).unix_timestamp());
}

#[tokio::test]
async fn an_upgrade_is_prorated_and_charged_at_once_or_nothing_changes() {
    let world = World::start().await;
    let (customer, id) = world.subscriber(Card::Good).await;
    world.advance(Duration::days(14));
    world.stripe.set_card(&customer, Card::Declined).expect("a card");
    world.news();
    let prorates = UpdateSubscriptionProrationBehavior::AlwaysInvoice;
    let refused = change(&world, &id, &world.business, prorates.clone()).await;
    assert_eq!(refusal(refused), (402, "card_declined".to_owned()));
    assert!(world.news().is_empty());
    assert_eq!(world.stripe.subscriptions(&customer)[0].price, world.pro);

    world.stripe.set_card(&customer, Card::Good).expect("a card");
    world.news();
    let changed = change(&world, &id, &world.business, prorates.clone()).await.expect("done");
    assert_eq!(changed.items.data[0].price.id.as_str(), world.business);
    assert_eq!(world.news()[..2], ["customer.subscription.updated", "invoice.created"]);
    let latest = changed.latest_invoice.expect("an invoice").into_id().expect("an id");
    let invoice = RetrieveInvoice::new(latest).send(&world.client).await.expect("an invoice");
    let amounts: Vec<_> = invoice.lines.data.iter().map(|it| it.amount).collect();
    assert_eq!((amounts.as_slice(), invoice.amount_paid), ([-1_000, 5_000].as_slice(), 4_000));
    assert_eq!(world.stripe.totals(&customer).charged, 6_000);

    // Back again: the difference is kept as credit, which pays the next renewals.
    change(&world, &id, &world.pro, prorates).await.expect("done");
    assert_eq!(world.stripe.customer(&customer)["balance"], -4_000);
    world.advance(Duration::days(14) + Duration::hours(1));
    let renewal = world.stripe.invoices(&customer).pop().expect("an invoice");
    assert_eq!((renewal.total, renewal.amount_due, renewal.status.as_str()), (2_000, 0, "paid"));
    assert_eq!(world.stripe.customer(&customer)["balance"], -2_000);
    assert_eq!(world.stripe.totals(&customer).charged, 6_000);
}

#[tokio::test]
async fn prorations_can_wait_for_the_renewal_or_be_left_out() {
    let world = World::start().await;
    let (customer, id) = world.subscriber(Card::Good).await;
    world.advance(Duration::days(14));
    let create = UpdateSubscriptionProrationBehavior::CreateProrations;
    change(&world, &id, &world.business, create).await.expect("done");
    assert_eq!(world.stripe.invoices(&customer).len(), 1);
    world.advance(Duration::days(14) + Duration::hours(1));
    let renewal = world.stripe.invoices(&customer)[1].clone();
    assert_eq!(renewal.total, -1_000 + 5_000 + 10_000);
    let none = UpdateSubscriptionProrationBehavior::None;
    change(&world, &id, &world.pro, none).await.expect("done");
    world.advance(Duration::days(31));
    assert_eq!(world.stripe.invoices(&customer)[2].total, 2_000);
}

#[tokio::test]
async fn a_failing_card_leads_to_past_due_and_is_tried_three_more_times() {
    let world = World::start().await;
    for (after, status) in [
        (AfterRetries::LeavePastDue, "past_due"),
        (AfterRetries::MarkUnpaid, "unpaid"),
        (AfterRetries::Cancel, "canceled"),
    ] {
        world.stripe.set_after_retries(after);
        let (customer, id) = world.subscriber(Card::FailsLater).await;
        let first = world.stripe.subscriptions(&customer)[0].clone();
        let renewal = time::OffsetDateTime::from_unix_timestamp(first.period_end).expect("a time");
        world.news();
        world.advance(renewal - world.clock.now() + Duration::hours(1));
        let news = world.news();
        assert_eq!(
            news[2..],
            [
                "invoice.finalized",
                "charge.failed",
                "payment_intent.payment_failed",
                "invoice.updated",
                "invoice.payment_failed",
                "customer.subscription.updated",
            ],
            "{news:?}"
        );
        let status_now = |world: &World| world.stripe.subscriptions(&customer)[0].status.clone();
        assert_eq!(status_now(&world), "past_due");
        let tries = |world: &World| world.stripe.charges(&customer).len() - 1;
        for (days, count) in [(3, 2), (5, 3), (7, 4)] {
            assert_eq!(status_now(&world), "past_due");
            world.advance(Duration::days(days));
            assert_eq!(tries(&world), count, "after {days} days");
        }
        assert_eq!(status_now(&world), status);
        let open = world.stripe.invoices(&customer)[1].clone();
        assert_eq!((open.status.as_str(), open.next_payment_attempt), ("open", None));
        if after == AfterRetries::Cancel {
            continue;
        }
        let pay = || PayInvoice::new(open.id.as_str());
        assert_eq!(refusal(pay().send(&world.client).await), (402, "card_declined".to_owned()));
        world.stripe.set_card(&customer, Card::Good).expect("a card");
        let paid = pay().send(&world.client).await.expect("paid");
        assert_eq!((paid.amount_paid, paid.attempt_count), (2_000, 6));
        assert_eq!(status_now(&world), "active");
        world.stripe.cancel(&id).expect("an end");
    }
}

#[tokio::test]
async fn the_next_try_pays_once_the_card_is_good_again() {
    let world = World::start().await;
    let (customer, _) = world.subscriber(Card::FailsLater).await;
    world.advance(Duration::days(29));
    assert_eq!(world.stripe.subscriptions(&customer)[0].status, "past_due");
    world.stripe.set_card(&customer, Card::Good).expect("a card");
    world.news();
    world.advance(Duration::days(3));
    assert_eq!(world.news().last().map(String::as_str), Some("customer.subscription.updated"));
    assert_eq!(world.stripe.subscriptions(&customer)[0].status, "active");
    assert_eq!(world.stripe.totals(&customer).charged, 4_000);
}

#[tokio::test]
async fn subscriptions_end_at_once_or_with_their_period() {
    let world = World::start().await;
    let (customer, id) = world.subscriber(Card::Good).await;
    let ends = UpdateSubscription::new(id.as_str()).cancel_at_period_end(true);
    let marked = ends.send(&world.client).await.expect("done");
    assert_eq!(marked.cancel_at, Some(world.stripe.subscriptions(&customer)[0].period_end));
    world.news();
    world.advance(Duration::days(28));
    assert_eq!(world.news(), ["customer.subscription.deleted"]);
    let again = CancelSubscription::new(id.as_str()).send(&world.client).await;
    assert_eq!(refusal(again), (404, "resource_missing".to_owned()));
    assert_eq!(refusal(ends.send(&world.client).await).0, 400);

    let (customer, id) = world.subscriber(Card::Good).await;
    world.advance(Duration::days(14));
    world.news();
    let cancel = CancelSubscription::new(id.as_str()).prorate(true).invoice_now(true);
    let ended = cancel.send(&world.client).await.expect("done");
    assert_eq!(ended.ended_at, Some(world.clock.now().unix_timestamp()));
    let credit = world.stripe.invoices(&customer)[1].clone();
    assert_eq!((credit.total, credit.status.as_str()), (-1_000, "paid"));
    assert_eq!(world.stripe.customer(&customer)["balance"], -1_000);
    assert_eq!(world.news()[0], "customer.subscription.deleted");
}

#[tokio::test]
async fn only_open_invoices_are_voided_and_give_their_credit_back() {
    let world = World::start().await;
    let (customer, id) = world.subscriber(Card::FailsLater).await;
    let paid = world.stripe.invoices(&customer)[0].id.clone();
    let void = |id: &str| VoidInvoiceInvoice::new(id);
    assert_eq!(refusal(void(&paid).send(&world.client).await).0, 400);
    world.advance(Duration::days(29));
    let open = world.stripe.invoices(&customer)[1].clone();
    world.news();
    let voided = void(&open.id).send(&world.client).await.expect("void");
    assert!(voided.status_transitions.voided_at.is_some());
    assert_eq!(
        world.news(),
        ["invoice.updated", "invoice.voided", "customer.subscription.updated"]
    );
    assert_eq!(world.stripe.subscriptions(&customer)[0].status, "active");
    world.advance(Duration::days(30));
    assert_eq!(world.stripe.invoices(&customer)[1].status, "void");

    let clear = format!("/v1/subscriptions/{id}");
    let pause = world.call("POST", &clear, "pause_collection[behavior]=void").await.json();
    assert_eq!(pause["pause_collection"]["behavior"], "void");
    world.advance(Duration::days(31));
    assert_eq!(world.stripe.invoices(&customer).pop().map(|it| it.status), Some("void".into()));
    let resumed = world.call("POST", &clear, "pause_collection=").await.json();
    assert!(resumed["pause_collection"].is_null());
}

#[tokio::test]
async fn a_deleted_customer_has_no_subscription_left() {
    let world = World::start().await;
    let (customer, id) = world.subscriber(Card::Good).await;
    world.news();
    world.stripe.delete_customer(&customer).expect("gone");
    assert_eq!(world.news(), ["customer.subscription.deleted", "customer.deleted"]);
    world.advance(Duration::days(40));
    assert!(world.news().is_empty());
    let shown = world.call("GET", &format!("/v1/subscriptions/{id}"), "").await.json();
    assert_eq!(shown["status"], "canceled");
    assert_eq!(world.stripe.totals(&customer).charged, 2_000);
}

#[tokio::test]
async fn an_invoice_shows_ten_lines_and_the_others_on_pages() {
    let world = World::start().await;
    let (customer, _) = world.subscriber(Card::Good).await;
    for n in 0..12 {
        world.stripe.add_item(&customer, &format!("Item {n}"), 10).expect("added");
    }
    world.advance(Duration::days(29));
    let id = world.stripe.invoices(&customer)[1].id.clone();
    let shown = world.stripe.invoice(&id);
    assert_eq!(shown["lines"]["data"].as_array().map(Vec::len), Some(10));
    assert_eq!((&shown["lines"]["has_more"], &shown["total"]), (&json!(true), &json!(2_120)));
    let page = async |query: &str| {
        world.call("GET", &format!("/v1/invoices/{id}/lines?{query}"), "").await.json()
    };
    let first = page("limit=8").await;
    assert_eq!(first["has_more"], true);
    let last = first["data"][7]["id"].as_str().expect("an id").to_owned();
    let rest = page(&format!("limit=8&starting_after={last}")).await;
    assert_eq!(
        (rest["data"].as_array().map(Vec::len), &rest["has_more"]),
        (Some(5), &json!(false))
    );
}

#[tokio::test]
async fn a_subscription_has_ten_new_invoices_in_a_minute_and_twenty_in_a_day() {
    let world = World::start().await;
    let (_, id) = world.subscriber(Card::Good).await;
    let item = world.stripe.subscription(&id)["items"]["data"][0]["id"].clone();
    let item = item.as_str().expect("an id");
    let mut quantity = 1;
    let mut change = async || {
        quantity += 1;
        let form = format!(
            "items[0][id]={item}&items[0][quantity]={quantity}&proration_behavior=always_invoice"
        );
        world.call("POST", &format!("/v1/subscriptions/{id}"), &form).await.status.as_u16()
    };
    for _ in 0..9 {
        assert_eq!(change().await, 200);
    }
    assert_eq!(change().await, 429, "ten in the minute");
    world.advance(Duration::minutes(1));
    for _ in 0..10 {
        assert_eq!(change().await, 200);
    }
    world.advance(Duration::minutes(1));
    assert_eq!(change().await, 429, "twenty in the day");
    world.advance(Duration::days(1));
    assert_eq!(change().await, 200);
}

#[tokio::test]
async fn credit_notes_take_off_what_is_due_or_go_to_the_balance_or_back() {
    let world = World::start().await;
    let (customer, _) = world.subscriber(Card::Good).await;
    let paid = world.stripe.invoices(&customer)[0].id.clone();
    world.stripe.credit(&paid, 300, CreditTo::Balance).expect("credited");
    assert_eq!(world.stripe.customer(&customer)["balance"], -300);
    world.stripe.credit(&paid, 500, CreditTo::Refund).expect("credited");
    assert_eq!(world.stripe.totals(&customer).refunded, 500);
    assert!(world.stripe.credit(&paid, 1_201, CreditTo::Balance).is_err(), "more than is left");
    assert_eq!(world.stripe.invoice(&paid)["post_payment_credit_notes_amount"], 800);
    world.stripe.set_card(&customer, Card::Declined).expect("set");
    world.advance(Duration::days(29));
    let open = world.stripe.invoices(&customer)[1].clone();
    assert_eq!((open.status.as_str(), open.amount_due), ("open", 1_700));
    world.stripe.credit(&open.id, 1_700, CreditTo::Balance).expect("credited");
    assert_eq!(world.stripe.invoices(&customer)[1].status, "paid");
    let notes =
        world.call("GET", &format!("/v1/credit_notes?customer={customer}"), "").await.json();
    assert_eq!(notes["data"].as_array().map(Vec::len), Some(3));
}
