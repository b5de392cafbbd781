//! Searching videos, page by page, in spite of the API's habits: search ids that are refused just after
//! they were issued, pages that come short or empty although there is more.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::{Date, OffsetDateTime};

use super::{
    super::{
        Facts, FetchError, Outcome, Source, VideoId, VideoRecord, failure::Failure, sources::Asker,
        text,
    },
    Call, CallError, Research, entries, number,
    videos::{FIELDS, MAX_COUNT, PATH, day, videos},
};

/// How often a search id is sent again that is said to be invalid: it is often refused just after it was
/// issued.
const ATTEMPTS: usize = 3;

/// How many empty pages are stepped over before one is handed on.
const EMPTY_PAGES: usize = 3;

/// Where a page begins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Index of the first video.
    #[serde(rename = "c")]
    pub cursor: u64,
    /// The search that the index belongs to.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub search_id: Option<String>,
}

/// What to search for.
#[derive(Clone, Debug)]
pub struct Search {
    /// `and`, `or` and `not`, as the API takes them.
    pub query: Value,
    /// First and last day (UTC), at most 30 days apart.
    pub days: (Date, Date),
    /// Where to begin.
    pub from: Position,
    /// Most videos in a page, 1 to 100.
    pub count: u64,
}

/// A page of videos.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchPage {
    /// In the source's order.
    pub videos: Vec<VideoRecord>,
    /// Where the next page begins, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Position>,
    /// Videos left out because their creators objected.
    #[serde(default)]
    pub suppressed: u64,
    /// When it was fetched: epoch second.
    pub at: i64,
}

/// Why there is no page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum SearchFailure {
    /// The search has ended at the source: it must begin anew.
    Expired,
    /// The source does not take these conditions.
    Refused,
    /// As for anything else.
    Failed(Failure),
}

impl From<Failure> for SearchFailure {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<SearchFailure> for FetchError {
    fn from(failure: SearchFailure) -> Self {
        match failure {
            SearchFailure::Expired => Self::CursorExpired,
            SearchFailure::Refused => Self::NotSearchable,
            SearchFailure::Failed(failure) => failure.of(Source::Research),
        }
    }
}

impl Research {
    /// One page of `search`. It may hold fewer videos than asked for, and still have one after it.
    pub(in super::super) async fn search(
        &self,
        search: &Search,
        asker: Asker<'_>,
    ) -> Result<SearchPage, SearchFailure> {
        let mut from = search.from.clone();
        for empty in 0.. {
            let data = self.page(search, &from, asker).await?;
            let next = next(&data, &from);
            let at = asker.now.unix_timestamp();
            let records = |(id, facts): (VideoId, Facts)| {
                VideoRecord::empty(id).with(Source::Research, Outcome::Answered(at), facts)
            };
            // One without a name could not be held against the creators who objected.
            let found = videos(&data)?
                .into_iter()
                .filter(|(_, facts)| facts.username.is_some() && search.may_mean(facts));
            let videos: Vec<_> = found.map(records).collect();
            match next {
                Some(next) if videos.is_empty() && empty < EMPTY_PAGES => from = next,
                next => return Ok(SearchPage { videos, next, suppressed: 0, at }),
            }
        }
        unreachable!("the loop returns")
    }

