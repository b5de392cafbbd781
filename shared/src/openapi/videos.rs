//! The metered endpoints: videos, creators, hashtags.

use utoipa::IntoResponses;

use super::KeyProblems;
use crate::{
    http::Problem,
    video::{Batch, BatchRequest, Comments, Creator, Hashtag, SearchRequest, Video, VideoPage},
};

/// What every metered endpoint may answer. None of it is charged.
#[derive(IntoResponses)]
enum MeteredProblems {
    /// A fault of ours
    #[response(status = 500, content_type = "application/problem+json")]
    Internal(Problem),
    /// Address and header fields together are longer than 10 KB: API Gateway refuses, in its own words
    #[response(status = 431)]
    TooLong,
    /// The source failed
    #[response(status = 502, content_type = "application/problem+json")]
    SourceFailed(Problem),
    /// The source or a part of the service is busy, or the source's daily allowance is used up
    #[response(status = 503, content_type = "application/problem+json")]
    Busy(Problem),
    /// The source did not answer in time
    #[response(status = 504, content_type = "application/problem+json")]
    Timeout(Problem),
}

/// What every endpoint may answer that only TikTok's Research API can serve.
#[derive(IntoResponses)]
enum ResearchProblems {
    /// The Research API is not enabled for this service
    #[response(status = 409, content_type = "application/problem+json")]
    NotEnabled(Problem),
}

/// Everything known of a video.
#[utoipa::path(
    get, path = "/v1/videos/{video_id}", tag = "Videos",
    params(
        ("video_id" = String, Path, description = "The video's number, as in its address", example = "7565919548239514898", pattern = "^[1-9][0-9]{0,19}$"),
        ("include" = Option<String>, Query, description = "`creator` looks the creator up too, for the figures that need it", example = "creator", pattern = "^creator$"),
        ("fields" = Option<String>, Query, description = "Only these fields of the answer: names joined by dots, with commas in between", example = "id,statistics.views", max_length = 1000, pattern = "^[a-z_]+([.,][a-z_]+)*$"),
        ("trim" = Option<bool>, Query, description = "`true` leaves out where figures come from: each is its bare value, or null", example = false),
        ("If-None-Match" = Option<String>, Header, description = "An `ETag` of before: if the answer would say the same, it is 304 without a body, and charged alike")
    ),
    security(("api_key" = []), ("bearer" = [])),
    responses(
        (status = 200, description = "The video", body = Video, headers(
            ("RateLimit" = String, description = "What is left of each limit and when more is"),
            ("RateLimit-Policy" = String, description = "The plan's limits")
        )),
        (status = 400, description = "A parameter is not valid", body = Problem, content_type = "application/problem+json"),
        KeyProblems,
        (status = 304, description = "As the `ETag` you sent: nothing new. Charged like the answer that it stands for"),
        (status = 404, description = "No source has such a video. Not charged", body = Problem, content_type = "application/problem+json"),
        (status = 451, description = "The creator objected. Not charged", body = Problem, content_type = "application/problem+json"),
        MeteredProblems
    )
)]
pub(super) fn get_video() {}

/// Everything known of the video at an address, in any form that TikTok hands out: a page, a short link, an
/// embedded player. It shares its cache entry with the same video by its id.
#[utoipa::path(
    get, path = "/v1/videos", tag = "Videos",
    params(
        ("url" = String, Query, description = "Address of a video, or its id", example = "https://www.tiktok.com/@made.up/video/7565919548239514898", max_length = 2048, pattern = "^[!-~]+$"),
        ("include" = Option<String>, Query, description = "`creator` looks the creator up too, for the figures that need it", example = "creator", pattern = "^creator$"),
        ("fields" = Option<String>, Query, description = "Only these fields of the answer: names joined by dots, with commas in between", example = "id,statistics.views", max_length = 1000, pattern = "^[a-z_]+([.,][a-z_]+)*$"),
        ("trim" = Option<bool>, Query, description = "`true` leaves out where figures come from: each is its bare value, or null", example = false),
        ("If-None-Match" = Option<String>, Header, description = "An `ETag` of before: if the answer would say the same, it is 304 without a body, and charged alike")
    ),
    security(("api_key" = []), ("bearer" = [])),
    responses(
        (status = 200, description = "The video", body = Video, headers(
            ("RateLimit" = String, description = "What is left of each limit and when more is"),
            ("RateLimit-Policy" = String, description = "The plan's limits")
        )),
        (status = 400, description = "A parameter is not valid", body = Problem, content_type = "application/problem+json"),
        KeyProblems,
        (status = 304, description = "As the `ETag` you sent: nothing new. Charged like the answer that it stands for"),
        (status = 404, description = "No source has such a video. Not charged", body = Problem, content_type = "application/problem+json"),
        (status = 451, description = "The creator objected. Not charged", body = Problem, content_type = "application/problem+json"),
        MeteredProblems
    )
)]
pub(super) fn find_video() {}

