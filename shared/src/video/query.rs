//! What a caller may search for, checked and turned into the Research API's terms.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::{Date, OffsetDateTime, UtcOffset};
use utoipa::ToSchema;

use super::{
    Cursors, MAX_SPAN, OFFERED_SPAN, Position, REACHABLE, Search, region::is_region, text,
};
use crate::{dates, error::InputError};

/// Most conditions of a search.
const MAX_CONDITIONS: usize = 30;
/// Most values of one condition.
const MAX_VALUES: usize = 100;
/// Greatest index at which a page can begin: as many records as the source hands out in a day.
const MAX_INDEX: u64 = 100_000;
/// Videos in a page, if the caller does not say.
const DEFAULT_LIMIT: u64 = 20;

/// A search. A video is found for which every condition in `and`, one of those in `or` if there are any,
/// and none of those in `not` holds.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchRequest {
    /// All of these must hold.
    #[serde(default)]
    pub and: Vec<Condition>,
    /// One of these must hold.
    #[serde(default)]
    pub or: Vec<Condition>,
    /// None of these may hold.
    #[serde(default)]
    pub not: Vec<Condition>,
    /// First day on which the videos were created (UTC).
    #[schema(format = Date, examples("2026-10-01"))]
    pub from: String,
    /// Last day, at most 29 days after the first; today if left out.
    #[schema(format = Date, examples("2026-10-29"))]
    pub to: Option<String>,
    /// Most videos in a page, 1 to 50; 20 if left out. A page may hold fewer although there are more.
    #[schema(minimum = 1, maximum = 50, examples(20))]
    pub limit: Option<u64>,
    /// `next_cursor` of the page before; everything else as it was there.
    pub cursor: Option<String>,
}

/// One condition.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// What of the video is looked at.
    pub field: SearchField,
    /// How it is compared; `in` if left out.
    #[serde(default)]
    pub operation: Operation,
    /// With what: 1 to 100 values for `in`, one for everything else.
    #[schema(min_items = 1, max_items = 100, example = json!(["sourdough"]))]
    pub values: Vec<String>,
}

/// What can be searched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SearchField {
    /// A word in the caption.
    Keyword,
    /// A hashtag, with or without `#`.
    Hashtag,
    /// A creator's handle, with or without `@`.
    Creator,
    /// Country in which the creator registered (ISO 3166-1 alpha-2). For plans that include the country.
    Region,
    /// TikTok's id of a sound.
    Sound,
    /// TikTok's id of an effect.
    Effect,
    /// `short` (under 15 s), `mid` (15 to 60 s), `long` (1 to 5 min) or `extra_long`.
    Length,
    /// Number of views.
    Views,
    /// Number of comments.
    Comments,
}

/// How a value is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// One of the values.
    #[default]
    In,
    /// The value. Of `views` and `comments` as the rest.
    Eq,
    /// More than the value.
    Gt,
    /// The value or more.
    Gte,
    /// Less than the value.
    Lt,
    /// The value or less.
    Lte,
}

/// What a cursor holds, sealed.
#[derive(Deserialize, Serialize)]
struct Cursor {
    #[serde(flatten)]
    position: Position,
    /// Of the search that it belongs to.
    #[serde(rename = "q")]
    query: String,
    /// First and last day, as Julian days.
    #[serde(rename = "d")]
    days: (i32, i32),
}

impl SearchRequest {
    /// Checks it.
    pub fn check(&self, cursors: &Cursors, now: OffsetDateTime) -> Result<Search, InputError> {
        let lists = [("and", &self.and), ("or", &self.or), ("not", &self.not)];
        let count: usize = lists.iter().map(|(_, list)| list.len()).sum();
        if !(1..=MAX_CONDITIONS).contains(&count) {
            let reason = format!("with `or` and `not` must have 1 to {MAX_CONDITIONS} conditions");
            return Err(InputError::field("and", reason));
        }
        let mut query = json!({});
        for (name, list) in lists {
            if !list.is_empty() {
                let conditions = list.iter().map(|it| it.check(name)).collect::<Result<_, _>>()?;
                query[name] = Value::Array(conditions);
            }
        }
        let to = self.to.as_deref().map(|text| dates::parse("to", text)).transpose()?;
        let days = search_days(dates::parse("from", &self.from)?, to, now)?;
        let limit = page_limit(self.limit)?;
        let search = Search { query, days, from: Position::default(), count: limit };
        match &self.cursor {
            Some(cursor) => search.at(cursors, cursor, (true, self.to.is_some()), now),
            None => Ok(search),
        }
    }
}

/// Most videos in a page of a search, and in a sample: half of what the source gives at once. So the first page
/// needs a single call of it, also where up to half of that may not be shown.
pub const MAX_PAGE: u64 = 50;

