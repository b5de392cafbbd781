//! The job behind the stream: drains it, settles, and takes back idle leases. It can be killed at any
//! point and run again, also twice at once.

use std::collections::BTreeMap;

use redis::{Value, streams::StreamRangeReply};
use time::OffsetDateTime;

use super::{
    Entry,
    packs::append,
    stream::{STREAMS, stream_key},
};
use crate::{
    app::App,
    error::Error,
    gate::{self, Swept},
    keys,
    redis::RedisError,
};

/// Entries read at a time.
const BATCH: usize = 500;

/// What one run did.
#[derive(Clone, Copy, Debug, Default, serde::Serialize)]
pub struct RolledUp {
    /// Entries read from the streams.
    pub read: usize,
    /// Entries that were not in the table yet.
    pub new: usize,
    /// Entries that could not be understood: set aside in the function's log by id, then dropped.
    pub unreadable: usize,
    /// Age in seconds of the oldest entry that is left.
    pub oldest_seconds: u64,
    /// What became of the leases.
    pub leases: Swept,
}

/// Runs once. Goes on until the streams are empty.
pub async fn roll_up(app: &App, now: OffsetDateTime) -> Result<RolledUp, Error> {
    let mut done = RolledUp::default();
    loop {
        let batches = read(app, BATCH).await?.0;
        let mut is_last = true;
        for (n, batch) in batches.into_iter().enumerate() {
            is_last &= batch.ids.len() < BATCH;
            move_batch(app, &stream_key(n as u32), batch, &mut done).await?;
        }
        if is_last {
            break;
        }
    }
    if done.read > 0 {
        done.oldest_seconds = oldest(app).await?;
    }
    done.leases = gate::sweep(&app.redis, &app.store, now).await?;
    Ok(done)
}

/// The first `count` entries of each stream, and the server's time in seconds.
async fn read(app: &App, count: usize) -> Result<(Vec<StreamRangeReply>, u64), Error> {
    let mut pipeline = redis::pipe();
    pipeline.cmd("TIME");
    for n in 0..STREAMS {
        pipeline.cmd("XRANGE").arg(stream_key(n)).arg("-").arg("+").arg("COUNT").arg(count);
    }
    let answers: Vec<Value> = app.redis.query_patiently(pipeline).await.map_err(redis_failed)?;
    let mut answers = answers.into_iter();
    let parse = |error| Error::unavailable("Redis", &error);
    let time = answers.next().unwrap_or(Value::Nil);
    let (seconds, _): (u64, u64) = redis::from_redis_value(time).map_err(parse)?;
    let batches = answers.map(redis::from_redis_value).collect::<Result<_, _>>();
    Ok((batches.map_err(parse)?, seconds))
}

/// Moves a batch into the table. What is not written stays in the stream.
async fn move_batch(
    app: &App,
    key: &str,
    batch: StreamRangeReply,
    done: &mut RolledUp,
) -> Result<(), Error> {
    if batch.ids.is_empty() {
        return Ok(());
    }
    let mut entries: Vec<Entry> = Vec::new();
    for id in &batch.ids {
        let parsed = id.get::<String>("entry").and_then(|json| serde_json::from_str(&json).ok());
        match parsed {
            Some(entry) => entries.push(entry),
            None => {
                done.unreadable += 1;
                tracing::error!(id = id.id, "a log entry cannot be understood");
            }
        }
    }
    done.read += batch.ids.len();
    done.new += append(&app.store, &entries).await?;
    mark_keys_used(app, &entries).await?;
    let mut pipeline = redis::pipe();
    pipeline.cmd("XDEL").arg(key).arg(batch.ids.iter().map(|id| &id.id).collect::<Vec<_>>());
    app.redis.query_patiently::<(u64,)>(pipeline).await.map_err(redis_failed)?;
    Ok(())
}

async fn mark_keys_used(app: &App, entries: &[Entry]) -> Result<(), Error> {
    let mut last: BTreeMap<_, i64> = BTreeMap::new();
    for entry in entries {
        let at = last.entry((&entry.account, &entry.key_id)).or_default();
        *at = (*at).max(entry.at_ms / 1000);
    }
    for ((account, key_id), at) in last {
        keys::mark_used(&app.store, account, key_id, at).await?;
    }
    Ok(())
}

/// Seconds since the oldest entry was appended, by the server's clock, which also made its id.
async fn oldest(app: &App) -> Result<u64, Error> {
    let (streams, now) = read(app, 1).await?;
    let appended = |id: &str| Some(id.split('-').next()?.parse::<u64>().ok()? / 1000);
    let first = streams.iter().filter_map(|it| appended(&it.ids.first()?.id)).min();
    Ok(first.map_or(0, |at| now.saturating_sub(at)))
}

fn redis_failed(error: RedisError) -> Error {
    Error::unavailable("Redis", &error)
}