/// Up to 100 videos at once, each answered for itself. It counts as that many requests in the minute and needs
/// that many left of the month; only different videos that are found are charged.
#[utoipa::path(
    post, path = "/v1/videos/batch", tag = "Videos", request_body = BatchRequest,
    params(
        ("fields" = Option<String>, Query, description = "Only these fields of the answer: names joined by dots, with commas in between", example = "id,statistics.views", max_length = 1000, pattern = "^[a-z_]+([.,][a-z_]+)*$"),
        ("trim" = Option<bool>, Query, description = "`true` leaves out where figures come from: each is its bare value, or null", example = false)
    ),
    security(("api_key" = []), ("bearer" = [])),
    responses(
        (status = 200, description = "What became of each item", body = Batch, headers(
            ("RateLimit" = String, description = "What is left of each limit and when more is"),
            ("RateLimit-Policy" = String, description = "The plan's limits")
        )),
        (status = 400, description = "A parameter is not valid", body = Problem, content_type = "application/problem+json"),
        KeyProblems,
        super::BodyProblems,
        MeteredProblems
    )
)]
pub(super) fn batch_videos() {}

/// A page of the videos for which conditions hold, with the hashtags that occur in them. Pages are asked for with
/// `next_cursor`; one may hold fewer videos than asked for, or none, although there are more. One that TikTok has
/// not made ready yet is 503 `source-busy`: send the same request again after `Retry-After`. Conditions on `region`
/// are for plans that include the country.
#[utoipa::path(
    post, path = "/v1/videos/search", tag = "Videos", request_body = SearchRequest,
    params(
        ("fields" = Option<String>, Query, description = "Only these fields of the answer: names joined by dots, with commas in between", example = "id,statistics.views", max_length = 1000, pattern = "^[a-z_]+([.,][a-z_]+)*$"),
        ("trim" = Option<bool>, Query, description = "`true` leaves out where figures come from: each is its bare value, or null", example = false)
    ),
    security(("api_key" = []), ("bearer" = [])),
    responses(
        (status = 200, description = "A page of videos", body = VideoPage, headers(
            ("RateLimit" = String, description = "What is left of each limit and when more is"),
            ("RateLimit-Policy" = String, description = "The plan's limits")
        )),
        (status = 400, description = "A parameter is not valid", body = Problem, content_type = "application/problem+json"),
        KeyProblems,
        (status = 403, description = "The account is not active, or its plan does not include the country, which a condition on `region` tells. Not charged", body = Problem, content_type = "application/problem+json"),
        super::BodyProblems,
        ResearchProblems,
        (status = 451, description = "A creator that it names objected. Not charged", body = Problem, content_type = "application/problem+json"),
        (status = 410, description = "The cursor has expired. Not charged", body = Problem, content_type = "application/problem+json"),
        MeteredProblems
    )
)]
pub(super) fn search_videos() {}

/// A page of the comments on a video. The source shows the first 1,000, and of none who wrote it.
#[utoipa::path(
    get, path = "/v1/videos/{video_id}/comments", tag = "Videos",
    params(
        ("video_id" = String, Path, description = "The video's number, as in its address", example = "7565919548239514898", pattern = "^[1-9][0-9]{0,19}$"),
        ("limit" = Option<u64>, Query, description = "Most entries, 1 to 100; 20 if left out", minimum = 1, maximum = 100, example = 20),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before", example = "100", max_length = 1000, pattern = "^[A-Za-z0-9_-]+$"),
        ("fields" = Option<String>, Query, description = "Only these fields of the answer: names joined by dots, with commas in between", example = "id,statistics.views", max_length = 1000, pattern = "^[a-z_]+([.,][a-z_]+)*$"),
        ("trim" = Option<bool>, Query, description = "`true` leaves out where figures come from: each is its bare value, or null", example = false),
        ("If-None-Match" = Option<String>, Header, description = "An `ETag` of before: if the answer would say the same, it is 304 without a body, and charged alike")
    ),
    security(("api_key" = []), ("bearer" = [])),
    responses(
        (status = 200, description = "A page of comments", body = Comments, headers(
            ("RateLimit" = String, description = "What is left of each limit and when more is"),
            ("RateLimit-Policy" = String, description = "The plan's limits")
        )),
        (status = 400, description = "A parameter is not valid", body = Problem, content_type = "application/problem+json"),
        KeyProblems,
        (status = 304, description = "As the `ETag` you sent: nothing new. Charged like the answer that it stands for"),
        (status = 404, description = "No source has such a video. Not charged", body = Problem, content_type = "application/problem+json"),
        (status = 451, description = "The creator objected. Not charged", body = Problem, content_type = "application/problem+json"),
        ResearchProblems,
        MeteredProblems
    )
)]
pub(super) fn list_comments() {}

