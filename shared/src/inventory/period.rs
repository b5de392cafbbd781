//! How long something is kept, and what its items carry so that it ends in time.

use std::fmt;

use time::{Duration, Month, OffsetDateTime, UtcOffset};

/// How long a category is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// So many hours.
    Hours(i64),
    /// So many days of 24 hours.
    Days(i64),
    /// So many calendar months: to the same day, or the last one of a shorter month.
    Months(i32),
    /// So many calendar years.
    Years(i32),
    /// So many calendar years at least, because a law asks for them, and a day more: the jobs delete up
    /// to a day ahead.
    AtLeastYears(i32),
    /// Until the account is deleted, the key revoked and so on.
    UntilDeleted,
}

impl Keep {
    /// The instant at which something that started at `from` may no longer be there; `None` if it is
    /// kept until deleted. All arithmetic is in UTC, so daylight saving plays no part.
    pub fn until(self, from: OffsetDateTime) -> Option<OffsetDateTime> {
        let from = from.to_offset(UtcOffset::UTC);
        match self {
            Self::Hours(hours) => Some(from + Duration::hours(hours)),
            Self::Days(days) => Some(from + Duration::days(days)),
            Self::Months(months) => Some(add_months(from, months)),
            Self::Years(years) => Some(add_months(from, 12 * years)),
            Self::AtLeastYears(years) => Some(add_months(from, 12 * years) + Duration::DAY),
            Self::UntilDeleted => None,
        }
    }
}

impl fmt::Display for Keep {
    /// For people: `30 days`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, unit) = match *self {
            Self::Hours(hours) => (hours, "hour"),
            Self::Days(days) => (days, "day"),
            Self::Months(months) => (months.into(), "month"),
            Self::Years(years) | Self::AtLeastYears(years) => (years.into(), "year"),
            Self::UntilDeleted => return f.write_str("until deleted"),
        };
        write!(f, "{count} {unit}{}", if count == 1 { "" } else { "s" })
    }
}

fn add_months(from: OffsetDateTime, months: i32) -> OffsetDateTime {
    let date = from.date();
    let index = date.year() * 12 + i32::from(u8::from(date.month())) - 1 + months;
    let year = index.div_euclid(12);
    let month = Month::try_from((index.rem_euclid(12) + 1) as u8).unwrap_or(Month::January);
    let day = date.day().min(month.length(year));
    let date = time::Date::from_calendar_date(year, month, day).unwrap_or(date);
    from.replace_date(date)
}

/// Partitions that the items of one expiry day are shared out over.
pub const SPREAD: u32 = 4;

/// What an expiring item carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// `expires_at`: epoch seconds, for DynamoDB's own TTL.
    pub at: i64,
    /// `expires_on`: day and partition, `2026-11-24#2`: with `expires_at` the key of the `by-expiry`
    /// index.
    pub on: String,
}

impl Expiry {
    /// For an item that must be gone at `until`. What is kept until deleted gets the largest time.
    pub(super) fn new(until: Option<OffsetDateTime>, spread: &str) -> Self {
        let until = until.unwrap_or(time::macros::datetime!(9999-12-31 23:59:59 UTC));
        let part = crc32fast::hash(spread.as_bytes()) % SPREAD;
        Self { at: until.unix_timestamp(), on: expires_on(until, part) }
    }
}

/// Partition key of the `by-expiry` index for the day of `at` and a partition.
pub fn expires_on(at: OffsetDateTime, part: u32) -> String {
    format!("{}#{part}", at.to_offset(UtcOffset::UTC).date())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;

    #[test]
    fn months_end_on_the_same_day_or_the_last_one() {
        let until = |from, months| Keep::Months(months).until(from);
        assert_eq!(until(datetime!(2024-02-29 5:00 UTC), 12), Some(datetime!(2025-02-28 5:00 UTC)));
        assert_eq!(until(datetime!(2026-11-30 0:00 UTC), 3), Some(datetime!(2027-02-28 0:00 UTC)));
        assert_eq!(until(datetime!(2026-11-24 0:00 UTC), 12), Some(datetime!(2027-11-24 0:00 UTC)));
    }

    proptest! {
        #[test]
        fn later_starts_never_end_earlier(
            a in 0i64..4_000_000_000, b in 0i64..4_000_000_000, months in 1i32..100,
        ) {
            let at = |seconds| OffsetDateTime::from_unix_timestamp(seconds).expect("in range");
            let (early, late) = (at(a.min(b)), at(a.max(b)));
            for keep in [Keep::Months(months), Keep::Days(30), Keep::Hours(24)] {
                prop_assert!(keep.until(early) <= keep.until(late) || early.date() != late.date());
                prop_assert!(keep.until(early) > Some(early));
            }
        }
    }
}