    async fn page(
        &self,
        search: &Search,
        from: &Position,
        asker: Asker<'_>,
    ) -> Result<Value, SearchFailure> {
        let count = search.count.clamp(1, MAX_COUNT);
        let mut body = json!({
            "query": search.query,
            "start_date": day(search.days.0),
            "end_date": day(search.days.1),
            "max_count": count,
            "cursor": from.cursor,
        });
        if let Some(id) = &from.search_id {
            body["search_id"] = id.as_str().into();
        }
        for attempt in 1.. {
            let call = Call {
                path: PATH,
                fields: FIELDS,
                body: &body,
                records: count,
                count: |data| entries(data, "videos"),
            };
            match self.call(call, asker).await {
                Ok(data) => return Ok(data),
                Err(CallError::Refused(message)) if is_stale(&message) && from.cursor > 0 => {
                    if attempt == ATTEMPTS {
                        return Err(SearchFailure::Expired);
                    }
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                Err(CallError::Refused(_)) => return Err(SearchFailure::Refused),
                Err(CallError::Failure(failure)) => return Err(failure.into()),
            }
        }
        unreachable!("the loop returns")
    }
}

impl Search {
    /// Whether a video of which `facts` are told can be one that is searched for. The source's matching is
    /// only approximate: it also answers with videos by somebody else, without the hashtag, of another day.
    /// What cannot be told from the facts is left to it.
    fn may_mean(&self, facts: &Facts) -> bool {
        let (first, last) = self.days;
        let day = facts.created_at.as_ref().map(|at| OffsetDateTime::from_unix_timestamp(at.value));
        let is_of_the_days =
            day.is_none_or(|at| at.is_ok_and(|at| (first..=last).contains(&at.date())));
        let told = |list: &str| {
            let conditions = self.query[list].as_array().into_iter().flatten();
            conditions.map(|it| holds(it, facts)).collect::<Vec<_>>()
        };
        let or = told("or");
        is_of_the_days
            && !told("and").contains(&Some(false))
            && (or.is_empty() || or.iter().any(|it| *it != Some(false)))
            && !told("not").contains(&Some(true))
    }
}

/// Whether a condition on the creator or the hashtags holds; `None` of others, or if it cannot be told.
fn holds(condition: &Value, facts: &Facts) -> Option<bool> {
    let (names, are_all) = match condition["field_name"].as_str()? {
        "username" => (std::slice::from_ref(&facts.username.as_ref()?.value), true),
        "hashtag_name" => {
            let names = &facts.hashtags.as_ref()?.value;
            (names.as_slice(), names.len() < text::MAX_TAGS)
        }
        _ => return None,
    };
    let names: Vec<String> = names.iter().map(|it| it.to_lowercase()).collect();
    let values = condition["field_values"].as_array()?.iter().filter_map(Value::as_str);
    let holds = values.map(str::to_lowercase).any(|it| names.contains(&it));
    (holds || are_all).then_some(holds)
}

/// `Search Id N is invalid or expired`.
fn is_stale(message: &str) -> bool {
    message.to_ascii_lowercase().contains("search id")
}

/// Where the page after `data` begins. A source that does not move on would be asked for ever.
fn next(data: &Value, from: &Position) -> Option<Position> {
    let cursor = number(&data["cursor"]).filter(|cursor| *cursor > from.cursor)?;
    let search_id = match &data["search_id"] {
        Value::String(id) => Some(id.chars().take(64).collect()),
        Value::Number(id) => Some(id.to_string()),
        _ => from.search_id.clone(),
    };
    (data["has_more"] == true).then_some(Position { cursor, search_id })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::{date, datetime};

    use super::*;
    use crate::video::{Fact, Provenance, record::tests::any_json};

    #[test]
    fn the_next_page_begins_where_the_source_says() {
        let from = Position { cursor: 100, search_id: Some("7".to_owned()) };
        let next = |cursor: u64, more: bool, id: Value| {
            next(&json!({ "cursor": cursor, "has_more": more, "search_id": id }), &from)
        };
        let position = |cursor, id: &str| Some(Position { cursor, search_id: Some(id.to_owned()) });
        assert_eq!(next(200, true, "8".into()), position(200, "8"));
        assert_eq!(next(200, true, 8.into()), position(200, "8"));
        assert_eq!(next(200, true, Value::Null), position(200, "7"));
        assert_eq!(next(200, false, "8".into()), None);
        assert_eq!(next(100, true, "8".into()), None);
    }

    #[test]
    fn a_stale_search_is_told_from_other_refusals() {
        assert!(is_stale("Search Id 7201388525814961198 is invalid or expired"));
        assert!(!is_stale("Invalid count or cursor"));
    }

    fn fact<T>(value: T) -> Option<Fact<T>> {
        Some(Fact { provenance: Provenance::Observed, source: Source::Research, value })
    }

    #[test]
    fn what_the_source_answers_with_by_mistake_is_left_out() {
        let named = |name: &str, tags: &[&str]| Facts {
            username: fact(name.to_owned()),
            hashtags: fact(tags.iter().map(|it| (*it).to_owned()).collect()),
            created_at: fact(datetime!(2026-10-05 23:59:59 UTC).unix_timestamp()),
            ..Facts::default()
        };
        let search = |query| Search {
            query,
            days: (date!(2026 - 10 - 01), date!(2026 - 10 - 05)),
            from: Position::default(),
            count: 20,
        };
        let condition = |field: &str, values: &[&str]| json!({ "operation": "IN", "field_name": field, "field_values": values });
        let by = |name| condition("username", &[name]);
        let with = |tag| condition("hashtag_name", &["other", tag]);
        let other = || condition("keyword", &["soup"]);
        let video = named("Made.Up", &["Soup"]);
        for (query, may) in [
            (json!({ "and": [by("made.up"), with("soup"), other()] }), true),
            (json!({ "and": [by("made.up"), with("bread")] }), false),
            (json!({ "and": [by("somebody")] }), false),
            (json!({ "or": [by("somebody"), with("soup")] }), true),
            (json!({ "or": [by("somebody"), other()] }), true),
            (json!({ "or": [by("somebody"), with("bread")] }), false),
            (json!({ "not": [by("somebody"), other()] }), true),
            (json!({ "not": [with("soup")] }), false),
        ] {
            assert_eq!(search(query.clone()).may_mean(&video), may, "{query}");
        }
        let any = search(json!({ "and": [other()] }));
        assert!(any.may_mean(&video));
        let next_day = fact(datetime!(2026-10-06 0:00 UTC).unix_timestamp());
        assert!(!any.may_mean(&Facts { created_at: next_day, ..video.clone() }));
        // What the source left out, or what may have been cut off, is no reason.
        let strict = search(json!({ "and": [with("bread")] }));
        assert!(strict.may_mean(&Facts::default()));
        let many: Vec<String> = (0..text::MAX_TAGS).map(|it| it.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(strict.may_mean(&named("made.up", &many)));
    }

    proptest! {
        #[test]
        fn any_json_is_survived(answer in any_json()) {
            next(&answer, &Position::default());
        }
    }
}
