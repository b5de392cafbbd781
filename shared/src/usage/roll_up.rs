//! The job behind the stream: drains it, settles, and takes back idle leases. It can be killed at any
//! point and run again, also twice at once.

use std::collections::BTreeMap;

use redis::streams::StreamRangeReply;
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
    for n in 0..STREAMS {
        let key = stream_key(n);
        loop {
            let read = drain_batch(app, &key, &mut done).await?;
            if read < BATCH {
                break;
            }
        }
        done.oldest_seconds = done.oldest_seconds.max(oldest(app, &key).await?);
    }
    done.leases = gate::sweep(&app.redis, &app.store, now).await?;
    Ok(done)
}

async fn drain_batch(app: &App, key: &str, done: &mut RolledUp) -> Result<usize, Error> {
    let mut pipeline = redis::pipe();
    pipeline.cmd("XRANGE").arg(key).arg("-").arg("+").arg("COUNT").arg(BATCH);
    let (batch,): (StreamRangeReply,) =
        app.redis.query_patiently(pipeline).await.map_err(redis_failed)?;
    if batch.ids.is_empty() {
        return Ok(0);
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
    // Only now: what is not written stays in the stream.
    let mut pipeline = redis::pipe();
    pipeline.cmd("XDEL").arg(key).arg(batch.ids.iter().map(|id| &id.id).collect::<Vec<_>>());
    app.redis.query_patiently::<(u64,)>(pipeline).await.map_err(redis_failed)?;
    Ok(batch.ids.len())
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
async fn oldest(app: &App, key: &str) -> Result<u64, Error> {
    let mut pipeline = redis::pipe();
    pipeline.cmd("XRANGE").arg(key).arg("-").arg("+").arg("COUNT").arg(1);
    pipeline.cmd("TIME");
    let (first, (seconds, _)): (StreamRangeReply, (u64, u64)) =
        app.redis.query_patiently(pipeline).await.map_err(redis_failed)?;
    let appended = first.ids.first().and_then(|it| it.id.split('-').next()?.parse::<u64>().ok());
    Ok(appended.map_or(0, |ms| seconds.saturating_sub(ms / 1000)))
}

fn redis_failed(error: RedisError) -> Error {
    Error::unavailable("Redis", &error)
}
