//! Bodies that are made by what makes the real ones: of the sandbox's catalogue, always at the same time.

use serde::Serialize;
use serde_json::{Value, json};
use time::{OffsetDateTime, macros::datetime};

use super::Place;
use crate::{
    policy, sandbox,
    secrets::{Pepper, Peppers},
    video::{
        Batch, BatchItem, Comments, Creator, Cursors, FetchError, Hashtag, ItemStatus, MAX_PAGE,
        ProfileRecord, Search, SearchField, SearchRequest, Standing, Video, VideoId, VideoPage,
        View, median_views,
    },
};

/// The time of all examples.
const NOW: OffsetDateTime = datetime!(2026-11-24 12:00 UTC);

/// Both sources know it.
const COMPLETE: &str = "7501000000000000001";
/// One source only.
const OEMBED_ONLY: &str = "7502000000000000002";
/// It has more than one page of comments.
const COMMENTED: &str = "7516000000000000016";
/// There is none.
const MISSING: &str = "7570000000000000070";
const CREATOR: &str = "sandbox.baker";
const HASHTAG: &str = "sandboxbread";

/// What is sent to the operation.
pub(super) fn request(place: &Place<'_>) -> Vec<(&'static str, Value)> {
    let made = match (place.method, place.path) {
        ("post", "/v1/videos/batch") => {
            json!({ "videos": [COMPLETE, format!("https://www.tiktok.com/@made.up/video/{MISSING}")] })
        }
        ("post", "/v1/videos/search") => search_request(),
        _ => return Vec::new(),
    };
    vec![("", made)]
}

/// What the operation answers with `status`, if that is made here. Several have a name each.
pub(super) fn answer(place: &Place<'_>, status: &str) -> Vec<(&'static str, Value)> {
    if place.is("get /v1/videos/{video_id}") {
        let both = [("Both sources", COMPLETE), ("One source", OEMBED_ONLY)];
        return both.into_iter().filter_map(|(name, id)| Some((name, json(video(id)?)?))).collect();
    }
    let made = match (place.method, place.path, status) {
        ("get", "/v1/videos", _) => video(COMPLETE).and_then(json),
        ("post", "/v1/videos/batch", _) => batch().and_then(json),
        ("post", "/v1/videos/search", _) => found().and_then(json),
        ("get", "/v1/videos/{video_id}/comments", _) => comments().and_then(json),
        ("get", "/v1/creators/{username}", _) => creator().and_then(json),
        ("get", "/v1/creators/{username}/videos", _) => creator_videos().and_then(json),
        ("get", "/v1/hashtags/{name}", _) => hashtag().and_then(json),
        ("get", "/v1/policy", _) => json(policy::policy("support@example.com")),
        ("get", "/openapi.json", _) => Some(json!({
            "openapi": "3.1.0", "info": { "title": "TikTok Video Intelligence API" }, "paths": {},
        })),
        ("get", "/export.schema.json", _) => Some(json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",
        })),
        ("get", "/docs" | "/problems/{kind}" | "/billing/{page}", "200") => {
            Some("<!DOCTYPE html>…".into())
        }
        _ => None,
    };
    made.map(|it| ("", it)).into_iter().collect()
}

/// What in an answer is otherwise than the schemas' examples together say.
pub(super) fn changes(place: &Place<'_>, status: &str) -> Value {
    match (place.method, place.path, status) {
        ("get", "/health", "503") => json!({
            "status": "down",
            "parts": [{ "name": "redis", "status": "ok" }, { "name": "dynamodb", "status": "down" }],
        }),
        ("post", "/v1/billing/plan", "202") => json!({
            "plan": "basic",
            "next_plan": null,
            "requests": 1_000,
            "pending": { "plan": "pro", "expires_at": "2026-11-25T11:00:00Z" },
            "pay_url": "https://invoice.stripe.com/i/acct_Example0001/live_Example0001",
        }),
        ("post", "/v1/billing/refunds", "200") => {
            json!({ "state": "paid", "decided_at": "2026-11-25T08:00:00Z" })
        }
        // What is open has not ended, and there is nothing of it yet.
        ("post", "/v1/privacy/deletions", "202") => {
            json!({ "state": "scheduled", "closed_at": null })
        }
        ("post", "/v1/privacy/exports", _) => {
            json!({ "state": "scheduled", "closed_at": null, "items": {}, "file": null })
        }
        ("delete", "/v1/privacy/deletions/{request_id}", _) => {
            json!({ "state": "cancelled", "closed_at": "2026-11-25T08:00:00Z" })
        }
        _ => json!({}),
    }
}

