//! A larger plan in place of a smaller one to come, which takes more than one call of Stripe's: what is left where one of
//! them fails, and what comes of it.

use std::time::Duration as Real;

use futures_util::join;
use local::standins::stripe::{Card, Fault};
use serde_json::{Value, json};
use time::Duration;

use crate::{
    billing::{at, charged, shop},
    util::{Customer, World, assert_problem},
};

const PLAN: &str = "/v1/billing/plan";
const RECONCILE: &str = "ReconcileBillingFunction";

/// What changes a subscription at Stripe.
const UPDATE: &str = "POST /v1/subscriptions/{id}";

/// How often `interface` was asked so far.
fn asked(world: &World, interface: &str) -> u64 {
    world.cloud.stripe.counts().get(interface).copied().unwrap_or_default()
}

/// Lets so many changes of the subscription go well from now on, and then so many fail.
fn fail(world: &World, well: u64, times: u64) {
    let after = asked(world, UPDATE) + well;
    world.cloud.stripe.fault(Fault::DownOnce { interface: UPDATE, after, times });
}

/// Fails unless the plan ends with its period and nothing more is charged.
async fn assert_ends(world: &World, customer: &Customer, id: &str) {
    world.pass(Duration::days(31)).await;
    assert_eq!(world.billing(customer).await["plan"], "free");
    assert_eq!(charged(world, id), 2_000, "who has cancelled is charged no more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_larger_plan_that_fails_leaves_the_smaller_one_to_come() {
    let (world, ada) = shop().await;
    let id = world.buy("pro", &ada, Card::Good).await;
    assert_eq!(world.change("basic", &ada).await.status, 200);
    assert_eq!(world.change("free", &ada).await.status, 200);
    let before = at(&world, &ada).await;
    assert_eq!(before[0], "ending");
    // What was to come is taken back first, and then the raise fails, its repetition too.
    fail(&world, 1, 2);
    assert_problem(&world.change("business", &ada).await, 503, "unavailable");
    assert_eq!(at(&world, &ada).await, before);
    world.cloud.settle().await;
    assert_eq!(at(&world, &ada).await, before);
    assert_eq!(charged(&world, &id), 2_000);
    let raised = world.change("business", &ada).await;
    assert_eq!(raised.status, 200, "{}", raised.text());
    assert_eq!(charged(&world, &id), 10_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_raise_that_was_taken_back_is_not_half_done_by_its_repetition() {
    let (world, ada) = shop().await;
    let id = world.buy("pro", &ada, Card::Good).await;
    assert_eq!(world.change("basic", &ada).await.status, 200);
    let before = at(&world, &ada).await;
    fail(&world, 1, 2);
    let raise = || world.post_as(PLAN, "business", &ada, "raise-1");
    assert_problem(&raise().await, 503, "unavailable");
    world.cloud.settle().await;
    // The keys of its parts are used up at Stripe: it would credit the smaller plan's price.
    assert_problem(&raise().await, 409, "conflict");
    assert_eq!((at(&world, &ada).await, charged(&world, &id)), (before, 2_000));
    let raised = world.post_as(PLAN, "business", &ada, "raise-2").await;
    assert_eq!(raised.status, 200, "{}", raised.text());
    assert_eq!(charged(&world, &id), 10_000);
}

/// A subscription whose smaller plan to come was taken back for a raise that was left at that, as if it were killed: not
/// even what was to come again has reached Stripe.
async fn left_halfway(ends: bool) -> (World, Customer, String, [Value; 3]) {
    let (world, ada) = shop().await;
    let id = world.buy("pro", &ada, Card::Good).await;
    assert_eq!(world.change("basic", &ada).await.status, 200);
    if ends {
        assert_eq!(world.change("free", &ada).await.status, 200);
    }
    let before = at(&world, &ada).await;
    fail(&world, 1, 3);
    let raised = world.post_as(PLAN, "business", &ada, "raise-1").await;
    assert_problem(&raised, 503, "unavailable");
    world.cloud.settle().await;
    assert_eq!(at(&world, &ada).await, [json!("active"), json!("pro"), Value::Null]);
    (world, ada, id, before)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_raise_that_was_left_halfway_is_gone_on_with_by_the_next_one() {
    for ends in [false, true] {
        let (world, ada, id, before) = left_halfway(ends).await;
        // It knows what was to come: a card that is declined leaves it to come.
        world.cloud.stripe.set_card(&id, Card::FailsLater).expect("set");
        let raised = world.post_as(PLAN, "business", &ada, "raise-2").await;
        assert_problem(&raised, 402, "card-declined");
        world.cloud.settle().await;
        assert_eq!(at(&world, &ada).await, before);
        world.cloud.stripe.set_card(&id, Card::Good).expect("set");
        let raised = world.post_as(PLAN, "business", &ada, "raise-3").await;
        assert_eq!(raised.status, 200, "{}", raised.text());
        assert_eq!(charged(&world, &id), 10_000);
        assert_eq!(at(&world, &ada).await, [json!("active"), json!("business"), Value::Null]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_raise_that_was_left_halfway_has_taken_back_comes_again() {
    for ends in [false, true] {
        let (world, ada, id, before) = left_halfway(ends).await;
        // One that may still be at it is left alone.
        assert_eq!(world.run_job(RECONCILE).await["left"], 0);
        assert_eq!(at(&world, &ada).await[2], Value::Null);
        world.wait(Duration::days(1));
        let run = world.run_job(RECONCILE).await;
        assert_eq!(
            (&run["failed"], &run["left"], &run["differing"]),
            (&json!(0), &json!(0), &json!([]))
        );
        assert_eq!(at(&world, &ada).await, before);
        // Once: the customer's own change after that stands.
        assert_eq!(world.change("pro", &ada).await.status, 200);
        world.wait(Duration::days(1));
        world.run_job(RECONCILE).await;
        assert_eq!(at(&world, &ada).await, [json!("active"), json!("pro"), Value::Null]);
        assert_eq!(charged(&world, &id), 2_000);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_that_was_to_come_is_not_lost_where_only_the_calls_after_the_price_fail() {
    let (world, ada) = shop().await;
    let id = world.buy("pro", &ada, Card::Good).await;
    assert_eq!(world.change("basic", &ada).await.status, 200);
    assert_eq!(world.change("free", &ada).await.status, 200);
    let before = at(&world, &ada).await;
    assert_eq!(before[0], "ending");
    world.cloud.stripe.set_card(&id, Card::FailsLater).expect("set");
    // What was to come is taken back, the raise is declined, the smaller price comes again, and then all fails.
    fail(&world, 3, 100);
    let raised = world.post_as(PLAN, "business", &ada, "raise-1").await;
    world.cloud.settle().await;
    world.cloud.stripe.fault(Fault::None);
    assert_eq!(at(&world, &ada).await, before);
    assert_problem(&raised, 402, "card-declined");
    world.cloud.stripe.set_card(&id, Card::Good).expect("set");
    assert_ends(&world, &ada, &id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_that_comes_again_is_not_lost_where_only_the_calls_after_the_price_fail() {
    let (world, ada, id, before) = left_halfway(true).await;
    world.wait(Duration::days(1));
    fail(&world, 1, 100);
    assert_eq!(world.run_job(RECONCILE).await["failed"], 0);
    world.cloud.stripe.fault(Fault::None);
    world.cloud.settle().await;
    assert_eq!(at(&world, &ada).await, before);
    assert_ends(&world, &ada, &id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_raise_that_is_made_while_what_an_earlier_one_took_back_comes_again_stands() {
    let (world, ada, _, _) = left_halfway(false).await;
    world.wait(Duration::days(1));
    // The comparison has read what was left, and waits for the smaller plan's price before it changes anything.
    let interface = "GET /v1/prices";
    let (after, by) = (asked(&world, interface), Real::from_secs(5));
    world.cloud.stripe.fault(Fault::Late { interface, after, times: 1, by });
    let raise = async {
        let begun = async {
            while asked(&world, interface) == after {
                tokio::time::sleep(Real::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Real::from_secs(60), begun).await.expect("the comparison has begun");
        world.post_as(PLAN, "business", &ada, "raise-2").await
    };
    let (run, raised) = join!(world.run_job(RECONCILE), raise);
    assert_eq!(raised.status, 200, "{}", raised.text());
    assert_eq!((&run["failed"], &run["left"]), (&json!(0), &json!(0)), "{run}");
    world.cloud.settle().await;
    assert_eq!(at(&world, &ada).await, [json!("active"), json!("business"), Value::Null]);
}
