//! How the sources do, for whoever asks after the service's health: noted in Redis by those who ask a
//! source anyway, so that looking costs no source anything.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ::redis::pipe;
use time::OffsetDateTime;

use super::{Source, failure::Failure, sources::Word};
use crate::{
    inventory::CACHE_SECONDS,
    redis::{Redis, RedisError},
};

/// When a source last answered and last failed, of the last hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SourceState {
    /// Epoch second; "there is no such video" is an answer too.
    pub answered_at: Option<i64>,
    /// Epoch second.
    pub failed_at: Option<i64>,
}

impl SourceState {
    /// Whether it answered when it was last asked; `None` if nobody asked within the hour.
    pub fn is_answering(&self) -> Option<bool> {
        // Within one second the failure counts: it may be the later one.
        self.answered_at.max(self.failed_at).map(|last| self.failed_at != Some(last))
    }
}

/// Failures in a row after which a source is left alone…
const BREAKS_AFTER: u64 = 5;
/// …for so long; then the next question decides.
const REST: i64 = 30;

/// What this process alone has noted of the sources: it stands in where Redis cannot be asked, so that a
/// source that wants to be left alone is, by each function for itself.
#[derive(Debug, Default)]
pub(super) struct Known(Mutex<HashMap<Source, Own>>);

#[derive(Clone, Copy, Debug, Default)]
struct Own {
    fails: u64,
    until: i64,
}

impl Known {
    fn all(&self) -> MutexGuard<'_, HashMap<Source, Own>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn until(&self, source: Source) -> Option<i64> {
        self.all().get(&source).map(|own| own.until)
    }

    /// The same rules as in Redis.
    fn note(&self, source: Source, outcome: Result<(), Failure>, seconds: i64) {
        let mut all = self.all();
        let own = all.entry(source).or_default();
        match outcome {
            Ok(()) => *own = Own::default(),
            Err(failure) if !failure.counts() => {}
            Err(failure) => {
                own.fails += 1;
                match failure {
                    Failure::RateLimited(wait) => own.until = seconds + rest_of(wait),
                    _ if own.fails >= BREAKS_AFTER => own.until = seconds + REST,
                    _ => {}
                }
            }
        }
    }
}

/// Seconds for which a source is left alone that asks for `wait`.
fn rest_of(wait: Duration) -> i64 {
    i64::try_from(wait.as_secs()).unwrap_or(CACHE_SECONDS).clamp(1, CACHE_SECONDS)
}

fn state_key(source: Source) -> String {
    format!("source:{}", source.name())
}

/// Which sources are to be left alone, and for how long.
#[derive(Clone, Debug, Default)]
pub(super) struct Waits(HashMap<Source, Duration>);

impl Waits {
    /// How long `source` is to be left alone; `None` if it may be asked.
    pub(super) fn of(&self, source: Source) -> Option<Duration> {
        self.0.get(&source).copied()
    }
}

/// What the functions have told each other of the sources. Without Redis it is what this one has seen.
pub(super) async fn waits(redis: &Redis, known: &Known, now: OffsetDateTime) -> Waits {
    let mut pipeline = pipe();
    for source in Source::ALL {
        pipeline.cmd("HGET").arg(state_key(source)).arg("until");
    }
    let until: Vec<Option<i64>> = match redis.query(pipeline).await {
        Ok(until) => until,
        Err(_) => Source::ALL.into_iter().map(|source| known.until(source)).collect(),
    };
    let wait = |(source, until): (Source, Option<i64>)| {
        let seconds = u64::try_from(until? - now.unix_timestamp()).ok().filter(|it| *it > 0)?;
        Some((source, Duration::from_secs(seconds)))
    };
    Waits(Source::ALL.into_iter().zip(until).filter_map(wait).collect())
}

