//! Cold starts and memory.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::{
    report::Report,
    stats::{Times, median, ratio, show},
    world::{HELLO, VIDEO, World},
};

const STARTS: usize = 31;

pub(super) async fn run(world: &mut World, report: &mut Report<'_>) -> Result<()> {
    report.section("4. Cold start of get-video (answering from the cache) and memory")?;
    let warm = [HELLO, VIDEO].map(|it| largest_memory(world, it));
    let (mut hellos, mut videos) = (Vec::new(), Vec::new());
    let (mut fresh_hello, mut fresh_video) = (Vec::new(), Vec::new());
    for (n, request) in world.hits(STARTS + 1).await?.iter().enumerate() {
        let event = world.event(request)?;
        let (hello, hello_memory) = start(world, HELLO, event.clone()).await?;
        let (video, video_memory) = start(world, VIDEO, event).await?;
        // The first one brings the programs into the machine's memory.
        if n > 0 {
            hellos.push(hello);
            videos.push(video);
            fresh_hello.push(hello_memory);
            fresh_video.push(video_memory);
        }
    }
    let [hellos, videos] = [hellos, videos].map(Times::from_iter);
    report.figure("cold starts of each, in turn", STARTS.to_string())?;
    for (name, times) in [("hello world", &hellos), ("get-video", &videos)] {
        let (half, most) = (show(times.median()), show(times.percentile(0.95)));
        report
            .figure(&format!("{name}, from spawn to answer"), format!("p50 {half}   p95 {most}"))?;
    }
    let ratio = ratio(videos.median(), hellos.median());
    report.goal("ratio: get-video / hello world", format!("{ratio:.2}"), "≤ 1.5", ratio <= 1.5)?;
    let (hello, video) = (median(fresh_hello), median(fresh_video));
    let show = |hello: f64, video: f64| {
        format!("hello {hello:.1} MB, get-video {video:.1} MB, ratio {:.2}", video / hello)
    };
    report.figure("resident memory after one request", show(hello, video))?;
    if let [Ok(hello), Ok(video)] = warm {
        report.figure("after the throughput rounds, largest", show(hello, video))?;
    }
    Ok(())
}

/// Kills a function's environments, starts one by giving it `event`, and says how long the answer
/// took and how much memory it has then, in MB.
async fn start(world: &World, function: &str, event: axum::body::Bytes) -> Result<(Duration, f64)> {
    let runtime = &world.cloud.runtime;
    runtime.kill(function).await?;
    let started = Instant::now();
    let answer = runtime.invoke(function, event).await;
    let took = started.elapsed();
    let answer = answer.with_context(|| {
        let lines = runtime.logs(function).map(|it| it.lines()).unwrap_or_default();
        let tail = lines[lines.len().saturating_sub(20)..].join("\n");
        format!("{function}, which wrote last:\n{tail}")
    })?;
    let answer: serde_json::Value = serde_json::from_slice(&answer)?;
    anyhow::ensure!(answer["statusCode"] == 200, "{function} answered {answer}");
    runtime.settled().await;
    Ok((took, largest_memory(world, function)?))
}

/// `VmRSS` of the function's largest environment, in MB.
fn largest_memory(world: &World, function: &str) -> Result<f64> {
    let ids = world.cloud.runtime.process_ids(function)?;
    let sizes = ids.into_iter().map(|id| {
        let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
        resident(&status).context("no VmRSS")
    });
    sizes.collect::<Result<Vec<_>>>()?.into_iter().max_by(f64::total_cmp).context("no process")
}

fn resident(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|it| it.strip_prefix("VmRSS:"))?;
    let kilobytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes / 1024.0)
}

#[cfg(test)]
mod tests {
    #[test]
    fn memory_is_read_from_the_status_file() {
        let status = "Name:\thello\nVmPeak:\t  9000 kB\nVmRSS:\t    5120 kB\nThreads:\t1\n";
        assert_eq!(super::resident(status), Some(5.0));
        assert_eq!(super::resident("Name:\tzombie\n"), None);
    }
}
