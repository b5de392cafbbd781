//! The Research API: counts, country, labels; late, and with keys left out at will.

use std::time::Duration;

use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use time::{Date, OffsetDateTime, Time, UtcOffset};
use url::Url;

use super::{
    Fact, Facts, Label, Provenance, ResearchCredentials, Source, VideoId,
    sources::{BUSY, Failure, refusal},
    text,
    token::Tokens,
};
use crate::upstream::{self, Limits};

/// One attempt. A page of 20 whole videos is about 30 KB.
const LIMITS: Limits = Limits { timeout: Duration::from_millis(2_500), max_bytes: 512 * 1024 };

/// What is asked for: nothing that is not passed on.
const FIELDS: &str = "id,create_time,username,region_code,video_description,music_id,like_count,\
    comment_count,share_count,view_count,favorites_count,hashtag_names,video_mention_list,\
    video_duration,video_tag";

/// Matching is approximate: other videos may come first.
const MAX_COUNT: u32 = 20;

#[derive(Debug)]
pub(super) struct Research {
    api: String,
    tokens: Tokens,
}

/// What an answer came to.
#[derive(Debug, PartialEq)]
enum Answer {
    Video(Box<Facts>),
    NoSuchVideo,
    TokenInvalid,
}

impl Research {
    pub(super) fn new(api: String, credentials: ResearchCredentials) -> Self {
        Self { api, tokens: Tokens::new(credentials) }
    }

    /// What Research says about the video; `None` if it has no such video.
    pub(super) async fn ask(
        &self,
        client: &upstream::Client,
        id: VideoId,
        now: OffsetDateTime,
    ) -> Result<Option<Facts>, Failure> {
        let Some(window) = window(id, now) else {
            // It can only be asked with dates, and this id does not tell its own.
            return Ok(None);
        };
        let mut may_refresh = true;
        loop {
            let token = self.tokens.get(client, &self.api, now).await?;
            let headers = headers(token.expose_secret())?;
            let url: Url = format!("{}/v2/research/video/query/?fields={FIELDS}", self.api)
                .parse()
                .map_err(|_| Failure::Unusable)?;
            let answer = client.post(&url, headers, query(id, window), LIMITS).await?;
            match parse(answer.status, &answer.headers, &answer.body, id, now)? {
                Answer::Video(facts) => return Ok(Some(*facts)),
                Answer::NoSuchVideo => return Ok(None),
                Answer::TokenInvalid if may_refresh => {
                    self.tokens.discard(&token).await;
                    may_refresh = false;
                }
                Answer::TokenInvalid => return Err(Failure::Unusable),
            }
        }
    }
}

fn headers(token: &str) -> Result<HeaderMap, Failure> {
    let mut bearer: HeaderValue =
        format!("Bearer {token}").parse().map_err(|_| Failure::Unusable)?;
    bearer.set_sensitive(true);
    let json = HeaderValue::from_static("application/json");
    Ok(HeaderMap::from_iter([(AUTHORIZATION, bearer), (CONTENT_TYPE, json)]))
}

/// First and last day (UTC) in which the video can have been created: a video is created within a
/// minute of its id; a day on either side costs nothing and keeps clear of how the end is counted.
fn window(id: VideoId, now: OffsetDateTime) -> Option<(Date, Date)> {
    let day = id.created_at_from_id(now)?.date();
    let today = now.to_offset(UtcOffset::UTC).date();
    let start = day.previous_day()?;
    // Never a day to come, whatever the API would make of it.
    Some((start, day.next_day()?.min(today).max(start)))
}

fn query(id: VideoId, (start, end): (Date, Date)) -> String {
    let day = |it: Date| format!("{:04}{:02}{:02}", it.year(), u8::from(it.month()), it.day());
    let condition =
        json!({"operation": "EQ", "field_name": "video_id", "field_values": [id.to_string()]});
    json!({
        "query": {"and": [condition]},
        "start_date": day(start),
        "end_date": day(end),
        "max_count": MAX_COUNT,
    })
    .to_string()
}

fn parse(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    id: VideoId,
    now: OffsetDateTime,
) -> Result<Answer, Failure> {
    // An error of a gateway in between is a page of HTML.
    let Ok(answer) = serde_json::from_slice::<Value>(body) else {
        return Err(refusal(status, headers));
    };
    // The documents also show an error without its envelope.
    let code = answer["error"]["code"].as_str().or_else(|| answer["code"].as_str());
    match code {
        Some("access_token_invalid") => return Ok(Answer::TokenInvalid),
        Some("daily_quota_limit_exceeded") => {
            return Err(Failure::RateLimited(until_midnight(now)));
        }
        Some("rate_limit_exceeded") => {
            return Err(match refusal(status, headers) {
                limited @ Failure::RateLimited(_) => limited,
                _ => Failure::RateLimited(BUSY),
            });
        }
        Some("internal_error" | "timeout") => return Err(Failure::Unavailable),
        Some("ok") | None if status.is_success() => {}
        _ => return Err(refusal(status, headers)),
    }
    let videos = answer["data"]["videos"].as_array().ok_or(Failure::Unusable)?;
    let found = videos.iter().find(|video| {
        // A sample in the documents says `video_id` where the schema says `id`.
        let given = number(&video["id"]).or_else(|| number(&video["video_id"]));
        given == Some(id.get())
    });
    Ok(found.map_or(Answer::NoSuchVideo, |video| Answer::Video(Box::new(facts(video)))))
}

