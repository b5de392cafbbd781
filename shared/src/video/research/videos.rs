//! Videos by their ids: many in one query, within the dates that the API insists on.

use std::collections::HashMap;

use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use time::{Date, Duration, OffsetDateTime, UtcOffset};

use super::{
    super::{
        Fact, Facts, Label, Provenance, Source, VideoId, failure::Failure, sources::Asker, text,
    },
    Call, CallError, Position, Research, entries, is_passing, number,
    search::{self, is_stale},
};

/// Path of the video query.
pub(super) const PATH: &str = "/v2/research/video/query/";

/// What is asked for: nothing that is not passed on.
pub(super) const FIELDS: &str = "id,create_time,username,region_code,video_description,music_id,\
    like_count,comment_count,share_count,view_count,favorites_count,hashtag_names,\
    video_mention_list,video_duration,video_tag";

/// Most videos in one answer.
pub(super) const MAX_COUNT: u64 = 100;

/// Most that the first and the last day of a query may lie apart.
pub(in super::super) const MAX_SPAN: Duration = Duration::days(30);

/// Matching is approximate, and a page may come short: so many pages are looked through for an id.
const PAGES: usize = 3;

/// Queries under way at the same time.
const AT_ONCE: usize = 4;

/// First and last day (UTC) of a query.
type Days = (Date, Date);

impl Research {
    /// What Research says about each of `ids`; `None` for a video that it does not have. One query for
    /// all that were created within the days that a query may cover.
    pub(in super::super) async fn videos(
        &self,
        ids: &[VideoId],
        asker: Asker<'_>,
    ) -> HashMap<VideoId, Result<Option<Facts>, Failure>> {
        // An id that does not tell its day cannot be asked for.
        let mut outcomes: HashMap<_, _> = ids.iter().map(|id| (*id, Ok(None))).collect();
        let asked: Vec<_> = groups(ids, asker.now)
            .into_iter()
            .map(|(days, group)| self.group(group, days, asker))
            .collect();
        let mut asked = stream::iter(asked).buffer_unordered(AT_ONCE);
        while let Some((group, found)) = asked.next().await {
            let Pages { found, failure } = found;
            if let Some(failure) = failure {
                outcomes.extend(group.into_iter().map(|id| (id, Err(failure))));
            }
            outcomes.extend(found.into_iter().map(|(id, facts)| (id, Ok(Some(facts)))));
        }
        outcomes
    }

    async fn group(
        &self,
        ids: Vec<VideoId>,
        days: Days,
        asker: Asker<'_>,
    ) -> (Vec<VideoId>, Pages) {
        let mut pages = Pages::default();
        if let Err(failure) = self.pages(&ids, days, asker, &mut pages.found).await {
            pages.failure = Some(failure);
        }
        (ids, pages)
    }

    /// Looks for `ids` page by page. What was found before a page failed stays; of the others nothing is
    /// known then.
    async fn pages(
        &self,
        ids: &[VideoId],
        days: Days,
        asker: Asker<'_>,
        found: &mut HashMap<VideoId, Facts>,
    ) -> Result<(), Failure> {
        let mut from = Position::default();
        for _ in 0..PAGES {
            let body = query(ids, days, &from);
            let call = Call {
                path: PATH,
                fields: FIELDS,
                body: &body,
                records: MAX_COUNT,
                count: |data| entries(data, "videos"),
            };
            let data = match self.call(call, asker).await {
                Ok(data) => data,
                Err(CallError::Refused(message)) if is_passing(&message) || is_stale(&message) => {
                    return Err(Failure::NotReady(search::SOON));
                }
                Err(error) => return Err(error.into()),
            };
            found.extend(videos(&data)?.into_iter().filter(|(id, _)| ids.contains(id)));
            match search::next(&data, &from, asker.now) {
                Some(next) if found.len() < ids.len() => from = next,
                _ => break,
            }
        }
        Ok(())
    }
}

/// What the pages of a query came to.
#[derive(Debug, Default)]
struct Pages {
    found: HashMap<VideoId, Facts>,
    /// Why there was no last page.
    failure: Option<Failure>,
}

/// `ids` in groups of which each can be asked for in one query, with its days. A video is created within
/// a minute of its id; a day on either side costs nothing and keeps clear of how the end is counted.
fn groups(ids: &[VideoId], now: OffsetDateTime) -> Vec<(Days, Vec<VideoId>)> {
    let today = now.to_offset(UtcOffset::UTC).date();
    let mut dated: Vec<_> = ids
        .iter()
        .filter_map(|id| {
            let day = id.created_at_from_id(now)?.date();
            let start = day.previous_day()?;
            // Never a day to come, whatever the API would make of it.
            Some(((start, day.next_day()?.min(today).max(start)), *id))
        })
        .collect();
    dated.sort_unstable();
    dated.dedup();
    let mut groups: Vec<(Days, Vec<VideoId>)> = Vec::new();
    for (days, id) in dated {
        match groups.last_mut() {
            Some(((first, last), group))
                if days.1 - *first <= MAX_SPAN && (group.len() as u64) < MAX_COUNT =>
            {
                *last = days.1.max(*last);
                group.push(id);
            }
            _ => groups.push((days, vec![id])),
        }
    }
    groups
}

