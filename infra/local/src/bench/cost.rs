//! What a million metered requests cost, from counted calls and list prices.

use std::time::Duration;

use anyhow::Result;

use super::{
    report::Report,
    retention::Spent,
    world::{VIDEO, World},
};

// List prices of us-east-1 in dollars, without free tiers and discounts, as known in 2025.
/// One DynamoDB read request unit, on demand.
pub(super) const READ_UNIT: f64 = 0.125e-6;
/// One DynamoDB write request unit, on demand.
pub(super) const WRITE_UNIT: f64 = 0.625e-6;
/// One Lambda request.
const LAMBDA_REQUEST: f64 = 0.20e-6;
/// One GB-second of Lambda, x86.
const LAMBDA_GB_SECOND: f64 = 0.000_016_666_7;
/// One request to an HTTP API.
const HTTP_API_REQUEST: f64 = 1.00e-6;
/// One GB taken in by CloudWatch Logs.
const LOGS_GB: f64 = 0.50;

const MILLION: f64 = 1e6;

/// Requests of one kind of traffic.
struct Traffic {
    name: &'static str,
    customers: usize,
    /// Requests of each in a minute.
    each: usize,
    minutes: usize,
}

pub(super) async fn run(
    world: &mut World,
    report: &mut Report<'_>,
    busy: Duration,
    per_deleted: f64,
) -> Result<()> {
    report.section("6. Cost of a million metered requests (cache hits)")?;
    report.text(
        "  List prices of us-east-1, known in 2025, without free tiers: HTTP API $1.00 per million,\n  \
         Lambda $0.20 per million and $0.0000166667 per GB-second, DynamoDB on demand $0.625 per\n  \
         million write units and $0.125 per million read units, CloudWatch Logs $0.50 per GB.\n  \
         Not in it: Redis (paid by the hour, whatever the traffic), storage, data transfer, NAT.",
    )?;
    let memory = world.cloud.template.function(VIDEO).map_or(0, |it| it.memory_mb);
    // Billed to the full millisecond, what is done after the answer included.
    let billed = (busy.as_secs_f64() * 1000.0).ceil() / 1000.0;
    let lambda = LAMBDA_REQUEST + billed * f64::from(memory) / 1024.0 * LAMBDA_GB_SECOND;
    report.figure(
        "Lambda time of one, at most, on this machine",
        format!("{:.0} ms", billed * 1e3),
    )?;
    let kinds = [
        Traffic { name: "busy: 400 a minute per account", customers: 8, each: 400, minutes: 3 },
        Traffic { name: "sparse: 1 a minute per account", customers: 64, each: 1, minutes: 5 },
    ];
    for kind in kinds {
        let Counted { requests, spent, log_bytes, packs } = count(world, &kind).await?;
        let per_million = |all: f64| all / requests as f64 * MILLION;
        let parts = [
            ("HTTP API", HTTP_API_REQUEST * MILLION),
            ("Lambda", lambda * MILLION),
            ("DynamoDB", per_million(spent.dollars())),
            ("deleting the logs", per_million(packs as f64 * per_deleted)),
            ("CloudWatch Logs", per_million(log_bytes as f64 / 1e9 * LOGS_GB)),
        ];
        report.text(format!("  {} ({requests} requests counted)", kind.name))?;
        let per_request = |all: f64| all / requests as f64;
        report.figure(
            "  DynamoDB per request, leases and roll-up too",
            format!(
                "{:.4} calls, {:.4} write + {:.4} read units",
                per_request(spent.requests as f64),
                per_request(spent.writes),
                per_request(spent.reads)
            ),
        )?;
        for (name, dollars) in parts {
            report.figure(&format!("  {name}"), format!("${dollars:.2}"))?;
        }
        let total: f64 = parts.iter().map(|it| it.1).sum();
        report.figure("  together", format!("${total:.2}"))?;
    }
    report.text(
        "  An upper bound for steady traffic: the clock stands still during each minute and then\n  \
         jumps, so every account counts as quiet, and its lease is taken back and taken anew each\n  \
         minute. The roll-up's own Lambda time (one run a minute) does not depend on the traffic.",
    )
}

struct Counted {
    requests: usize,
    spent: Spent,
    log_bytes: usize,
    packs: usize,
}

async fn count(world: &mut World, kind: &Traffic) -> Result<Counted> {
    // What earlier sections have left in the streams.
    world.cloud.runtime.settled().await;
    world.cloud.run_job("RollUpUsageFunction").await?;
    // Answers may have run out of the cache: they are put there again.
    for request in world.minute_of(kind.customers, 1).await? {
        world.get(&request).await?;
    }
    world.cloud.runtime.settled().await;
    world.cloud.run_job("RollUpUsageFunction").await?;
    let logs = world.cloud.logs(VIDEO)?.clone();
    logs.clear();
    world.cloud.dynamodb.reset_counts();
    let (mut requests, mut log_bytes) = (0, 0);
    for _ in 0..kind.minutes {
        for request in world.minute_of(kind.customers, kind.each).await? {
            world.get(&request).await?;
            requests += 1;
        }
        world.cloud.runtime.settled().await;
        log_bytes += logs.lines().iter().map(|it| it.len() + 1).sum::<usize>();
        logs.clear();
        world.cloud.clock.set(world.cloud.clock.now() + time::Duration::minutes(1));
        world.cloud.run_job("RollUpUsageFunction").await?;
        world.cloud.run_job("SweepGatesFunction").await?;
    }
    let spent = Spent::of(&world.cloud.dynamodb.counts());
    // One for each account and minute, or more where they are large.
    let packs = kind.customers * kind.minutes * kind.each.div_ceil(PACK_SIZE);
    Ok(Counted { requests, spent, log_bytes, packs })
}

/// Entries in one pack of the log at most.
const PACK_SIZE: usize = 300;
