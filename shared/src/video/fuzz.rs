//! What tests/fuzz drives and nobody else may: the readers of what TikTok's interfaces answer.

use http::StatusCode;
use serde_json::Value;
use time::OffsetDateTime;
use url::Url;

use super::{CommentPage, Facts, Profile, ShortLink, VideoId, oembed, research, short_link};

/// What oEmbed's answer says of the video.
pub fn oembed(id: VideoId, body: &[u8]) -> Option<Facts> {
    oembed::parse(body, id).ok()
}

/// The `data` of an answer of the Research API with this status.
pub fn research(status: u16, body: &[u8], now: OffsetDateTime) -> Option<Value> {
    research::fuzz::data(StatusCode::from_u16(status).ok()?, body, now)
}

/// The videos in `data`.
pub fn videos(data: &Value) -> Option<Vec<(VideoId, Facts)>> {
    research::fuzz::videos(data)
}

/// The comments in `data`, a page that began with the `from`-th.
pub fn comments(data: &Value, video: VideoId, from: u64, at: i64) -> Option<CommentPage> {
    research::fuzz::comments(data, video, from, at)
}

/// The profile in `data`.
pub fn profile(data: &Value) -> Profile {
    research::fuzz::profile(data)
}

/// Where the `Location` of a short link's answer leads: to a video, or to a page to be asked next.
pub fn location(link: &ShortLink, location: &[u8]) -> Option<Result<VideoId, Url>> {
    short_link::led(link, location)
}
