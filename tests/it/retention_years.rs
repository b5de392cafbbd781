//! Years of data in every table, day by day: nothing outlives its period, nothing younger goes with it,
//! and nobody else's data changes.

use std::{collections::BTreeMap, time::Instant};

use serde_json::{Value, json};
use time::{Duration, OffsetDateTime, macros::datetime};
use vidintel::{
    inventory::Table,
    retention::{Purge, verify},
};

use crate::util::{
    World, app_of,
    plant::{expiring, item, plant},
};

/// Two leap days lie within the eight years that follow.
const START: OffsetDateTime = datetime!(2027-06-01 0:00 UTC);

/// Days of the proof. Two months are enough to see every table's items come due, because half of them
/// are planted near their end; `RETENTION_PROOF_DAYS=2922` is the proof over eight years.
fn days() -> i64 {
    let days = std::env::var("RETENTION_PROOF_DAYS").ok();
    days.map_or(60, |it| it.parse().expect("RETENTION_PROOF_DAYS is a number of days"))
}

/// Records of erased accounts are numbered from here on.
const ERASED: usize = 1_000_000;

/// A billing record as an erasure leaves it: without address and company.
fn of_an_erased_account(n: usize, from: OffsetDateTime) -> Value {
    let mut record = item(Table::BillingRecords, "acc_Erased000001", n, from);
    for name in ["email", "company"] {
        record.as_object_mut().expect("an object").remove(name).expect("declared");
    }
    record
}

/// What is there by the model: by table, in the order of expiry.
type Model = BTreeMap<Table, BTreeMap<(i64, usize), Value>>;

/// Items that never expire.
async fn bystanders(world: &World) -> Vec<(Table, Value)> {
    let text = |value: &str| json!({ "S": value });
    let items = [
        (
            Table::Accounts,
            json!({ "id": text("acc_Example00001"), "email": text("a@example.com") }),
        ),
        (Table::ApiKeys, json!({ "account": text("acc_Example00001"), "key_id": text("key_1") })),
        (Table::Consents, json!({ "account": text("acc_Example00001"), "consent": text("1") })),
        (Table::Suppressions, json!({ "hash": text("0"), "kind": text("creator") })),
    ];
    for (table, item) in &items {
        plant(&world.cloud, *table, item).await;
    }
    items.into()
}

async fn stored(world: &World, table: Table) -> Vec<Value> {
    let mut items = world.cloud.dynamodb.items(table.name()).await.expect("the items");
    items.sort_by_key(Value::to_string);
    items
}

async fn assert_as_modelled(world: &World, model: &Model) {
    for (table, items) in model {
        let mut expected: Vec<Value> = items.values().cloned().collect();
        expected.sort_by_key(Value::to_string);
        assert_eq!(stored(world, *table).await, expected, "{table:?}");
    }
}

#[expect(clippy::print_stdout, reason = "the figures are what the proof is read for")]
#[tokio::test(flavor = "multi_thread")]
async fn nothing_outlives_its_period_and_nothing_younger_goes() {
    let world = World::start().await;
    let app = app_of(&world.cloud, world.cloud.redis.direct_url());
    let bystanders = bystanders(&world).await;
    let jobs: Vec<Purge> = Table::ALL.into_iter().filter_map(Purge::of).collect();
    let (mut model, mut planted, mut deleted, mut erased) = (Model::new(), 0, 0, 0);
    for day in 0..days() {
        let now = START + Duration::days(day);
        for (at, job) in jobs.iter().enumerate() {
            // Another owner and another time of the day each day.
            let n = day as usize;
            let owner = format!("acc_Example0000{}", (n + at) % 3);
            let fresh = now - Duration::minutes(1 + (day * 397 + at as i64 * 61) % 1439);
            // Every other one has come near its end by now; months differ in length, so a little more
            // or less near.
            let period = expiring(job.table).keep.until(fresh).expect("it expires") - fresh;
            let old = fresh - period + Duration::days(4);
            let from = if (n + at).is_multiple_of(2) { fresh } else { old };
            let ends = expiring(job.table).keep.until(from).expect("it expires").unix_timestamp();
            let mut items = vec![(n, item(job.table, &owner, n, from))];
            if job.table == Table::BillingRecords {
                items.push((n + ERASED, of_an_erased_account(n, from)));
            }
            for (n, item) in items {
                plant(&world.cloud, job.table, &item).await;
                model.entry(job.table).or_default().insert((ends, n), item);
                planted += 1;
            }
        }
        // Now and then nothing runs for a week.
        if (30..37).contains(&(day % 100)) {
            continue;
        }
        let deadline = Instant::now() + std::time::Duration::from_secs(600);
        let runs: Vec<_> = jobs
            .iter()
            .map(|job| {
                let (job, app) = (*job, app.clone());
                tokio::spawn(async move { job.run(&app, now, deadline).await })
            })
            .collect();
        for (job, run) in jobs.iter().zip(runs) {
            let run = run.await.expect("no panic").expect("it runs");
            // A run deletes what comes due before the next one.
            let until = (now + job.job.every).unix_timestamp();
            let items = model.get_mut(&job.table).expect("planted above");
            let kept = items.split_off(&(until + 1, 0));
            let due = std::mem::replace(items, kept);
            if job.table == Table::BillingRecords {
                // They end a day later than promised, so that a run a day ahead is not too early.
                let seven_years = |(ends, _): &(i64, usize)| *ends - 86_400;
                let are_over = |it| seven_years(it) <= now.unix_timestamp();
                assert!(due.keys().all(are_over), "a record before its 7 years are over: {now}");
                erased += due.keys().filter(|(_, n)| *n >= ERASED).count();
            }
            let due = due.len() as u64;
            let of = (now, job.job.name);
            assert_eq!((run.due, run.deleted, run.complete), (due, due, true), "{of:?}");
            deleted += due;
        }
        if day % 30 == 29 {
            let proof = verify(&app.store, now, deadline).await.expect("verified");
            assert!(proof.iter().all(|it| it.overdue == 0), "{now}: {proof:?}");
        }
        if day % 365 == 364 {
            assert_as_modelled(&world, &model).await;
        }
    }
    assert_as_modelled(&world, &model).await;
    for (table, item) in bystanders {
        assert_eq!(stored(&world, table).await, [item], "{table:?}");
    }
    let kept: usize = model.values().map(BTreeMap::len).sum();
    println!(
        "{} days, {} tables: {planted} items planted, {deleted} deleted when due, {kept} kept",
        days(),
        jobs.len()
    );
    assert!(erased > 0, "no record of an erased account has come to its end");
    assert!(deleted > 0 && planted == deleted as usize + kept);
}