fn query(ids: &[VideoId], (start, end): Days, from: &Position) -> Value {
    let values: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let operation = if ids.len() == 1 { "EQ" } else { "IN" };
    let mut body = json!({
        "query": {"and": [
            {"operation": operation, "field_name": "video_id", "field_values": values},
        ]},
        "start_date": day(start),
        "end_date": day(end),
        "max_count": MAX_COUNT,
    });
    from.write_to(&mut body);
    body
}

/// A day as the API writes it: `YYYYMMDD`.
pub(super) fn day(it: Date) -> String {
    format!("{:04}{:02}{:02}", it.year(), u8::from(it.month()), it.day())
}

/// The videos of one page. One without an id says nothing about any.
pub(super) fn videos(data: &Value) -> Result<Vec<(VideoId, Facts)>, Failure> {
    let videos = data["videos"].as_array().ok_or(Failure::Unusable)?;
    let video = |video: &Value| {
        // A sample in the documents says `video_id` where the schema says `id`.
        let id = number(&video["id"]).or_else(|| number(&video["video_id"]))?;
        Some((VideoId::new(id)?, facts(video)))
    };
    Ok(videos.iter().filter_map(video).collect())
}

fn facts(video: &Value) -> Facts {
    let count = |name: &str| number(&video[name]).and_then(fact);
    let names = |name: &str, clean: fn(&str) -> Option<String>| {
        let names = video[name].as_array()?.iter().filter_map(Value::as_str).filter_map(clean);
        fact(text::distinct(names))
    };
    let country = |code: &str| {
        let code = code.to_ascii_uppercase();
        (code.len() == 2 && code.bytes().all(|it| it.is_ascii_uppercase())).then_some(code)
    };
    Facts {
        username: video["username"].as_str().and_then(text::handle).and_then(fact),
        caption: video["video_description"]
            .as_str()
            .and_then(|it| text::lines(it, text::MAX_CAPTION))
            .and_then(fact),
        hashtags: names("hashtag_names", |it| text::line(it, text::MAX_NAME)),
        mentions: names("video_mention_list", text::handle),
        sound_id: number(&video["music_id"]).filter(|id| *id > 0).and_then(fact),
        duration_seconds: count("video_duration"),
        created_at: number(&video["create_time"])
            .and_then(|it| i64::try_from(it).ok())
            .filter(|it| *it > 0)
            .and_then(fact),
        country: video["region_code"].as_str().and_then(country).and_then(fact),
        labels: labels(&video["video_tag"]).and_then(fact),
        views: count("view_count"),
        likes: count("like_count"),
        comments: count("comment_count"),
        shares: count("share_count"),
        saves: count("favorites_count"),
        ..Facts::default()
    }
}

fn fact<T>(value: T) -> Option<Fact<T>> {
    Some(Fact { provenance: Provenance::Observed, source: Source::Research, value })
}