/// The daily allowance starts anew at 00:00 UTC.
fn until_midnight(now: OffsetDateTime) -> Duration {
    let midnight = now
        .to_offset(UtcOffset::UTC)
        .date()
        .next_day()
        .map(|day| day.with_time(Time::MIDNIGHT).assume_utc() - now);
    midnight.and_then(|wait| wait.try_into().ok()).unwrap_or(Duration::from_secs(86_400))
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

/// A number that may be beyond 2^53, or be sent as a string.
fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
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

    fn read(status: u16, body: &str) -> Result<Answer, Failure> {
        let status = StatusCode::from_u16(status).unwrap();
        parse(status, &HeaderMap::new(), body.as_bytes(), id(), NOW)
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

    fn page(videos: &[Value]) -> String {
        json!({
            "data": {"videos": videos, "cursor": 100, "has_more": true, "search_id": "7"},
            "error": {"code": "ok", "message": "", "log_id": "L"},
        })
        .to_string()
    }

    fn found(video: Value) -> Facts {
        match read(200, &page(&[video])) {
            Ok(Answer::Video(facts)) => *facts,
            other => panic!("{other:?}"),
        }
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
    fn only_the_very_video_counts_as_found() {
        let mut near = video();
        // The next number that a double can hold apart is 1024 away.
        near["id"] = 7_301_234_567_890_123_457_u64.into();
        assert_eq!(read(200, &page(std::slice::from_ref(&near))), Ok(Answer::NoSuchVideo));
        assert!(matches!(read(200, &page(&[near, video()])), Ok(Answer::Video(_))));
        assert_eq!(read(200, &page(&[])), Ok(Answer::NoSuchVideo));
    }

    #[test]
    fn errors_with_and_without_their_envelope() {
        let error = |code: &str| json!({"error": {"code": code, "message": "m"}}).to_string();
        let bare = json!({"code": "access_token_invalid", "message": "m"}).to_string();
        assert_eq!(read(401, &bare), Ok(Answer::TokenInvalid));
        assert_eq!(read(401, &error("access_token_invalid")), Ok(Answer::TokenInvalid));
        for (status, body, failure) in [
            (429, error("rate_limit_exceeded"), Failure::RateLimited(BUSY)),
            (
                429,
                error("daily_quota_limit_exceeded"),
                Failure::RateLimited(Duration::from_secs(6 * 3_600)),
            ),
            (500, error("internal_error"), Failure::Unavailable),
            (200, error("timeout"), Failure::Unavailable),
            (504, "<html>".to_owned(), Failure::Unavailable),
            (400, error("invalid_params"), Failure::Unusable),
            (400, error("invalid_param"), Failure::Unusable),
            (401, error("scope_not_authorized"), Failure::Unusable),
            (200, error("something_new"), Failure::Unusable),
            (200, "<html>".to_owned(), Failure::Unusable),
            (200, "{}".to_owned(), Failure::Unusable),
        ] {
            assert_eq!(read(status, &body), Err(failure), "{status} {body}");
        }
    }

    #[test]
    fn the_window_is_the_day_of_the_id_and_one_on_either_side() {
        let days = |id: u64, now| {
            let body: Value =
                serde_json::from_str(&query(VideoId::new(id)?, window(VideoId::new(id)?, now)?))
                    .unwrap();
            Some(format!("{} {}", body["start_date"], body["end_date"]))
        };
        let at = |at: OffsetDateTime| (at.unix_timestamp() as u64) << 32;
        let some = |text: &str| Some(text.to_owned());
        let newyear = at(datetime!(2025-12-31 23:59:59 UTC));
        assert_eq!(days(newyear, NOW), some("\"20251230\" \"20260101\""));
        assert_eq!(days(at(NOW), NOW), some("\"20261123\" \"20261124\""));
        assert_eq!(days(702_874_395, NOW), None);
    }

    proptest! {
        #[test]
        fn any_json_is_survived(
            answer in any_json(),
            fields in prop::collection::vec((0..15usize, any_json()), 0..6),
            status in 100..600u16,
        ) {
            let _ = read(status, &answer.to_string());
            let _ = read(status, &page(std::slice::from_ref(&answer)));
            let mut video = video();
            let names: Vec<String> = video.as_object().unwrap().keys().cloned().collect();
            for (field, value) in fields {
                video[names[field].as_str()] = value;
            }
            let _ = read(status, &page(&[video]));
        }
    }
}
