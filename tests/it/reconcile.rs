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

/// Runs the next day's pass.
async fn run_next_day(world: &World) -> Value {
    world.wait(Duration::days(1));
    world.run_job(JOB).await
}

/// Runs the job; it names `wrong` and nobody else, and mends everything.
async fn assert_mended(world: &World, wrong: &Customer, kinds: Value) {
    let run = run_next_day(world).await;
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
    let run = run_next_day(world).await;
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
    let run = run_next_day(&world).await;
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
        let run = run_next_day(&world).await;
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
        "UpdateExpression": "SET subscription.#plan = :plan, subscription.anchor = :zero",
        "ExpressionAttributeNames": { "#plan": "plan" },
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
    let run = run_next_day(&world).await;
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
    assert_eq!((run.accounts, run.complete), (0, true), "once a day");
    let run = reconcile(&app, now + Duration::days(1), far_away()).await.expect("it runs");
    assert_eq!((run.accounts, run.complete), (5, true), "from the beginning again");
    assert_eq!(run.differing.len() as u64, left);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_is_gone_on_with_where_the_last_run_stopped_in_it() {
    let world = unheard().await;
    let app = app_of(&world.cloud, world.cloud.redis.direct_url());
    for n in 0..6 {
        bought(&world, &format!("customer{n}@example.com"), true).await;
    }
    // As a run leaves it that had time for one account of the first part, and of nothing else.
    let now = world.cloud.clock.now();
    let (mut skipped, mut day) = (0, now);
    for part in 0..64 {
        day += Duration::days(1);
        let place = json!({
            "name": { "S": "reconcile-billing" }, "done_to": { "N": part.to_string() },
            "offset": { "N": "1" }, "began_at": { "N": day.unix_timestamp().to_string() },
        });
        plant(&world.cloud, Table::Jobs, &place).await;
        let from_there = reconcile(&app, day, far_away()).await.expect("it runs");
        let place = json!({
            "name": { "S": "reconcile-billing" }, "done_to": { "N": part.to_string() },
            "began_at": { "N": day.unix_timestamp().to_string() },
        });
        plant(&world.cloud, Table::Jobs, &place).await;
        let whole = reconcile(&app, day, far_away()).await.expect("it runs");
        assert!(from_there.complete && whole.complete);
        let less = whole.accounts - from_there.accounts;
        assert!(less <= 1, "{less} of part {part}");
        skipped += less;
        if skipped > 0 && part > 20 {
            break;
        }
    }
    assert!(skipped > 0, "no part has an account");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_age_of_the_last_whole_pass_is_told() {
    let world = unheard().await;
    let app = app_of(&world.cloud, world.cloud.redis.direct_url());
    let (now, age) = (world.cloud.clock.now(), |hours: u64| hours * 3_600);
    bought(&world, "ada@example.com", true).await;
    let cut = |at| reconcile(&app, at, Instant::now());
    assert_eq!(cut(now).await.expect("it runs").pass_age, 0);
    let run = cut(now + Duration::hours(5)).await.expect("it runs");
    assert_eq!((run.complete, run.pass_age), (false, age(5)), "since the first began");
    let run = reconcile(&app, now + Duration::hours(6), far_away()).await.expect("it runs");
    assert_eq!((run.complete, run.pass_age), (true, 0));
    let run = cut(now + Duration::hours(46)).await.expect("it runs");
    assert_eq!((run.complete, run.pass_age), (false, age(40)));
}
