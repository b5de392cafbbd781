//! Latency and throughput of a metered cache hit, beside the yardstick.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Result;
use redis::cmd;

use super::{
    processor::Spent,
    report::Report,
    stats::{Times, median, ratio, show},
    world::{CONCURRENCY, HELLO, Request, VIDEO, World},
};

const ROUND_TRIPS: usize = 1000;
const ROUNDS: usize = 7;
const PER_ROUND: usize = 2500;

/// What section 2 found, for later sections.
pub(super) struct Latency {
    /// From the request until the function has nothing left to do, after its answer too.
    pub(super) busy: Duration,
}

pub(super) async fn latency(world: &mut World, report: &mut Report<'_>) -> Result<Latency> {
    report.section("2. Latency of a metered cache hit, one request at a time")?;
    let client = redis::Client::open(world.cloud.redis.direct_url())?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    let (mut pings, mut hellos) = (Vec::new(), Vec::new());
    let (mut hits, mut added, mut busy) = (Vec::new(), Vec::new(), Vec::new());
    for (n, request) in world.hits(ROUND_TRIPS + 20).await?.iter().enumerate() {
        let started = Instant::now();
        cmd("PING").exec_async(&mut connection).await?;
        let ping = started.elapsed();
        let hello = world.hello().await?;
        let started = Instant::now();
        world.get(request).await?;
        let hit = started.elapsed();
        world.cloud.runtime.settled().await;
        // The first ones warm up.
        if n >= 20 {
            pings.push(ping);
            hellos.push(hello);
            hits.push(hit);
            added.push(hit.saturating_sub(hello));
            busy.push(started.elapsed());
        }
    }
    let [pings, hellos, hits, added, busy] =
        [pings, hellos, hits, added, busy].map(Times::from_iter);
    report.figure("round trips of each, in turn", ROUND_TRIPS.to_string())?;
    for (name, times) in [
        ("PING", &pings),
        ("hello world", &hellos),
        ("metered cache hit", &hits),
        ("hit less hello, of the same turn", &added),
    ] {
        let [half, most, nearly] = [0.5, 0.95, 0.99].map(|part| show(times.percentile(part)));
        report.figure(name, format!("p50 {half}   p95 {most}   p99 {nearly}"))?;
    }
    let over = |times: &Times| format!("{:.2}", ratio(times.median(), pings.median()));
    report.figure("ratio: hit less hello / PING", over(&added))?;
    report.figure("ratio: whole hit / PING", over(&hits))?;
    let whole = ratio(hits.median(), hellos.median());
    report.figure("ratio: whole hit / hello world", format!("{whole:.2}"))?;
    Ok(Latency { busy: busy.median() })
}

pub(super) async fn throughput(world: &mut World, report: &mut Report<'_>) -> Result<()> {
    report.section("3. Throughput of metered cache hits")?;
    let hello = Request { path: "/hello".to_owned(), key: String::new() };
    let hello = vec![hello; PER_ROUND];
    let (mut hellos, mut hits, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let (mut calls, mut spent) = (0, Vec::new());
    // The first round of each starts the environments.
    for round in 0..=ROUNDS {
        let hit = world.hits(PER_ROUND).await?;
        let (of_hello, hello_spent) = per_second(world, HELLO, &hello).await?;
        world.cloud.dynamodb.reset_counts();
        let (of_hit, hit_spent) = per_second(world, VIDEO, &hit).await?;
        if round > 0 {
            hellos.push(of_hello);
            hits.push(of_hit);
            ratios.push(of_hit / of_hello);
            calls += world.cloud.dynamodb.requests();
            spent.push([hello_spent, hit_spent]);
        }
    }
    report.figure("requests at a time", CONCURRENCY.to_string())?;
    report.figure("rounds of each, in turn", format!("{ROUNDS} of {PER_ROUND} requests"))?;
    let each = |figures: &[f64]| {
        let all: Vec<_> = figures.iter().map(|it| format!("{it:.0}")).collect();
        format!("{:.0} a second   ({})", median(figures.iter().copied()), all.join(", "))
    };
    report.figure("hello world", each(&hellos))?;
    report.figure("metered cache hit", each(&hits))?;
    let environments = |it| world.cloud.runtime.process_ids(it).map(|it| it.len().to_string());
    report.figure(
        "environments in the end",
        format!("hello {}, get-video {}", environments(HELLO)?, environments(VIDEO)?),
    )?;
    report.figure("DynamoDB calls meanwhile (leases)", calls.to_string())?;
    for (at, name) in ["hello world", "metered cache hit"].into_iter().enumerate() {
        let median = |part: fn(&Spent) -> Duration| {
            show(spent.iter().map(|both| part(&both[at])).collect::<Times>().median())
        };
        let (function, redis) = (median(|it| it.function), median(|it| it.redis));
        let cloud = median(|it| it.cloud);
        report.figure(
            &format!("processor time of one {name}"),
            format!("function {function}, Redis {redis}, local cloud and client {cloud}"),
        )?;
    }
    let ratio = median(ratios);
    report.goal("ratio: hit / hello world", format!("{ratio:.2}"), "≥ 0.7", ratio >= 0.7)
}

/// Sends `requests`, [`CONCURRENCY`] at a time: how many were answered in a second, and what each
/// cost in processor time, what is done after the answer included.
async fn per_second(world: &World, function: &str, requests: &[Request]) -> Result<(f64, Spent)> {
    world.cloud.runtime.settled().await;
    let before = Spent::now(world, function).await?;
    let requests: Arc<[Request]> = requests.into();
    let next = Arc::new(AtomicUsize::new(0));
    let started = Instant::now();
    let workers: Vec<_> = (0..CONCURRENCY)
        .map(|_| {
            let (client, requests, next) = (world.client.clone(), requests.clone(), next.clone());
            tokio::spawn(async move {
                while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let answer = client.get(&request.path).key(&request.key).send().await?;
                    anyhow::ensure!(answer.status == 200, "{}", answer.text());
                }
                Ok(())
            })
        })
        .collect();
    for worker in workers {
        worker.await??;
    }
    let per_second = requests.len() as f64 / started.elapsed().as_secs_f64();
    world.cloud.runtime.settled().await;
    let after = Spent::now(world, function).await?;
    Ok((per_second, after.since(before, u32::try_from(requests.len())?)))
}
