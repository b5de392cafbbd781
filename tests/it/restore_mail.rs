//! Mail and a restore from a backup: what was mailed before is not mailed again, and what SES has told stands.

use local::standins::{ses::Fate, stripe::Card};
use serde_json::json;
use time::Duration;
use vidintel::{mail::Why, plans::Plan};

use crate::{
    recovery::RECOVER,
    restore_drill::{REPLAY, restore},
    status::SET,
    util::{
        Customer, World,
        purchases::{DECIDE, WORK, account_of, buy, order, plan_of, tasks_of},
    },
};

pub(crate) const RECONCILE: &str = "ReconcileBillingFunction";

async fn signed_up(world: &World, name: &str) -> Customer {
    world.forget_mails().await;
    world.customer(&address(name)).await
}

fn address(name: &str) -> String {
    format!("{name}@example.net")
}

/// Everything about billing that is due is mailed.
async fn mail_what_is_due(world: &World) {
    for _ in 0..2 {
        world.cloud.settle().await;
        world.run_job(WORK).await;
    }
}

/// Whom mails went to since there were `before`, and about what, in no order.
fn news(world: &World, before: usize) -> Vec<(String, String)> {
    let mails = world.cloud.ses.mails().split_off(before);
    let mut news: Vec<_> = mails.into_iter().map(|it| (it.to[0].clone(), it.subject)).collect();
    news.sort();
    news
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_mailed_before_a_restore_is_not_mailed_again() {
    let mut world = World::start().await;
    let oda = signed_up(&world, "oda").await;
    buy(&world, &oda, Plan::Pro, Card::FailsLater).await;
    let len = signed_up(&world, "len").await;
    let at_stripe = buy(&world, &len, Plan::Basic, Card::Good).await;
    let kim = signed_up(&world, "kim").await;
    buy(&world, &kim, Plan::Basic, Card::Good).await;
    world.pass(Duration::days(2)).await;
    let eve = signed_up(&world, "eve").await;
    buy(&world, &eve, Plan::Basic, Card::Good).await;
    let pat = signed_up(&world, "pat").await;
    mail_what_is_due(&world).await;
    world.pass(Duration::days(20)).await;
    world.run_job("GuardRestoresFunction").await;
    world.cloud.dynamodb.remember().await.expect("a backup");
    let at = world.cloud.clock.now().unix_timestamp();

    // What happens between that point in time and the closing, each with its mail.
    world.pass(Duration::hours(1)).await;
    assert_eq!(world.change("free", &kim).await.status, 200);
    let subscription = world.cloud.stripe.subscriptions(&at_stripe)[0].id.clone();
    world.cloud.stripe.cancel(&subscription).expect("ended");
    buy(&world, &pat, Plan::Pro, Card::Good).await;
    mail_what_is_due(&world).await;
    world.pass(Duration::days(8) + Duration::hours(2)).await;
    mail_what_is_due(&world).await;
    let told = news(&world, 0);
    let is_told =
        |name: &str, part: &str| told.iter().any(|it| it.0 == address(name) && it.1.contains(part));
    for (name, part) in [
        ("kim", "plan ends on"),
        ("len", "Your plan has ended"),
        ("pat", "invoice and receipt"),
        ("oda", "Your payment failed"),
    ] {
        assert!(is_told(name, part), "{name} {part}: {told:?}");
    }
    world.wait(Duration::minutes(30));
    order(&world, REPLAY, &json!({ "close": true })).await.expect("closed");
    let before = world.cloud.ses.mails().len();

    // While it is closed Stripe goes on: a renewal is paid.
    world.pass(Duration::days(2)).await;
    mail_what_is_due(&world).await;
    order(&world, REPLAY, &json!({ "close": true })).await.expect("closed once more");
    restore(&mut world, at, "-r1").await;
    world.wait(Duration::minutes(1));
    let run = order(&world, REPLAY, &json!({})).await.expect("replayed");
    assert_eq!(run["complete"], true, "{run}");
    let restored = account_of(&world, &pat).await;
    assert!(restored.subscription.is_none(), "the backup knows of none");
    assert!(restored.customer.is_some(), "but by this what was bought for the first time is found");

    let run = world.run_job(RECONCILE).await;
    let differing = run["differing"].as_array().expect("accounts").len();
    assert_eq!((differing, &run["left"]), (5, &json!(0)), "{run}");
    mail_what_is_due(&world).await;
    assert_eq!(plan_of(&world, &pat).await, Plan::Pro);
    let told = news(&world, before);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].0 == address("eve") && told[0].1.contains("receipt"), "{told:?}");
    for customer in [&len, &kim, &eve, &pat] {
        assert!(tasks_of(&world, customer).await.is_empty());
    }

    // From here on all is mailed as ever: the next reminder, and a change.
    world.pass(Duration::days(3)).await;
    assert_eq!(world.change("business", &pat).await.status, 200);
    mail_what_is_due(&world).await;
    let told = news(&world, before + 1);
    for (name, part) in
        [("oda", "overdue"), ("pat", "Your plan is Business now"), ("pat", "receipt")]
    {
        let is_it = |it: &(String, String)| it.0 == address(name) && it.1.contains(part);
        assert_eq!(told.iter().filter(|it| is_it(it)).count(), 1, "{name} {part}: {told:?}");
    }
}