/// A number of videos to answer with, 1 to [`MAX_PAGE`].
pub fn page_limit(given: Option<u64>) -> Result<u64, InputError> {
    limit_up_to(MAX_PAGE, given)
}

/// A number of entries to answer with, 1 to 100.
pub fn limit(given: Option<u64>) -> Result<u64, InputError> {
    limit_up_to(100, given)
}

fn limit_up_to(most: u64, given: Option<u64>) -> Result<u64, InputError> {
    let limit = given.unwrap_or(DEFAULT_LIMIT);
    if (1..=most).contains(&limit) {
        return Ok(limit);
    }
    Err(InputError::field("limit", format!("must be a number from 1 to {most}")))
}

/// Where a page of comments begins: the number that was given as `cursor`.
pub fn comments_from(given: Option<u64>) -> Result<u64, InputError> {
    match given.unwrap_or(0) {
        from if from < REACHABLE => Ok(from),
        _ => {
            let reason = format!(
                "must be a `next_cursor` of an earlier answer: the source shows the first {REACHABLE} \
                 comments"
            );
            Err(InputError::field("cursor", reason))
        }
    }
}

/// The days from `from` to `to`, or to today, as a query may cover them.
pub fn search_days(
    from: Date,
    to: Option<Date>,
    now: OffsetDateTime,
) -> Result<(Date, Date), InputError> {
    let today = now.to_offset(UtcOffset::UTC).date();
    let to = to.unwrap_or(today);
    if from > to || to - from > OFFERED_SPAN {
        let reason = format!(
            "must not be after `to`, nor more than {} days before it",
            OFFERED_SPAN.whole_days()
        );
        return Err(InputError::field("from", reason));
    }
    if from > today {
        return Err(InputError::field("from", "must not be in the future"));
    }
    Ok((from, to.min(today)))
}

impl Search {
    /// The videos of one creator or with one hashtag within `days`.
    pub fn of(field: SearchField, value: &str, days: (Date, Date), count: u64) -> Self {
        let condition = json!({
            "operation": "EQ", "field_name": field.name(), "field_values": [value],
        });
        Self { query: json!({ "and": [condition] }), days, from: Position::default(), count }
    }

    /// The creators that it is about. Those that it leaves out change nothing of what may be shown.
    pub fn creators(&self) -> impl Iterator<Item = &str> {
        let lists = ["and", "or"].into_iter().filter_map(|list| self.query[list].as_array());
        let of_creators = lists.flatten().filter(|it| it["field_name"] == "username");
        of_creators
            .filter_map(|it| it["field_values"].as_array())
            .flatten()
            .filter_map(Value::as_str)
    }

    /// The cursor of the page that begins at `next`.
    pub fn cursor(&self, cursors: &Cursors, next: &Position) -> Option<String> {
        let cursor = Cursor {
            position: next.clone(),
            query: self.id(),
            days: (self.days.0.to_julian_day(), self.days.1.to_julian_day()),
        };
        cursors.seal(&cursor)
    }

    /// The same search at the page of `cursor`, over the days of its first page: days that were left out
    /// would have moved on at midnight. `are_given` says which of the two were not.
    pub fn at(
        mut self,
        cursors: &Cursors,
        cursor: &str,
        are_given: (bool, bool),
        now: OffsetDateTime,
    ) -> Result<Self, InputError> {
        let wrong = |reason| InputError::field("cursor", reason);
        let read: Option<Cursor> = cursors.open(cursor);
        let read = read.ok_or_else(|| wrong("must be a `next_cursor` of an earlier answer"))?;
        let another = "belongs to another search: repeat everything else as it was there";
        if read.query != self.id() {
            return Err(wrong(another));
        }
        let day = |julian| Date::from_julian_day(julian).ok();
        let (Some(first), Some(last)) = (day(read.days.0), day(read.days.1)) else {
            return Err(wrong("must be a `next_cursor` of an earlier answer"));
        };
        // A little: functions' events may overtake each other.
        let latest = read.position.issued_at.max(read.position.begun_at);
        let is_of_the_future = latest > now.unix_timestamp() + 60;
        if first > last
            || last - first > MAX_SPAN
            || read.position.cursor > MAX_INDEX
            || is_of_the_future
        {
            return Err(wrong("must be a `next_cursor` of an earlier answer"));
        }
        if (are_given.0 && first != self.days.0) || (are_given.1 && last != self.days.1) {
            return Err(wrong(another));
        }
        self.days = (first, last);
        self.from = read.position;
        Ok(self)
    }

    /// Tells this search from others, whatever the page.
    fn id(&self) -> String {
        let text = format!("{} {}", self.query, self.count);
        format!("{:.16}", blake3::hash(text.as_bytes()).to_hex())
    }
}

