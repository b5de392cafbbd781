//! What the service makes of DynamoDB's conflicts, throttles and lost answers.

use std::{pin::pin, time::Duration};

use futures_util::future::join_all;
use local::{
    Options,
    dynamodb::{Trouble, Which},
    redis,
    standins::tiktok::{Endpoint, Fault},
};
use serde_json::json;
use vidintel::{accounts, error::Error, inventory::Table};

use crate::util::{
    Customer, World, advance_until, app_of, ask::statuses, assert_problem, copy::ask, library_of,
    patient, subject::post,
};

/// As long as a transaction takes in a region, with its network.
const TRANSACTION: Duration = Duration::from_millis(15);

/// Requests at once.
const CROWD: usize = 40;

/// A customer of many requests at once, without Redis, where transactions take their time.
async fn without_redis() -> (World, Customer) {
    let options = Options { max_environments: 16, ..patient() };
    let world = World::start_with(options).await;
    let ada = world.paying("ada@example.com").await;
    assert_eq!(world.video(0, &ada).await.status, 200);
    // Its lease is taken back: without Redis a live one counts as used.
    world.wait(time::Duration::seconds(11));
    world.run_job("RollUpUsageFunction").await;
    world.run_job("SweepGatesFunction").await;
    world.cloud.redis.fault(redis::Fault::Refuse);
    world.cloud.dynamodb.slow_transactions(TRANSACTION);
    (world, ada)
}

