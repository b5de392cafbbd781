//! What is mailed after a restore although it happened before, and what of it is told as left out.

use local::standins::stripe::Card;
use serde_json::json;
use time::Duration;
use vidintel::{
    billing::{StripeEvent, events, sync_account},
    plans::Plan,
};

use crate::{
    restore_drill::{REPLAY, restore},
    restore_mail::RECONCILE,
    util::{
        Customer, World,
        billing::{buy, open_checkout, unheard},
        purchases::{WORK, account_of, id_of, library, order, subjects},
    },
};

/// What Stripe says of `customer` is written down.
async fn read_back(world: &World, customer: &Customer, at_stripe: &str) {
    let now = world.cloud.clock.now();
    sync_account(&library(world), &id_of(customer), at_stripe, now).await.expect("read back");
}

async fn close(world: &World) {
    order(world, REPLAY, &json!({ "close": true })).await.expect("closed");
}

async fn open(world: &World) {
    let run = order(world, REPLAY, &json!({})).await.expect("replayed");
    assert_eq!(run["complete"], true, "{run}");
}

/// How many mails to `email` are about `part`.
fn count(world: &World, email: &str, part: &str) -> usize {
    subjects(world, email).iter().filter(|it| it.contains(part)).count()
}

/// An event about the customer `at_stripe` is handled.
async fn hear_of(world: &World, at_stripe: &str, id: &str) {
    let event = StripeEvent {
        id: id.to_owned(),
        kind: "customer.subscription.updated".to_owned(),
        customer: Some(at_stripe.to_owned()),
        charge: None,
        account: None,
    };
    let again = events::handle(&library(world), vec![event], world.cloud.clock.now()).await;
    assert!(again.is_empty());
}