/// Why mail to `customer` is stopped.
async fn stopped(world: &World, customer: &Customer) -> Option<Why> {
    account_of(world, customer).await.mail_stopped.map(|it| it.why)
}

/// Whose receipts wait for the operator because they did not arrive.
async fn undelivered(world: &World) -> Vec<String> {
    let waiting = order(world, DECIDE, &json!({})).await.expect("the queue");
    let flags = waiting["flags"].as_array().expect("flags").iter();
    let flags = flags.filter(|it| it["sign"] == "undelivered");
    let mut whose: Vec<_> =
        flags.map(|it| it["account"].as_str().expect("an account").to_owned()).collect();
    whose.sort();
    whose
}

/// Sends `customer` a mail that the law demands, of which this becomes.
async fn write_to(world: &World, name: &str, customer: &Customer, fate: Fate) {
    world.cloud.ses.fate(&address(name), fate);
    for status in ["suspended", "active"] {
        let to = json!({ "account": customer.account_id, "status": status, "reason": "file 1" });
        order(world, SET, &to).await.expect("set");
    }
    world.cloud.settle().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_told_of_addresses_and_receipts_survives_a_restore() {
    let mut world = World::start().await;
    let (mia, nia) = (signed_up(&world, "mia").await, signed_up(&world, "nia").await);
    let pat = signed_up(&world, "pat").await;
    world.wait(Duration::hours(1));
    write_to(&world, "nia", &nia, Fate::HardBounce).await;
    assert_eq!(stopped(&world, &nia).await, Some(Why::Bounce));
    world.run_job("GuardRestoresFunction").await;
    world.cloud.dynamodb.remember().await.expect("a backup");
    let at = world.cloud.clock.now().unix_timestamp();

    world.wait(Duration::hours(1));
    write_to(&world, "mia", &mia, Fate::Complaint).await;
    assert_eq!(stopped(&world, &mia).await, Some(Why::Complaint));
    world.cloud.ses.fate(&address("nia"), Fate::Arrives);
    world.forget_mails().await;
    let token = world.ask_for_token(&address("nia")).await;
    let body = json!({ "token": token });
    assert_eq!(world.send(world.cloud.client().post(RECOVER, &body)).await.status, 201);
    assert_eq!(stopped(&world, &nia).await, None);
    buy(&world, &pat, Plan::Basic, Card::Good).await;
    let receipt = world.cloud.ses.mails().pop().expect("a mail");
    // Given up by SES: it waits for the operator.
    world.cloud.ses.fate(&address("mia"), Fate::SoftBounce);
    buy(&world, &mia, Plan::Basic, Card::Good).await;
    world.cloud.settle().await;
    assert_eq!(undelivered(&world).await, [mia.account_id.as_str()]);
    assert!(receipt.subject.contains("receipt"), "{}", receipt.subject);

    // What SES tells while the service is closed waits until it is open: here it would be noted in tables that are
    // put aside.
    world.wait(Duration::hours(1));
    order(&world, REPLAY, &json!({ "close": true })).await.expect("closed");
    world.cloud.ses.report(&receipt.id, Fate::HardBounce);
    world.cloud.settle().await;
    assert_eq!(stopped(&world, &pat).await, None);
    let dead = |world: &World| world.cloud.sqs.dead("MailEventsQueue").expect("a queue").len();
    assert_eq!(dead(&world), 1);
    restore(&mut world, at, "-r1").await;
    assert_eq!(stopped(&world, &mia).await, None, "the backup does not know of it");
    assert_eq!(stopped(&world, &nia).await, Some(Why::Bounce), "nor of that");
    let run = order(&world, REPLAY, &json!({})).await.expect("replayed");
    // Two addresses, two customers at Stripe, one sign for the operator.
    assert_eq!((&run["complete"], &run["acts"]), (&json!(true), &json!(5)), "{run}");
    assert_eq!(undelivered(&world).await, [mia.account_id.as_str()]);
    assert_eq!(stopped(&world, &mia).await, Some(Why::Complaint));
    assert_eq!(stopped(&world, &nia).await, None);
    world.cloud.sqs.redrive("MailEventsDeadLetters").expect("redriven");
    world.cloud.settle().await;
    assert_eq!(stopped(&world, &pat).await, Some(Why::Bounce));
    assert_eq!(dead(&world), 0);
    let mut both = [mia.account_id.as_str(), pat.account_id.as_str()];
    both.sort_unstable();
    assert_eq!(undelivered(&world).await, both);
    // Once more changes nothing.
    let again = order(&world, REPLAY, &json!({})).await.expect("replayed");
    assert_eq!(again["acts"], 0, "{again}");
}