/// What the quota, the days and the settlement say of the account's requests.
async fn counted(world: &World, customer: &Customer) -> (u64, u64, u64) {
    world.cloud.runtime.settled().await;
    let usage = world.get("/v1/usage", customer).await.json();
    let days = usage["days"].as_array().expect("days").iter();
    let charged = days.filter_map(|day| day["charged"].as_u64()).sum();
    let items = world.cloud.dynamodb.items("quotas").await.expect("the items");
    let settled = items.iter().filter(|it| it["account"]["S"] == customer.account_id.as_str());
    let settled = settled.filter_map(|it| it["settled"]["N"].as_str()?.parse::<u64>().ok()).sum();
    (usage["used"].as_u64().expect("a number"), charged, settled)
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_many_at_once_are_all_served_and_counted_exactly() {
    let (world, ada) = without_redis().await;
    let answers = join_all((0..CROWD).map(|n| world.video(n % 3, &ada))).await;
    for answer in &answers {
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let all = CROWD as u64 + 1;
    assert_eq!(counted(&world, &ada).await, (all, all, all));
    assert!(world.cloud.dynamodb.conflicts() > 0, "nothing was in the way of anything");
    // No request read the packs of the others.
    let counts = world.cloud.dynamodb.counts();
    let queries = counts[&("GetVideoFunction".to_owned(), "Query".to_owned())].requests;
    assert!(queries <= 2 * all, "{queries} queries for {all} requests");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_in_a_conflict_is_not_charged() {
    let (world, ada) = without_redis().await;
    let unknown = |n: usize| format!("/v1/videos/{}", 7_000_000_000_000_000_000 + n as u64);
    let paths: Vec<_> = (0..CROWD).map(unknown).collect();
    let answers = join_all(paths.iter().map(|path| world.get(path, &ada))).await;
    for answer in &answers {
        assert_problem(answer, 404, "video-not-found");
    }
    assert_eq!(counted(&world, &ada).await, (1, 1, 1));
    assert!(world.cloud.dynamodb.conflicts() > 0, "nothing was in the way of anything");
    world.cloud.tiktok.fault(Endpoint::Oembed, Fault::Status(500));
    let ids = world.ids(3..12);
    let answers = join_all((0..8).map(|_| world.batch(&ids, &ada))).await;
    for answer in &answers {
        assert!(statuses(answer).iter().all(|it| it != "found"), "{}", answer.text());
    }
    assert_eq!(counted(&world, &ada).await, (1, 1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_not_charged_twice() {
    let (world, ada) = without_redis().await;
    for n in 1..=4 {
        world.cloud.dynamodb.trouble("quotas", Trouble::Lose, Which::Next(2));
        assert_eq!(world.video(0, &ada).await.status, 200);
        // A failed one is given back once.
        world.cloud.dynamodb.trouble("quotas", Trouble::Lose, Which::Every(2));
        assert_eq!(world.get("/v1/videos/7000000000000000001", &ada).await.status, 404);
        world.cloud.dynamodb.end_troubles();
        assert_eq!(counted(&world, &ada).await, (n + 1, n + 1, n + 1));
    }
}

/// A customer's whole way, and each job's.
async fn journey(world: &World, round: usize) {
    let client = world.cloud.client();
    let ada = world.customer(&format!("ada-{round}@example.com")).await;
    for n in 0..6 {
        assert_eq!(world.video(n % 2, &ada).await.status, 200);
    }
    let made = world.post("/v1/keys", &json!({ "name": "ci" }), &ada).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let id = made.json()["id"].as_str().expect("an id").to_owned();
    let revoked = world.send(client.delete(format!("/v1/keys/{id}")).key(&ada.key)).await;
    assert_eq!(revoked.status, 204, "{}", revoked.text());
    let done = world.run_job("RollUpUsageFunction").await;
    assert_eq!(done["new"], 6, "{done}");
    let copy = ask(world, &ada).await;
    assert_eq!(world.run_job("BuildExportsFunction").await["done"], 1, "{copy}");
    let deletion = post(world, &ada, true).await;
    assert_eq!(deletion.status, 202, "{}", deletion.text());
    let id = deletion.json()["id"].as_str().expect("an id").to_owned();
    let path = format!("/v1/privacy/deletions/{id}");
    let cancelled = world.send(client.delete(path).key(&ada.key)).await;
    assert_eq!(cancelled.status, 200, "{}", cancelled.text());
    let used = world.used(&ada).await;
    assert_eq!(used, 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_conflict_or_throttle_is_a_customers_answer() {
    let world = World::start().await;
    let mut before = 0;
    for (round, trouble) in [Trouble::Conflict, Trouble::Throttle, Trouble::Fail].iter().enumerate()
    {
        for table in Table::ALL {
            world.cloud.dynamodb.trouble(table.name(), *trouble, Which::Some(0.15));
        }
        journey(&world, round).await;
        let met = world.cloud.dynamodb.end_troubles();
        assert!(met >= before + 5, "{trouble:?}: {} calls", met - before);
        before = met;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_batch_leaves_is_sent_again() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    let day = world.cloud.clock.now();
    for n in 0..60 {
        let item = json!({
            "account": { "S": ada.account_id }, "period": { "S": format!("2025-01-01#{n}") },
            "expires_at": { "N": day.unix_timestamp().to_string() },
            "expires_on": { "S": format!("{}#0", day.date()) },
        });
        let put = json!({ "TableName": world.cloud.dynamodb.table("quotas"), "Item": item });
        world.cloud.dynamodb.call("PutItem", &put).await.expect("planted");
    }
    world.cloud.dynamodb.trouble("quotas", Trouble::Half, Which::Every(1));
    let purged = world.run_job("PurgeQuotasFunction").await;
    assert_eq!(purged["deleted"], 60, "{purged}");
    assert!(world.cloud.dynamodb.end_troubles() > 3);
}

/// The sign-up ends between two calls of the second confirmation, as an item does that expires.
#[tokio::test(flavor = "multi_thread")]
async fn who_confirms_a_taken_address_is_told_so_even_if_the_sign_up_is_gone_by_then() {
    let world = World::start().await;
    let first = world.ask_for_token("ada@example.com").await;
    let second = world.ask_for_token("ada@example.com").await;
    let app = app_of(&world.cloud, world.cloud.redis.direct_url());
    let now = world.cloud.clock.now();
    accounts::verify(&app, &first, "192.0.2.1", now).await.expect("opened");
    let library = library_of(&world.cloud, world.cloud.redis.direct_url());
    let reads = || {
        let counts = world.cloud.dynamodb.counts();
        counts.get(&("LIBRARY".to_owned(), "GetItem".to_owned())).map_or(0, |it| it.requests)
    };
    let mut verifying = pin!(accounts::verify(&library, &second, "192.0.2.1", now));
    // Is the service open, and the sign-up.
    assert!(advance_until(verifying.as_mut(), || reads() == 2).await.is_none());
    for item in world.cloud.dynamodb.items("sessions").await.expect("the items") {
        let delete = json!({
            "TableName": world.cloud.dynamodb.table("sessions"), "Key": { "hash": item["hash"] },
        });
        world.cloud.dynamodb.call("DeleteItem", &delete).await.expect("deleted");
    }
    let outcome = verifying.await.map(|it| it.account_id);
    assert!(matches!(outcome, Err(Error::Conflict(_))), "{outcome:?}");
}
