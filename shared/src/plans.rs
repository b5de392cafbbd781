//! Plans: what each allows. Prices and payment come with billing.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime, Time, UtcOffset};
use utoipa::ToSchema;

/// A customer's plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Plan {
    /// 50 requests a month, 10 a minute.
    Free,
    /// 1,000 requests a month, 30 a minute.
    Basic,
    /// 10,000 requests a month, 100 a minute, with country.
    Pro,
    /// 100,000 requests a month, 500 a minute, with country.
    Business,
}

impl Plan {
    /// Every plan, smallest first.
    pub const ALL: [Self; 4] = [Self::Free, Self::Basic, Self::Pro, Self::Business];

    /// Name in the API and in storage.
    pub fn name(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Basic => "basic",
            Self::Pro => "pro",
            Self::Business => "business",
        }
    }

    /// The plan of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|plan| plan.name() == name)
    }

    /// Metered requests in a period.
    pub fn requests_per_period(self) -> u64 {
        match self {
            Self::Free => 50,
            Self::Basic => 1_000,
            Self::Pro => 10_000,
            Self::Business => 100_000,
        }
    }

    /// Requests in any minute.
    pub fn requests_per_minute(self) -> u64 {
        match self {
            Self::Free => 10,
            Self::Basic => 30,
            Self::Pro => 100,
            Self::Business => 500,
        }
    }

    /// Whether answers name the country.
    pub fn includes_country(self) -> bool {
        matches!(self, Self::Pro | Self::Business)
    }
}

/// A quota period: from `start` until just before `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// First instant.
    pub start: OffsetDateTime,
    /// First instant of the next one.
    pub end: OffsetDateTime,
}

impl Period {
    /// The calendar month (UTC) that holds `now`.
    pub fn month_of(now: OffsetDateTime) -> Self {
        let now = now.to_offset(UtcOffset::UTC);
        let first = |date: time::Date| {
            date.replace_day(1).unwrap_or(date).with_time(Time::MIDNIGHT).assume_utc()
        };
        let start = first(now.date());
        // 31 days after the first of a month always lies in the next one.
        Self { start, end: first((start + Duration::days(31)).date()) }
    }

    /// Key in storage: the period's first day, `2026-11-01`.
    pub fn key(&self) -> String {
        self.start.date().to_string()
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn months_follow_each_other_without_gap() {
        let mut period = Period::month_of(datetime!(2023-12-31 23:59:59.999 UTC));
        assert_eq!(period.key(), "2023-12-01");
        for key in ["2024-01-01", "2024-02-01", "2024-03-01", "2024-04-01"] {
            let next = Period::month_of(period.end);
            assert_eq!((next.start, next.key().as_str()), (period.end, key));
            period = next;
        }
        let east = datetime!(2026-12-01 00:30 +01:00);
        assert_eq!(Period::month_of(east).key(), "2026-11-01");
    }
}
