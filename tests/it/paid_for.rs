//! What a customer has paid for is what it gets: after a raise, before a renewal is paid, by the year, and where
//! payments are not collected.

use local::standins::stripe::{Card, PauseBehavior};
use serde_json::{Value, json};
use time::Duration;
use vidintel::plans::Plan;

use crate::util::{
    Customer, World, assert_problem,
    purchases::{DECIDE, WORK, account_of, buy, order, subjects},
    rate_limit,
};

const ADA: &str = "ada@example.com";
const RECONCILE: &str = "ReconcileBillingFunction";

/// The period's limit, and how much of it is left, as `GET /v1/usage` says; the fields of an answer say the same.
async fn usage(world: &World, customer: &Customer) -> (u64, u64) {
    // Each event lets the gate ask again, which can cost a lease for a while.
    world.cloud.settle().await;
    let answer = world.video(0, customer).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let left = rate_limit(&answer, "month", 'r');
    let shown = world.get("/v1/usage", customer).await.json();
    let number = |name: &str| shown[name].as_u64().expect("a number");
    let spent = number("used") + number("withheld") + number("remaining");
    assert_eq!(spent, number("limit"), "{shown}");
    assert_eq!(left, number("remaining"), "{shown}");
    (number("limit"), left)
}

async fn subscription(world: &World, customer: &Customer) -> Value {
    world.billing(customer).await["subscription"].take()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_raise_at_the_end_of_a_period_costs_the_whole_plan_and_has_its_whole_quota() {
    let world = World::start().await;
    let ada = world.customer(ADA).await;
    let id = buy(&world, &ada, Plan::Basic, Card::Good).await;
    assert_eq!(usage(&world, &ada).await, (1_000, 999));
    world.pass(Duration::days(30) - Duration::minutes(200)).await;
    let raised = world.change("business", &ada).await;
    assert_eq!(raised.status, 200, "{}", raised.text());
    // What is left of 5 dollars after all but 200 of 43,200 minutes is 2 cents.
    assert_eq!(world.cloud.stripe.totals(&id).charged, 500 + 10_000 - 2);
    assert_eq!(usage(&world, &ada).await, (100_000, 99_999));
    let view = subscription(&world, &ada).await;
    assert_eq!(view["period_start"], "2026-12-24T08:40:00Z");
    assert_eq!((&view["requests"], &view["is_paid"]), (&json!(100_000), &json!(true)));
    // The smaller one comes a month later, not at the end of the period before.
    assert_eq!(world.change("basic", &ada).await.status, 200);
    world.pass(Duration::days(30)).await;
    assert_eq!(subscription(&world, &ada).await["plan"], "business");
    world.pass(Duration::days(1) + Duration::hours(2)).await;
    assert_eq!(usage(&world, &ada).await.0, 1_000);
    assert_eq!(world.cloud.stripe.totals(&id).charged, 500 + 10_000 - 2 + 500);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_larger_plan_credits_nothing_that_is_not_paid() {
    let world = World::start().await;
    let ada = world.customer(ADA).await;
    let id = buy(&world, &ada, Plan::Pro, Card::Good).await;
    // The renewal is a draft for an hour.
    world.pass(Duration::days(30) + Duration::minutes(10)).await;
    let refused = world.change("business", &ada).await;
    assert_problem(&refused, 409, "conflict");
    assert!(refused.text().contains("not paid yet"), "{}", refused.text());
    // A smaller one, the way back and the end cost nothing.
    for plan in ["basic", "pro", "free", "pro"] {
        assert_eq!(world.change(plan, &ada).await.status, 200, "{plan}");
    }
    world.pass(Duration::hours(2)).await;
    assert_eq!(world.cloud.stripe.totals(&id).charged, 2 * 2_000);
    // Now the bank takes it back.
    let charge = world.cloud.stripe.charges(&id).last().expect("a payment").id.clone();
    world.cloud.stripe.dispute(&charge).expect("disputed");
    world.cloud.settle().await;
    assert_problem(&world.change("business", &ada).await, 409, "conflict");
    assert_eq!(world.cloud.stripe.totals(&id).charged, 2 * 2_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_larger_plan_is_had_once_the_renewal_is_paid() {
    let world = World::start().await;
    let ada = world.customer(ADA).await;
    let id = buy(&world, &ada, Plan::Pro, Card::Good).await;
    world.pass(Duration::days(30) + Duration::hours(2)).await;
    assert_eq!(world.change("business", &ada).await.status, 200);
    // The whole price less what is left of the renewal that was paid.
    let charged = world.cloud.stripe.totals(&id).charged;
    assert!((2_000 + 10_000..2_000 + 10_010).contains(&charged), "{charged}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_that_is_not_paid_has_the_share_of_the_grace_and_the_rest_with_the_payment() {
    let world = World::start().await;
    let ada = world.customer(ADA).await;
    let id = buy(&world, &ada, Plan::Pro, Card::FailsLater).await;
    assert_eq!(usage(&world, &ada).await, (10_000, 9_999));
    // 14 of the 31 days from Christmas Eve: from the first second, before Stripe has tried to charge.
    world.pass(Duration::days(30)).await;
    assert_eq!(usage(&world, &ada).await, (4_516, 4_515));
    world.pass(Duration::minutes(61)).await;
    assert_eq!(usage(&world, &ada).await, (4_516, 4_514));
    let view = subscription(&world, &ada).await;
    assert_eq!(
        (&view["status"], &view["requests"], &view["is_paid"]),
        (&json!("past_due"), &json!(4_516), &json!(false))
    );
    let page = view["pay_url"].as_str().expect("a page").to_owned();
    world.run_job(WORK).await;
    let mail = world.cloud.ses.mails().pop().expect("a mail");
    let text = mail.text.expect("a text part");
    assert!(text.contains(&page) && text.contains("4516 requests"), "{text}");
    world.cloud.stripe.set_card(&id, Card::Good).expect("set");
    world.pass(Duration::days(3)).await;
    assert_eq!(usage(&world, &ada).await, (10_000, 9_997));
    let view = subscription(&world, &ada).await;
    assert_eq!((&view["is_paid"], &view["pay_url"]), (&json!(true), &Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_the_bank_takes_back_has_paid_for_nothing() {
    let world = World::start().await;
    let ada = world.customer(ADA).await;
    let id = buy(&world, &ada, Plan::Pro, Card::Good).await;
    let charge = world.cloud.stripe.charges(&id)[0].id.clone();
    let dispute = world.cloud.stripe.dispute(&charge).expect("disputed");
    assert_eq!(usage(&world, &ada).await.0, 10_000 * 14 / 30);
    world.cloud.stripe.close_dispute(&dispute, true).expect("won");
    assert_eq!(usage(&world, &ada).await.0, 10_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_collected_ends_with_what_was_paid_for_and_is_told_to_the_operator() {
    for behavior in
        [PauseBehavior::Void, PauseBehavior::MarkUncollectible, PauseBehavior::KeepAsDraft]
    {
        let world = World::start().await;
        let ada = world.customer(ADA).await;
        let id = buy(&world, &ada, Plan::Pro, Card::Good).await;
        world.run_job(WORK).await;
        let bought = world.cloud.stripe.subscriptions(&id)[0].id.clone();
        world.cloud.stripe.pause_collection(&bought, Some(behavior)).expect("paused");
        assert_eq!(usage(&world, &ada).await.0, 10_000, "{behavior:?}");
        let view = subscription(&world, &ada).await;
        assert_eq!(view["ends_at"], "2026-12-24T12:00:00Z", "{behavior:?}");
        let flags = order(&world, DECIDE, &json!({})).await.expect("the queue");
        assert_eq!(flags["flags"][0]["sign"], "collection-paused", "{flags}");
        let run = world.run_job(RECONCILE).await;
        assert_eq!(run["differences"]["collection-paused"], 1, "{run}");
        assert_problem(&world.change("business", &ada).await, 409, "conflict");

        world.pass(Duration::days(30) + Duration::hours(2)).await;
        assert_eq!(usage(&world, &ada).await.0, 50, "{behavior:?}");
        assert_eq!(world.cloud.stripe.totals(&id).charged, 2_000);
        assert_problem(&world.change("pro", &ada).await, 409, "conflict");
        world.run_job(WORK).await;
        let told = subjects(&world, ADA);
        assert!(
            !told.iter().any(|it| it.contains("withdrawn") || it.contains("ended")),
            "{told:?}"
        );

        world.cloud.stripe.pause_collection(&bought, None).expect("goes on");
        world.pass(Duration::days(31)).await;
        assert_eq!(usage(&world, &ada).await.0, 10_000, "{behavior:?}");
        assert_eq!(world.cloud.stripe.totals(&id).charged, 4_000);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_year_that_is_paid_at_once_has_a_quota_each_month() {
    let world = World::start().await;
    let ada = world.customer(ADA).await;
    let id = buy(&world, &ada, Plan::Pro, Card::Good).await;
    let bought = world.cloud.stripe.subscriptions(&id)[0].id.clone();
    world.cloud.stripe.move_to_price(&bought, 20_000, true).expect("moved");
    assert_eq!(usage(&world, &ada).await, (10_000, 9_999));
    let view = subscription(&world, &ada).await;
    assert_eq!(view["period_end"], "2026-12-24T12:00:00Z");
    world.pass(Duration::days(200)).await;
    assert_eq!(usage(&world, &ada).await, (10_000, 9_999));
    let shown = world.get("/v1/usage", &ada).await.json();
    assert_eq!(shown["period_start"], "2027-05-24T12:00:00Z", "{shown}");
    // A change would begin a month at once: that is for a person to arrange. The end is not.
    for plan in ["basic", "business"] {
        assert_problem(&world.change(plan, &ada).await, 409, "conflict");
    }
    let ending = world.change("free", &ada).await;
    assert_eq!(ending.status, 200, "{}", ending.text());
    assert_eq!(ending.json()["ends_at"], "2027-11-24T12:00:00Z");
    assert_eq!(world.cloud.stripe.totals(&id).charged, 22_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_a_smaller_plan_back_keeps_the_price_that_it_was_bought_at() {
    let world = World::start().await;
    let ada = world.customer(ADA).await;
    let id = buy(&world, &ada, Plan::Pro, Card::Good).await;
    let bought = world.cloud.stripe.subscriptions(&id)[0].id.clone();
    // The price has risen since.
    let old = world.cloud.stripe.move_to_price(&bought, 1_500, false).expect("moved");
    world.cloud.settle().await;
    let price = || world.cloud.stripe.subscriptions(&id)[0].price.clone();
    let change = async |plan: &str, status: u16| {
        let answer = world.change(plan, &ada).await;
        assert_eq!(answer.status, status, "{plan}: {}", answer.text());
    };
    change("basic", 200).await;
    let basic = price();
    assert_ne!(basic, old);
    change("pro", 200).await;
    assert_eq!(price(), old);
    // A raise that fails leaves the smaller plan to come, at its own price, and the old one to go back to.
    change("basic", 200).await;
    world.cloud.stripe.set_card(&id, Card::FailsLater).expect("set");
    change("business", 402).await;
    assert_eq!(price(), basic);
    let account = account_of(&world, &ada).await;
    assert_eq!(account.subscription.expect("one").next_plan, Some(Plan::Basic));
    change("pro", 200).await;
    assert_eq!(price(), old);
    // And one that does not fail credits what was paid.
    change("basic", 200).await;
    world.cloud.stripe.set_card(&id, Card::Good).expect("set");
    world.pass(Duration::days(15)).await;
    change("business", 200).await;
    assert_eq!(world.cloud.stripe.totals(&id).charged, 2_000 + 10_000 - 750);
}
