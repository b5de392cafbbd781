//! How the sources do, for whoever asks after the service's health: noted in Redis by those who ask a
//! source anyway, so that looking costs no source anything.

use ::redis::pipe;
use time::OffsetDateTime;

use super::Source;
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

fn state_key(source: Source) -> String {
    format!("source:{}", source.name())
}

/// Notes who answered at `now`. Failing to is no failure.
pub(super) async fn note(redis: &Redis, answered: &[(Source, bool)], now: OffsetDateTime) {
    let mut pipeline = pipe();
    for (source, answered) in answered {
        let (key, field) = (state_key(*source), if *answered { "answered" } else { "failed" });
        pipeline.cmd("HSET").arg(&key).arg(field).arg(now.unix_timestamp()).ignore();
        pipeline.cmd("EXPIRE").arg(&key).arg(CACHE_SECONDS).ignore();
    }
    if let Err(error) = redis.query::<()>(pipeline).await {
        tracing::debug!(error = %error, "how the sources do could not be noted");
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
    fn the_last_time_counts() {
        let state = |answered_at, failed_at| SourceState { answered_at, failed_at }.is_answering();
        assert_eq!(state(None, None), None);
        assert_eq!(state(Some(5), None), Some(true));
        assert_eq!(state(Some(5), Some(4)), Some(true));
        assert_eq!(state(Some(5), Some(5)), Some(false));
        assert_eq!(state(None, Some(5)), Some(false));
    }
}
