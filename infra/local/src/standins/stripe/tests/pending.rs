//! Cards that must be confirmed, changes that wait for their payment, new cycles, years, and payments that are not
//! collected.

use serde_json::Value;
use time::{Duration, macros::datetime};

use super::{Card, World};
use crate::standins::stripe::PauseBehavior;

const WAITS: &str = "payment_behavior=pending_if_incomplete&proration_behavior=always_invoice\
                     &billing_cycle_anchor[type]=now";

async fn shown(world: &World, subscription: &str) -> Value {
    world.call("GET", &format!("/v1/subscriptions/{subscription}"), "").await.json()
}

/// Asks for Business with these further parameters.
async fn raise(world: &World, id: &str, more: &str) -> (u16, Value) {
    let item = shown(world, id).await["items"]["data"][0]["id"].as_str().expect("one").to_owned();
    let form = format!("items[0][id]={item}&items[0][price]={}&{more}", world.business);
    let answer = world.call("POST", &format!("/v1/subscriptions/{id}"), &form).await;
    (answer.status.as_u16(), answer.json())
}

#[tokio::test]
async fn a_new_cycle_credits_the_rest_and_charges_the_whole_price() {
    let world = World::start().await;
    let (customer, id) = world.subscriber(Card::Good).await;
    world.advance(Duration::days(14));
    let now = "proration_behavior=always_invoice&payment_behavior=error_if_incomplete\
               &billing_cycle_anchor[type]=now&cancel_at_period_end=false&metadata[a]=1";
    let (status, changed) = raise(&world, &id, now).await;
    assert_eq!(status, 200, "{changed}");
    let start = world.clock.now().unix_timestamp();
    assert_eq!(changed["billing_cycle_anchor"], start);
    let period = &changed["items"]["data"][0];
    assert_eq!(period["current_period_start"], start);
    assert_eq!(period["current_period_end"], datetime!(2027-03-14 10:00 UTC).unix_timestamp());
    // Half of February is left of 20 dollars.
    assert_eq!(world.stripe.totals(&customer).charged, 2_000 + 10_000 - 1_000);
    // The old form of the parameter is one of earlier versions.
    let (status, _) = raise(&world, &id, "billing_cycle_anchor=now").await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn a_card_that_must_be_confirmed_pays_only_where_its_holder_is() {
    let world = World::start().await;
    let (customer, id) = world.subscriber(Card::MustConfirm).await;
    let at_once = "proration_behavior=always_invoice&payment_behavior=error_if_incomplete";
    let (status, refused) = raise(&world, &id, at_once).await;
    let code = &refused["error"]["code"];
    assert_eq!((status, code.as_str()), (402, Some("subscription_payment_intent_requires_action")));
    assert_eq!(world.stripe.invoices(&customer).len(), 1);
    world.news();
    world.advance(Duration::days(28) + Duration::hours(2));
    let news = world.news();
    assert!(news.contains(&"invoice.payment_action_required".to_owned()), "{news:?}");
    assert!(!news.contains(&"charge.failed".to_owned()), "{news:?}");
    assert_eq!(world.stripe.subscriptions(&customer)[0].status, "past_due");
    let invoice = world.stripe.invoices(&customer)[1].id.clone();
    let paid = world.call("POST", &format!("/v1/invoices/{invoice}/pay"), "").await;
    assert_eq!(paid.json()["error"]["code"], "invoice_payment_intent_requires_action");
    world.stripe.confirm(&invoice).expect("confirmed");
    assert_eq!(world.stripe.subscriptions(&customer)[0].status, "active");
    assert!(world.stripe.confirm(&invoice).is_err());
}

#[tokio::test]
async fn a_change_that_waits_takes_no_other_parameters_and_changes_nothing_until_it_is_paid() {
    let world = World::start().await;
    let (customer, id) = world.subscriber(Card::MustConfirm).await;
    for other in ["metadata[a]=1", "cancel_at_period_end=false", "pause_collection[behavior]=void"]
    {
        let (status, refused) = raise(&world, &id, &format!("{WAITS}&{other}")).await;
        assert_eq!(status, 400, "{other}: {refused}");
    }
    assert_eq!(world.stripe.invoices(&customer).len(), 1);
    let before = shown(&world, &id).await;
    let (status, waits) = raise(&world, &id, WAITS).await;
    assert_eq!(status, 200, "{waits}");
    let now = world.clock.now().unix_timestamp();
    assert_eq!(waits["pending_update"]["expires_at"], now + 23 * 3_600);
    let price = &waits["pending_update"]["subscription_items"][0]["price"]["id"];
    assert_eq!(*price, Value::from(world.business.as_str()));
    for name in ["status", "items", "metadata", "billing_cycle_anchor"] {
        assert_eq!(waits[name], before[name], "{name}");
    }
    let invoice = waits["latest_invoice"].as_str().expect("one").to_owned();
    world.news();
    world.stripe.confirm(&invoice).expect("confirmed");
    let after = shown(&world, &id).await;
    assert_eq!(after["pending_update"], Value::Null);
    assert_eq!(after["items"]["data"][0]["price"]["id"], Value::from(world.business.as_str()));
    assert!(world.news().contains(&"customer.subscription.pending_update_applied".to_owned()));
    assert_eq!(world.stripe.totals(&customer).charged, 10_000);
}

#[tokio::test]
async fn a_change_that_is_not_paid_ends_with_its_time_its_invoice_or_another_change() {
    let world = World::start().await;
    let (customer, id) = world.subscriber(Card::FailsLater).await;
    raise(&world, &id, WAITS).await;
    assert_eq!(world.stripe.subscriptions(&customer)[0].status, "active", "nothing is owed");
    world.news();
    world.advance(Duration::hours(23));
    assert_eq!(shown(&world, &id).await["pending_update"], Value::Null);
    let news = world.news();
    assert!(news.contains(&"customer.subscription.pending_update_expired".to_owned()), "{news:?}");
    assert!(news.contains(&"invoice.voided".to_owned()), "{news:?}");
    let status = |n: usize| world.stripe.invoices(&customer)[n].status.clone();
    assert_eq!(status(1), "void");
    // Withdrawn, and replaced.
    raise(&world, &id, WAITS).await;
    let invoice = world.stripe.invoices(&customer)[2].id.clone();
    world.call("POST", &format!("/v1/invoices/{invoice}/void"), "").await;
    assert_eq!(shown(&world, &id).await["pending_update"], Value::Null);
    raise(&world, &id, WAITS).await;
    raise(&world, &id, WAITS).await;
    assert_eq!((status(3).as_str(), status(4).as_str()), ("void", "open"));
    // Within the last 23 hours it ends with the period, before that is renewed.
    world.advance(Duration::days(27));
    raise(&world, &id, WAITS).await;
    let end = world.stripe.subscriptions(&customer)[0].period_end;
    assert_eq!(shown(&world, &id).await["pending_update"]["expires_at"], end);
    world.stripe.cancel(&id).expect("cancelled");
    assert_eq!(status(5), "void");
}

#[tokio::test]
async fn a_year_begins_and_is_paid_at_once() {
    let world = World::start().await;
    let (customer, id) = world.subscriber(Card::Good).await;
    world.advance(Duration::days(3));
    world.stripe.move_to_price(&id, 20_000, true).expect("moved");
    let only = world.stripe.subscriptions(&customer)[0].clone();
    assert_eq!(only.period_start, world.clock.now().unix_timestamp());
    assert_eq!(only.period_end, datetime!(2028-02-03 10:00 UTC).unix_timestamp());
    let interval = shown(&world, &id).await["items"]["data"][0]["price"]["recurring"].clone();
    assert_eq!(interval["interval"], "year");
    world.advance(Duration::days(366));
    assert_eq!(world.stripe.totals(&customer).charged, 2_000 + 20_000 + 20_000);
}

#[tokio::test]
async fn what_is_not_collected_is_left_given_up_or_withdrawn() {
    for (behavior, status) in [
        (PauseBehavior::KeepAsDraft, "draft"),
        (PauseBehavior::MarkUncollectible, "uncollectible"),
        (PauseBehavior::Void, "void"),
    ] {
        let world = World::start().await;
        let (customer, id) = world.subscriber(Card::Good).await;
        world.stripe.pause_collection(&id, Some(behavior)).expect("paused");
        world.advance(Duration::days(30));
        assert_eq!(world.stripe.invoices(&customer)[1].status, status);
        assert_eq!(world.stripe.subscriptions(&customer)[0].status, "active");
        world.stripe.pause_collection(&id, None).expect("goes on");
        world.advance(Duration::days(31));
        assert_eq!(world.stripe.totals(&customer).charged, 4_000, "{behavior:?}");
    }
}
