//! The nightly comparison with Stripe: what events did not tell is found, told of, and mended.

use std::time::Instant;

use local::standins::stripe::Card;
use serde_json::{Value, json};
use time::Duration;
use vidintel::{
    accounts,
    billing::{self, reconcile::reconcile},
    inventory::Table,
    plans::Plan,
};

use crate::util::{
    Customer, World, app_of,
    billing::{buy, open_checkout, unheard},
    far_away,
    plant::{item, plant},
};

const JOB: &str = "ReconcileBillingFunction";

async fn bought(world: &World, email: &str, is_heard_of: bool) -> (Customer, String) {
    let app = app_of(&world.cloud, world.cloud.redis.direct_url());
    let customer = world.customer(email).await;
    let at_stripe = buy(world, &app, &customer, Plan::Pro).await;
    if is_heard_of {
        billing::sync(&app, &at_stripe, world.cloud.clock.now()).await.expect("written down");
    }
    (customer, at_stripe)
}

/// Runs the job; it names `wrong` and nobody else, and mends everything.
async fn assert_mended(world: &World, wrong: &Customer, kinds: Value) {
    let run = world.run_job(JOB).await;
    assert_eq!(run["differences"], kinds, "{run} {}", world.logs(JOB));
    let named = run["differing"].as_array().expect("accounts");
    assert_eq!(named.len(), 1, "{run}");
    assert_eq!(named[0]["account"], wrong.account_id.as_str());
    assert_eq!(
        (&run["left"], &run["failed"], &run["complete"]),
        (&json!(0), &json!(0), &json!(true))
    );
    assert_clean(world, 2).await;
}

async fn assert_clean(world: &World, accounts: u64) {
    let run = world.run_job(JOB).await;
    assert_eq!((&run["accounts"], &run["differences"]), (&json!(accounts), &json!({})), "{run}");
    assert_eq!((&run["left"], &run["complete"]), (&json!(0), &json!(true)), "{run}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_events_did_not_tell_is_found_and_mended() {
    let world = unheard().await;
    world.customer("free@example.com").await;
    bought(&world, "bob@example.com", true).await;
    assert_clean(&world, 1).await;

    let (ada, at_stripe) = bought(&world, "ada@example.com", false).await;
    let first = json!({ "subscription": 1, "record-missing": 1, "money": 1 });
    assert_mended(&world, &ada, first).await;
    let usage = world.get("/v1/usage", &ada).await.json();
    assert_eq!(usage["plan"], "pro", "the gate has heard of it: {usage}");

    let stripe = &world.cloud.stripe;
    stripe.cancel_at_period_end(&at_stripe).expect("cancelled");
    assert_mended(&world, &ada, json!({ "end": 1 })).await;
    let charge = stripe.charges(&at_stripe)[0].id.clone();
    stripe.refund_from_dashboard(&charge, 500).expect("given back");
    assert_mended(&world, &ada, json!({ "record-missing": 1, "money": 1 })).await;
    // Who is gone at Stripe has bought nothing.
    stripe.delete_customer(&at_stripe).expect("deleted");
    let run = world.run_job(JOB).await;
    assert_eq!(run["differences"], json!({ "customer-missing": 1 }), "{run}");
    assert_eq!(run["left"], 0, "{run}");
    assert_eq!(world.get("/v1/usage", &ada).await.json()["plan"], "free");
    assert_clean(&world, 1).await;

    let logs = world.logs(JOB);
    assert!(!logs.contains(&ada.account_id) && !logs.contains("cus_"), "{logs}");
    assert!(logs.contains("BillingCustomerMissing"), "{logs}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_subscription_is_reported_until_it_is_ended() {
    let world = unheard().await;
    let app = app_of(&world.cloud, world.cloud.redis.direct_url());
    let (ada, at_stripe) = bought(&world, "ada@example.com", true).await;
    let (_, session) = open_checkout(&world, &app, &ada, Plan::Basic).await;
    world.cloud.stripe.pay(&session, Card::Good).expect("paid");
    billing::sync(&app, &at_stripe, world.cloud.clock.now()).await.expect("written down");
    for _ in 0..2 {
        let run = world.run_job(JOB).await;
        assert_eq!(run["differences"], json!({ "several-subscriptions": 1 }), "{run}");
        assert_eq!(run["left"], 1, "{run}");
    }
    let bought = world.cloud.stripe.subscriptions(&at_stripe);
    world.cloud.stripe.cancel(&bought[1].id).expect("ended");
    assert_clean(&world, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_changed_here_by_hand_is_set_right() {
    let world = unheard().await;
    let app = app_of(&world.cloud, world.cloud.redis.direct_url());
    let (ada, _) = bought(&world, "ada@example.com", true).await;
    bought(&world, "bob@example.com", true).await;
    let update = json!({
        "TableName": world.cloud.dynamodb.table("accounts"),
        "Key": { "id": { "S": ada.account_id } },
        "UpdateExpression": "SET subscription.plan = :plan, subscription.anchor = :zero",
        "ExpressionAttributeValues": { ":plan": { "S": "business" }, ":zero": { "N": "0" } },
    });
    world.cloud.dynamodb.call("UpdateItem", &update).await.expect("updated");
    assert_mended(&world, &ada, json!({ "plan": 1, "period": 1 })).await;
    let id = ada.account_id.parse().expect("an account");
    let account = accounts::get(&app.store, &id).await.expect("read").expect("an account");
    assert_eq!(account.plan_at(world.cloud.clock.now()), Plan::Pro);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_cannot_be_compared_stops_no_other() {
    let world = unheard().await;
    let (bad, _) = bought(&world, "bad@example.com", true).await;
    for n in 0..4 {
        bought(&world, &format!("other{n}@example.com"), false).await;
    }
    let nonsense = item(
        Table::BillingRecords,
        &bad.account_id,
        1,
        world.cloud.clock.now() - Duration::days(1),
    );
    plant(&world.cloud, Table::BillingRecords, &nonsense).await;
    let run = world.run_job(JOB).await;
    assert_eq!((&run["accounts"], &run["failed"]), (&json!(5), &json!(1)), "{run}");
    assert_eq!(run["differing"].as_array().expect("accounts").len(), 4, "{run}");
    assert_eq!((&run["left"], &run["complete"]), (&json!(0), &json!(true)), "{run}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_without_time_is_gone_on_with() {
    let world = unheard().await;
    let app = app_of(&world.cloud, world.cloud.redis.direct_url());
    for n in 0..5 {
        bought(&world, &format!("customer{n}@example.com"), false).await;
    }
    let now = world.cloud.clock.now();
    let run = reconcile(&app, now, Instant::now()).await.expect("it runs");
    assert_eq!((run.accounts, run.complete), (0, false));
    // As a run leaves it that has come through almost all parts.
    let place = json!({ "name": { "S": "reconcile-billing" }, "done_to": { "N": "63" } });
    plant(&world.cloud, Table::Jobs, &place).await;
    let run = reconcile(&app, now, far_away()).await.expect("it runs");
    assert!(run.accounts < 5 && run.complete, "{run:?}");
    let left = 5 - run.accounts;
    let run = reconcile(&app, now, far_away()).await.expect("it runs");
    assert_eq!((run.accounts, run.complete), (5, true), "from the beginning again");
    assert_eq!(run.differing.len() as u64, left);
}
