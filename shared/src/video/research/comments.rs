//! Comments of a video. The API hands over the first 1,000 at most, with personal data in them blacked
//! out, and says nothing of who wrote them.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    super::{
        VideoId,
        failure::Failure,
        sources::{Again, Asker},
        text,
    },
    COMMENTS_READY, Call, CallError, Research, entries, is_passing, number,
};

const PATH: &str = "/v2/research/video/comment/list/";

const FIELDS: &str = "id,parent_comment_id,like_count,reply_count,create_time,text";

/// Most comments of one video that can be reached.
pub(in super::super) const REACHABLE: u64 = 1_000;

/// Most comments in one answer.
const MAX_COUNT: u64 = 100;

/// A comment, as the source has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comment {
    /// TikTok's id of the comment.
    pub id: u64,
    /// The comment that this one answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<u64>,
    /// What it says; `None` if nothing is left of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Likes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub likes: Option<u64>,
    /// Answers to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replies: Option<u64>,
    /// Epoch second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<i64>,
}

/// Some comments of a video.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommentPage {
    /// In the source's order.
    pub comments: Vec<Comment>,
    /// Where the next ones begin, if there are more that can be reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
    /// When they were fetched: epoch second.
    pub at: i64,
}

impl Research {
    /// Up to `count` comments from the `from`-th on.
    pub(in super::super) async fn comments(
        &self,
        video: VideoId,
        from: u64,
        count: u64,
        asker: Asker<'_>,
        again: &Again,
    ) -> Result<CommentPage, Failure> {
        if from >= REACHABLE {
            // There is nothing to be had: not worth a call.
            let at = asker.now.unix_timestamp();
            return Ok(CommentPage { comments: Vec::new(), next: None, at });
        }
        // Never beyond what can be reached: that is refused.
        let count = count.clamp(1, MAX_COUNT).min(REACHABLE - from);
        let body = json!({ "video_id": video.get(), "max_count": count, "cursor": from });
        let call = Call {
            path: PATH,
            fields: FIELDS,
            body: &body,
            records: count,
            count: |data| entries(data, "comments"),
        };
        match self.call_patiently(call, asker, again, is_passing).await {
            Ok(data) => page(&data, video, from, asker.now.unix_timestamp()),
            // Not the end: that is told by `has_more`.
            Err(CallError::Refused(message)) if is_passing(&message) => {
                Err(Failure::NotReady(COMMENTS_READY))
            }
            Err(error) => Err(error.into()),
        }
    }
}

pub(super) fn page(
    data: &Value,
    video: VideoId,
    from: u64,
    at: i64,
) -> Result<CommentPage, Failure> {
    let comments = data["comments"].as_array().ok_or(Failure::Unusable)?;
    let comments = comments.iter().filter_map(|it| comment(it, video)).collect();
    let next = number(&data["cursor"])
        .filter(|next| data["has_more"] == true && *next > from && *next < REACHABLE);
    Ok(CommentPage { comments, next, at })
}

fn comment(comment: &Value, video: VideoId) -> Option<Comment> {
    let count = |name: &str| number(&comment[name]);
    Some(Comment {
        id: count("id").filter(|id| *id > 0)?,
        // Of a comment on the video itself this is the video.
        parent: count("parent_comment_id").filter(|id| *id > 0 && *id != video.get()),
        text: comment["text"].as_str().and_then(|it| text::lines(it, text::MAX_CAPTION)),
        likes: count("like_count"),
        replies: count("reply_count"),
        created_at: count("create_time").and_then(|it| i64::try_from(it).ok()).filter(|it| *it > 0),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::video::record::tests::any_json;

    fn video() -> VideoId {
        "7301234567890123456".parse().unwrap()
    }

    #[test]
    fn comments_as_they_are_recorded() {
        let data = json!({
            "comments": [
                {"text": "call 40******30\u{0}", "video_id": video().get(), "create_time": 1_671_491_598,
                 "id": 7_301_300_000_000_000_001_u64, "like_count": 50, "reply_count": 10,
                 "parent_comment_id": video().get()},
                {"id": "7301300000000000002", "parent_comment_id": 7_301_300_000_000_000_001_u64, "text": ""},
                {"text": "no id"},
            ],
            "has_more": true, "cursor": 100,
        });
        let page = page(&data, video(), 0, 7).unwrap();
        assert_eq!(page.next, Some(100));
        let [first, reply] = &page.comments[..] else { panic!("{page:?}") };
        assert_eq!((first.parent, first.text.as_deref()), (None, Some("call 40******30")));
        assert_eq!((first.likes, first.replies), (Some(50), Some(10)));
        assert_eq!(reply.parent, Some(7_301_300_000_000_000_001));
        assert_eq!((&reply.text, reply.likes), (&None, None));
    }

    #[test]
    fn paging_ends_where_the_source_ends() {
        let next = |cursor: u64, more: bool, from| {
            let data = json!({ "comments": [], "cursor": cursor, "has_more": more });
            page(&data, video(), from, 0).unwrap().next
        };
        assert_eq!(next(200, true, 100), Some(200));
        assert_eq!(next(200, false, 100), None);
        assert_eq!(next(1_000, true, 900), None);
        // A source that does not move on would be asked for ever.
        assert_eq!(next(100, true, 100), None);
    }

    proptest! {
        #[test]
        fn any_json_is_survived(answer in any_json()) {
            let _ = page(&answer, video(), 0, 0);
            let _ = page(&json!({ "comments": [answer] }), video(), 0, 0);
        }
    }
}
