//! The comments. Number `III` of a video has the video's id with its own number in it: `75NN`, zeros, `III`,
//! `NN`.

use time::OffsetDateTime;

use super::{Fault, Trouble, videos, videos::Made};
use crate::video::{Comment, CommentPage, Outcome, VideoId};

/// Most comments in a page.
const MAX_COUNT: u64 = 100;

const TEXTS: [&str; 5] = [
    "Is this made up?",
    "Yes, all of it.\nEvery line.",
    "call 40******30",
    "砂場 · песочница · صندوق الرمل 🏖",
    "<b>nobody</b> & \"nothing\"",
];

/// Up to `count` comments of `video` from the `from`-th on, oldest first.
pub fn comments(
    video: VideoId,
    from: u64,
    count: u64,
    now: OffsetDateTime,
) -> Result<CommentPage, Trouble> {
    let made = videos::find(video).map(|shape| Made::new(video, shape));
    let made = made.map_err(|fault| fault.trouble(now))?;
    let at = now.unix_timestamp();
    match made.research_outcome(at) {
        Outcome::Answered(_) => Ok(page(made, from, count.clamp(1, MAX_COUNT), at)),
        Outcome::NotFound => Err(Fault::NotFound.trouble(now)),
        Outcome::Failed => Err(Fault::Failed.trouble(now)),
        Outcome::LeftAlone => Err(Fault::Busy.trouble(now)),
        Outcome::Disabled => Err(Fault::NeedsResearch.trouble(now)),
    }
}

fn page(made: Made, from: u64, count: u64, at: i64) -> CommentPage {
    let all = made.comments();
    let end = from.saturating_add(count).min(all);
    let comments = (from..end).map(|index| comment(made, index + 1)).collect();
    CommentPage { comments, next: (end < all).then_some(end), at }
}

/// The `number`-th comment, from 1 on. Every fifth answers the one before it.
fn comment(made: Made, number: u64) -> Comment {
    let id = |number: u64| made.id.get() + number * 100;
    let has_reply = (number + 1).is_multiple_of(5) && number < made.comments();
    Comment {
        id: id(number),
        parent: number.is_multiple_of(5).then(|| id(number - 1)),
        // Of every tenth nothing is left, and another tenth says nothing of its likes.
        text: (number % 10 != 7).then(|| TEXTS[(number % 5) as usize].to_owned()),
        likes: (number % 10 != 8).then_some(number),
        replies: Some(u64::from(has_reply)),
        created_at: Some(made.created_at() + 60 * number.cast_signed()),
    }
}
