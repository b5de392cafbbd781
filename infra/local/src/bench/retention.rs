//! What one run of the retention job costs, the same number of items being due while more and more
//! are kept.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::{
    cost::{READ_UNIT, WRITE_UNIT},
    report::Report,
    stats::{Times, show},
    world::World,
};
use crate::dynamodb::{Counts, DynamoDb};

const JOB: &str = "PurgeApiLogsFunction";
const DUE: usize = 10_000;
const RUNS: usize = 3;
const DAYS_KEPT: i64 = 30;
/// Partitions of one day in the `by-expiry` index.
const SPREAD: usize = 4;
/// Items put in at a time.
const CHUNK: usize = 10_000;

/// One run's calls and what they would have cost.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Spent {
    pub(super) requests: u64,
    pub(super) reads: f64,
    pub(super) writes: f64,
}

impl Spent {
    /// What `counts` come to, of every caller but the operator.
    pub(super) fn of(counts: &Counts) -> Self {
        let mut spent = Self::default();
        for ((caller, operation), count) in counts {
            if caller == crate::access::OPERATOR_KEY {
                continue;
            }
            spent.requests += count.requests;
            match operation.as_str() {
                "GetItem" | "Query" | "Scan" | "BatchGetItem" | "TransactGetItems" => {
                    spent.reads += count.units;
                }
                _ => spent.writes += count.units,
            }
        }
        spent
    }

    /// At list price, in dollars.
    pub(super) fn dollars(&self) -> f64 {
        self.reads * READ_UNIT + self.writes * WRITE_UNIT
    }
}

/// Returns the price of deleting one item, in dollars.
pub(super) async fn run(world: &mut World, report: &mut Report<'_>, kept: &[usize]) -> Result<f64> {
    report.section("5. Retention: one run of purge-api-logs")?;
    report.figure("due in each run", DUE.to_string())?;
    report
        .figure("kept items expire", format!("evenly over the {DAYS_KEPT} days after the run"))?;
    // As the schedule does: at the full hour.
    let hour = world.cloud.clock.now().replace_time(time::Time::MIDNIGHT);
    let now = hour + time::Duration::hours(23);
    world.cloud.runtime.settled().await;
    world.cloud.clock.set(now);
    let (mut there, mut costs) = (0, Vec::new());
    let mut per_item = 0.0;
    for &wanted in kept {
        let more = (there..wanted).map(|n| {
            let share = (n - there) as f64 / (wanted - there) as f64;
            let from = now + time::Duration::hours(1);
            let rest = time::Duration::days(DAYS_KEPT) - time::Duration::hours(1);
            item("kept", n, from + time::Duration::SECOND + rest * share)
        });
        fill(&world.cloud.dynamodb, more).await?;
        there = wanted;
        let (mut times, mut last) = (Vec::new(), Spent::default());
        for run in 0..RUNS {
            let share = |n: usize| time::Duration::HOUR * (n as f64 / DUE as f64);
            let due = (0..DUE).map(|n| item("due", n, now + time::Duration::SECOND + share(n)));
            fill(&world.cloud.dynamodb, due.take(DUE)).await?;
            let (took, spent) = purge(world, now).await?;
            ensure!(
                run == 0 || spent == last,
                "the same run made other calls: {spent:?}, {last:?}"
            );
            times.push(took);
            last = spent;
        }
        let took = Times::from_iter(times).median();
        per_item = last.dollars() / DUE as f64;
        costs.push((took, last));
        let Spent { requests, reads, writes } = last;
        report.figure(
            &format!("{wanted} kept"),
            format!(
                "{requests} calls, {writes:.0} write + {reads:.0} read units = ${:.5}, {}",
                last.dollars(),
                show(took)
            ),
        )?;
    }
    if let (Some(first), Some(last)) = (costs.first(), costs.last()) {
        let growth = last.1.dollars() / first.1.dollars();
        let name = format!("ratio: price at {there} / at {} kept", kept[0]);
        report.goal(&name, format!("{growth:.3}"), "flat: ≤ 1.1", growth <= 1.1)?;
        let slower = last.0.as_secs_f64() / first.0.as_secs_f64();
        report.figure("ratio: time, of the emulator in this process", format!("{slower:.2}"))?;
    }
    Ok(per_item)
}

/// Runs the job as if it had last run an hour ago.
async fn purge(world: &World, now: OffsetDateTime) -> Result<(Duration, Spent)> {
    let dynamodb = &world.cloud.dynamodb;
    let done = json!({ "TableName": dynamodb.table("jobs"), "Item": {
        "name": { "S": "purge-api-logs" },
        "done_to": { "N": now.unix_timestamp().to_string() },
    } });
    dynamodb.call("PutItem", &done).await?;
    dynamodb.reset_counts();
    let started = Instant::now();
    let purged = world.cloud.run_job(JOB).await?;
    let took = started.elapsed();
    let deleted = purged["deleted"].as_u64().unwrap_or_default();
    ensure!(deleted == DUE as u64 && purged["complete"] == true, "the job says {purged}");
    Ok((took, Spent::of(&dynamodb.counts())))
}

/// A pack of one request, as small as they come.
fn item(kind: &str, n: usize, expires: OffsetDateTime) -> Value {
    item_of(&format!("acc_{kind}"), n, expires)
}

/// As [`item`], of accounts whose ids begin with `owner`.
pub(super) fn item_of(owner: &str, n: usize, expires: OffsetDateTime) -> Value {
    json!({
        "account_day": { "S": format!("{owner}{:07}#2026-11-24", n / 1000) },
        "pack": { "S": format!("{:03}#{:03}", n % 1000, 0) },
        "entries": { "B": "A".repeat(240) },
        "count": { "N": "1" },
        "expires_at": { "N": expires.unix_timestamp().to_string() },
        "expires_on": { "S": expires_on(expires, n % SPREAD) },
    })
}

/// The day of `at` and one of its partitions; a test holds it against the inventory.
fn expires_on(at: OffsetDateTime, part: usize) -> String {
    format!("{}#{part}", at.date())
}

pub(super) async fn fill(dynamodb: &DynamoDb, items: impl Iterator<Item = Value>) -> Result<()> {
    let mut items = items.peekable();
    while items.peek().is_some() {
        dynamodb.import("api-logs", items.by_ref().take(CHUNK).collect()).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::dynamodb::Count;

    #[test]
    fn days_are_named_as_the_inventory_does() {
        let at = datetime!(2026-11-24 07:59:59 UTC);
        for part in 0..SPREAD {
            let named = vidintel::inventory::expires_on(at, part as u32);
            assert_eq!(expires_on(at, part), named);
        }
        assert_eq!(SPREAD, vidintel::inventory::SPREAD as usize);
    }

    #[test]
    fn reads_and_writes_of_the_functions_are_priced_apart() {
        let count = |requests, units| Count { requests, units };
        let counts = [
            (("F", "Query"), count(2, 1.5)),
            (("F", "BatchGetItem"), count(1, 0.5)),
            (("F", "BatchWriteItem"), count(4, 100.0)),
            (("OPERATOR", "PutItem"), count(9, 9.0)),
        ];
        let counts = counts.map(|((who, what), it)| ((who.to_owned(), what.to_owned()), it));
        let spent = Spent::of(&counts.into());
        assert_eq!(spent, Spent { requests: 7, reads: 2.0, writes: 100.0 });
        assert!((spent.dollars() - (2.0 * 0.125e-6 + 100.0 * 0.625e-6)).abs() < 1e-12);
    }
}
