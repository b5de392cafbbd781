//! The log stream, and how an entry gets there after the answer has left.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use ::redis::streams::StreamRangeReply;

use super::{Entry, packs, refusals::Refusals};
use crate::{
    error::Error,
    ids::AccountId,
    inventory::CACHE_SECONDS,
    redis::{Redis, RedisError, Script},
    store::Store,
};

static APPEND: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("append.lua")));

/// Entries read at a time.
const PAGE: usize = 500;

/// The streams: an account's entries are always in the same one.
pub(super) const STREAMS: u32 = 4;

/// Sorted set of what could not be read, by when it was appended (ms).
pub(super) const UNREADABLE_KEY: &str = "unreadable";

/// Key of the `n`-th stream.
pub(super) fn stream_key(n: u32) -> String {
    format!("log:{n}")
}

/// Key of the stream that an account's entries are in.
fn stream_of(account: &AccountId) -> String {
    stream_key(crc32fast::hash(account.tag().as_bytes()) % STREAMS)
}

/// Whether an entry of `account` has not reached the tables yet, or may be: of what cannot be read, that
/// which names it.
pub async fn is_waiting(redis: &Redis, account: &AccountId) -> Result<bool, Error> {
    let id = account.to_string();
    let is_own = |json: &str| match serde_json::from_str::<Entry>(json) {
        Ok(entry) => entry.account == *account,
        Err(_) => json.contains(&id),
    };
    let (key, mut from) = (stream_of(account), "-".to_owned());
    loop {
        let mut pipeline = ::redis::pipe();
        pipeline.cmd("XRANGE").arg(&key).arg(&from).arg("+").arg("COUNT").arg(PAGE);
        let answer = redis.query_patiently::<(StreamRangeReply,)>(pipeline).await;
        let (page,) = answer.map_err(|error| Error::unavailable("Redis", &error))?;
        let mut texts = page.ids.iter().filter_map(|it| it.get::<String>("entry"));
        if texts.any(|json| is_own(&json)) {
            return Ok(true);
        }
        match page.ids.last() {
            Some(last) if page.ids.len() == PAGE => from = format!("({}", last.id),
            _ => break,
        }
    }
    for from in (0..).step_by(PAGE) {
        let mut pipeline = ::redis::pipe();
        pipeline.cmd("ZRANGE").arg(UNREADABLE_KEY).arg(from).arg(from + PAGE - 1);
        let answer = redis.query_patiently::<(Vec<Vec<u8>>,)>(pipeline).await;
        let (texts,) = answer.map_err(|error| Error::unavailable("Redis", &error))?;
        if texts.iter().any(|it| is_own(&String::from_utf8_lossy(it))) {
            return Ok(true);
        }
        if texts.len() < PAGE {
            break;
        }
    }
    Ok(false)
}

/// Takes log entries while a request is answered, and writes them once the answer has left. Clones
/// share what they have taken.
#[derive(Clone, Debug)]
pub struct Log {
    redis: Redis,
    store: Store,
    taken: Arc<Mutex<Vec<Entry>>>,
    refusals: Refusals,
}

impl Log {
    /// An empty log over Redis, and DynamoDB where Redis fails.
    pub fn new(redis: Redis, store: Store) -> Self {
        Self { redis, store, taken: Arc::default(), refusals: Refusals::default() }
    }

    /// Takes an entry. Of many refusals within a minute only the first are kept.
    pub fn push(&self, entry: Entry) {
        if self.refusals.lets_through(&entry) {
            self.taken.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
        }
    }

    /// Writes what was taken.
    pub async fn flush(&self) {
        let taken = std::mem::take(&mut *self.taken.lock().unwrap_or_else(PoisonError::into_inner));
        for entry in taken {
            self.write(&entry).await;
        }
    }

    async fn write(&self, entry: &Entry) {
        if let Err(error) = self.try_write(entry).await {
            tracing::error!(error = %error, request_id = entry.request_id, "a usage entry is lost");
        }
    }

    async fn try_write(&self, entry: &Entry) -> Result<(), Error> {
        let json = serde_json::to_string(entry).map_err(Error::internal)?;
        let key = stream_of(&entry.account);
        let life = CACHE_SECONDS.to_string();
        match APPEND.run::<u8>(&self.redis, &key, &[&json, &life]).await {
            Ok(_) => Ok(()),
            // Nothing was sent: the stream cannot have it.
            Err(RedisError::Open) => packs::append_alone(&self.store, entry).await.map(drop),
            // Straight to the table. Should the stream have it too, the request id tells.
            Err(_) => packs::append(&self.store, std::slice::from_ref(entry)).await.map(drop),
        }
    }
}
