//! Measures the metered path against yardsticks that run beside it, in one run.
//!
//! Ratios say more than times: both sides share the machine, the local cloud and its noise, take
//! turns, and are compared by their medians. Times are of the machine that it ran on. Functions,
//! Redis and the measuring client share its processors, and gateway and Runtime API work in the
//! measuring process, for hello world as for ours. The proxy that counts writes to Redis is there only
//! while calls are counted.

mod calls;
mod cold;
mod cost;
mod erasure;
mod exports;
mod processor;
mod report;
mod retention;
mod speed;
mod stats;
mod usage;
mod videos;
mod world;

use std::{io::Write, time::Instant};

use anyhow::Result;

use self::{report::Report, world::World};

/// Measures everything and writes it to `out` as it comes. Whether goals are met is part of what is
/// written; an error says that something could not be measured. `quick` leaves out the largest
/// tables, and most of the accounts.
pub async fn run(quick: bool, out: &mut dyn Write) -> Result<()> {
    let started = Instant::now();
    let mut report = Report::new(out);
    let cores = std::thread::available_parallelism()?;
    report.text(format!(
        "Metered path against hello world. Release builds, {cores} processors shared by everything;\n\
         times and rates are of this machine and this run, ratios and counts are the result."
    ))?;
    calls::run(&mut World::start(true).await?, &mut report).await?;
    // What only counts stays out of what is timed.
    let mut world = World::start(false).await?;
    let latency = speed::latency(&mut world, &mut report).await?;
    speed::throughput(&mut world, &mut report).await?;
    cold::run(&mut world, &mut report).await?;
    let kept = sizes(quick);
    let per_deleted = retention::run(&mut world, &mut report, kept).await?;
    cost::run(&mut world, &mut report, latency.busy, per_deleted).await?;
    erasure::run(&mut world, &mut report).await?;
    exports::run(&mut world, &mut report, kept).await?;
    videos::run(&mut World::start(false).await?, &mut report).await?;
    usage::run(&mut World::start(false).await?, &mut report, crowd(quick)).await?;
    report.end(started.elapsed())
}

/// As [`run`], of batches and misses alone.
pub async fn run_videos(out: &mut dyn Write) -> Result<()> {
    let started = Instant::now();
    let mut report = Report::new(out);
    videos::run(&mut World::start(false).await?, &mut report).await?;
    report.end(started.elapsed())
}

/// As [`run`], of the exports alone.
pub async fn run_exports(quick: bool, out: &mut dyn Write) -> Result<()> {
    let started = Instant::now();
    let mut report = Report::new(out);
    exports::run(&mut World::start(false).await?, &mut report, sizes(quick)).await?;
    report.end(started.elapsed())
}

/// As [`run`], of the two jobs that run every minute alone.
pub async fn run_usage(quick: bool, out: &mut dyn Write) -> Result<()> {
    let started = Instant::now();
    let mut report = Report::new(out);
    usage::run(&mut World::start(false).await?, &mut report, crowd(quick)).await?;
    report.end(started.elapsed())
}

/// As [`run`], of the calls of a cache hit alone.
pub async fn run_calls(out: &mut dyn Write) -> Result<()> {
    let started = Instant::now();
    let mut report = Report::new(out);
    calls::run(&mut World::start(true).await?, &mut report).await?;
    report.end(started.elapsed())
}

/// How many accounts are active in one minute.
fn crowd(quick: bool) -> usize {
    if quick { 1_000 } else { 10_000 }
}

/// How many items are kept.
fn sizes(quick: bool) -> &'static [usize] {
    if quick { &[10_000, 100_000] } else { &[10_000, 100_000, 1_000_000] }
}
