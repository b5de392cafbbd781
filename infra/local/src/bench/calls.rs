//! What a metered cache hit asks of Redis and DynamoDB, counted on their side.
//!
//! Redis' own `MONITOR` dates every command; what it dates before the moment at which the function
//! had handed its answer to the Runtime API counts as "before the answer".

use std::{
    collections::BTreeMap,
    time::{Duration, UNIX_EPOCH},
};

use anyhow::{Context, Result};
use futures_util::StreamExt;
use tokio::{sync::mpsc, time::timeout};

use super::{report::Report, world::World};

const REQUESTS: usize = 200;

/// A command as `MONITOR` reports it.
#[derive(Debug, PartialEq)]
struct Command {
    /// Seconds since 1970.
    at: f64,
    name: String,
    first_key: String,
}

pub(super) async fn run(world: &mut World, report: &mut Report<'_>) -> Result<()> {
    report.section("1. Calls of a metered cache hit")?;
    let requests = world.hits(REQUESTS).await?;
    let redis = &world.cloud.redis;
    let monitor = redis::Client::open(redis.direct_url())?.get_async_monitor().await?;
    let (sender, mut commands) = mpsc::unbounded_channel();
    let listening = tokio::spawn(async move {
        let mut lines = monitor.into_on_message::<String>();
        while let Some(line) = lines.next().await {
            if let Some(command) = Command::parse(&line) {
                // The receiver goes when enough was heard.
                let _ = sender.send(command);
            }
        }
    });
    let reads = || async {
        let reads = redis.info("total_reads_processed").await?;
        reads.trim().parse::<u64>().context("not a number")
    };
    // What asking alone adds.
    let own = { reads().await?.abs_diff(reads().await?) };
    let (reads_before, writes_before) = (reads().await?, redis.writes());
    world.cloud.dynamodb.reset_counts();
    while commands.try_recv().is_ok() {}

    let (mut before, mut after) = (BTreeMap::new(), BTreeMap::new());
    let (mut sockets, mut kinds) = (BTreeMap::new(), BTreeMap::new());
    for request in &requests {
        let written = redis.writes();
        world.get(request).await?;
        let answered = world.cloud.runtime.last_answer().context("nothing was answered")?;
        let answered = answered.duration_since(UNIX_EPOCH)?.as_secs_f64();
        world.cloud.runtime.settled().await;
        *sockets.entry(redis.writes() - written).or_insert(0) += 1;
        let mut counts = [0, 0];
        // The monitor is told at once, but by a connection of its own.
        while let Ok(Some(command)) = timeout(Duration::from_millis(5), commands.recv()).await {
            let is_after = command.at > answered;
            counts[usize::from(is_after)] += 1;
            let when = if is_after { "after" } else { "before" };
            let kind = format!("{} {} {}", when, command.name, pattern(&command.first_key));
            *kinds.entry(kind).or_insert(0) += 1;
        }
        *before.entry(counts[0]).or_insert(0) += 1;
        *after.entry(counts[1]).or_insert(0) += 1;
    }
    let calls = world.cloud.dynamodb.requests();
    let reads_after = reads().await?;
    let writes = redis.writes() - writes_before;
    listening.abort();

    report.figure("requests, one after the other", REQUESTS.to_string())?;
    report.figure("commands before the answer (how many: how often)", show(&before))?;
    report.figure("commands after it", show(&after))?;
    for (kind, count) in &kinds {
        report.figure(
            &format!("  {kind}"),
            format!("{:.2} a request", *count as f64 / REQUESTS as f64),
        )?;
    }
    report.figure("socket writes by the functions, in all", show(&sockets))?;
    // The two of the pipeline before the answer came in one write if all writes together are two:
    // the log entry after it is the other.
    let per_request = writes as f64 / REQUESTS as f64;
    let server = (reads_after - reads_before).saturating_sub(own) as f64 / REQUESTS as f64;
    report.figure("  seen by the proxy before Redis", format!("{per_request:.2} a request"))?;
    report.figure("  read by the Redis server (INFO)", format!("{server:.2} a request"))?;
    let late = kinds.iter().filter(|it| it.0.starts_with("after ")).map(|it| *it.1).sum::<usize>();
    let log_entries = late as f64 / REQUESTS as f64;
    let first = server - log_entries;
    let is_one = (first - 1.0).abs() < 0.005 && (per_request - server).abs() < 0.005;
    report.goal("Redis socket writes before the answer", format!("{first:.2}"), "1", is_one)?;
    report.figure("Redis socket writes after it (the log entry)", format!("{log_entries:.2}"))?;
    report.goal("DynamoDB calls", calls.to_string(), "0", calls == 0)
}

/// `count: how often`, for each count.
fn show(counts: &BTreeMap<u64, usize>) -> String {
    let shown: Vec<_> = counts.iter().map(|(count, times)| format!("{count}: {times}×")).collect();
    shown.join(", ")
}

/// A key without what tells one account or video from another.
fn pattern(key: &str) -> String {
    match key {
        _ if key.starts_with('{') => "{account}:g".to_owned(),
        _ => key.split_once(':').map_or(key, |it| it.0).to_owned() + ":…",
    }
}

impl Command {
    /// `1795521600.123456 [0 127.0.0.1:4711] "EVALSHA" "hash" "1" "key" …`. What scripts call
    /// (`[0 lua]`) and what we ask ourselves (`INFO`, and what a new connection begins with) are
    /// not counted.
    fn parse(line: &str) -> Option<Self> {
        let (at, rest) = line.trim_start_matches('+').split_once(' ')?;
        let (source, command) = rest.split_once("] ")?;
        if source.ends_with("lua") {
            return None;
        }
        let mut words = command.split('"').skip(1).step_by(2);
        let name = words.next()?.to_ascii_uppercase();
        let first_key = match name.as_str() {
            "INFO" | "CLIENT" | "HELLO" | "MONITOR" => return None,
            "EVALSHA" | "EVAL" => words.nth(2)?,
            _ => words.next().unwrap_or_default(),
        };
        Some(Self { at: at.parse().ok()?, first_key: first_key.to_owned(), name })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_and_those_of_scripts_are_not() {
        let line = r#"1795521600.5 [0 127.0.0.1:1] "EVALSHA" "5a" "1" "{tag}:g" "x \"y\"""#;
        let command = Command::parse(line).expect("a command");
        assert_eq!((command.at, command.name.as_str()), (1_795_521_600.5, "EVALSHA"));
        assert_eq!(pattern(&command.first_key), "{account}:g");
        let get = Command::parse(r#"1.0 [0 127.0.0.1:1] "get" "video:1""#).expect("a command");
        assert_eq!((get.name.as_str(), pattern(&get.first_key).as_str()), ("GET", "video:…"));
        assert_eq!(Command::parse(r#"1.0 [0 lua] "HMGET" "{tag}:g" "st""#), None);
        assert_eq!(Command::parse(r#"1.0 [0 127.0.0.1:1] "INFO" "everything""#), None);
        assert_eq!(Command::parse("OK"), None);
    }
}
