//! Many videos at once beside as many single requests, and what a miss adds to the source's own time.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::{
    report::Report,
    stats::{Times, ratio, show},
    world::{Request, World},
};
use crate::{
    http::Client,
    standins::tiktok::{Endpoint, Fault},
};

/// Items of a batch.
const ITEMS: usize = 100;
/// Batches and, in turn, as many single requests.
const ROUNDS: usize = 5;
/// Misses, each beside a question to the source alone.
const MISSES: usize = 30;
/// What oEmbed was measured to take: 635 ms.
const SOURCE: Duration = Duration::from_millis(635);

pub(super) async fn run(world: &mut World, report: &mut Report<'_>) -> Result<()> {
    report.section("9. Batches and misses")?;
    let shown = world.cloud.tiktok.catalogue().iter().filter(|it| it.in_oembed);
    let ids: Vec<u64> = shown.map(|it| it.id).collect();
    ensure!(ids.len() > ITEMS + MISSES, "the catalogue is too small");
    batches(world, report, &ids[..ITEMS]).await?;
    misses(world, report, &ids[ITEMS..]).await
}

async fn batches(world: &mut World, report: &mut Report<'_>, ids: &[u64]) -> Result<()> {
    let texts: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let body = json!({ "videos": texts });
    let (mut single, mut batch, mut whole) = (Vec::new(), Vec::new(), Duration::ZERO);
    // The first round fetches what the others find in the cache.
    for round in 0..=ROUNDS {
        let key = world.minute_of(1, 1).await?.pop().context("a customer")?.key;
        let request = |path: String| Request { path, key: key.clone() };
        let all = request("/v1/videos/batch".to_owned());
        let started = Instant::now();
        let answer = world.post(&all, &body).await?;
        let took = started.elapsed();
        ensure!(answer["charged"] == ITEMS, "not all were found: {}", answer["charged"]);
        world.cloud.runtime.settled().await;
        if round == 0 {
            whole = took;
            continue;
        }
        batch.push(took);
        let started = Instant::now();
        for id in &texts {
            world.get(&request(format!("/v1/videos/{id}"))).await?;
        }
        single.push(started.elapsed());
    }
    let [single, batch] = [single, batch].map(Times::from_iter);
    report
        .figure("rounds of each, in turn", format!("{ROUNDS}, of {ITEMS} videos in the cache"))?;
    report.figure("100 single requests, one after the other", show(single.median()))?;
    report.figure("one batch of 100", show(batch.median()))?;
    let faster = ratio(single.median(), batch.median());
    report.figure("ratio: single requests / batch", format!("{faster:.1}"))?;
    report.figure("a batch of 100 that is not in the cache", show(whole))
}

async fn misses(world: &mut World, report: &mut Report<'_>, ids: &[u64]) -> Result<()> {
    let source = world.cloud.setting("TIKTOK_OEMBED_URL").context("no oEmbed")?.to_owned();
    let alone = Client::new(source);
    world.cloud.tiktok.fault(Endpoint::Oembed, Fault::Slow(SOURCE));
    let (mut source, mut miss) = (Vec::new(), Vec::new());
    let page = |id: u64| format!("?url=https%3A%2F%2Fwww.tiktok.com%2F%40_%2Fvideo%2F{id}");
    // The first one starts the environment and its connections.
    for (n, id) in ids.iter().take(MISSES + 1).enumerate() {
        let started = Instant::now();
        let answer = alone.get(page(*id)).send().await?;
        let of_source = started.elapsed();
        ensure!(answer.status == 200, "the source: {}", answer.text());
        let mut request = world.minute_of(1, 1).await?.pop().context("a customer")?;
        request.path = format!("/v1/videos/{id}");
        let started = Instant::now();
        world.get(&request).await?;
        if n > 0 {
            miss.push(started.elapsed());
            source.push(of_source);
        }
    }
    world.cloud.tiktok.fault(Endpoint::Oembed, Fault::None);
    let [source, miss] = [source, miss].map(Times::from_iter);
    report.figure("misses, each beside the source alone", MISSES.to_string())?;
    report.figure("the source alone", show(source.median()))?;
    report.figure("a miss", show(miss.median()))?;
    let over = ratio(miss.median(), source.median());
    report.goal("ratio: miss / source", format!("{over:.3}"), "≤ 1.15", over <= 1.15)
}
