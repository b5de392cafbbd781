//! Searching the catalogue: the conditions of the Research API, and words that trigger what can happen.

use serde_json::Value;
use time::{Date, OffsetDateTime};

use super::{
    Trouble,
    cases::{CREATORS, WORDS, Word},
    videos::{self, Made},
};
use crate::video::{
    Facts, FetchError, Outcome, Position, Search, SearchPage, Source, VideoId, VideoRecord,
};

/// Most videos in a page.
const MAX_COUNT: u64 = 100;

/// Every search has this id: a position belongs to whatever it is used with.
const SEARCH_ID: &str = "sandbox";

/// A page of the videos for which the conditions hold, newest first.
pub fn search(search: &Search, now: OffsetDateTime) -> Result<SearchPage, Trouble> {
    let word = trigger(&search.query, now)?;
    let Search { from, count, .. } = search;
    if word == Some(Word::Expires) && from.cursor > 0 {
        return Err(FetchError::CursorExpired.into());
    }
    let begins_empty = word == Some(Word::BeginsEmpty);
    if begins_empty && from.cursor == 0 {
        return Ok(page(Vec::new(), position(1), now));
    }
    // Behind the empty page all indices are one higher.
    let shift = u64::from(begins_empty);
    let is_left_out = |index: usize| word == Some(Word::Suppresses) && index % 2 == 1;
    let found = found(search).enumerate().filter(|(index, _)| !is_left_out(*index));
    let found: Vec<_> = found.map(|(_, video)| video).collect();
    let all = found.len() as u64 + shift;
    let end = from.cursor.saturating_add((*count).clamp(1, MAX_COUNT)).min(all);
    let indices = from.cursor - shift..end.max(from.cursor) - shift;
    let shown = (0..).zip(found).filter(|(index, _)| indices.contains(index));
    let records = shown.map(|(_, (id, facts))| {
        VideoRecord::empty(id).with(Source::Research, Outcome::Answered(at(now)), facts)
    });
    let has_more = end < all || word == Some(Word::Expires);
    Ok(page(records.collect(), has_more.then(|| position(end.max(1))).flatten(), now))
}

fn page(videos: Vec<VideoRecord>, next: Option<Position>, now: OffsetDateTime) -> SearchPage {
    SearchPage { videos, next, at: at(now), fetched_at: at(now), salt: 0 }
}

fn at(now: OffsetDateTime) -> i64 {
    now.unix_timestamp()
}

fn position(cursor: u64) -> Option<Position> {
    // It never ends, so it matters not when it began: the same is answered each time.
    Some(Position { cursor, search_id: Some(SEARCH_ID.to_owned()), ..Position::default() })
}

/// The first thing that the conditions trigger; what they exclude triggers nothing.
fn trigger(query: &Value, now: OffsetDateTime) -> Result<Option<Word>, Trouble> {
    let mut first = None;
    for condition in ["and", "or"].into_iter().flat_map(|name| conditions(query, name)) {
        for value in values(condition) {
            match field(condition) {
                "username" => {
                    if let Some(fault) = fault_of(&value) {
                        return Err(fault.trouble(now));
                    }
                }
                "keyword" | "hashtag_name" => match word(&value) {
                    Some(Ok(word)) => first = first.or(Some(word)),
                    Some(Err(fault)) => return Err(fault.trouble(now)),
                    None => {}
                },
                _ => {}
            }
        }
    }
    Ok(first)
}

/// The fault of the creator `handle`. Of one who is not there, a search finds nothing.
fn fault_of(handle: &str) -> Option<super::Fault> {
    let case = CREATORS.iter().find(|it| it.key.eq_ignore_ascii_case(handle))?;
    case.answer.err().filter(|it| *it != super::Fault::NoCreator)
}

fn word(value: &str) -> Option<Result<Word, super::Fault>> {
    WORDS.iter().find(|it| it.key.eq_ignore_ascii_case(value)).map(|it| it.answer)
}

