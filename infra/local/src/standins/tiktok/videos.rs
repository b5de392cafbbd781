//! The video query of the Research API.

use axum::{
    body::Bytes,
    extract::{RawQuery, State},
    response::Response,
};
use http::HeaderMap;
use serde_json::{Value, json};

use super::{
    Begun, CatalogueVideo, Endpoint, Fault, TikTok,
    page::INVALID,
    query::{Request, Search},
    research::{Asked, Call, Found, respond},
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

pub(super) async fn query(
    State(tiktok): State<TikTok>,
    RawQuery(parameters): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let call = Call { parameters, headers, body };
    respond(&tiktok, Endpoint::Research, &FIELDS, call, answer).await
}

fn answer(tiktok: &TikTok, asked: &Asked<'_>) -> Result<Found, String> {
    let request: Request = asked.body()?;
    let (searched, is_random) = (request.search_id.clone(), request.is_random);
    let search = request.check()?;
    let begin = search.window.cursor;
    let search_id = match searched {
        None => new_search(tiktok),
        Some(id) if is_known(tiktok, &id, begin, asked.fault) => id,
        Some(id) => return Err(format!("Search Id {id} is invalid or expired")),
    };
    if begin > 0 && tiktok.refuses_cursor(asked.fault, format!("{search_id} {begin}")) {
        return Err(INVALID.to_owned());
    }
    let mut found = find(tiktok, &search);
    if is_random {
        // Some order that is neither of the other two.
        found.sort_by_key(|video| video.id.swap_bytes());
    }
    let slots = match asked.fault {
        Fault::ShortPages | Fault::InvalidCursor(_) => search.window.spread(found),
        _ => found.into_iter().map(Some).collect(),
    };
    let page = search.window.cut(slots);
    let videos: Vec<Value> = page.items.iter().map(|video| describe(video, asked)).collect();
    let records = videos.len();
    let mut data = json!({ "videos": videos, "cursor": page.end, "has_more": page.has_more });
    match asked.fault {
        Fault::DropFields => {}
        Fault::NewSearchIds => {
            let id = new_search(tiktok);
            if let Some(begun) = tiktok.state().searches.get_mut(&id) {
                begun.next = Some(page.end);
            }
            data["search_id"] = id.into();
        }
        _ => data["search_id"] = search_id.into(),
    }
    Ok(Found { data, records })
}

fn new_search(tiktok: &TikTok) -> String {
    let at = tiktok.now();
    let mut state = tiktok.state();
    let id = (7_300_000_000_000_000_000 + state.searches.len()).to_string();
    state.searches.insert(id.clone(), Begun { at, next: None, was_sent_back: false });
    id
}

/// Whether the search was begun here and the page that begins at `cursor` may be asked for; where ids
/// seem stale, only from the second time or a while later.
fn is_known(tiktok: &TikTok, id: &str, cursor: usize, fault: Fault) -> bool {
    let now = tiktok.now();
    let mut state = tiktok.state();
    let Some(begun) = state.searches.get_mut(id) else { return false };
    let was_sent_back = std::mem::replace(&mut begun.was_sent_back, true);
    match fault {
        Fault::StaleSearchId => was_sent_back,
        Fault::StaleFor(wait) => now >= begun.at + wait,
        _ => begun.next.is_none_or(|next| next == cursor),
    }
}

/// What matches, and, because matching is approximate, sometimes the video before it too.
fn find<'a>(tiktok: &'a TikTok, search: &Search) -> Vec<&'a CatalogueVideo> {
    let mut found = Vec::new();
    let mut before = None;
    let excludes_end = tiktok.state().excludes_end;
    for video in tiktok.researched() {
        if search.covers(video, excludes_end) && search.matches(video) {
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

fn describe(video: &CatalogueVideo, asked: &Asked<'_>) -> Value {
    let mut answer = asked.select(|field| value_of(video, field));
    // A sample in the documents calls it so, and the schema does not.
    if let Some(id) = answer.remove("id") {
        answer.insert(if video.id.is_multiple_of(7) { "video_id" } else { "id" }.to_owned(), id);
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