impl Condition {
    /// In the source's terms.
    fn check(&self, list: &'static str) -> Result<Value, InputError> {
        let wrong = |reason: String| Err(InputError::field(list, reason));
        let name = self.field.name();
        let is_counted = matches!(self.field, SearchField::Views | SearchField::Comments);
        let one_of = matches!(self.operation, Operation::In | Operation::Eq);
        if !is_counted && !one_of {
            return wrong("compares what is no number; use `in` or `eq`".to_owned());
        }
        let most = if self.operation == Operation::In { MAX_VALUES } else { 1 };
        if self.values.is_empty() || self.values.len() > most {
            return wrong(format!("has a condition that must have 1 to {most} values"));
        }
        let mut values = Vec::new();
        for value in &self.values {
            let Some(value) = self.field.value(value) else {
                return wrong(format!(
                    "has a value that is none for its field: {}",
                    self.field.about()
                ));
            };
            values.push(value);
        }
        let operation = match self.operation {
            Operation::In => "IN",
            Operation::Eq => "EQ",
            Operation::Gt => "GT",
            Operation::Gte => "GTE",
            Operation::Lt => "LT",
            Operation::Lte => "LTE",
        };
        Ok(json!({ "operation": operation, "field_name": name, "field_values": values }))
    }
}

impl SearchField {
    /// As the Research API calls it.
    fn name(self) -> &'static str {
        match self {
            Self::Keyword => "keyword",
            Self::Hashtag => "hashtag_name",
            Self::Creator => "username",
            Self::Region => "region_code",
            Self::Sound => "music_id",
            Self::Effect => "effect_id",
            Self::Length => "video_length",
            Self::Views => "view_count",
            Self::Comments => "comment_count",
        }
    }

    fn about(self) -> &'static str {
        match self {
            Self::Keyword => "a keyword is of 1 to 100 characters",
            Self::Hashtag => "a hashtag is of 1 to 100 characters without spaces",
            Self::Creator => "a creator is a TikTok handle",
            Self::Region => "a region is a code of two letters that TikTok knows, such as `IE`",
            Self::Sound | Self::Effect => "an id is a number",
            Self::Length => "a length is `short`, `mid`, `long` or `extra_long`",
            Self::Views | Self::Comments => "a count is a number",
        }
    }

    /// `value` as the Research API takes it.
    fn value(self, value: &str) -> Option<String> {
        let number =
            |value: &str| value.parse::<i64>().ok().filter(|it| *it >= 0).map(|it| it.to_string());
        match self {
            Self::Keyword => text::line(value, 101).filter(|it| it.chars().count() <= 100),
            Self::Hashtag => hashtag(value),
            Self::Creator => text::handle(value).map(|it| it.to_lowercase()),
            Self::Region => {
                let code = value.to_ascii_uppercase();
                is_region(&code).then_some(code)
            }
            Self::Sound | Self::Effect | Self::Views | Self::Comments => number(value),
            Self::Length => ["short", "mid", "long", "extra_long"]
                .contains(&value)
                .then(|| value.to_ascii_uppercase()),
        }
    }
}

