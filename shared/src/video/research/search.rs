//! Searching videos, block by block, in spite of the API's habits: pages that are refused for seconds to
//! minutes after their search began, pages that come short or empty although there is more, a last day that
//! counts or does not. Pages as customers get them are made of blocks by `lookup`.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::{Date, OffsetDateTime, UtcOffset};

use super::{
    super::{
        Facts, FetchError, Outcome, Source, VideoId, VideoRecord,
        failure::Failure,
        sources::{Again, Asker},
        text,
    },
    Call, CallError, Research, entries, is_passing, number,
    videos::{FIELDS, MAX_COUNT, MAX_SPAN, PATH, day, videos},
};

/// Most that the first and the last day of a search may lie apart: one less than the API allows, so that
/// there is room for the day after the last one.
pub(in super::super) const OFFERED_SPAN: time::Duration = time::Duration::days(29);

/// How soon a page is worth asking for again that was not ready: at least so soon…
pub(super) const SOON: Duration = Duration::from_secs(5);
/// …and no later than this.
const LATE: Duration = Duration::from_secs(30);

/// The age, in seconds, from which on a search id that is refused is taken to have ended. Before, the
/// source's cache may still be on its way to it.
const ENDED_AFTER: i64 = 2 * 3_600;

/// Where a page begins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Index of the first video.
    #[serde(rename = "c")]
    pub cursor: u64,
    /// The search that the index belongs to.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub search_id: Option<String>,
    /// When that search's id was given out: epoch second.
    #[serde(rename = "t", default, skip_serializing_if = "is_zero")]
    pub issued_at: i64,
    /// When the search began: epoch second; zero before its first page.
    #[serde(rename = "b", default, skip_serializing_if = "is_zero")]
    pub begun_at: i64,
    /// The last video that was handed on of what is at the index.
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    pub after: Option<VideoId>,
    /// Random: two cursors do not tell whether they stand for the same.
    #[serde(rename = "r", default)]
    pub salt: u64,
}

fn is_zero(seconds: &i64) -> bool {
    *seconds == 0
}

/// What to search for.
#[derive(Clone, Debug)]
pub struct Search {
    /// `and`, `or` and `not`, as the API takes them.
    pub query: Value,
    /// First and last day (UTC), both included, at most 30 days apart.
    pub days: (Date, Date),
    /// Where to begin.
    pub from: Position,
    /// Most videos in a page.
    pub count: u64,
}

/// A page of videos, or a block that pages are made of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchPage {
    /// In the source's order.
    pub videos: Vec<VideoRecord>,
    /// Where the next page begins, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Position>,
    /// When its search began: epoch second. So says each of its videos, too, whichever block it came in:
    /// otherwise it would show where blocks end.
    pub at: i64,
    /// When it was fetched: epoch second.
    pub fetched_at: i64,
    /// For the cursors of pages that begin in it.
    pub salt: u64,
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
    /// What is at `search`'s position, as many as the source gives at once: how many the customer wants is
    /// nothing to it. It may hold fewer videos, or none, and still have more after it.
    pub(in super::super) async fn search(
        &self,
        search: &Search,
        asker: Asker<'_>,
        again: &Again,
    ) -> Result<SearchPage, SearchFailure> {
        let fetched_at = asker.now.unix_timestamp();
        let at = if search.from.begun_at > 0 { search.from.begun_at } else { fetched_at };
        let data = self.page(search, &search.from, asker, again).await?;
        let next = next(&data, &search.from, asker.now);
        let records = |(id, facts): (VideoId, Facts)| {
            VideoRecord::empty(id).with(Source::Research, Outcome::Answered(at), facts)
        };
        // One without a name could not be held against the creators who objected.
        let found = videos(&data)?
            .into_iter()
            .filter(|(_, facts)| facts.username.is_some() && search.may_mean(facts));
        let salt = getrandom::u64().unwrap_or_default();
        Ok(SearchPage { videos: found.map(records).collect(), next, at, fetched_at, salt })
    }

    async fn page(
        &self,
        search: &Search,
        from: &Position,
        asker: Asker<'_>,
        again: &Again,
    ) -> Result<Value, SearchFailure> {
        // A search that goes on is asked as it was begun, also after midnight.
        let begun = from.search_id.as_ref().map_or(asker.now, |_| crate::dates::at(from.issued_at));
        let (query, end) = search.asked(begun);
        let mut body = json!({
            "query": query,
            "start_date": day(search.days.0),
            "end_date": day(end),
            "max_count": MAX_COUNT,
        });
        from.write_to(&mut body);
        let call = Call {
            path: PATH,
            fields: FIELDS,
            body: &body,
            records: MAX_COUNT,
            count: |data| entries(data, "videos"),
        };
        let failure = from.not_ready(asker.now);
        let is_not_ready =
            |message: &str| is_passing(message) || (is_stale(message) && from.search_id.is_some());
        let may_pass = |message: &str| is_not_ready(message) && failure != SearchFailure::Expired;
        match self.call_patiently(call, asker, again, may_pass).await {
            Ok(data) => Ok(data),
            Err(CallError::Refused(message)) if is_not_ready(&message) => Err(failure),
            Err(CallError::Refused(_)) => Err(SearchFailure::Refused),
            Err(CallError::Failure(failure)) => Err(failure.into()),
        }
    }
}

