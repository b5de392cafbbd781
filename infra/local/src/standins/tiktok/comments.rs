//! The comments of a video, and the replies to one of them.

use axum::{
    body::Bytes,
    extract::{RawQuery, State},
    response::Response,
};
use http::HeaderMap;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Endpoint, Fault, TikTok,
    page::{INVALID, Window},
    query::not_null,
    research::{Asked, Call, Found, respond},
    thread::{self, Comment},
};

/// Every field that may be asked for.
const FIELDS: [&str; 7] =
    ["id", "video_id", "parent_comment_id", "like_count", "reply_count", "create_time", "text"];

/// Only the first ones can be read.
const TOP: usize = 1_000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    video_id: Option<Id>,
    comment_id: Option<Id>,
    max_count: Option<i64>,
    #[serde(default, deserialize_with = "not_null")]
    cursor: Option<i64>,
}

/// The documents show a number, which not every client can write.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Id {
    Number(u64),
    Digits(String),
}

impl Id {
    fn get(&self) -> Result<u64, String> {
        match self {
            Self::Number(id) => Ok(*id),
            Self::Digits(text) => Some(text)
                .filter(|it| it.bytes().all(|byte| byte.is_ascii_digit()))
                .and_then(|it| it.parse().ok())
                .ok_or_else(|| "Invalid id".to_owned()),
        }
    }
}

pub(super) async fn list(
    State(tiktok): State<TikTok>,
    RawQuery(parameters): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let call = Call { parameters, headers, body };
    respond(&tiktok, Endpoint::Comments, &FIELDS, call, answer).await
}

fn answer(tiktok: &TikTok, asked: &Asked<'_>) -> Result<Found, String> {
    let request: Request = asked.body()?;
    let window = Window::check(request.cursor, request.max_count, 10)?;
    if window.cursor + window.max_count > TOP {
        return Err(INVALID.to_owned());
    }
    let page = format!("{request:?}");
    if window.cursor > 0 && tiktok.refuses_cursor(asked.fault, page) {
        return Err(INVALID.to_owned());
    }
    let mut slots = match (&request.video_id, &request.comment_id) {
        (Some(video), None) => of_video(tiktok, video.get()?),
        (None, Some(comment)) => of_comment(tiktok, comment.get()?),
        _ => return Err("Either video_id or comment_id must be given".to_owned()),
    };
    if matches!(asked.fault, Fault::ShortPages | Fault::InvalidCursor(_)) {
        slots = window.spread(slots.into_iter().flatten().collect());
    }
    slots.truncate(TOP);
    let page = window.cut(slots);
    let comments: Vec<Value> = page.items.iter().map(|comment| describe(comment, asked)).collect();
    let records = comments.len();
    let data = json!({"comments": comments, "cursor": page.end, "has_more": page.has_more});
    Ok(Found { data, records })
}

fn of_video(tiktok: &TikTok, id: u64) -> Vec<Option<Comment>> {
    let Some(video) = tiktok.researched().find(|it| it.id == id) else { return Vec::new() };
    let position = tiktok.catalogue().partition_point(|it| it.id < id);
    thread::comments(position, video, tiktok.now().unix_timestamp()).collect()
}

fn of_comment(tiktok: &TikTok, id: u64) -> Vec<Option<Comment>> {
    let is_known = |video: &_| tiktok.researched().any(|it| it == video);
    thread::replies(tiktok.catalogue(), is_known, id, tiktok.now().unix_timestamp())
}

fn describe(comment: &Comment, asked: &Asked<'_>) -> Value {
    let mut answer = asked.select(|field| value_of(comment, field));
    // Recorded with replies; nobody can ask for it, and nobody is asked.
    if let Some(name) = comment.display_name {
        answer.insert("display_name".to_owned(), name.into());
    }
    Value::Object(answer)
}

fn value_of(comment: &Comment, field: &str) -> Option<Value> {
    let value = match field {
        "id" => comment.id.into(),
        "video_id" => comment.video_id.into(),
        "parent_comment_id" => comment.parent_id.into(),
        "like_count" => comment.likes?.into(),
        "reply_count" => comment.replies?.into(),
        "create_time" => comment.create_time.into(),
        "text" => comment.text.as_str().into(),
        _ => return None,
    };
    Some(value)
}
