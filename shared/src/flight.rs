//! One fetch for many: the answer comes from the cache, or one request fetches it while the others
//! wait for it. What cannot be fetched is not asked for again by those who waited.
//!
//! Whatever is handed on, from the cache or fetched, has been held against the creators who objected. A
//! cached answer carries the stamp under which that was done; each objection changes the stamp, and an
//! answer under another one is looked at anew before it is used.

mod alone;

use std::{collections::HashSet, sync::LazyLock, time::Duration as Wait};

use redis::pipe;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use time::{Duration, OffsetDateTime};
use tokio::time::sleep;

pub use self::alone::Alone;
use crate::{
    error::Error,
    ids::random_base62,
    inventory::CACHE_SECONDS,
    objections::{Objections, STAMP_KEY},
    redis::{Redis, RedisError, Script, is_no_script},
    video::FetchError,
};

/// An answer is served from the cache for an hour at most (privacy policy §3.1).
pub const KEEP: Duration = Duration::hours(1);
/// "There is no such thing" is for a minute: it may have been published just now.
pub const KEEP_BRIEFLY: Duration = Duration::minutes(1);

/// Longest time one fetch may hold the others up. Above the sources' own time limit.
const HOLD_MS: u64 = 6_000;
/// The same for a fetch of many: those who wait go on by themselves after [`HOLD_MS`].
const HOLD_MANY_MS: u64 = 25_000;

/// Gives the flight up, or leaves word of why it failed, if it is still ours.
static LAND: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end \
         if ARGV[2] == '' then return redis.call('DEL', KEYS[1]) end \
         redis.call('SET', KEYS[1], ARGV[2], 'PX', 1000) return 1",
    )
});

/// What can be fetched once for many.
pub trait Shared: Clone + Serialize + DeserializeOwned {
    /// How long it may be kept, [`KEEP`] at most.
    fn keep(&self) -> Duration;

    /// Handles of the creators whose it is.
    fn creators(&self) -> Vec<&str>;

    /// What is left of it without what `objected` creators made; `None` if nothing may be shown.
    fn without(self, objected: &HashSet<String>) -> Option<Self>;

    /// Whether it is a list, out of which what objecting creators made is taken. It is fetched anew once
    /// anybody has objected or withdrawn: what was taken out may have come back. All lists are, whether
    /// anything was taken out or not: otherwise who objects themselves would see by it which ones lack something.
    const IS_LIST: bool = false;

    /// Whether it is of use to who asks. One that lacks something because its first asker's share of a source
    /// was used up is of none to those who may have some left.
    fn suits(&self, is_paying: bool) -> bool {
        let _ = is_paying;
        true
    }

    /// Whether its key is a creator's handle. Then nothing may be kept there that says they objected:
    /// only a keyed hash of who did may stay.
    const KEY_NAMES_CREATOR: bool = false;
}

/// What was found in the cache together with the gate's answer.
#[derive(Clone, Debug, Default)]
pub struct Looked {
    /// The stamp that answers must carry.
    pub stamp: Option<String>,
    /// The values, in the order of the keys; `None` for those that are not there.
    pub values: Vec<Option<Vec<u8>>>,
}

impl Looked {
    /// Keys to look up for answers at `keys`: the stamp's first.
    pub fn keys(keys: &[String]) -> Vec<String> {
        std::iter::once(STAMP_KEY.to_owned()).chain(keys.iter().cloned()).collect()
    }

    /// From the values of [`Looked::keys`].
    pub fn new(mut values: Vec<Option<Vec<u8>>>) -> Self {
        if values.is_empty() {
            return Self::default();
        }
        let stamp = values.remove(0).and_then(|it| String::from_utf8(it).ok());
        Self { stamp, values }
    }
}

/// What the cache holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Entry<T> {
    Found(T),
    /// There is none, or none yet, in these words.
    Nothing(FetchError),
}

