//! For tests/fuzz: what is read out of an answer of the Research API.

use http::{HeaderMap, StatusCode};
use serde_json::Value;
use time::OffsetDateTime;

use super::{
    super::{Facts, VideoId},
    CommentPage, Envelope, Profile, comments, envelope, profile, videos,
};

/// The `data` of a whole answer.
pub(in super::super) fn data(
    status: StatusCode,
    body: &[u8],
    now: OffsetDateTime,
) -> Option<Value> {
    match envelope(status, &HeaderMap::new(), body, now) {
        Ok(Envelope::Data(data)) => Some(data),
        Ok(Envelope::TokenInvalid) | Err(_) => None,
    }
}

/// The videos of a page.
pub(in super::super) fn videos(data: &Value) -> Option<Vec<(VideoId, Facts)>> {
    videos::videos(data).ok()
}

/// The comments of a page that began with the `from`-th.
pub(in super::super) fn comments(
    data: &Value,
    video: VideoId,
    from: u64,
    at: i64,
) -> Option<CommentPage> {
    comments::page(data, video, from, at).ok()
}

/// A profile.
pub(in super::super) fn profile(data: &Value) -> Profile {
    profile::profile(data)
}
