//! Stripe's events: whatever is forged is refused, and whatever order the others come in, however often, and
//! whatever dies meanwhile, it comes to the same.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration as Wait,
};

use futures_util::{StreamExt, stream};
use http::Method;
use local::{
    redis,
    standins::stripe::{EventView, Fault, WEBHOOK_SECRET, Webhooks},
};
use serde_json::Value;
use vidintel::inventory::Table;

use crate::util::{
    World, app_of, assert_problem,
    lives::{Chance, Lives},
    stored::all_of,
};

const PATH: &str = "/webhooks/stripe";
const QUEUE: &str = "BillingEventsQueue";
const DEAD: &str = "BillingEventsDeadLetters";
const WORKER: &str = "ProcessBillingEventsFunction";

/// Posts an event as Stripe does; the status of the answer.
async fn post(world: &World, payload: &str, secrets: &[&str]) -> u16 {
    let secrets: Vec<String> = secrets.iter().map(|it| (*it).to_owned()).collect();
    let signature = world.cloud.stripe.sign(payload, &secrets);
    post_signed(world, payload, &signature).await.status.as_u16()
}

async fn post_signed(world: &World, payload: &str, signature: &str) -> local::http::Response {
    let client = world.cloud.client();
    let request = client.request(Method::POST, PATH).body("application/json", payload.to_owned());
    world.send(request.header("stripe-signature", signature)).await
}

/// Events go nowhere by themselves: the test sends them.
fn hold_back(world: &World) {
    world.cloud.stripe.set_webhooks(Webhooks::default());
}

/// What is left of each account's billing: what it is entitled to, what was recorded, what there is to do.
/// Without Stripe's numbers: they are not the same in two worlds.
async fn outcome(world: &World) -> BTreeMap<&'static str, Vec<String>> {
    let keep = |item: &Value, names: &[&str]| -> String {
        names.iter().map(|name| format!("{name}={} ", item[*name])).collect()
    };
    let mut accounts = all_of(world, Table::Accounts).await;
    for it in &mut accounts {
        if let Some(subscription) = it["subscription"].as_object_mut() {
            subscription.remove("id");
            // Its address names the invoice.
            if let Some(page) = subscription.get_mut("pay_page") {
                *page = true.into();
            }
        }
    }
    let records = all_of(world, Table::BillingRecords).await;
    let facts =
        ["account", "kind", "issued_at", "amount_cents", "tax_cents", "currency", "lines", "email"];
    // Mails are sent once a change was seen: who saw fewer states in between has written fewer.
    let tasks = all_of(world, Table::BillingTasks).await;
    let lasting =
        tasks.iter().filter(|it| ["dunning", "flag"].iter().any(|kind| it["kind"] == *kind));
    let lasting = lasting.filter(|it| it["sign"] != "several-subscriptions");
    let mut outcome = BTreeMap::from([
        ("accounts", accounts.iter().map(|it| keep(it, &["id", "subscription"])).collect()),
        ("records", records.iter().map(|it| keep(it, &facts)).collect()),
        ("tasks", lasting.map(|it| keep(it, &["account", "kind", "queue", "since"])).collect()),
    ]);
    outcome.values_mut().for_each(|it: &mut Vec<String>| it.sort());
    outcome
}

/// The records of each account come to the money that Stripe has of it.
async fn assert_sums(world: &World, lives: &Lives) {
    let records = all_of(world, Table::BillingRecords).await;
    for (account, customer) in lives.accounts.iter().zip(&lives.customers) {
        let own = records.iter().filter(|it| it["account"] == account.to_string());
        let sum = |kind: &str| -> i64 {
            let of_kind = own.clone().filter(|it| it["kind"] == kind);
            of_kind.map(|it| it["amount_cents"].as_i64().expect("whole cents")).sum()
        };
        let totals = world.cloud.stripe.totals(customer);
        assert_eq!(
            (sum("payment"), sum("refund")),
            (totals.charged, totals.refunded),
            "{customer}"
        );
    }
}

/// How many customers, and for how many steps of five days: about ten thousand events with
/// `WEBHOOK_LIVES=200`.
fn size() -> (usize, usize) {
    let lives = std::env::var("WEBHOOK_LIVES").ok().and_then(|it| it.parse().ok());
    (lives.unwrap_or(6), 30)
}

