//! Comments, as they are answered.

use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Comment, CommentPage, VideoId, View,
    figure::{METADATA_LAG, Origin, Timestamp},
    listing::age,
};

/// A page of the comments on a video. Of all of them the source shows the first 1,000, and of none who
/// wrote it.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Comments {
    /// The video.
    pub video_id: VideoId,
    /// In the source's order. There may be fewer than asked for although there are more.
    pub comments: Vec<CommentView>,
    /// Send it as `cursor` for the next page; `null` if this is the last one that can be reached.
    #[schema(required = true, examples("100"))]
    pub next_cursor: Option<String>,
    /// Where they come from.
    pub source: Origin,
    /// When the source was asked.
    #[schema(required = true)]
    pub fetched_at: Option<Timestamp>,
    /// How many seconds late the source may be.
    #[schema(examples(172_800))]
    pub lag_seconds_max: u64,
    /// Whether this answer comes from the cache.
    pub cached: bool,
    /// Seconds since it was fetched.
    #[schema(examples(0))]
    pub age_seconds: u64,
}

/// A comment. What the source left out is `null`.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct CommentView {
    /// TikTok's id of the comment; a string, because it does not fit a JavaScript number.
    #[schema(examples("7301300000000000001"))]
    pub id: String,
    /// The comment that it answers; `null` if it is one on the video itself.
    #[schema(required = true)]
    pub parent_id: Option<String>,
    /// What it says. TikTok blacks personal data out: `40******30`.
    #[schema(required = true, examples("So good"))]
    pub text: Option<String>,
    /// Likes.
    #[schema(required = true, examples(50))]
    pub likes: Option<u64>,
    /// Answers to it.
    #[schema(required = true, examples(2))]
    pub replies: Option<u64>,
    /// When it was written.
    #[schema(required = true)]
    pub created_at: Option<Timestamp>,
}

impl Comments {
    /// The page of comments on `video`.
    pub fn new(video: VideoId, page: &CommentPage, view: &View) -> Self {
        Self {
            video_id: video,
            comments: page.comments.iter().map(CommentView::new).collect(),
            next_cursor: page.next.map(|it| it.to_string()),
            source: Origin::Research,
            fetched_at: Timestamp::from_unix(page.at),
            lag_seconds_max: METADATA_LAG,
            cached: view.cached,
            age_seconds: age(page.at, view),
        }
    }
}

impl CommentView {
    fn new(comment: &Comment) -> Self {
        Self {
            id: comment.id.to_string(),
            parent_id: comment.parent.map(|it| it.to_string()),
            text: comment.text.clone(),
            likes: comment.likes,
            replies: comment.replies,
            created_at: comment.created_at.and_then(Timestamp::from_unix),
        }
    }
}
