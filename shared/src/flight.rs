//! One fetch for many: the answer comes from the cache, or one request fetches it while the others
//! wait for it. What cannot be fetched is not asked for again by those who waited.

use std::{sync::LazyLock, time::Duration as Wait};

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use tokio::time::{Instant, sleep};

use crate::{
    error::Error,
    ids::random_base62,
    redis::{Redis, RedisError, Script},
    video::{FetchError, VideoId, VideoRecord},
};

/// A found video is served from the cache for an hour at most (privacy policy §3.1)…
const KEEP_FOUND: Duration = Duration::hours(1);
/// …one that a source was missing for, for a minute: asking again may help…
const KEEP_INCOMPLETE: Duration = Duration::minutes(1);
/// …and "there is no such video" for a minute: it may have been published just now.
const KEEP_NOT_FOUND: Duration = Duration::minutes(1);

/// Longest time one fetch may hold the others up. Above the sources' own time limit.
const HOLD_MS: u64 = 6_000;

/// Gives the flight up, or leaves word of why it failed, if it is still ours.
static LAND: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end \
         if ARGV[2] == '' then return redis.call('DEL', KEYS[1]) end \
         redis.call('SET', KEYS[1], ARGV[2], 'PX', 1000) return 1",
    )
});

/// What the cache holds of a video.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Entry {
    Found(Box<VideoRecord>),
    NotFound,
}

impl Entry {
    fn keep(&self) -> Duration {
        match self {
            Self::Found(record) if record.is_complete() => KEEP_FOUND,
            Self::Found(_) => KEEP_INCOMPLETE,
            Self::NotFound => KEEP_NOT_FOUND,
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Cached {
    /// When it was put there, by the event's time: a moved clock ends it too.
    at: i64,
    entry: Entry,
}

/// A video and where it came from.
#[derive(Debug)]
pub struct Landed {
    /// The video.
    pub record: VideoRecord,
    /// Whether it came from the cache.
    pub cached: bool,
}

/// Cache key of a video.
pub fn cache_key(id: VideoId) -> String {
    format!("video:{id}")
}

fn flight_key(id: VideoId) -> String {
    format!("flight:{id}")
}

/// What `bytes` from the cache say at `now`; `None` if they are of no use any more.
fn read(bytes: &[u8], now: OffsetDateTime) -> Option<Entry> {
    let cached: Cached = serde_json::from_slice(bytes).ok()?;
    let age = now.unix_timestamp() - cached.at;
    let keep = cached.entry.keep();
    // A little below zero: environments' events may overtake each other.
    (-60..keep.whole_seconds()).contains(&age).then_some(cached.entry)
}

/// The video, from `cached` (what the gate's look-up found), or by `fetch`: once for all who ask
/// within the same moment.
pub async fn land(
    redis: &Redis,
    id: VideoId,
    cached: Option<&[u8]>,
    now: OffsetDateTime,
    fetch: impl Future<Output = Result<VideoRecord, FetchError>>,
) -> Result<Landed, Error> {
    if let Some(entry) = cached.and_then(|bytes| read(bytes, now)) {
        return from_cache(entry);
    }
    let started = Instant::now();
    let token = random_base62(16);
    let mut pause = Wait::from_millis(10);
    while started.elapsed() < Wait::from_millis(HOLD_MS) {
        match board(redis, id, &token).await {
            // Without Redis each asks for itself.
            Err(error) => {
                tracing::warn!(error = %error, "fetching without single flight");
                break;
            }
            Ok((Some(bytes), boarded)) if let Some(entry) = read(&bytes, now) => {
                if let Boarded::First = boarded {
                    // It landed just before: nobody shall wait for this one.
                    let _ = LAND.run::<u8>(redis, &flight_key(id), &[&token, ""]).await;
                }
                return from_cache(entry);
            }
            Ok((_, Boarded::First)) => {
                let outcome = fetch.await;
                leave(redis, id, &token, &outcome, now).await;
                return Ok(Landed { record: outcome?, cached: false });
            }
            Ok((_, Boarded::Failed(error))) => return Err(error.into()),
            Ok((_, Boarded::Waiting)) => {
                sleep(pause).await;
                pause = (pause * 2).min(Wait::from_millis(100));
            }
        }
    }
    Ok(Landed { record: fetch.await?, cached: false })
}

fn from_cache(entry: Entry) -> Result<Landed, Error> {
    match entry {
        Entry::Found(record) => Ok(Landed { record: *record, cached: true }),
        Entry::NotFound => Err(FetchError::NotFound.into()),
    }
}

enum Boarded {
    First,
    Waiting,
    Failed(FetchError),
}

async fn board(
    redis: &Redis,
    id: VideoId,
    token: &str,
) -> Result<(Option<Vec<u8>>, Boarded), RedisError> {
    let mut pipeline = redis::pipe();
    pipeline.cmd("SET").arg(flight_key(id)).arg(token).arg("NX").arg("PX").arg(HOLD_MS);
    pipeline.cmd("GET").arg(flight_key(id));
    pipeline.cmd("GET").arg(cache_key(id));
    let (_, holder, cached): (Option<String>, Option<String>, Option<Vec<u8>>) =
        redis.query(pipeline).await?;
    let boarded = match holder.as_deref() {
        Some(holder) if holder == token => Boarded::First,
        Some(holder) => match holder.strip_prefix('!') {
            Some(json) => match serde_json::from_str(json) {
                Ok(error) => Boarded::Failed(error),
                Err(_) => Boarded::Waiting,
            },
            None => Boarded::Waiting,
        },
        None => Boarded::Waiting,
    };
    Ok((cached, boarded))
}

/// Leaves the outcome for those who wait. Failing to is no failure: they go on by themselves.
async fn leave(
    redis: &Redis,
    id: VideoId,
    token: &str,
    outcome: &Result<VideoRecord, FetchError>,
    now: OffsetDateTime,
) {
    let entry = match outcome {
        Ok(record) => Some(Entry::Found(Box::new(record.clone()))),
        Err(FetchError::NotFound) => Some(Entry::NotFound),
        Err(_) => None,
    };
    let word = match (&entry, outcome) {
        (None, Err(error)) => serde_json::to_string(error).map(|json| format!("!{json}")),
        _ => Ok(String::new()),
    };
    let store = async {
        if let Some(entry) = entry {
            let seconds = entry.keep().whole_seconds();
            let cached = Cached { at: now.unix_timestamp(), entry };
            let Ok(json) = serde_json::to_string(&cached) else { return Ok(()) };
            let mut pipeline = redis::pipe();
            pipeline.cmd("SET").arg(cache_key(id)).arg(json).arg("EX").arg(seconds).ignore();
            redis.query::<()>(pipeline).await?;
        }
        LAND.run::<u8>(redis, &flight_key(id), &[token, &word.unwrap_or_default()]).await.map(drop)
    };
    if let Err(error) = store.await {
        tracing::warn!(error = %error, "a fetched answer could not be shared");
    }
}