fn json(answer: impl Serialize) -> Option<Value> {
    serde_json::to_value(answer).ok()
}

fn view(standing: Standing) -> View {
    View { include_country: true, cached: false, now: NOW, standing }
}

/// As without `include`.
fn plain() -> View {
    view(Standing::not_requested())
}

fn video(id: &str) -> Option<Video> {
    let id: VideoId = id.parse().ok()?;
    Some(Video::from_record(&sandbox::video(id, NOW).ok()?, &plain()))
}

fn batch() -> Option<Batch> {
    let found = BatchItem {
        index: 0,
        status: ItemStatus::Found,
        video: Some(video(COMPLETE)?),
        detail: None,
    };
    let missing = BatchItem {
        index: 1,
        status: ItemStatus::NotFound,
        video: None,
        detail: Some(FetchError::NotFound.to_string()),
    };
    Some(Batch { items: vec![found, missing], charged: 1 })
}

fn search_request() -> Value {
    let (from, to) = sandbox::recent_days();
    json!({
        "and": [{ "field": "hashtag", "operation": "in", "values": [HASHTAG] }],
        "from": from.to_string(), "to": to.to_string(), "limit": 1,
    })
}

/// What [`search_request`] finds.
fn found() -> Option<VideoPage> {
    let request: SearchRequest = serde_json::from_value(search_request()).ok()?;
    let search = request.check(&cursors(), NOW).ok()?;
    Some(VideoPage::new(&search, &sandbox::search(&search, NOW).ok()?, &cursors(), &plain()))
}

/// Under a key that is used nowhere else.
fn cursors() -> Cursors {
    let current = Pepper::new(0, [0; 32]);
    Cursors::new(&Peppers { current, previous: None, next: None, retired: Vec::new() })
}

fn comments() -> Option<Comments> {
    let id: VideoId = COMMENTED.parse().ok()?;
    Some(Comments::new(id, &sandbox::comments(id, 0, 3, NOW).ok()?, &plain()))
}

fn profile() -> Option<ProfileRecord> {
    let profile = sandbox::profile(CREATOR, NOW).ok()??;
    Some(ProfileRecord { username: CREATOR.to_owned(), profile, at: NOW.unix_timestamp() })
}

/// The newest `count` videos of the creator, or with the hashtag.
fn newest(field: SearchField, value: &str, count: u64) -> Search {
    Search::of(field, value, sandbox::recent_days(), count)
}

fn creator() -> Option<Creator> {
    let search = newest(SearchField::Creator, CREATOR, MAX_PAGE);
    let recent = sandbox::search(&search, NOW).ok()?;
    Some(Creator::new(&profile()?, &recent, search.days, &plain()))
}

fn creator_videos() -> Option<VideoPage> {
    let recent = sandbox::search(&newest(SearchField::Creator, CREATOR, MAX_PAGE), NOW).ok()?;
    let standing =
        Standing { followers: profile()?.followers(), median_views: median_views(&recent) };
    let search = newest(SearchField::Creator, CREATOR, 1);
    Some(VideoPage::new(&search, &sandbox::search(&search, NOW).ok()?, &cursors(), &view(standing)))
}

fn hashtag() -> Option<Hashtag> {
    let search = newest(SearchField::Hashtag, HASHTAG, MAX_PAGE);
    let page = sandbox::search(&search, NOW).ok()?;
    Some(Hashtag::new(HASHTAG, &search, &page, &plain()))
}