impl Position {
    /// Adds where to begin to a query. What there is none of stays away: `null` is refused.
    pub(super) fn write_to(&self, body: &mut Value) {
        if self.cursor > 0 {
            body["cursor"] = self.cursor.into();
        }
        if let Some(id) = &self.search_id {
            body["search_id"] = id.as_str().into();
        }
    }

    /// What it comes to that the page here is refused at `now`: it waits as long again as it has waited,
    /// within limits, unless the search is hours old.
    fn not_ready(&self, now: OffsetDateTime) -> SearchFailure {
        let age = now.unix_timestamp().saturating_sub(self.issued_at);
        if self.search_id.is_some() && age >= ENDED_AFTER {
            return SearchFailure::Expired;
        }
        let wait = Duration::from_secs(u64::try_from(age).unwrap_or(0)).clamp(SOON, LATE);
        SearchFailure::Failed(Failure::NotReady(wait))
    }
}

impl Search {
    /// The query and the last day to ask for at `now`. The API may or may not count `end_date` in: its
    /// documents and its clients differ. So it is the day after, of which the videos are left out by a
    /// condition of their own: otherwise whole pages would be of that day. Never a day to come, whatever
    /// the API would make of it.
    fn asked(&self, now: OffsetDateTime) -> (Value, Date) {
        let (first, last) = self.days;
        let today = now.to_offset(UtcOffset::UTC).date();
        let after = last.next_day().unwrap_or(last);
        let end = after.min(today).min(first.saturating_add(MAX_SPAN)).max(last);
        let mut query = self.query.clone();
        if end > last {
            let until = json!({
                "operation": "LTE", "field_name": "create_date", "field_values": [day(last)],
            });
            match query["and"].as_array_mut() {
                Some(and) => and.push(until),
                None => query["and"] = json!([until]),
            }
        }
        (query, end)
    }

