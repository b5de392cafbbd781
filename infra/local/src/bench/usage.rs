//! What the two jobs of every minute take when very many accounts have asked once within it.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::{processor, report::Report, retention::Spent, stats::show, world::World};
use crate::dynamodb::Fault;

const ROLL_UP: &str = "RollUpUsageFunction";
const SWEEP: &str = "SweepGatesFunction";

/// What each call of DynamoDB takes longer than the emulator does: that of a table in the same region.
const LATENCIES: [Duration; 2] = [Duration::from_millis(5), Duration::from_millis(10)];

/// A run ends itself after so long.
const LIMIT: Duration = Duration::from_secs(50);

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
    for latency in LATENCIES {
        world.wait(time::Duration::hours(1)).await;
        let now = world.cloud.clock.now();
        append(world, &tags, now).await?;
        lease(world, &tags, now).await?;
        report.text(format!("  DynamoDB answers after {} more", show(latency)))?;
        world.cloud.dynamodb.fault(Fault::Slow(latency));
        let last = |it: &Value| it["new"] == accounts && it["failed"] == 0;
        measure(world, report, ROLL_UP, "roll-up", accounts, last).await?;
        let last = |it: &Value| it["looked_at"] == accounts && it["ended"] == 0;
        measure(world, report, SWEEP, "sweep, all of them in use", accounts, last).await?;
        world.wait(time::Duration::minutes(1)).await;
        let credited = accounts * LEFT;
        let last = |it: &Value| it["ended"] == accounts && it["credited"] == credited;
        measure(world, report, SWEEP, "sweep, all of them quiet", accounts, last).await?;
        world.cloud.dynamodb.fault(Fault::None);
        ensure!(world.cloud.run_job(SWEEP).await?["ended"] == 0, "leases were left");
    }
    Ok(())
}

/// Runs a job once, which must come to what `is_all` says.
async fn measure(
    world: &World,
    report: &mut Report<'_>,
    job: &str,
    name: &str,
    accounts: usize,
    is_all: impl Fn(&Value) -> bool,
) -> Result<()> {
    world.cloud.dynamodb.reset_counts();
    // The environment is there, so that its time is that of the run alone.
    let before = processor::Spent::now(world, job).await?;
    let started = Instant::now();
    let run = world.cloud.run_job(job).await?;
    let took = started.elapsed();
    let spent = processor::Spent::now(world, job).await?.since(before, 1);
    ensure!(is_all(&run), "the job says {run}");
    let calls = Spent::of(&world.cloud.dynamodb.counts());
    let each = |all: f64| all / accounts as f64;
    report.figure(
        &format!("  {name}: calls of each account"),
        format!(
            "{:.2} of DynamoDB, {:.2} write + {:.2} read units",
            each(calls.requests as f64),
            each(calls.writes),
            each(calls.reads)
        ),
    )?;
    report.figure(&format!("  {name}: processor time"), show(spent.function))?;
    let name = format!("  {name}: time of the run");
    report.goal(&name, show(took), "≤ 50 s", took <= LIMIT)
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
