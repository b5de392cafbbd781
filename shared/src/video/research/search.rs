//! Searching videos, page by page, in spite of the API's habits: search ids that are refused just after
//! they were issued, pages that come short or empty although there is more.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::Date;

use super::{
    super::{
        Facts, FetchError, Outcome, Source, VideoId, VideoRecord,
        sources::{Asker, Failure},
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
            let named = videos(&data)?.into_iter().filter(|(_, facts)| facts.username.is_some());
            let videos: Vec<_> = named.map(records).collect();
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
                Err(error) => return Err(Failure::from(error).into()),
            }
        }
        unreachable!("the loop returns")
    }
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

    use super::*;
    use crate::video::record::tests::any_json;

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

    proptest! {
        #[test]
        fn any_json_is_survived(answer in any_json()) {
            next(&answer, &Position::default());
        }
    }
}