    /// Whether it asks in which country creators registered.
    pub fn asks_for_country(&self) -> bool {
        let lists = ["and", "or", "not"].into_iter().filter_map(|list| self.query[list].as_array());
        lists.flatten().any(|it| it["field_name"] == "region_code")
    }

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

/// `Search Id N is invalid or expired`, which is also said of one that was given out just now.
pub(super) fn is_stale(message: &str) -> bool {
    message.to_ascii_lowercase().contains("search id")
}

/// Where the page after `data` begins. A source that does not move on would be asked for ever.
pub(super) fn next(data: &Value, from: &Position, now: OffsetDateTime) -> Option<Position> {
    let cursor = number(&data["cursor"]).filter(|cursor| *cursor > from.cursor)?;
    let search_id = match &data["search_id"] {
        Value::String(id) => Some(id.chars().take(64).collect()),
        Value::Number(id) => Some(id.to_string()),
        _ => from.search_id.clone(),
    };
    // The id may be another one with each page.
    let issued_at = if from.search_id.is_some() && search_id == from.search_id {
        from.issued_at
    } else {
        now.unix_timestamp()
    };
    let begun_at = if from.begun_at > 0 { from.begun_at } else { now.unix_timestamp() };
    let next = Position { cursor, search_id, issued_at, begun_at, ..Position::default() };
    (data["has_more"] == true).then_some(next)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::{date, datetime};

    use super::*;
    use crate::video::{Fact, Provenance, record::tests::any_json};

    const NOW: OffsetDateTime = datetime!(2026-11-24 12:00 UTC);

    #[test]
    fn the_next_page_begins_where_the_source_says() {
        let at = |cursor, id: &str, issued_at| Position {
            cursor,
            search_id: Some(id.to_owned()),
            issued_at,
            begun_at: 3,
            ..Position::default()
        };
        // Where in the block before a page ended is of no matter for the next one.
        let after = Some(VideoId::new(7).unwrap());
        let from = Position { after, salt: 1, ..at(100, "7", 5) };
        let next = |cursor: u64, more: bool, id: Value| {
            next(&json!({ "cursor": cursor, "has_more": more, "search_id": id }), &from, NOW)
        };
        let now = NOW.unix_timestamp();
        assert_eq!(next(200, true, "8".into()), Some(at(200, "8", now)));
        assert_eq!(next(200, true, 8.into()), Some(at(200, "8", now)));
        // The same search is as old as it was.
        assert_eq!(next(200, true, 7.into()), Some(at(200, "7", 5)));
        assert_eq!(next(200, true, Value::Null), Some(at(200, "7", 5)));
        assert_eq!(next(200, false, "8".into()), None);
        assert_eq!(next(100, true, "8".into()), None);
    }

    #[test]
    fn a_stale_search_is_told_from_other_refusals() {
        assert!(is_stale("Search Id 7201388525814961198 is invalid or expired"));
        assert!(!is_stale("Invalid count or cursor"));
        assert!(is_passing("Invalid count or cursor"));
        assert!(!is_passing("Invalid field: shoe_size"));
    }

    #[test]
    fn a_refused_page_waits_as_long_again_until_the_search_is_hours_old() {
        let wait = |age: i64| {
            let issued_at = NOW.unix_timestamp() - age;
            let of = |search_id| {
                Position { cursor: 20, search_id, issued_at, ..Position::default() }.not_ready(NOW)
            };
            (of(Some("7".to_owned())), of(None))
        };
        let not_ready =
            |seconds| SearchFailure::Failed(Failure::NotReady(Duration::from_secs(seconds)));
        for (age, seconds) in [(-9, 5), (0, 5), (5, 5), (12, 12), (30, 30), (7_199, 30)] {
            assert_eq!(wait(age), (not_ready(seconds), not_ready(seconds)), "{age}");
        }
        // Without an id there is none that could have ended.
        assert_eq!(wait(7_200), (SearchFailure::Expired, not_ready(30)));
        // A cursor from before it said when.
        let search_id = Some("7".to_owned());
        let old = Position { cursor: 20, search_id, ..Position::default() };
        assert_eq!(old.not_ready(NOW), SearchFailure::Expired);
    }

    #[test]
    fn the_day_after_the_last_one_is_asked_for_where_it_can_be_and_its_videos_are_not_wanted() {
        let asked = |first, last, query: Value| {
            let search =
                Search { query, days: (first, last), from: Position::default(), count: 20 };
            search.asked(NOW)
        };
        let and = json!({ "and": [{ "field_name": "keyword" }] });
        let until = |day: &str| json!({ "operation": "LTE", "field_name": "create_date", "field_values": [day] });
        let day = date!(2026 - 11 - 05);
        let (query, end) = asked(day, day, and.clone());
        assert_eq!(end, date!(2026 - 11 - 06));
        assert_eq!(query, json!({ "and": [{ "field_name": "keyword" }, until("20261105")] }));
        let (query, end) = asked(date!(2026 - 10 - 07), day, json!({ "not": [] }));
        assert_eq!(
            (query, end),
            (json!({ "not": [], "and": [until("20261105")] }), date!(2026 - 11 - 06))
        );
        // Neither more than 30 days, nor a day to come.
        let (query, end) = asked(date!(2026 - 10 - 06), day, and.clone());
        assert_eq!((&query, end), (&and, day));
        let (query, end) = asked(day, date!(2026 - 11 - 24), and.clone());
        assert_eq!((&query, end), (&and, date!(2026 - 11 - 24)));
    }

    #[test]
    fn any_condition_on_the_region_asks_for_the_country() {
        let of = |list: &str, field: &str| {
            let query = json!({ list: [{ "field_name": "keyword" }, { "field_name": field }] });
            let days = (date!(2026 - 11 - 01), date!(2026 - 11 - 05));
            Search { query, days, from: Position::default(), count: 20 }.asks_for_country()
        };
        assert!(["and", "or", "not"].iter().all(|list| of(list, "region_code")));
        assert!(!["and", "or", "not"].iter().any(|list| of(list, "username")));
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
            next(&answer, &Position::default(), NOW);
        }
    }
}
