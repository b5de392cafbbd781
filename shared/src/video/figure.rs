use serde::{Serialize, Serializer};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use utoipa::ToSchema;

use super::{Fact, Outcome, Provenance, Source, VideoRecord};

/// How old a statistic of the Research API may be when it is served: 10 days.
pub(super) const STATISTICS_LAG: u64 = 10 * 86_400;
/// How long the Research API may take to take notice of a new video: 48 hours.
pub(super) const METADATA_LAG: u64 = 2 * 86_400;

/// Where a figure comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// TikTok's public embedding interface.
    Oembed,
    /// TikTok's Research API.
    Research,
    /// Computed here, from other figures or from the video id.
    Derived,
}

impl From<Source> for Origin {
    fn from(source: Source) -> Self {
        match source {
            Source::Oembed => Self::Oembed,
            Source::Research => Self::Research,
        }
    }
}

/// How a figure came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// The source states it.
    Observed,
    /// Read out of, or computed from, what a source states.
    Derived,
    /// Computed from the video id, whose upper 32 bits are the second in which it was given out: up to
    /// a minute before the video was created. TikTok does not document this.
    DerivedFromId,
    /// There is none; `reason` says why.
    Unavailable,
}

/// Why a figure is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The only source that offers it is not enabled for this service.
    SourceDisabled,
    /// The source that offers it did not answer; asking again later may help.
    SourceFailed,
    /// The source that offers it was left alone: it is busy, or its daily allowance is used up.
    SourceBusy,
    /// The source that offers it does not have this video.
    NotInSource,
    /// The source that offers it answered, but left it out.
    AbsentInAnswer,
    /// Your plan does not include it.
    PlanDoesNotInclude,
    /// The id is not one that tells its time.
    NotDerivable,
    /// A figure that the formula needs is missing.
    MissingInput,
    /// The formula would divide by zero.
    ZeroDenominator,
    /// The video is too young for the formula to mean anything: less than two hours.
    TooYoung,
    /// There are fewer than three recent videos to compare with.
    TooFew,
    /// It needs the creator, who is looked up only where you ask for it (`include=creator`).
    NotRequested,
}

/// A point in time, to the second, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ToSchema)]
#[schema(value_type = String, format = DateTime, examples("2026-11-24T12:00:00Z"))]
pub struct Timestamp(OffsetDateTime);

impl Timestamp {
    /// From an epoch second; `None` beyond what a date can say (RFC 3339: the years 0 to 9999).
    pub fn from_unix(seconds: i64) -> Option<Self> {
        let at = OffsetDateTime::from_unix_timestamp(seconds).ok()?;
        (0..=9_999).contains(&at.year()).then_some(Self(at))
    }

    /// As an epoch second.
    pub fn unix(self) -> i64 {
        self.0.unix_timestamp()
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self.0.format(&Rfc3339).map_err(serde::ser::Error::custom)?;
        serializer.serialize_str(&text)
    }
}

/// A figure, or why there is none. Every key is always present.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Figure<T> {
    /// The figure; `null` if unavailable.
    #[schema(required = true)]
    pub value: Option<T>,
    /// Where it comes from; `null` if unavailable.
    #[schema(required = true)]
    pub source: Option<Origin>,
    /// When the source was asked; `null` if no source was needed or the figure is unavailable.
    #[schema(required = true)]
    pub fetched_at: Option<Timestamp>,
    /// By how many seconds the figure may have been out of date when it was fetched, as the source
    /// declares; `null` where the source declares nothing.
    #[schema(required = true)]
    pub lag_seconds_max: Option<u64>,
    /// How it came about.
    pub basis: Basis,
    /// Why `value` is `null`; `null` if there is a value.
    #[schema(required = true)]
    pub reason: Option<Reason>,
}

impl<T> Figure<T> {
    /// `value`, computed here from what Research said at the epoch second `at`, whose lag is `lag`.
    pub(super) fn computed(value: T, at: i64, lag: u64) -> Self {
        Self {
            value: Some(value),
            source: Some(Origin::Derived),
            fetched_at: Timestamp::from_unix(at),
            lag_seconds_max: Some(lag),
            basis: Basis::Derived,
            reason: None,
        }
    }

    /// There is none, because of `reason`.
    pub fn unavailable(reason: Reason) -> Self {
        Self {
            value: None,
            source: None,
            fetched_at: None,
            lag_seconds_max: None,
            basis: Basis::Unavailable,
            reason: Some(reason),
        }
    }

    /// `value`, computed here from this figure.
    pub(super) fn derive<U>(&self, value: impl FnOnce(&T) -> U) -> Figure<U> {
        match &self.value {
            None => Figure::unavailable(self.reason.unwrap_or(Reason::MissingInput)),
            Some(input) => Figure {
                value: Some(value(input)),
                source: Some(Origin::Derived),
                fetched_at: self.fetched_at,
                lag_seconds_max: self.lag_seconds_max,
                basis: Basis::Derived,
                reason: None,
            },
        }
    }
}

impl VideoRecord {
    /// The figure of `fact`, which the sources of `offered` could know; `lag` is what the Research API
    /// declares for it. `show` makes the value an answer's.
    pub(super) fn figure<T, U>(
        &self,
        fact: &Option<Fact<T>>,
        offered: &[Source],
        lag: u64,
        show: impl FnOnce(&T) -> Option<U>,
    ) -> Figure<U> {
        let shown = fact.as_ref().and_then(|fact| Some((fact, show(&fact.value)?)));
        let Some((fact, value)) = shown else {
            return Figure::unavailable(self.why_absent(offered));
        };
        Figure {
            value: Some(value),
            source: Some(fact.source.into()),
            fetched_at: match self.outcome(fact.source) {
                Outcome::Answered(at) => Timestamp::from_unix(at),
                _ => None,
            },
            lag_seconds_max: (fact.source == Source::Research).then_some(lag),
            basis: match fact.provenance {
                Provenance::Observed => Basis::Observed,
                Provenance::Derived => Basis::Derived,
            },
            reason: None,
        }
    }

    /// A source that failed might have known; else an answer that leaves it out says most.
    fn why_absent(&self, offered: &[Source]) -> Reason {
        let came_to = |outcome| offered.iter().any(|source| self.outcome(*source) == outcome);
        if came_to(Outcome::Failed) {
            Reason::SourceFailed
        } else if came_to(Outcome::LeftAlone) {
            Reason::SourceBusy
        } else if offered.iter().any(|it| matches!(self.outcome(*it), Outcome::Answered(_))) {
            Reason::AbsentInAnswer
        } else if came_to(Outcome::NotFound) {
            Reason::NotInSource
        } else {
            Reason::SourceDisabled
        }
    }
}
