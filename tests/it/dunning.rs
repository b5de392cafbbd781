//! Mails about billing, and a payment that fails: told on four days, and on the fourteenth the end.

use std::{pin::pin, time::Duration as Wait};

use local::standins::{
    self,
    stripe::{AfterRetries, Card, Fault, Webhooks},
};
use time::Duration;
use vidintel::{
    billing::{self, MAIL_DAYS, task::Work},
    plans::Plan,
};

use crate::util::{
    Customer, World, advance, far_away,
    purchases::{WORK, account_of, buy, library, plan_of, subjects, tasks_of},
};

const ADA: &str = "ada@example.com";

/// A customer whose card pays for the first month of Pro, and not for the second one: just after that.
async fn overdue(world: &World) -> (Customer, String) {
    let ada = world.customer(ADA).await;
    let at_stripe = buy(world, &ada, Plan::Pro, Card::FailsLater).await;
    world.run_job(WORK).await;
    // Stripe issues the invoice an hour after the period has begun.
    world.pass(Duration::days(30) + Duration::minutes(61)).await;
    assert!(account_of(world, &ada).await.subscription.expect("one").past_due_since.is_some());
    (ada, at_stripe)
}

/// Mails since there were `before`.
fn news(world: &World, before: usize) -> Vec<String> {
    subjects(world, ADA).split_off(before)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purchase_is_receipted_by_mail_once() {
    let world = World::start().await;
    let ada = world.customer(ADA).await;
    let at_stripe = buy(&world, &ada, Plan::Pro, Card::Good).await;
    assert_eq!(plan_of(&world, &ada).await, Plan::Pro);
    world.run_job(WORK).await;
    let invoices = world.cloud.stripe.invoices(&at_stripe);
    let [invoice] = &invoices[..] else { panic!("one invoice: {invoices:?}") };
    let number = invoice.number.as_deref().expect("a number");
    assert_eq!(news(&world, 1), [format!("Your invoice and receipt {number}")]);
    let mail = world.cloud.ses.mails().pop().expect("a mail");
    let text = mail.text.expect("a text part");
    for part in [number, "Plan: Pro.", "Total: $20.00", "2026-11-24 to 2026-12-24"] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    assert!(text.contains(&format!("/v1/billing/invoices/{}", invoice.id)), "{text}");
    assert!(!text.to_lowercase().contains("unsubscribe"), "it belongs to the contract");
    assert!(tasks_of(&world, &ada).await.is_empty());
    world.run_job(WORK).await;
    assert_eq!(subjects(&world, ADA).len(), 2, "sent once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_fails_is_told_four_times_and_ends_the_plan() {
    let world = World::start().await;
    let (ada, at_stripe) = overdue(&world).await;
    let start = subjects(&world, ADA).len();
    let since = account_of(&world, &ada).await.subscription.expect("one").past_due_since;
    let since = since.expect("overdue");
    let at = async |day: i64, seconds: i64| {
        let until = since + day * 86_400 + seconds;
        world.pass(Duration::seconds(until - world.cloud.clock.now().unix_timestamp())).await;
        world.run_job(WORK).await
    };
    world.run_job(WORK).await;
    for (sent, day) in MAIL_DAYS.iter().enumerate().skip(1) {
        at(*day, -1).await;
        assert_eq!(news(&world, start).len(), sent, "before day {day}");
        at(*day, 0).await;
        assert_eq!(news(&world, start).len(), sent + 1, "on day {day}");
        world.run_job(WORK).await;
        assert_eq!(news(&world, start).len(), sent + 1, "once on day {day}");
    }
    assert_eq!(
        news(&world, start),
        [
            "Your payment failed",
            "Your payment is overdue: the Pro plan ends on 2027-01-07",
            "Your payment is overdue: the Pro plan ends on 2027-01-07",
            "Your payment is overdue: the Pro plan ends on 2027-01-07",
        ]
    );
    at(14, -1).await;
    assert_eq!(plan_of(&world, &ada).await, Plan::Pro, "until the last second");
    at(14, 0).await;
    assert_eq!(plan_of(&world, &ada).await, Plan::Free);
    assert!(account_of(&world, &ada).await.subscription.is_none());
    // What the end leads to: a mail, and the withdrawn invoice, which has one of its own.
    world.cloud.settle().await;
    world.run_job(WORK).await;
    world.cloud.settle().await;
    world.run_job(WORK).await;
    let mut told = news(&world, start + 4);
    told.sort();
    assert!(told[0].starts_with("Invoice ") && told[0].ends_with(" was withdrawn"), "{told:?}");
    assert_eq!(told[1..], ["Your plan has ended: no payment"]);
    assert!(tasks_of(&world, &ada).await.is_empty());
    let status = |n: usize| world.cloud.stripe.invoices(&at_stripe)[n].status.clone();
    assert_eq!((status(0).as_str(), status(1).as_str()), ("paid", "void"));
    assert_eq!(world.cloud.stripe.subscriptions(&at_stripe)[0].status, "canceled");
    // A year later nothing more is charged, and nobody is written to.
    world.pass(Duration::days(365)).await;
    world.run_job(WORK).await;
    assert_eq!(news(&world, start).len(), 6);
    assert_eq!(world.cloud.stripe.totals(&at_stripe).charged, 2_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_comes_in_late_ends_the_reminders_and_nothing_else() {
    let world = World::start().await;
    let (ada, at_stripe) = overdue(&world).await;
    world.run_job(WORK).await;
    let before = subjects(&world, ADA).len();
    world.cloud.stripe.set_card(&at_stripe, Card::Good).expect("a card");
    for _ in 0..15 {
        world.pass(Duration::days(1)).await;
        world.run_job(WORK).await;
    }
    let told = news(&world, before);
    assert!(told.iter().any(|it| it.starts_with("Your invoice and receipt")), "{told:?}");
    assert!(!told.iter().any(|it| it.contains("overdue") || it.contains("ended")), "{told:?}");
    assert_eq!(plan_of(&world, &ada).await, Plan::Pro);
    assert!(tasks_of(&world, &ada).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_no_event_has_told_of_is_seen_before_the_end() {
    let world = World::start().await;
    let (ada, at_stripe) = overdue(&world).await;
    let webhooks = world.cloud.stripe.webhooks();
    world.cloud.stripe.set_webhooks(Webhooks::default());
    world.cloud.stripe.set_card(&at_stripe, Card::Good).expect("a card");
    world.pass(Duration::days(15)).await;
    world.run_job(WORK).await;
    let subscription = account_of(&world, &ada).await.subscription.expect("it goes on");
    assert_eq!(subscription.past_due_since, None);
    assert_eq!(world.cloud.stripe.subscriptions(&at_stripe)[0].status, "active");
    world.cloud.stripe.set_webhooks(webhooks);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stripe_gives_up_itself_ends_too() {
    for after in [AfterRetries::Cancel, AfterRetries::MarkUnpaid] {
        let world = World::start().await;
        world.cloud.stripe.set_after_retries(after);
        let (ada, at_stripe) = overdue(&world).await;
        // The last retry comes after our own end; without the job nobody has ended it.
        world.pass(Duration::days(16)).await;
        assert_eq!(plan_of(&world, &ada).await, Plan::Free, "{after:?}");
        for _ in 0..3 {
            world.run_job(WORK).await;
            world.cloud.settle().await;
        }
        let told = subjects(&world, ADA);
        let ends = told.iter().filter(|it| **it == "Your plan has ended: no payment").count();
        assert_eq!(ends, 1, "{after:?}: {told:?}");
        assert_eq!(world.cloud.stripe.subscriptions(&at_stripe)[0].status, "canceled");
        assert_eq!(world.cloud.stripe.invoices(&at_stripe)[1].status, "void", "{after:?}");
        assert!(tasks_of(&world, &ada).await.is_empty(), "{after:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_anywhere_the_end_comes_all_the_same() {
    let world = World::start().await;
    let (ada, at_stripe) = overdue(&world).await;
    world.pass(Duration::days(15)).await;
    let app = library(&world);
    let mut points = 1;
    loop {
        let now = world.cloud.clock.now();
        if advance(pin!(billing::work(&app, now, far_away())), points).await.is_some() {
            break;
        }
        points += 7;
        // What Stripe tells of it is handled, and whoever was killed keeps no mail to itself any more.
        world.cloud.settle().await;
        world.wait(Duration::minutes(6));
    }
    for _ in 0..3 {
        world.cloud.settle().await;
        world.wait(Duration::minutes(6));
        world.run_job(WORK).await;
    }
    let told = subjects(&world, ADA);
    assert!(told.iter().any(|it| it == "Your plan has ended: no payment"), "{told:?}");
    assert_eq!(plan_of(&world, &ada).await, Plan::Free);
    assert_eq!(world.cloud.stripe.invoices(&at_stripe)[1].status, "void");
    assert!(tasks_of(&world, &ada).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_is_tried_again_later_and_stops_no_other() {
    let world = World::start().await;
    let ada = world.customer(ADA).await;
    world.cloud.ses.fault(standins::Fault::Down);
    // Whoever handles the event tries first.
    buy(&world, &ada, Plan::Basic, Card::Good).await;
    world.wait(Duration::minutes(10));
    for round in 2..=3_i64 {
        let report = world.run_job(WORK).await;
        assert_eq!((&report["failed"], &report["done"]), (&1.into(), &0.into()), "{report}");
        assert_eq!(report["stuck"], i64::from(round == 3), "{report}");
        // Not before its pause is over.
        let report = world.run_job(WORK).await;
        assert_eq!((&report["failed"], &report["done"]), (&0.into(), &0.into()), "{report}");
        world.wait(Duration::minutes(5) * 2_i32.pow(u32::try_from(round).expect("small")));
    }
    world.cloud.ses.fault(standins::Fault::None);
    let report = world.run_job(WORK).await;
    assert_eq!(report["done"], 1, "{report}");
    assert_eq!(subjects(&world, ADA).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_who_is_gone_is_written_to() {
    let world = World::start().await;
    let ada = world.customer(ADA).await;
    world.cloud.ses.fault(standins::Fault::Down);
    buy(&world, &ada, Plan::Basic, Card::Good).await;
    world.cloud.ses.fault(standins::Fault::None);
    world.wait(Duration::minutes(10));
    let gone = serde_json::json!({
        "TableName": world.cloud.dynamodb.table("accounts"),
        "Key": { "id": { "S": ada.account_id } },
        "UpdateExpression": "SET #status = :status",
        "ExpressionAttributeNames": { "#status": "status" },
        "ExpressionAttributeValues": { ":status": { "S": "erasing" } },
    });
    world.cloud.dynamodb.call("UpdateItem", &gone).await.expect("updated");
    let tasks = tasks_of(&world, &ada).await;
    assert!(
        matches!(tasks[..], [ref it] if matches!(it.work, Work::RecordMail { .. })),
        "{tasks:?}"
    );
    world.run_job(WORK).await;
    assert!(tasks_of(&world, &ada).await.is_empty());
    assert_eq!(subjects(&world, ADA).len(), 1, "the confirmation only");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_never_comes_from_stripe_does_not_hold_the_job_up() {
    let world = World::start().await;
    let (ada, _) = overdue(&world).await;
    world.pass(Duration::days(15)).await;
    world.cloud.stripe.fault(Fault::Down);
    let run = tokio::time::timeout(Wait::from_secs(120), world.run_job(WORK));
    let report = run.await.expect("it comes to an end");
    assert_eq!(report["failed"], 1, "{report}");
    world.cloud.stripe.fault(Fault::None);
    assert_eq!(plan_of(&world, &ada).await, Plan::Free, "the grace is over, whatever Stripe says");
    world.wait(Duration::minutes(10));
    for _ in 0..3 {
        world.run_job(WORK).await;
        world.cloud.settle().await;
    }
    assert!(tasks_of(&world, &ada).await.is_empty());
}
