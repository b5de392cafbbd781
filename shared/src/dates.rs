//! Dates as the API writes them, and where a day ends.

use std::time::Duration;

use time::{Date, OffsetDateTime, Time, UtcOffset, macros::format_description};

use crate::error::InputError;

/// The date `text` in the field or parameter `name`: `2026-11-24`.
pub fn parse(name: &'static str, text: &str) -> Result<Date, InputError> {
    Date::parse(text, format_description!("[year]-[month]-[day]"))
        .map_err(|_| InputError::field(name, "must be a date such as 2026-11-24"))
}

/// The instant of an epoch second; 1970 for one that no calendar has.
pub fn at(seconds: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// The day (UTC) of an epoch second: `2026-11-24`.
pub fn day(seconds: i64) -> String {
    at(seconds).date().to_string()
}

/// The next 00:00 UTC after `now`.
pub fn next_midnight(now: OffsetDateTime) -> OffsetDateTime {
    now.to_offset(UtcOffset::UTC).replace_time(Time::MIDNIGHT) + time::Duration::DAY
}

/// How long it is until then.
pub fn until_midnight(now: OffsetDateTime) -> Duration {
    (next_midnight(now) - now).unsigned_abs()
}