/// Ids of the events that are known to have been handled.
async fn noted(world: &World) -> Vec<String> {
    let items = all_of(world, Table::WebhookEvents).await;
    items.iter().map(|it| it["id"].as_str().expect("an id").to_owned()).collect()
}

/// Whether it says something about what is bought or paid.
fn is_of_interest(event: &EventView) -> bool {
    vidintel::billing::events::KINDS.contains(&event.kind.as_str())
}

const SEED: u64 = 20_261_124;

#[expect(clippy::print_stdout, reason = "the figures are what the proof is read for")]
#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_order_and_whatever_dies_it_comes_to_the_same() {
    let (count, steps) = size();
    // As it happens, in order, nothing fails.
    let ordered = World::start().await;
    hold_back(&ordered);
    let app = app_of(&ordered.cloud, ordered.cloud.redis.direct_url());
    let mut lives = Lives::begin(&ordered, &app, count, SEED).await;
    let mut events = 0;
    for _ in 0..steps {
        let new = lives.step(&ordered).await;
        events += new.len();
        // They are all there before the first one is handled, so that they come in batches.
        ordered.cloud.sqs.pause();
        for event in &new {
            assert_eq!(post(&ordered, &event.payload, &[WEBHOOK_SECRET]).await, 200);
        }
        ordered.cloud.sqs.resume();
        ordered.cloud.settle().await;
    }
    let expected = outcome(&ordered).await;
    assert_sums(&ordered, &lives).await;
    drop(ordered);

    // The same lives; the events come shuffled, each three times, in portions; the function is killed and
    // Stripe refuses and fails.
    let world = World::start().await;
    hold_back(&world);
    let app = app_of(&world.cloud, world.cloud.redis.direct_url());
    let mut lives = Lives::begin(&world, &app, count, SEED).await;
    let mut chance = Chance::new(SEED + 1);
    let (mut waiting, mut all) = (Vec::<EventView>::new(), BTreeSet::new());
    let mut handled = BTreeSet::new();
    let (mut posted, mut kills) = (0, 0);
    for step in 0..steps {
        world.cloud.stripe.fault(Fault::None);
        for event in lives.step(&world).await {
            if is_of_interest(&event) {
                all.insert((event.id.clone(), event.kind.clone()));
            }
            waiting.extend([event.clone(), event.clone(), event]);
        }
        chance.shuffle(&mut waiting);
        let is_last = step + 1 == steps;
        // Some come at once, some much later.
        let later = if is_last { 0 } else { waiting.len() / 3 };
        if !is_last && step % 5 != 4 {
            continue;
        }
        let portion = waiting.split_off(later);
        world.cloud.stripe.fault(Fault::Random {
            seed: SEED + step as u64,
            per_mille_429: 40,
            per_mille_500: 40,
        });
        let sent = stream::iter(&portion)
            .map(|event| post(&world, &event.payload, &[WEBHOOK_SECRET]))
            .buffer_unordered(8)
            .fold(0, async |sum, status| sum + usize::from(status == 200));
        let mut dice = chance.clone();
        let killing = async {
            loop {
                tokio::time::sleep(Wait::from_millis(20 + dice.below(400) as u64)).await;
                world.cloud.kill(WORKER).await.expect("killed");
                kills += 1;
            }
        };
        let handling = async {
            posted += sent.await;
            world.cloud.settle().await;
        };
        tokio::select! { () = handling => {}, () = killing => {} }
        // What was killed too often lies with the dead letters; the operator sends it again.
        world.cloud.stripe.fault(Fault::None);
        while world.cloud.sqs.redrive(DEAD).expect("a queue") > 0 {
            world.cloud.settle().await;
        }
        world.cloud.settle().await;
        // They are forgotten after 35 days.
        handled.extend(noted(&world).await);
        chance.below(2);
    }
    assert_eq!(world.cloud.sqs.depth(QUEUE).expect("a queue"), (0, 0));
    assert!(world.cloud.sqs.dead(QUEUE).expect("a queue").is_empty());
    let missing: Vec<_> = all.iter().filter(|(id, _)| !handled.contains(id)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert_eq!(handled.len(), all.len(), "nothing else is handled");
    assert_eq!(posted, 3 * events);
    let found = outcome(&world).await;
    for (name, expected) in &expected {
        let lost: Vec<_> = expected.iter().filter(|it| !found[name].contains(it)).collect();
        let more: Vec<_> = found[name].iter().filter(|it| !expected.contains(it)).collect();
        assert_eq!(&found[name], expected, "{name}: lost {lost:#?}\nmore {more:#?}");
    }
    assert_sums(&world, &lives).await;
    println!("{count} customers, {events} events posted {posted} times, {kills} kills");
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_stale_and_wrongly_signed_events_are_refused_and_change_nothing() {
    let world = World::start().await;
    hold_back(&world);
    let app = app_of(&world.cloud, world.cloud.redis.direct_url());
    let mut lives = Lives::begin(&world, &app, 1, SEED).await;
    let events = lives.step(&world).await;
    let payload = &events.last().expect("an event").payload;
    let sign = |secret: &str| world.cloud.stripe.sign(payload, &[secret.to_owned()]);
    let own = sign(WEBHOOK_SECRET);
    world.wait(time::Duration::minutes(6));
    let stale = own;
    let forged = sign("whsec_of_somebody_else");
    let of_another = world.cloud.stripe.sign("{}", &[WEBHOOK_SECRET.to_owned()]);
    for signature in [stale.as_str(), &forged, &of_another, "", "t=1,v1=00"] {
        let refused = post_signed(&world, payload, signature).await;
        assert_problem(&refused, 400, "invalid-value");
    }
    let client = world.cloud.client();
    let unsigned = client.request(Method::POST, PATH).body("application/json", payload.clone());
    let unsigned = world.send(unsigned).await;
    assert_problem(&unsigned, 400, "invalid-value");
    world.cloud.settle().await;
    assert!(all_of(&world, Table::WebhookEvents).await.is_empty());
    assert!(all_of(&world, Table::BillingRecords).await.is_empty());
    // While a secret is replaced, Stripe signs with both.
    assert_eq!(post(&world, payload, &["whsec_next", WEBHOOK_SECRET]).await, 200);
    world.cloud.settle().await;
    assert_eq!(all_of(&world, Table::WebhookEvents).await.len(), 1);
    assert!(!all_of(&world, Table::BillingRecords).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_handled_only_once_the_gate_knows() {
    let world = World::start().await;
    hold_back(&world);
    let app = app_of(&world.cloud, world.cloud.redis.direct_url());
    let mut lives = Lives::begin(&world, &app, 1, SEED).await;
    let events = lives.step(&world).await;
    world.cloud.redis.fault(redis::Fault::Refuse);
    assert_eq!(post(&world, &events.last().expect("one").payload, &[WEBHOOK_SECRET]).await, 200);
    world.cloud.settle().await;
    assert!(all_of(&world, Table::WebhookEvents).await.is_empty(), "it must come again");
    world.cloud.redis.fault(redis::Fault::None);
    assert_eq!(world.cloud.sqs.redrive(DEAD).expect("a queue"), 1);
    world.cloud.settle().await;
    assert_eq!(all_of(&world, Table::WebhookEvents).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_handled_waits_with_the_dead_letters_and_is_handled_once_sent_again() {
    let world = World::start().await;
    hold_back(&world);
    let app = app_of(&world.cloud, world.cloud.redis.direct_url());
    let mut lives = Lives::begin(&world, &app, 1, SEED).await;
    let events = lives.step(&world).await;
    world.cloud.stripe.fault(Fault::Down);
    assert_eq!(post(&world, &events.last().expect("one").payload, &[WEBHOOK_SECRET]).await, 200);
    world.cloud.settle().await;
    assert_eq!(world.cloud.sqs.dead(QUEUE).expect("a queue").len(), 1);
    let letter = &world.cloud.sqs.dead(QUEUE).expect("a queue")[0];
    assert!(!letter.contains('@'), "{letter}");
    world.cloud.stripe.fault(Fault::None);
    assert_eq!(world.cloud.sqs.redrive(DEAD).expect("a queue"), 1);
    world.cloud.settle().await;
    assert_eq!(all_of(&world, Table::WebhookEvents).await.len(), 1);
    assert!(!all_of(&world, Table::BillingRecords).await.is_empty());
}