/// Notes how those sources did that were asked, for all functions: one that says how long it wants to be
/// left alone is, and one that failed again and again is for half a minute. Failing to note is no failure.
pub(super) async fn note(
    redis: &Redis,
    known: &Known,
    waits: &Waits,
    words: impl Iterator<Item = &(Source, Word)>,
    now: OffsetDateTime,
) {
    let mut came_to: HashMap<Source, Result<(), Failure>> = HashMap::new();
    for (source, word) in words.filter(|(source, _)| waits.of(*source).is_none()) {
        let outcome = word.as_ref().map(|_| ()).map_err(|failure| *failure);
        // One answer of many shows that it answers; what says how long to wait says most of all.
        let so_far = came_to.entry(*source).or_insert(outcome);
        match (&so_far, outcome) {
            (Err(Failure::RateLimited(_)), _) => {}
            (_, Err(Failure::RateLimited(_))) | (Err(_), Ok(())) => *so_far = outcome,
            _ => {}
        }
    }
    if came_to.is_empty() {
        return;
    }
    let seconds = now.unix_timestamp();
    for (source, outcome) in &came_to {
        known.note(*source, *outcome, seconds);
    }
    let mut pipeline = pipe();
    for (source, outcome) in &came_to {
        let key = state_key(*source);
        let mut set = |field: &str, value: i64| {
            pipeline.cmd("HSET").arg(&key).arg(field).arg(value).ignore();
        };
        match outcome {
            // Not the source's doing: it was not asked, or not rightly.
            Err(failure) if !failure.counts() => {}
            Ok(()) => {
                set("answered", seconds);
                pipeline.cmd("HDEL").arg(&key).arg("fails").ignore();
            }
            Err(failure) => {
                set("failed", seconds);
                if let Failure::RateLimited(wait) = failure {
                    set("until", seconds + rest_of(*wait));
                }
                pipeline.cmd("HINCRBY").arg(&key).arg("fails").arg(1).ignore();
            }
        }
        pipeline.cmd("EXPIRE").arg(&key).arg(CACHE_SECONDS).ignore();
        pipeline.cmd("HGET").arg(&key).arg("fails");
    }
    match redis.query::<Vec<Option<u64>>>(pipeline).await {
        Ok(fails) => rest(redis, &came_to, fails, seconds).await,
        Err(error) => tracing::debug!(error = %error, "how the sources do could not be noted"),
    }
}

/// Opens the breaker of each source that has failed too often in a row.
async fn rest(
    redis: &Redis,
    came_to: &HashMap<Source, Result<(), Failure>>,
    fails: Vec<Option<u64>>,
    seconds: i64,
) {
    let mut pipeline = pipe();
    let mut any = false;
    for ((source, outcome), fails) in came_to.iter().zip(fails) {
        // What a source says of itself counts more.
        let has_said = matches!(outcome, Err(Failure::RateLimited(_)));
        if has_said || fails.is_none_or(|it| it < BREAKS_AFTER) {
            continue;
        }
        tracing::warn!(source = source.name(), "a source is left alone for a while");
        let (key, until) = (state_key(*source), seconds + REST);
        pipeline.cmd("HSET").arg(&key).arg("until").arg(until).ignore();
        any = true;
    }
    if any && let Err(error) = redis.query::<()>(pipeline).await {
        tracing::debug!(error = %error, "a source's breaker could not be opened");
    }
}

/// How each source does, in the order of [`Source::ALL`].
pub async fn source_states(redis: &Redis) -> Result<Vec<SourceState>, RedisError> {
    let mut pipeline = pipe();
    for source in Source::ALL {
        pipeline.cmd("HMGET").arg(state_key(source)).arg(&["answered", "failed"]);
    }
    let states: Vec<(Option<i64>, Option<i64>)> = redis.query(pipeline).await?;
    let state = |(answered_at, failed_at)| SourceState { answered_at, failed_at };
    Ok(states.into_iter().map(state).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_by_itself_leaves_a_source_alone_as_long_as_all_would() {
        let known = Known::default();
        let fail = |failure, at| known.note(Source::Research, Err(failure), at);
        for at in 0..4 {
            fail(Failure::Unavailable, at);
            // What the source has no part in counts for nothing.
            fail(Failure::Crowded, at);
        }
        assert_eq!(known.until(Source::Research), Some(0));
        fail(Failure::Timeout, 10);
        assert_eq!(known.until(Source::Research), Some(10 + REST));
        assert_eq!(known.until(Source::Oembed), None);
        known.note(Source::Research, Ok(()), 50);
        assert_eq!(known.until(Source::Research), Some(0));
        fail(Failure::RateLimited(Duration::from_secs(90_000)), 100);
        assert_eq!(known.until(Source::Research), Some(100 + CACHE_SECONDS));
    }

    #[test]
    fn the_last_time_counts() {
        let state = |answered_at, failed_at| SourceState { answered_at, failed_at }.is_answering();
        assert_eq!(state(None, None), None);
        assert_eq!(state(Some(5), None), Some(true));
        assert_eq!(state(Some(5), Some(4)), Some(true));
        assert_eq!(state(Some(5), Some(5)), Some(false));
        assert_eq!(state(None, Some(5)), Some(false));
    }
}