/// The videos of the days for which the conditions hold, newest first.
fn found(search: &Search) -> impl Iterator<Item = (VideoId, Facts)> {
    let Search { query, days: (first, last), .. } = search;
    let known = videos::in_research().map(|made: Made| (made.id, made.research()));
    known.filter(move |(id, facts)| {
        let holds = |it: &Value| holds(it, *id, facts);
        // A word that triggers something stands for every video.
        let holds_or_triggers = |it: &Value| holds(it) || has_word(it);
        let mut or = conditions(query, "or").peekable();
        day(facts).is_some_and(|day| (*first..=*last).contains(&day))
            && conditions(query, "and").all(holds_or_triggers)
            && (or.peek().is_none() || or.any(holds_or_triggers))
            && !conditions(query, "not").any(holds)
    })
}

fn conditions<'a>(query: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    query[name].as_array().into_iter().flatten()
}

fn field(condition: &Value) -> &str {
    condition["field_name"].as_str().unwrap_or_default()
}

fn values(condition: &Value) -> impl Iterator<Item = String> {
    let values = condition["field_values"].as_array().into_iter().flatten();
    values.filter_map(|value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    })
}

fn has_word(condition: &Value) -> bool {
    let is_text = matches!(field(condition), "keyword" | "hashtag_name");
    is_text && values(condition).any(|value| word(&value).is_some())
}

/// Whether the condition holds. One that is not understood holds for no video.
fn holds(condition: &Value, id: VideoId, facts: &Facts) -> bool {
    let operation = condition["operation"].as_str().unwrap_or_default();
    values(condition).any(|value| match field(condition) {
        "create_date" => compares(operation, day(facts), parse_day(&value)),
        "view_count" => compares(operation, said(&facts.views), value.parse().ok()),
        "like_count" => compares(operation, said(&facts.likes), value.parse().ok()),
        "comment_count" => compares(operation, said(&facts.comments), value.parse().ok()),
        "share_count" => compares(operation, said(&facts.shares), value.parse().ok()),
        "video_id" => compares(operation, Some(id.get()), value.parse().ok()),
        "music_id" => compares(operation, said(&facts.sound_id), value.parse().ok()),
        _ => matches!(operation, "EQ" | "IN") && names(condition, &value, facts),
    })
}

/// Whether the video's text in the condition's field is `value`; upper and lower case are the same.
fn names(condition: &Value, value: &str, facts: &Facts) -> bool {
    let value = value.to_lowercase();
    let is = |text: Option<String>| text.is_some_and(|it| it.to_lowercase() == value);
    match field(condition) {
        "keyword" => said(&facts.caption).is_some_and(|it| it.to_lowercase().contains(&value)),
        "hashtag_name" => said(&facts.hashtags).into_iter().flatten().any(|it| is(Some(it))),
        "username" => is(said(&facts.username)),
        "region_code" => is(said(&facts.country)),
        "video_length" => is(said(&facts.duration_seconds).map(length)),
        _ => false,
    }
}

fn said<T: Clone>(fact: &Option<crate::video::Fact<T>>) -> Option<T> {
    fact.as_ref().map(|it| it.value.clone())
}

fn compares<T: PartialOrd>(operation: &str, left: Option<T>, right: Option<T>) -> bool {
    let (Some(left), Some(right)) = (left, right) else { return false };
    match operation {
        "EQ" | "IN" => left == right,
        "GT" => left > right,
        "GTE" => left >= right,
        "LT" => left < right,
        "LTE" => left <= right,
        _ => false,
    }
}

fn length(seconds: u64) -> String {
    let name = match seconds {
        0..15 => "SHORT",
        15..=60 => "MID",
        61..=300 => "LONG",
        _ => "EXTRA_LONG",
    };
    name.to_owned()
}

/// The day on which the video was created (UTC).
fn day(facts: &Facts) -> Option<Date> {
    OffsetDateTime::from_unix_timestamp(said(&facts.created_at)?).ok().map(OffsetDateTime::date)
}

/// `YYYYMMDD`.
fn parse_day(text: &str) -> Option<Date> {
    let format = time::macros::format_description!("[year][month][day]");
    Date::parse(text, format).ok()
}
