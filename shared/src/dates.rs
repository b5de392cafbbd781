//! Dates as the API writes them.

use time::{Date, macros::format_description};

use crate::error::InputError;

/// The date `text` in the field or parameter `name`: `2026-11-24`.
pub fn parse(name: &'static str, text: &str) -> Result<Date, InputError> {
    Date::parse(text, format_description!("[year]-[month]-[day]"))
        .map_err(|_| InputError::field(name, "must be a date such as 2026-11-24"))
}