/// A hashtag without `#`, if `text` is one.
pub fn hashtag(text: &str) -> Option<String> {
    let text = text.strip_prefix(['#', '＃']).unwrap_or(text);
    let is_one = (1..=100).contains(&text.chars().count())
        && !text.chars().any(|it| it.is_control() || it.is_whitespace() || it == '#');
    is_one.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::{date, datetime};

    use super::{super::cursor::test_cursors, *};

    const NOW: OffsetDateTime = datetime!(2026-11-24 12:00 UTC);

    fn request(body: Value) -> Result<Search, String> {
        let request: SearchRequest =
            serde_json::from_value(body).map_err(|error| error.to_string())?;
        request.check(&test_cursors(), NOW).map_err(|error| error.to_string())
    }

    #[test]
    fn a_search_in_the_source_s_terms() {
        let search = request(json!({
            "and": [
                { "field": "region", "values": ["jp", "US"] },
                { "field": "hashtag", "operation": "eq", "values": ["#animal"] },
            ],
            "not": [{ "field": "length", "values": ["short"] }, { "field": "creator", "values": ["@Made.Up"] }],
            "or": [{ "field": "views", "operation": "gte", "values": ["0100"] }],
            "from": "2026-11-01", "to": "2026-11-30", "limit": 50,
        }))
        .unwrap();
        let condition = |operation: &str, field: &str, values: Value| json!({ "operation": operation, "field_name": field, "field_values": values });
        let expected = json!({
            "and": [
                condition("IN", "region_code", json!(["JP", "US"])),
                condition("EQ", "hashtag_name", json!(["animal"])),
            ],
            "or": [condition("GTE", "view_count", json!(["100"]))],
            "not": [
                condition("IN", "video_length", json!(["SHORT"])),
                condition("IN", "username", json!(["made.up"])),
            ],
        });
        assert_eq!(search.query, expected);
        // Never a day to come.
        assert_eq!(search.days, (date!(2026 - 11 - 01), date!(2026 - 11 - 24)));
        assert_eq!(search.count, 50);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let one = |field: &str, operation: &str, values: Value| {
            let condition = json!({ "field": field, "operation": operation, "values": values });
            request(json!({ "and": [condition], "from": "2026-11-01" }))
        };
        assert!(one("keyword", "in", json!(["soup"])).is_ok());
        for (field, operation, values) in [
            ("keyword", "in", json!([])),
            ("keyword", "gt", json!(["a"])),
            ("keyword", "in", json!([" "])),
            ("views", "gt", json!(["1", "2"])),
            ("views", "gt", json!(["-1"])),
            ("region", "in", json!(["Ireland"])),
            ("region", "in", json!(["IE", "UK"])),
            ("region", "eq", json!(["XX"])),
            ("creator", "in", json!(["a/b"])),
            ("hashtag", "in", json!(["a b"])),
            ("length", "in", json!(["tiny"])),
            ("sound", "in", json!(["x"])),
            ("colour", "in", json!(["red"])),
        ] {
            assert!(one(field, operation, values.clone()).is_err(), "{field} {operation} {values}");
        }
        let dates = |from: &str, to: &str| {
            let and = json!([{ "field": "keyword", "values": ["a"] }]);
            request(json!({ "and": and, "from": from, "to": to }))
        };
        assert!(dates("2026-10-25", "2026-11-23").is_ok());
        for (from, to) in [
            ("2026-10-24", "2026-11-23"),
            ("2026-11-24", "2026-11-23"),
            ("2026-11-25", "2026-11-26"),
            ("24.11.2026", "2026-11-24"),
        ] {
            assert!(dates(from, to).is_err(), "{from} {to}");
        }
        let none = request(json!({ "from": "2026-11-01" })).unwrap_err();
        assert_eq!(none, "`and` with `or` and `not` must have 1 to 30 conditions");
        let and = json!([{ "field": "keyword", "values": ["a"] }]);
        assert!(request(json!({ "and": and, "from": "2026-11-01", "limit": 51 })).is_err());
    }

    #[test]
    fn a_cursor_goes_with_its_search() {
        let search = |word: &str| {
            let and = json!([{ "field": "keyword", "values": [word] }]);
            request(json!({ "and": and, "from": "2026-11-01" })).unwrap()
        };
        let issued_at = NOW.unix_timestamp() - 60;
        let cursors = test_cursors();
        let after = Some("7301234567890123456".parse().unwrap());
        let next = Position {
            cursor: 100,
            search_id: Some("7".to_owned()),
            issued_at,
            begun_at: issued_at - 5,
            after,
            salt: 9,
        };
        let cursor = search("a").cursor(&cursors, &next).unwrap();
        let at = search("a").at(&cursors, &cursor, (true, true), NOW).unwrap();
        assert_eq!((at.from, at.days), (next.clone(), search("a").days));
        assert!(search("b").at(&cursors, &cursor, (true, true), NOW).is_err());
        // The day has changed since.
        let days = (date!(2026 - 11 - 02), date!(2026 - 11 - 25));
        let later = Search { days, ..search("a") };
        assert!(later.clone().at(&cursors, &cursor, (true, false), NOW).is_err());
        assert_eq!(
            later.at(&cursors, &cursor, (false, false), NOW).unwrap().days,
            search("a").days
        );
        // What nobody was given.
        let far = Position { cursor: 1 << 60, ..next.clone() };
        let early = Position { issued_at: NOW.unix_timestamp() + 61, ..next.clone() };
        let begun_early = Position { begun_at: NOW.unix_timestamp() + 61, ..next };
        for other in [far, early, begun_early] {
            let cursor = search("a").cursor(&cursors, &other).unwrap();
            assert!(search("a").at(&cursors, &cursor, (true, true), NOW).is_err());
        }
    }

    #[test]
    fn comments_begin_where_they_can_be_reached() {
        assert_eq!((comments_from(None), comments_from(Some(999))), (Ok(0), Ok(999)));
        for beyond in [1_000, 1_001, u64::MAX] {
            assert!(comments_from(Some(beyond)).is_err(), "{beyond}");
        }
    }

    proptest! {
        #[test]
        fn any_cursor_is_survived(text in "\\PC{0,60}") {
            let search = Search::of(SearchField::Creator, "a", (date!(2026-11-01), date!(2026-11-24)), 20);
            prop_assert!(search.at(&test_cursors(), &text, (true, true), NOW).is_err());
            let _ = hashtag(&text);
        }
    }
}
