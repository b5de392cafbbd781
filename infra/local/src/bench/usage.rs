//! What the two jobs of every minute take when very many accounts have asked once within it.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::json;
use time::OffsetDateTime;

use super::{processor, report::Report, retention::Spent, stats::show, world::World};
use crate::dynamodb::Fault;

const ROLL_UP: &str = "RollUpUsageFunction";
const SWEEP: &str = "SweepGatesFunction";

/// How much longer each call of DynamoDB takes than the emulator does: as one of a table in the same region on
/// a bad day.
const LATENCY: Duration = Duration::from_millis(10);

/// A run ends itself after so long.
const LIMIT: Duration = Duration::from_secs(50);

/// Runs at most: builds for debugging on a busy machine are slow.
const MOST_RUNS: usize = 20;

/// Items and commands sent at a time.
const CHUNK: usize = 1_000;

/// Requests of each lease that were not used.
const LEFT: usize = 3;

/// Measures `accounts` of them.
pub(super) async fn run(world: &mut World, report: &mut Report<'_>, accounts: usize) -> Result<()> {
    report.section("10. Many accounts active in one minute")?;
    report.figure("accounts, with a request each", accounts.to_string())?;
    let tags: Vec<String> = (0..accounts).map(|n| format!("{n:012}")).collect();
    open(world, &tags).await?;
    world.wait(time::Duration::hours(1)).await;
    let now = world.cloud.clock.now();
    append(world, &tags, now).await?;
    lease(world, &tags, now).await?;
    report.figure("each call of DynamoDB takes longer by", show(LATENCY))?;
    world.cloud.dynamodb.fault(Fault::Slow(LATENCY));
    measure(world, report, (ROLL_UP, "new"), "roll-up", accounts).await?;
    measure(world, report, (SWEEP, "looked_at"), "sweep, all in use", accounts).await?;
    world.wait(time::Duration::minutes(1)).await;
    measure(world, report, (SWEEP, "ended"), "sweep, all quiet", accounts).await?;
    world.cloud.dynamodb.fault(Fault::None);
    let run = world.cloud.run_job(SWEEP).await?;
    ensure!(run["ended"] == 0 && run["failed"] == 0, "leases were left: {run}");
    Ok(())
}

/// Runs a job until what it says in `field` comes to `accounts`, which is in one run where it has the time.
async fn measure(
    world: &World,
    report: &mut Report<'_>,
    (job, field): (&str, &str),
    name: &str,
    accounts: usize,
) -> Result<()> {
    world.cloud.dynamodb.reset_counts();
    let before = processor::Spent::now(world, job).await?;
    let (mut took, mut runs, mut done) = (Duration::ZERO, 0, 0);
    while done < accounts as u64 {
        let started = Instant::now();
        let run = world.cloud.run_job(job).await?;
        took += started.elapsed();
        runs += 1;
        done += run[field].as_u64().unwrap_or_default();
        ensure!(run["failed"] == 0 && runs <= MOST_RUNS, "the job says {run}");
    }
    let spent = processor::Spent::now(world, job).await?.since(before, 1);
    let calls = Spent::of(&world.cloud.dynamodb.counts());
    let each = |all: f64| all / accounts as f64;
    report.text(format!("  {name}"))?;
    report.figure(
        "  for each account",
        format!(
            "{:.2} calls, {:.2} write + {:.2} read units",
            each(calls.requests as f64),
            each(calls.writes),
            each(calls.reads)
        ),
    )?;
    report.figure(
        "  processor time",
        format!(
            "function {}, Redis {}, local cloud {}",
            show(spent.function),
            show(spent.redis),
            show(spent.cloud)
        ),
    )?;
    let is_met = runs == 1 && took <= LIMIT;
    let took = format!("{} in {runs} runs", show(took));
    report.goal(&format!("  time of the {name}"), took, "≤ 50 s in one run", is_met)
}

fn account(tag: &str) -> String {
    format!("acc_{tag}")
}

