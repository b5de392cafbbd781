//! What can go wrong when a source is asked, and what is told of it.

use std::time::Duration;

use http::{HeaderMap, StatusCode, header::RETRY_AFTER};
use serde::{Deserialize, Serialize};

use super::Source;
use crate::upstream;

/// How long to leave a source alone that is busy and does not say for how long.
pub(super) const BUSY: Duration = Duration::from_secs(60);

/// Why there is no video to answer with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum FetchError {
    /// No source shows such a video. Says nothing about why: never existed, deleted, private, of a
    /// minor, restricted to a region all look alike.
    #[error("no source shows such a video")]
    NotFound,
    /// A source failed, and no other answered.
    #[error("the source {} failed", .by.name())]
    Upstream {
        /// Whether asking again soon may help.
        retryable: bool,
        /// The source.
        by: Source,
    },
    /// No source answered in time.
    #[error("the sources did not answer in time")]
    Timeout,
    /// A source wants to be left alone for a while, or has failed so often that it is.
    #[error("the sources are busy")]
    RateLimited {
        /// For so long; a minute if it did not say.
        retry_after: Duration,
    },
    /// The source has not made ready yet what was asked for: a page of a search, or of comments.
    #[error(
        "TikTok has not made this page ready yet: send the same request again, its `cursor` included, \
         after the seconds in `Retry-After`"
    )]
    NotReady {
        /// It may be by then.
        retry_after: Duration,
    },
    /// The share of a source's daily allowance is used up.
    #[error(
        "your share of what TikTok allows this service in a day is used up; it starts anew at \
         00:00 UTC"
    )]
    Exhausted {
        /// Until the day ends.
        retry_after: Duration,
    },
    /// No source shows such a creator.
    #[error("no source shows such a creator")]
    NoCreator,
    /// Only the Research API could tell, which the operator has not switched on.
    #[error(
        "this needs TikTok's Research API, which is not enabled for this service (the operator's \
         setting `TikTokResearch`)"
    )]
    NeedsResearch,
    /// The search that a cursor belongs to has ended at the source.
    #[error("this cursor has expired; begin the search anew, without `cursor`")]
    CursorExpired,
    /// The short link leads away from TikTok, or to no video.
    #[error("the short link does not lead to a video")]
    LinkLeadsNowhere,
    /// TikTok could not be asked where a short link leads.
    #[error("TikTok could not be asked where the short link leads")]
    LinkFailed,
    /// The source does not take these conditions.
    #[error(
        "TikTok does not accept these conditions: check the regions (not every country is one) and the \
         numbers"
    )]
    NotSearchable,
    /// The creator asked to be left out.
    #[error("the creator has objected to being looked up here")]
    Objected,
}

impl FetchError {
    /// What to say of it `seconds` later.
    #[must_use]
    pub fn later(self, seconds: i64) -> Self {
        match self {
            Self::NotReady { retry_after } => {
                let passed = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
                let left = retry_after.saturating_sub(passed).max(Duration::from_secs(1));
                Self::NotReady { retry_after: left }
            }
            error => error,
        }
    }

    /// Whether a source has failed at what was asked, or was not ready for it: no doing of who asks.
    pub fn is_sources_fault(&self) -> bool {
        matches!(
            self,
            Self::Upstream { .. }
                | Self::Timeout
                | Self::RateLimited { .. }
                | Self::NotReady { .. }
        )
    }
}

/// Why one source gave no usable answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// No answer in time.
    Timeout,
    /// It refuses for so long.
    RateLimited(Duration),
    /// It has not made ready yet what was asked for; in so long it may have.
    NotReady(Duration),
    /// Its daily allowance, or the asker's share of it, is used up for so long.
    Exhausted(Duration),
    /// Too many ask at once, or the table that counts the allowance does not answer: nothing was asked.
    Crowded,
    /// It or the way to it is broken for the moment: one more attempt is worth it.
    Unavailable,
    /// It refuses, or answers what cannot be understood: the next attempt would end alike.
    Unusable,
}

impl From<upstream::Error> for Failure {
    fn from(error: upstream::Error) -> Self {
        match error {
            upstream::Error::Timeout => Self::Timeout,
            upstream::Error::Connect | upstream::Error::Protocol => Self::Unavailable,
            upstream::Error::TooLarge | upstream::Error::Forbidden => Self::Unusable,
        }
    }
}

impl Failure {
    /// What to tell of it where `source` is the only one that can answer.
    pub(super) fn of(self, source: Source) -> FetchError {
        worst(&[(source, self)]).unwrap_or(FetchError::Timeout)
    }

    /// Whether it is the source's own state that the next question will meet too.
    pub(super) fn counts(self) -> bool {
        !matches!(self, Self::NotReady(_) | Self::Exhausted(_) | Self::Crowded | Self::Unusable)
    }
}

/// What an answer that is none of the expected ones comes to.
pub(super) fn refusal(status: StatusCode, headers: &HeaderMap) -> Failure {
    match status {
        StatusCode::TOO_MANY_REQUESTS => {
            let seconds = headers.get(RETRY_AFTER).and_then(|it| it.to_str().ok()?.parse().ok());
            // A day is the longest limit there is.
            Failure::RateLimited(
                seconds.map_or(BUSY, |it: u64| Duration::from_secs(it.min(86_400))),
            )
        }
        status if status.is_server_error() => Failure::Unavailable,
        _ => Failure::Unusable,
    }
}

/// What to tell of several failures: the one that says most about when to come back.
pub(super) fn worst(failures: &[(Source, Failure)]) -> Option<FetchError> {
    let limits = failures.iter().filter_map(|(_, failure)| match failure {
        Failure::RateLimited(wait) => Some(*wait),
        _ => None,
    });
    // One of them is enough for an answer, so the shortest wait counts.
    if let Some(retry_after) = limits.min() {
        return Some(FetchError::RateLimited { retry_after });
    }
    let waits = failures.iter().filter_map(|(_, failure)| match failure {
        Failure::NotReady(wait) => Some(*wait),
        _ => None,
    });
    if let Some(retry_after) = waits.min() {
        return Some(FetchError::NotReady { retry_after });
    }
    if failures.iter().any(|(_, failure)| *failure == Failure::Timeout) {
        return Some(FetchError::Timeout);
    }
    let exhausted = failures.iter().find_map(|(_, failure)| match failure {
        Failure::Exhausted(wait) => Some(*wait),
        _ => None,
    });
    if let (Some(retry_after), 1) = (exhausted, failures.len()) {
        return Some(FetchError::Exhausted { retry_after });
    }
    let retryable = |failure: &Failure| matches!(failure, Failure::Unavailable | Failure::Crowded);
    let (by, failure) =
        failures.iter().find(|(_, failure)| retryable(failure)).or_else(|| failures.first())?;
    Some(FetchError::Upstream { retryable: retryable(failure), by: *by })
}