/// A creator's profile, and what the videos of the last 30 days show together.
#[utoipa::path(
    get, path = "/v1/creators/{username}", tag = "Videos",
    params(
        ("username" = String, Path, description = "Handle, with or without `@`", example = "made.up", min_length = 1, max_length = 65, pattern = "^@?[A-Za-z0-9._-]+$"),
        ("fields" = Option<String>, Query, description = "Only these fields of the answer: names joined by dots, with commas in between", example = "id,statistics.views", max_length = 1000, pattern = "^[a-z_]+([.,][a-z_]+)*$"),
        ("trim" = Option<bool>, Query, description = "`true` leaves out where figures come from: each is its bare value, or null", example = false),
        ("If-None-Match" = Option<String>, Header, description = "An `ETag` of before: if the answer would say the same, it is 304 without a body, and charged alike")
    ),
    security(("api_key" = []), ("bearer" = [])),
    responses(
        (status = 200, description = "The creator", body = Creator, headers(
            ("RateLimit" = String, description = "What is left of each limit and when more is"),
            ("RateLimit-Policy" = String, description = "The plan's limits")
        )),
        (status = 400, description = "A parameter is not valid", body = Problem, content_type = "application/problem+json"),
        KeyProblems,
        (status = 304, description = "As the `ETag` you sent: nothing new. Charged like the answer that it stands for"),
        (status = 404, description = "No source has such a creator. Not charged", body = Problem, content_type = "application/problem+json"),
        (status = 451, description = "The creator objected. Not charged", body = Problem, content_type = "application/problem+json"),
        ResearchProblems,
        MeteredProblems
    )
)]
pub(super) fn get_creator() {}

/// A page of a creator's videos, newest first, each held against the creator's followers and recent median.
#[utoipa::path(
    get, path = "/v1/creators/{username}/videos", tag = "Videos",
    params(
        ("username" = String, Path, description = "Handle, with or without `@`", example = "made.up", min_length = 1, max_length = 65, pattern = "^@?[A-Za-z0-9._-]+$"),
        ("from" = Option<String>, Query, description = "First day; 29 days ago if left out", format = Date, example = "2026-11-01"),
        ("to" = Option<String>, Query, description = "Last day, at most 29 days after the first; today if left out", format = Date, example = "2026-11-30"),
        ("limit" = Option<u64>, Query, description = "Most entries, 1 to 50; 20 if left out", minimum = 1, maximum = 50, example = 20),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before", example = "100", max_length = 1000, pattern = "^[A-Za-z0-9_-]+$"),
        ("fields" = Option<String>, Query, description = "Only these fields of the answer: names joined by dots, with commas in between", example = "id,statistics.views", max_length = 1000, pattern = "^[a-z_]+([.,][a-z_]+)*$"),
        ("trim" = Option<bool>, Query, description = "`true` leaves out where figures come from: each is its bare value, or null", example = false),
        ("If-None-Match" = Option<String>, Header, description = "An `ETag` of before: if the answer would say the same, it is 304 without a body, and charged alike")
    ),
    security(("api_key" = []), ("bearer" = [])),
    responses(
        (status = 200, description = "A page of videos", body = VideoPage, headers(
            ("RateLimit" = String, description = "What is left of each limit and when more is"),
            ("RateLimit-Policy" = String, description = "The plan's limits")
        )),
        (status = 400, description = "A parameter is not valid", body = Problem, content_type = "application/problem+json"),
        KeyProblems,
        (status = 304, description = "As the `ETag` you sent: nothing new. Charged like the answer that it stands for"),
        (status = 451, description = "The creator objected. Not charged", body = Problem, content_type = "application/problem+json"),
        (status = 410, description = "The cursor has expired. Not charged", body = Problem, content_type = "application/problem+json"),
        ResearchProblems,
        MeteredProblems
    )
)]
pub(super) fn list_creator_videos() {}

/// What the newest videos with a hashtag show together: a sample of at most 50 videos of the last 30 days.
#[utoipa::path(
    get, path = "/v1/hashtags/{name}", tag = "Videos",
    params(
        ("name" = String, Path, description = "Hashtag, with or without `#`", example = "sourdough", min_length = 1, max_length = 101),
        ("fields" = Option<String>, Query, description = "Only these fields of the answer: names joined by dots, with commas in between", example = "id,statistics.views", max_length = 1000, pattern = "^[a-z_]+([.,][a-z_]+)*$"),
        ("trim" = Option<bool>, Query, description = "`true` leaves out where figures come from: each is its bare value, or null", example = false),
        ("If-None-Match" = Option<String>, Header, description = "An `ETag` of before: if the answer would say the same, it is 304 without a body, and charged alike")
    ),
    security(("api_key" = []), ("bearer" = [])),
    responses(
        (status = 200, description = "The hashtag", body = Hashtag, headers(
            ("RateLimit" = String, description = "What is left of each limit and when more is"),
            ("RateLimit-Policy" = String, description = "The plan's limits")
        )),
        (status = 400, description = "A parameter is not valid", body = Problem, content_type = "application/problem+json"),
        KeyProblems,
        (status = 304, description = "As the `ETag` you sent: nothing new. Charged like the answer that it stands for"),
        ResearchProblems,
        MeteredProblems
    )
)]
pub(super) fn get_hashtag() {}