/// Stores the accounts, each with a key.
async fn open(world: &World, tags: &[String]) -> Result<()> {
    let dynamodb = &world.cloud.dynamodb;
    for some in tags.chunks(CHUNK) {
        let accounts = some.iter().map(|tag| {
            json!({
                "id": { "S": account(tag) }, "email": { "S": "made-up@example.com" },
                "email_hash": { "S": "0" }, "plan": { "S": "free" }, "status": { "S": "active" },
                "created_at": { "N": "0" }, "policy_version": { "S": "1.0" },
                "policy_accepted_at": { "N": "0" }, "gate_version": { "N": "1" },
                "key_count": { "N": "1" },
            })
        });
        dynamodb.import("accounts", accounts.collect()).await?;
        let keys = some.iter().map(|tag| {
            json!({ "account": { "S": account(tag) }, "key_id": { "S": format!("key_{tag}") } })
        });
        dynamodb.import("api-keys", keys.collect()).await?;
    }
    Ok(())
}

/// Puts an entry of each account into the log.
async fn append(world: &World, tags: &[String], now: OffsetDateTime) -> Result<()> {
    let mut redis = world.cloud.redis.connection().await?;
    for some in tags.chunks(CHUNK) {
        let mut pipeline = redis::pipe();
        for (n, tag) in some.iter().enumerate() {
            let entry = json!({
                "request_id": format!("{tag} {}", now.unix_timestamp()),
                "at_ms": now.unix_timestamp() * 1000 + n as i64, "account": account(tag),
                "key_id": format!("key_{tag}"), "endpoint": "GET /v1/videos/{video_id}",
                "parameters": [["video_id", "7000000000000000001"]], "status": 200,
                "latency_ms": 12, "cached": true, "charged": 1, "period": "2026-11-01",
                "ip": "192.0.2.1", "referrer": "https://www.example.com/dashboard",
            });
            let stream = format!("log:{}", n % 4);
            pipeline.cmd("XADD").arg(&stream).arg("*").arg("entry").arg(entry.to_string()).ignore();
            pipeline.cmd("EXPIRE").arg(&stream).arg(3600).ignore();
        }
        pipeline.exec_async(&mut redis).await?;
    }
    Ok(())
}

/// Gives each account a lease of which a request has been used, here and in its quota.
async fn lease(world: &World, tags: &[String], now: OffsetDateTime) -> Result<()> {
    let mut redis = world.cloud.redis.connection().await?;
    let ms = now.unix_timestamp() * 1000;
    let start = now.replace_day(1)?.replace_time(time::Time::MIDNIGHT);
    for some in tags.chunks(CHUNK) {
        let mut pipeline = redis::pipe();
        for tag in some {
            let (gate, lease) = (format!("{{{tag}}}:g"), format!("{tag}.{ms}"));
            let start = start.unix_timestamp() * 1000;
            let fields = [
                ("v", "1".to_owned()),
                ("st", "active".to_owned()),
                ("lid", lease),
                ("rem", LEFT.to_string()),
                ("last", ms.to_string()),
                ("ps", start.to_string()),
            ];
            pipeline.cmd("HSET").arg(&gate);
            for (name, value) in fields {
                pipeline.arg(name).arg(value);
            }
            pipeline.ignore();
            pipeline.cmd("EXPIRE").arg(&gate).arg(3000).ignore();
            pipeline.cmd("ZADD").arg("leases").arg(ms).arg(tag).ignore();
        }
        pipeline.cmd("EXPIRE").arg("leases").arg(3600).ignore();
        pipeline.exec_async(&mut redis).await?;
        let quotas = some.iter().map(|tag| {
            json!({
                "account": { "S": account(tag) }, "period": { "S": start.date().to_string() },
                "granted": { "N": "4" }, "lost": { "N": "0" }, "lease_size": { "N": "4" },
                "lease": { "S": format!("{tag}.{ms}") },
            })
        });
        world.cloud.dynamodb.import("quotas", quotas.collect()).await?;
    }
    Ok(())
}
