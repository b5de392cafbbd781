//! What can go wrong, on demand.

use std::time::Duration;

use time::OffsetDateTime;

use crate::{
    dates::until_midnight,
    video::{FetchError, Source},
};

/// Why the sandbox answers with an error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// As if the sources had ended so.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// As if the quota of the period were used up.
    #[error("the quota of the period is used up")]
    QuotaUsedUp,
    /// As if the requests of the minute were used up.
    #[error("the requests of the minute are used up")]
    MinuteUsedUp,
}

/// An error that a case answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No source shows such a video.
    NotFound,
    /// No source shows such a creator.
    NoCreator,
    /// The creator asked to be left out.
    Objected,
    /// A source wants to be left alone for a minute.
    Busy,
    /// A source failed for the moment.
    Failed,
    /// A source failed in a way that asking again does not help.
    Refused,
    /// No source answered in time; said at once.
    Timeout,
    /// The share of the day's allowance is used up.
    Exhausted,
    /// The Research API is not enabled.
    NeedsResearch,
    /// The quota of the period is used up.
    Quota,
    /// The requests of the minute are used up.
    Minute,
}

/// How long a busy source wants to be left alone.
const BUSY: Duration = Duration::from_secs(60);

impl Fault {
    /// What it comes to at `now`.
    pub fn trouble(self, now: OffsetDateTime) -> Trouble {
        let upstream =
            |retryable| Trouble::Fetch(FetchError::Upstream { retryable, by: Source::Research });
        match self {
            Self::NotFound => FetchError::NotFound.into(),
            Self::NoCreator => FetchError::NoCreator.into(),
            Self::Objected => FetchError::Objected.into(),
            Self::Busy => FetchError::RateLimited { retry_after: BUSY }.into(),
            Self::Failed => upstream(true),
            Self::Refused => upstream(false),
            Self::Timeout => FetchError::Timeout.into(),
            Self::Exhausted => FetchError::Exhausted { retry_after: until_midnight(now) }.into(),
            Self::NeedsResearch => FetchError::NeedsResearch.into(),
            Self::Quota => Trouble::QuotaUsedUp,
            Self::Minute => Trouble::MinuteUsedUp,
        }
    }
}
