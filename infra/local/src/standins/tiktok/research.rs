//! The video query of the Research API.

use axum::{
    Json,
    body::Bytes,
    extract::{RawQuery, State},
    response::{IntoResponse, Response},
};
use http::{
    HeaderMap, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use serde_json::{Map, Value, json};
use url::form_urlencoded;

use super::{
    CatalogueVideo, Endpoint, Fault, TikTok,
    query::{Request, Search},
};

/// Every field that may be asked for.
const FIELDS: [&str; 22] = [
    "id",
    "create_time",
    "username",
    "region_code",
    "video_description",
    "music_id",
    "like_count",
    "comment_count",
    "share_count",
    "view_count",
    "favorites_count",
    "effect_ids",
    "hashtag_names",
    "video_mention_list",
    "hashtag_info_list",
    "sticker_info_list",
    "effect_info_list",
    "video_label",
    "playlist_id",
    "voice_to_text",
    "video_duration",
    "video_tag",
];

/// New videos take up to 48 hours to appear. Here they take all of them.
const APPEARS_AFTER: i64 = 48 * 3_600;

pub(super) async fn query(
    State(tiktok): State<TikTok>,
    RawQuery(parameters): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let error = |status: StatusCode, code: &str, message: &str| {
        let log_id = tiktok.log_id();
        let error = json!({"code": code, "message": message, "log_id": log_id});
        (status, Json(json!({"data": {}, "error": error}))).into_response()
    };
    let word = |status, code: &str| error(status, code, "");
    let fault = match tiktok.enter(Endpoint::Research, word).await {
        Ok(fault) => fault,
        Err(answer) => return answer,
    };
    if !is_authorized(&tiktok, &headers) {
        let message = "The access token is invalid or not found in the request.";
        return error(StatusCode::UNAUTHORIZED, "access_token_invalid", message);
    }
    match answer(&tiktok, parameters.as_deref().unwrap_or_default(), &headers, &body, fault) {
        Err(message) => error(StatusCode::BAD_REQUEST, "invalid_params", &message),
        Ok(data) => {
            let error = json!({"code": "ok", "message": "", "log_id": tiktok.log_id()});
            Json(json!({"data": data, "error": error})).into_response()
        }
    }
}

fn is_authorized(tiktok: &TikTok, headers: &HeaderMap) -> bool {
    let value = headers.get(AUTHORIZATION).and_then(|it| it.to_str().ok());
    let token = value.and_then(|it| it.strip_prefix("Bearer "));
    let now = tiktok.now();
    token.is_some_and(|token| tiktok.state().tokens.get(token).is_some_and(|end| now < *end))
}

fn answer(
    tiktok: &TikTok,
    parameters: &str,
    headers: &HeaderMap,
    body: &[u8],
    fault: Fault,
) -> Result<Value, String> {
    let kind = headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok()).unwrap_or_default();
    if !kind.starts_with("application/json") {
        return Err("The content type must be application/json".to_owned());
    }
    let fields = form_urlencoded::parse(parameters.as_bytes()).find(|it| it.0 == "fields");
    let fields = fields.ok_or("The fields are missing")?.1;
    let fields: Vec<&str> = fields.split(',').collect();
    if let Some(unknown) = fields.iter().find(|field| !FIELDS.contains(field)) {
        return Err(format!("Invalid field: {unknown}"));
    }
    let request: Request =
        serde_json::from_slice(body).map_err(|_| "The body is not valid".to_owned())?;
    let (searched, is_random) = (request.search_id.clone(), request.is_random);
    let search = request.check()?;
    let search_id = match searched {
        None => new_search(tiktok),
        Some(id) if tiktok.state().searches.contains(&id) => id,
        Some(id) => return Err(format!("Search Id {id} is invalid or expired")),
    };
    let mut found = find(tiktok, &search);
    if is_random {
        // Some order that is neither of the other two.
        found.sort_by_key(|video| video.id.swap_bytes());
    }
    let page = found.iter().skip(search.cursor).take(search.max_count);
    let videos: Vec<Value> = page.map(|video| describe(video, &fields, fault)).collect();
    let end = search.cursor.saturating_add(search.max_count);
    Ok(json!({
        "videos": videos,
        "cursor": end,
        "has_more": end < found.len(),
        "search_id": search_id,
    }))
}

fn new_search(tiktok: &TikTok) -> String {
    let mut state = tiktok.state();
    let id = (7_300_000_000_000_000_000 + state.searches.len()).to_string();
    state.searches.insert(id.clone());
    id
}

/// What matches, and, because matching is approximate, sometimes the video before it too.
fn find<'a>(tiktok: &'a TikTok, search: &Search) -> Vec<&'a CatalogueVideo> {
    let visible_until = tiktok.now().unix_timestamp() - APPEARS_AFTER;
    let mut found = Vec::new();
    let mut before = None;
    let known = tiktok.videos().filter(|it| it.in_research && it.create_time <= visible_until);
    for video in known {
        if search.covers(video) && search.matches(video) {
            if let Some(other) = before.filter(|_| video.id.is_multiple_of(3)) {
                found.push(other);
            }
            found.push(video);
        }
        before = Some(video);
    }
    found.sort_by_key(|video| std::cmp::Reverse(video.id));
    found.dedup_by_key(|video| video.id);
    found
}

/// The requested fields that there are; nothing is ever `null`.
fn describe(video: &CatalogueVideo, fields: &[&str], fault: Fault) -> Value {
    let mut answer = Map::new();
    for field in fields {
        let counted = field.ends_with("_count");
        if fault == Fault::DropFields && (counted || *field == "region_code") {
            continue;
        }
        if let Some(value) = value_of(video, field) {
            // A sample in the documents calls it so, and the schema does not.
            let name =
                if *field == "id" && video.id.is_multiple_of(7) { "video_id" } else { field };
            answer.insert(name.to_owned(), value);
        }
    }
    Value::Object(answer)
}

fn value_of(video: &CatalogueVideo, field: &str) -> Option<Value> {
    let counts = video.statistics;
    let value = match field {
        "id" => video.id.into(),
        "create_time" => video.create_time.into(),
        // Seen in real answers.
        "username" if video.id.is_multiple_of(8) => format!("{}\0", video.username).into(),
        "username" => video.username.into(),
        "region_code" => video.region?.into(),
        "video_description" => video.caption.as_str().into(),
        "music_id" => video.music_id.into(),
        "like_count" if video.id.is_multiple_of(30) => return None,
        "like_count" => counts?.likes.into(),
        "comment_count" => counts?.comments.into(),
        "share_count" => counts?.shares.into(),
        "view_count" => counts?.views.into(),
        "favorites_count" => counts?.saves.into(),
        "effect_ids" if video.effects.is_empty() => return None,
        "effect_ids" => video.effects.iter().map(u64::to_string).collect(),
        "hashtag_names" => video.hashtags.clone().into(),
        "video_mention_list" if video.mentions.is_empty() => return None,
        "video_mention_list" => video.mentions.clone().into(),
        "video_duration" => video.duration.into(),
        "video_tag" => {
            let (kind, number) = video.tag?;
            json!({"type": kind, "number": number})
        }
        // Rarely or never filled.
        _ => return None,
    };
    Some(value)
}
