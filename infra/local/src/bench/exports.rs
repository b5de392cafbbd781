//! What making a copy of an account's data takes, by how much there is: memory above all. Then the
//! account is erased, which goes through the same items.

use std::{fs, io::Write, time::Instant};

use anyhow::{Context, Result, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use flate2::{Compression, write::DeflateEncoder};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use super::{
    erasure::finish,
    report::Report,
    retention::{fill, item_of},
    stats::show,
    world::{Request, World},
};

const JOB: &str = "BuildExportsFunction";
/// Entries in a full pack, as the roll-up writes them.
const PACK: usize = 300;
const MOST_MEMORY: f64 = 64e6;

pub(super) async fn run(
    world: &mut World,
    report: &mut Report<'_>,
    entries: &[usize],
) -> Result<()> {
    report.section("8. Exporting and erasing an account with its request logs")?;
    let mut peaks = Vec::new();
    let mut times = Vec::new();
    for &entries in entries {
        let key = world.sign_up(&format!("exported-{entries}@example.com")).await?;
        let account = world.account_of(&key)?;
        let now = world.cloud.clock.now();
        let packs = (0..entries.div_ceil(PACK)).map(|n| pack(&account, n, now));
        fill(&world.cloud.dynamodb, packs).await?;
        world.cloud.runtime.settled().await;
        world.cloud.kill(JOB).await?;
        let request = Request { path: "/v1/privacy/exports".to_owned(), key };
        let asked = world.post(&request, &json!({})).await?;
        let started = Instant::now();
        let run = world.cloud.run_job(JOB).await?;
        let took = started.elapsed();
        ensure!(run["done"] == 1, "the job says {run}");
        let id = asked["id"].as_str().context("no id")?;
        let path = format!("{}/{id}", request.path);
        let made = world.get(&Request { path, key: request.key.clone() }).await?.json();
        ensure!(made["items"]["api-logs"] == entries.div_ceil(PACK) * PACK, "made: {made}");
        let peak = peak_memory(world)?;
        report.figure(
            &format!("{entries} log entries: export"),
            format!(
                "{} at most in memory, {} of ZIP file, {}",
                megabytes(peak),
                megabytes(made["file"]["bytes"].as_f64().unwrap_or_default()),
                show(took)
            ),
        )?;
        let deletion = Request { path: "/v1/privacy/deletions".to_owned(), key: request.key };
        world.post(&deletion, &json!({ "confirm": true })).await?;
        let (spent, busy) = finish(world).await?;
        report.figure(
            &format!("{entries} log entries: erasure"),
            format!("{} calls, ${:.4}, {}", spent.requests, spent.dollars(), show(busy)),
        )?;
        peaks.push(peak);
        times.push(took.as_secs_f64());
    }
    // Beside the program: a page of items, and two parts of a file, which small ones do not fill.
    let peak = peaks.iter().copied().fold(0.0, f64::max);
    report.goal("most memory of all", megabytes(peak), "bounded: ≤ 64 MB", peak <= MOST_MEMORY)?;
    // What a Business account can leave behind in 30 days, all of it refused and so not charged.
    let full_rate = 500.0 * 60.0 * 24.0 * 30.0;
    let per_entry = times[times.len() - 1] / entries[entries.len() - 1] as f64;
    report.figure(
        "500 a minute for 30 days would take",
        format!("{:.0} s of the 890 s of a run, on this machine", per_entry * full_rate),
    )
}

fn megabytes(bytes: f64) -> String {
    format!("{:.1} MB", bytes / 1e6)
}

/// A full pack of different entries, as large as real ones.
fn pack(account: &str, n: usize, now: OffsetDateTime) -> Value {
    let at_ms = now.unix_timestamp() * 1000;
    let entry = |at: usize| {
        let mixed = (n * PACK + at).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        json!({
            "request_id": format!("{mixed:016x}="), "at_ms": at_ms - (n * PACK + at) as i64,
            "account": account, "key_id": "key_Example00001", "endpoint": "GET /v1/videos/{video_id}",
            "parameters": [["video_id", (7_000_000_000_000_000_000 + mixed % 1_000_000_000).to_string()]],
            "status": 200, "latency_ms": mixed % 300, "cached": mixed.is_multiple_of(2), "charged": 1,
            "period": "2026-11-01", "ip": format!("192.0.2.{}", mixed % 256),
            "agent": {
                "text": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
                         Chrome/120.0.0.0 Safari/537.36",
                "browser": "Chrome", "version": "120.0.0.0", "system": "Linux", "device": "pc",
            },
            "referrer": "https://www.example.com/dashboard",
        })
    };
    let json = Value::from_iter((0..PACK).map(entry)).to_string();
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    // Writing into memory does not fail.
    let compressed = encoder.write_all(json.as_bytes()).and_then(|()| encoder.finish());
    let mut item = item_of("", n, now + Duration::days(29));
    item["account_day"] = json!({ "S": format!("{account}#{}", now.date()) });
    item["pack"] = json!({ "S": format!("{n:06}") });
    item["entries"] = json!({ "B": STANDARD.encode(compressed.unwrap_or_default()) });
    item["count"] = json!({ "N": PACK.to_string() });
    item
}

/// The most memory that the job's process has held, in bytes.
fn peak_memory(world: &World) -> Result<f64> {
    let ids = world.cloud.runtime.process_ids(JOB)?;
    let [id] = ids[..] else { anyhow::bail!("{} environments in place of one", ids.len()) };
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = status.lines().find_map(|it| it.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|it| it.trim().split(' ').next()).context("no VmHWM")?;
    Ok(kilobytes.parse::<f64>()? * 1024.0)
}