impl<T: Shared> Entry<T> {
    fn keep(&self) -> Duration {
        match self {
            Self::Found(found) => found.keep().min(KEEP),
            // What is not ready is not asked for again before it may be.
            Self::Nothing(FetchError::NotReady { retry_after }) => {
                Duration::try_from(*retry_after).unwrap_or(KEEP_BRIEFLY).min(KEEP_BRIEFLY)
            }
            Self::Nothing(_) => KEEP_BRIEFLY,
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Cached<T> {
    /// When it was put there, by the event's time: a moved clock ends it too.
    at: i64,
    /// The stamp under which its creators were looked up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stamp: Option<String>,
    entry: Entry<T>,
}

/// An answer and where it came from.
#[derive(Clone, Debug)]
pub struct Landed<T> {
    /// The answer.
    pub found: T,
    /// Whether it came from the cache.
    pub cached: bool,
}

/// What became of one key.
pub type Outcome<T> = Result<Landed<T>, FetchError>;

/// How requests share what they fetch.
#[derive(Clone, Debug)]
pub struct Flights<'a> {
    /// The cache.
    pub redis: &'a Redis,
    /// What this process keeps by itself while Redis is away.
    pub alone: &'a Alone,
    /// Creators who objected.
    pub objections: &'a Objections,
    /// Whether the account has bought a plan.
    pub is_paying: bool,
    /// Time of the request.
    pub now: OffsetDateTime,
}

/// One request's place in the queue for a key.
enum Boarded {
    First,
    Waiting,
    Failed(FetchError),
}

fn flight_key(key: &str) -> String {
    format!("flight:{key}")
}

impl Flights<'_> {
    /// What is at `keys`: from `looked`, or by `fetch`, which gets the places of the keys that it is to
    /// fetch and answers in their order; once for all who ask within the same moment.
    pub async fn land<T: Shared, F>(
        &self,
        keys: &[String],
        looked: Looked,
        fetch: impl Fn(Vec<usize>) -> F,
    ) -> Result<Vec<Outcome<T>>, Error>
    where
        F: Future<Output = Vec<Result<T, FetchError>>>,
    {
        let mut outcomes: Vec<Option<Outcome<T>>> = keys.iter().map(|_| None).collect();
        if looked.stamp.is_some() {
            self.alone.clear();
        }
        let values = looked.values.into_iter().enumerate().take(keys.len());
        let values = values.filter_map(|(at, bytes)| Some((at, bytes?))).collect();
        self.unload(keys, values, &looked.stamp, &mut outcomes).await?;
        let mut waiting = missing(&outcomes);
        // A hit needs no place in any queue.
        let token = if waiting.is_empty() { String::new() } else { random_base62(16) };
        let (mut pause, mut waited) = (Wait::from_millis(10), Wait::ZERO);
        while !waiting.is_empty() && waited < Wait::from_millis(HOLD_MS) {
            let (boarded, stamp) = match self.board(keys, &waiting, &token).await {
                Ok(boarded) => boarded,
                // Without Redis each process is for itself.
                Err(error) => {
                    tracing::warn!(error = %error, "fetching without the other functions");
                    // Some may have been boarded all the same.
                    self.give_up(keys, &waiting, &token).await;
                    self.land_alone(keys, &fetch, &mut outcomes).await?;
                    break;
                }
            };
            self.alone.clear();
            let (mut cached, mut first) = (Vec::new(), Vec::new());
            for (at, (bytes, place)) in waiting.iter().zip(boarded) {
                cached.extend(bytes.map(|bytes| (*at, bytes)));
                match place {
                    Boarded::First => first.push(*at),
                    Boarded::Waiting => {}
                    Boarded::Failed(error) => outcomes[*at] = Some(Err(error)),
                }
            }
            if let Err(error) = self.unload(keys, cached, &stamp, &mut outcomes).await {
                self.give_up(keys, &first, &token).await;
                return Err(error);
            }
            // What landed just before needs no fetching: nobody shall wait for it.
            let (landed, mine): (Vec<_>, Vec<_>) =
                first.into_iter().partition(|at| outcomes[*at].is_some());
            self.give_up(keys, &landed, &token).await;
            if !mine.is_empty() {
                let fetched = fetch(mine.clone()).await;
                self.share(keys, &mine, fetched, (&token, &stamp), &mut outcomes).await?;
            }
            waiting = missing(&outcomes);
            if !waiting.is_empty() {
                sleep(pause).await;
                waited += pause;
                pause = (pause * 2).min(Wait::from_millis(100));
            }
        }
        let waiting = missing(&outcomes);
        if !waiting.is_empty() {
            let fetched = fetch(waiting.clone()).await;
            for (at, outcome) in waiting.iter().zip(self.checked(fetched).await?) {
                outcomes[*at] = Some(landed(outcome, false));
            }
        }
        Ok(outcomes.into_iter().map(|it| it.unwrap_or(Err(FetchError::Timeout))).collect())
    }

    /// Takes what of `values` (places and bytes) is of use at this time.
    async fn unload<T: Shared>(
        &self,
        keys: &[String],
        values: Vec<(usize, Vec<u8>)>,
        stamp: &Option<String>,
        outcomes: &mut [Option<Outcome<T>>],
    ) -> Result<(), Error> {
        let (mut unchecked, mut found) = (Vec::new(), Vec::new());
        for (at, bytes) in values {
            let Some(cached) = self.read::<T>(&bytes) else { continue };
            match cached.entry {
                Entry::Nothing(error) if same(&cached.stamp, stamp) => {
                    let age = self.now.unix_timestamp() - cached.at;
                    outcomes[at] = Some(Err(error.later(age)));
                }
                Entry::Found(it) if same(&cached.stamp, stamp) => {
                    outcomes[at] = Some(Ok(Landed { found: it, cached: true }));
                }
                // Somebody has objected since: perhaps its creator.
                Entry::Found(it) if !T::IS_LIST => {
                    unchecked.push((at, cached.at));
                    found.push(Ok(it));
                }
                _ => {}
            }
        }
        if unchecked.is_empty() {
            return Ok(());
        }
        let checked = self.checked(found).await?;
        let mut pipeline = pipe();
        for ((at, since), outcome) in unchecked.into_iter().zip(checked) {
            match entry_of(&outcome) {
                Some(entry) => {
                    let cached = Cached { at: since, stamp: stamp.clone(), entry };
                    if let Ok(json) = serde_json::to_string(&cached) {
                        pipeline.cmd("SET").arg(&keys[at]).arg(json);
                        pipeline.arg("XX").arg("KEEPTTL").ignore();
                    }
                }
                None => {
                    pipeline.cmd("DEL").arg(&keys[at]).ignore();
                }
            }
            outcomes[at] = Some(landed(outcome, true));
        }
        self.store(pipeline, keys, stamp).await;
        Ok(())
    }

    /// What `bytes` from the cache say; `None` if they are of no use now, or to this request.
    fn read<T: Shared>(&self, bytes: &[u8]) -> Option<Cached<T>> {
        let cached: Cached<T> = serde_json::from_slice(bytes).ok()?;
        if let Entry::Found(found) = &cached.entry
            && !found.suits(self.is_paying)
        {
            return None;
        }
        let age = self.now.unix_timestamp() - cached.at;
        let keep = cached.entry.keep();
        // A little below zero: environments' events may overtake each other.
        (-60..keep.whole_seconds()).contains(&age).then_some(cached)
    }

    /// Leaves out what creators made who objected.
    async fn checked<T: Shared>(
        &self,
        outcomes: Vec<Result<T, FetchError>>,
    ) -> Result<Vec<Result<T, FetchError>>, Error> {
        let creators: HashSet<&str> =
            outcomes.iter().flatten().flat_map(|found| found.creators()).collect();
        let creators: Vec<&str> = creators.into_iter().collect();
        let objected = self.objections.among(&creators).await?;
        if objected.is_empty() {
            return Ok(outcomes);
        }
        let check = |outcome: Result<T, FetchError>| {
            outcome.and_then(|found| found.without(&objected).ok_or(FetchError::Objected))
        };
        Ok(outcomes.into_iter().map(check).collect())
    }

    async fn board(
        &self,
        keys: &[String],
        wanted: &[usize],
        token: &str,
    ) -> Result<(Vec<(Option<Vec<u8>>, Boarded)>, Option<String>), RedisError> {
        let hold = if wanted.len() > 1 { HOLD_MANY_MS } else { HOLD_MS };
        let mut pipeline = pipe();
        // There is a stamp as long as there is anything that was cached under it: one that is gone would
        // look like the one before the first objection.
        pipeline
            .cmd("SET")
            .arg(STAMP_KEY)
            .arg(token)
            .arg("NX")
            .arg("EX")
            .arg(CACHE_SECONDS)
            .ignore();
        pipeline.cmd("EXPIRE").arg(STAMP_KEY).arg(CACHE_SECONDS).ignore();
        pipeline.cmd("GET").arg(STAMP_KEY);
        for at in wanted {
            let flight = flight_key(&keys[*at]);
            pipeline.cmd("SET").arg(&flight).arg(token).arg("NX").arg("PX").arg(hold).ignore();
            pipeline.cmd("GET").arg(flight);
            pipeline.cmd("GET").arg(&keys[*at]);
        }
        let mut answers: Vec<Option<Vec<u8>>> = self.redis.query(pipeline).await?;
        let pairs = answers.split_off(1.min(answers.len()));
        let stamp = answers.pop().flatten().and_then(|it| String::from_utf8(it).ok());
        let boarded = pairs.chunks(2).map(|pair| {
            let holder = pair[0].as_deref().unwrap_or_default();
            let place = match holder.strip_prefix(b"!") {
                Some(json) => match serde_json::from_slice(json) {
                    Ok(error) => Boarded::Failed(error),
                    Err(_) => Boarded::Waiting,
                },
                None if holder == token.as_bytes() => Boarded::First,
                None => Boarded::Waiting,
            };
            (pair.get(1).cloned().flatten(), place)
        });
        Ok((boarded.collect(), stamp))
    }

    /// Checks what was fetched for `mine`, and leaves it for those who wait.
    async fn share<T: Shared>(
        &self,
        keys: &[String],
        mine: &[usize],
        fetched: Vec<Result<T, FetchError>>,
        (token, stamp): (&str, &Option<String>),
        outcomes: &mut [Option<Outcome<T>>],
    ) -> Result<(), Error> {
        let checked = match self.checked(fetched).await {
            Ok(checked) => checked,
            Err(error) => {
                self.give_up(keys, mine, token).await;
                return Err(error);
            }
        };
        let mut pipeline = pipe();
        let mut words = Vec::new();
        for (at, outcome) in mine.iter().zip(checked) {
            let entry = entry_of(&outcome);
            let word = match (&entry, &outcome) {
                // That is the asker's own share: somebody else may have some left. And a flight, too, may
                // be named after who objected.
                (None, Err(FetchError::Exhausted { .. } | FetchError::Objected)) => {
                    Ok(String::new())
                }
                (None, Err(error)) => serde_json::to_string(error).map(|json| format!("!{json}")),
                _ => Ok(String::new()),
            };
            words.push((*at, word.unwrap_or_default()));
            if let Some(entry) = entry
                && let seconds @ 1.. = entry.keep().whole_seconds()
            {
                let cached = Cached { at: self.now.unix_timestamp(), stamp: stamp.clone(), entry };
                if let Ok(json) = serde_json::to_string(&cached) {
                    pipeline.cmd("SET").arg(&keys[*at]).arg(json).arg("EX").arg(seconds).ignore();
                }
            }
            outcomes[*at] = Some(landed(outcome, false));
        }
        self.store(pipeline, keys, stamp).await;
        self.leave(keys, words, token).await;
        Ok(())
    }

    /// Stores answers that were checked under `stamp`. One that changed meanwhile takes them away again:
    /// who objected may be one of theirs. Failing to store is no failure.
    async fn store(&self, mut pipeline: redis::Pipeline, keys: &[String], stamp: &Option<String>) {
        pipeline.cmd("GET").arg(STAMP_KEY);
        let stored = self.redis.query::<(Option<String>,)>(pipeline).await;
        let outcome = match stored {
            Ok((now,)) if now == *stamp => return,
            Ok(_) => {
                let mut pipeline = pipe();
                for key in keys {
                    pipeline.cmd("DEL").arg(key).ignore();
                }
                self.redis.query::<()>(pipeline).await
            }
            Err(error) => Err(error),
        };
        if let Err(error) = outcome {
            tracing::warn!(error = %error, "a fetched answer could not be shared");
        }
    }

    async fn give_up(&self, keys: &[String], places: &[usize], token: &str) {
        self.leave(keys, places.iter().map(|at| (*at, String::new())).collect(), token).await;
    }

    /// Ends the flights, each with a word for those who wait. Failing to is no failure: they go on by
    /// themselves.
    async fn leave(&self, keys: &[String], words: Vec<(usize, String)>, token: &str) {
        if words.is_empty() {
            return;
        }
        for _ in 0..2 {
            let mut pipeline = pipe();
            for (at, word) in &words {
                LAND.add_to(&mut pipeline, &flight_key(&keys[*at]), &[token, word]);
            }
            let error = match self.redis.query::<Vec<u8>>(pipeline).await {
                Ok(_) => return,
                Err(RedisError::Failed(error)) if is_no_script(&error) => {
                    LAND.load(self.redis).await.err()
                }
                Err(error) => Some(error),
            };
            if let Some(error) = error {
                tracing::warn!(error = %error, "those who wait for a fetch could not be told");
                return;
            }
        }
    }
}

/// What may be kept of `outcome`: an answer, or that there is none, or none yet.
fn entry_of<T: Shared>(outcome: &Result<T, FetchError>) -> Option<Entry<T>> {
    match outcome {
        Ok(found) => Some(Entry::Found(found.clone())),
        Err(FetchError::Objected) if T::KEY_NAMES_CREATOR => None,
        Err(
            error @ (FetchError::NotFound
            | FetchError::NoCreator
            | FetchError::LinkLeadsNowhere
            | FetchError::NotReady { .. }
            | FetchError::Objected),
        ) => Some(Entry::Nothing(error.clone())),
        Err(_) => None,
    }
}

/// Whether what was checked under `of` needs no other look under `stamp`. Without a stamp it does.
fn same(of: &Option<String>, stamp: &Option<String>) -> bool {
    stamp.is_some() && of == stamp
}

/// Places without an outcome.
fn missing<T>(outcomes: &[Option<T>]) -> Vec<usize> {
    outcomes.iter().enumerate().filter(|(_, it)| it.is_none()).map(|(at, _)| at).collect()
}

fn landed<T>(outcome: Result<T, FetchError>, cached: bool) -> Outcome<T> {
    outcome.map(|found| Landed { found, cached })
}