/// Whether what `customer` has bought is known to end.
async fn ends(world: &World, customer: &Customer) -> bool {
    account_of(world, customer).await.subscription.is_some_and(|it| it.ends_at.is_some())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_a_backup_has_undone_is_told_again_by_no_comparison_and_no_event() {
    let mut world = World::start().await;
    world.sell().await;
    let emails = ["ada@example.net", "bob@example.net", "cam@example.net"];
    let mut customers = Vec::new();
    for email in emails {
        let customer = world.customer(email).await;
        let at_stripe = world.buy("basic", &customer, Card::Good).await;
        customers.push((customer, at_stripe));
        world.forget_mails().await;
    }
    assert_eq!(world.run_job(RECONCILE).await["complete"], true);
    world.run_job("GuardRestoresFunction").await;
    world.cloud.dynamodb.remember().await.expect("a backup");
    let at = world.cloud.clock.now().unix_timestamp();
    world.wait(Duration::hours(1));
    for (_, at_stripe) in &customers {
        world.cloud.stripe.cancel_at_period_end(at_stripe).expect("as the portal does");
    }
    world.cloud.settle().await;
    world.run_job(WORK).await;
    world.wait(Duration::hours(1));
    close(&world).await;
    restore(&mut world, at, "-r1").await;

    // A new day has begun: the comparison would look at accounts that are not what they were.
    world.wait(Duration::days(1));
    let run = world.run_job(RECONCILE).await;
    assert_eq!((&run["accounts"], &run["complete"]), (&json!(0), &json!(false)), "{run}");
    hear_of(&world, &customers[0].1, "evt_closed").await;
    open(&world).await;
    hear_of(&world, &customers[1].1, "evt_open").await;
    assert!(ends(&world, &customers[0].0).await && ends(&world, &customers[1].0).await);
    assert!(!ends(&world, &customers[2].0).await);
    world.wait(Duration::minutes(10));
    world.run_job(WORK).await;
    let run = world.run_job(RECONCILE).await;
    assert_eq!((&run["accounts"], &run["complete"]), (&json!(3), &json!(true)), "{run}");
    assert!(ends(&world, &customers[2].0).await);
    world.run_job(WORK).await;
    for email in emails {
        assert_eq!(count(&world, email, "plan ends on"), 1, "{:?}", subjects(&world, email));
    }

    // From here on events tell as ever.
    world.cloud.stripe.keep_after_period_end(&customers[1].1).expect("goes on");
    world.cloud.settle().await;
    world.run_job(WORK).await;
    assert_eq!(count(&world, emails[1], "goes on"), 1, "{:?}", subjects(&world, emails[1]));
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_again_soon_after_an_opening_loses_no_receipt_of_the_first_closure() {
    let world = unheard().await;
    let app = library(&world);
    let (ada, bob) = ("ada@example.net", "bob@example.net");
    let first = world.customer(ada).await;
    let last = world.customer(bob).await;
    let (at_stripe, session) = open_checkout(&world, &app, &first, Plan::Basic).await;
    let (other, later) = open_checkout(&world, &app, &last, Plan::Basic).await;
    close(&world).await;
    world.wait(Duration::hours(2));
    world.cloud.stripe.pay(&session, Card::Good).expect("paid while it is closed");
    world.wait(Duration::hours(2));
    open(&world).await;
    world.wait(Duration::minutes(20));
    close(&world).await;
    world.wait(Duration::hours(3));
    open(&world).await;
    read_back(&world, &first, &at_stripe).await;
    let run = world.run_job(WORK).await;
    assert_eq!(count(&world, ada, "receipt"), 1, "{:?}", subjects(&world, ada));
    assert_eq!(run["skipped"], 0, "{run}");

    // A closing that comes long after is one of its own: what was paid before it was mailed.
    world.cloud.stripe.pay(&later, Card::Good).expect("paid while it is open");
    world.wait(Duration::days(3));
    close(&world).await;
    world.wait(Duration::hours(1));
    open(&world).await;
    read_back(&world, &last, &other).await;
    assert_eq!(world.run_job(WORK).await["skipped"], 1);
    assert_eq!(count(&world, bob, "receipt"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_about_after_an_opening_is_mailed_whenever_it_began_and_what_is_left_out_is_counted()
 {
    let world = unheard().await;
    let app = library(&world);
    let emails = ["ada@example.net", "bob@example.net", "cam@example.net"];
    let mut customers = Vec::new();
    for email in emails {
        let customer = world.customer(email).await;
        let at_stripe = buy(&world, &app, &customer, Plan::Basic).await;
        customers.push((customer, at_stripe));
        world.forget_mails().await;
    }
    let [(ada, ada_at_stripe), (bob, bob_at_stripe), (cam, cam_at_stripe)] = &customers[..] else {
        panic!("three customers");
    };
    read_back(&world, ada, ada_at_stripe).await;
    world.run_job(WORK).await;
    assert_eq!(count(&world, emails[0], "receipt"), 1);
    let charge = world.cloud.stripe.charges(ada_at_stripe)[0].id.clone();
    world.cloud.stripe.refund_from_dashboard(&charge, 100).expect("on its way");
    world.wait(Duration::hours(1));
    close(&world).await;
    world.wait(Duration::hours(1));
    open(&world).await;

    // A refund says when it was made at Stripe, and is written down once it has succeeded. A receipt of then was mailed.
    world.wait(Duration::hours(1));
    read_back(&world, ada, ada_at_stripe).await;
    read_back(&world, bob, bob_at_stripe).await;
    let run = world.run_job(WORK).await;
    assert_eq!(count(&world, emails[0], "refund"), 1, "{:?}", subjects(&world, emails[0]));
    assert_eq!(count(&world, emails[1], "receipt"), 0);
    assert_eq!(run["skipped"], 1, "{run}");
    world.cloud.runtime.settled().await;
    let logs = world.logs(WORK);
    assert!(logs.contains(r#""MailsSkipped":1"#) && logs.contains("#receipt#in_"), "{logs}");
    assert!(!logs.contains("example.net"));

    // What is heard of for the first time days later is no restore's doing.
    world.wait(Duration::days(3));
    read_back(&world, cam, cam_at_stripe).await;
    let run = world.run_job(WORK).await;
    assert_eq!(count(&world, emails[2], "receipt"), 1, "{run}");
    assert_eq!(run["skipped"], 0, "{run}");
}