/// One label or a list of them, under either of the two spellings that the documents use.
fn labels(tag: &Value) -> Option<Vec<Label>> {
    let tags = match tag {
        Value::Array(tags) => tags.as_slice(),
        Value::Object(_) => std::slice::from_ref(tag),
        _ => return None,
    };
    let label = |tag: &Value| {
        let either = |name: &str, long: &str| tag.get(name).or_else(|| tag.get(long)).cloned();
        let kind = match either("type", "video_tag_type")? {
            Value::String(kind) => text::line(&kind, 32)?,
            Value::Number(kind) => kind.to_string(),
            _ => return None,
        };
        Some(Label { kind, number: either("number", "video_tag_number")?.as_i64()? })
    };
    Some(tags.iter().filter_map(label).take(text::MAX_TAGS).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;
    use crate::video::record::tests::any_json;

    const NOW: OffsetDateTime = datetime!(2026-11-24 18:00 UTC);

    fn id() -> VideoId {
        "7301234567890123456".parse().unwrap()
    }

    fn video() -> Value {
        json!({
            "id": 7_301_234_567_890_123_456_u64,
            "create_time": 1_699_955_042,
            "username": "made.up\u{0}",
            "region_code": "ie",
            "video_description": "soup #soup",
            "music_id": 7_299_999_999_999_999_999_u64,
            "like_count": 80, "comment_count": 20, "share_count": 0, "view_count": 1_000,
            "favorites_count": 5,
            "hashtag_names": ["soup", "Soup", "", 7],
            "video_mention_list": ["made.friend"],
            "video_duration": 31,
            "video_tag": {"type": "AIGC", "number": 2},
        })
    }

    fn found(video: Value) -> Facts {
        let page = videos(&json!({"videos": [video]})).unwrap();
        assert_eq!(page.len(), 1);
        page.into_iter().next().unwrap().1
    }

    #[test]
    fn a_whole_video() {
        let facts = found(video());
        assert_eq!(facts.username, fact("made.up".to_owned()));
        assert_eq!(facts.country, fact("IE".to_owned()));
        assert_eq!(facts.sound_id, fact(7_299_999_999_999_999_999));
        assert_eq!((facts.shares, facts.saves), (fact(0), fact(5)));
        assert_eq!(facts.hashtags, fact(vec!["soup".to_owned()]));
        assert_eq!(facts.created_at, fact(1_699_955_042));
        assert_eq!(facts.labels, fact(vec![Label { kind: "AIGC".to_owned(), number: 2 }]));
        assert_eq!((facts.display_name, facts.thumbnail), (None, None));
    }

    #[test]
    fn what_is_left_out_stays_out() {
        let facts = found(json!({"video_id": "7301234567890123456", "share_count": 0}));
        assert_eq!(facts, Facts { shares: fact(0), ..Facts::default() });
        let odd = json!({
            "id": 7_301_234_567_890_123_456_u64, "view_count": -1, "like_count": 1.5, "music_id": 0,
            "region_code": "Ireland", "username": "a/b", "create_time": 0, "video_tag": "AIGC",
        });
        assert_eq!(found(odd), Facts::default());
    }

    #[test]
    fn labels_under_both_spellings() {
        let listed = json!([
            {"video_tag_type": 1, "video_tag_number": 7},
            {"type": "Branded", "number": 1},
            {"type": "AIGC"},
        ]);
        let label = |kind: &str, number| Label { kind: kind.to_owned(), number };
        assert_eq!(labels(&listed), Some(vec![label("1", 7), label("Branded", 1)]));
        assert_eq!(labels(&Value::Null), None);
    }

    #[test]
    fn a_video_is_known_by_its_whole_id() {
        // The next number that a double can hold apart is 1024 away.
        let mut near = video();
        near["id"] = 7_301_234_567_890_123_457_u64.into();
        let page = videos(&json!({"videos": [near, video(), {"username": "no.id"}]})).unwrap();
        let ids: Vec<_> = page.iter().map(|it| it.0.get()).collect();
        assert_eq!(ids, [7_301_234_567_890_123_457, id().get()]);
        assert_eq!(videos(&json!({})), Err(Failure::Unusable));
    }

    fn at(at: OffsetDateTime, n: u64) -> VideoId {
        VideoId::new((at.unix_timestamp() as u64) << 32 | n).unwrap()
    }

    #[test]
    fn the_days_are_that_of_the_id_and_one_on_either_side() {
        let days = |id: VideoId| {
            let (days, ids) = groups(&[id], NOW).pop()?;
            let body = query(&ids, days, &Position::default());
            Some(format!("{} {}", body["start_date"], body["end_date"]))
        };
        let some = |text: &str| Some(text.to_owned());
        let newyear = at(datetime!(2025-12-31 23:59:59 UTC), 0);
        assert_eq!(days(newyear), some("\"20251230\" \"20260101\""));
        assert_eq!(days(at(NOW, 0)), some("\"20261123\" \"20261124\""));
        assert_eq!(days(VideoId::new(702_874_395).unwrap()), None);
    }

    proptest! {
        #[test]
        fn groups_hold_every_dated_id_once_and_keep_to_the_limits(
            seconds in prop::collection::vec(0..100_000_000i64, 0..300),
        ) {
            let now = NOW.unix_timestamp();
            let ids: Vec<_> = (0u64..)
                .zip(&seconds)
                .map(|(n, ago)| at(OffsetDateTime::from_unix_timestamp(now - ago).unwrap(), n))
                .collect();
            let groups = groups(&ids, NOW);
            let mut grouped: Vec<_> = groups.iter().flat_map(|it| it.1.clone()).collect();
            grouped.sort_unstable();
            let mut expected = ids;
            expected.sort_unstable();
            prop_assert_eq!(grouped, expected);
            for ((first, last), group) in groups {
                prop_assert!(last - first <= MAX_SPAN && group.len() as u64 <= MAX_COUNT);
                for id in group {
                    let day = id.created_at_from_id(NOW).unwrap().date();
                    prop_assert!((first..=last).contains(&day));
                }
            }
        }

        #[test]
        fn any_json_is_survived(
            answer in any_json(),
            fields in prop::collection::vec((0..15usize, any_json()), 0..6),
        ) {
            let _ = videos(&answer);
            let _ = videos(&json!({"videos": [answer]}));
            let mut video = video();
            let names: Vec<String> = video.as_object().unwrap().keys().cloned().collect();
            for (field, value) in fields {
                video[names[field].as_str()] = value;
            }
            let _ = videos(&json!({"videos": [video]}));
        }
    }
}
