//! The made-up comments of a video: the same ones each time.

use super::{CatalogueVideo, catalogue::Random};

/// A video has no more comments than this here, whatever its statistics say.
const MOST: u64 = 1_200;

/// One made-up comment or reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Comment {
    /// Its upper 32 bits are a second shortly before `create_time`.
    pub(super) id: u64,
    pub(super) video_id: u64,
    /// The video's id, or that of the comment it replies to.
    pub(super) parent_id: u64,
    /// Left out of the answer for one in 9.
    pub(super) likes: Option<u64>,
    /// Left out for one in 31.
    pub(super) replies: Option<u64>,
    pub(super) create_time: i64,
    pub(super) text: String,
    /// Known for replies only.
    pub(super) display_name: Option<&'static str>,
}

const TEXTS: [&str; 16] = [
    "love this so much 😍😍",
    "Where did you buy that?",
    "This is the best one yet, thank you!",
    "",
    "not what I expected, a bit boring",
    "call me at 40******30",
    "first!!!",
    "Das ist wunderbar, mehr davon",
    "かわいい！次も待ってます",
    "@be********* look at this #fyp",
    "the sound is broken\0 for me",
    "which flour do you use? mine never rises",
    "¿Dónde está la segunda parte?",
    "worst advice ever, do not try this at home",
    "write to j****@e******.com for a <b>free</b> one",
    "AWEEEEEE 🥰🥰🥰",
];

const NAMES: [&str; 4] = ["a reader", "Someone 🌊", "M. A. Deup", "名無し"];

/// What was said of the video by `now`; `position` is the video's in the catalogue. `None` stands
/// where a comment was that is removed.
pub(super) fn comments(
    position: usize,
    video: &CatalogueVideo,
    now: i64,
) -> impl Iterator<Item = Option<Comment>> {
    (0..count(video))
        .map(move |index| (index, comment(position as u64, video, index)))
        .filter(move |(_, comment)| comment.create_time <= now)
        .map(|(index, comment)| (!is_removed(index)).then_some(comment))
}

/// What was replied by `now` to the comment with that id, which is one of a video of `catalogue`
/// that `is_known`.
pub(super) fn replies(
    catalogue: &[CatalogueVideo],
    is_known: impl Fn(&CatalogueVideo) -> bool,
    parent: u64,
    now: i64,
) -> Vec<Option<Comment>> {
    let (position, index) = origin(parent);
    let video = catalogue.get(position as usize).filter(|it| is_known(it) && index < count(it));
    let Some(comment) = video.map(|it| comment(position, it, index)) else { return Vec::new() };
    if comment.id != parent || comment.create_time > now || is_removed(index) {
        return Vec::new();
    }
    (0..comment.replies.unwrap_or(0))
        .map(|index| (index, reply(&comment, index)))
        .filter(|(_, reply)| reply.create_time <= now)
        .map(|(index, reply)| (index % 8 != 6).then_some(reply))
        .collect()
}

fn count(video: &CatalogueVideo) -> u64 {
    video.statistics.map_or(0, |it| it.comments.min(MOST))
}

fn is_removed(index: u64) -> bool {
    index % 13 == 7
}

fn comment(position: u64, video: &CatalogueVideo, index: u64) -> Comment {
    let mut random = Random(video.id ^ index << 48);
    let second = video.create_time.unsigned_abs() + 30 + random.below(20 * 86_400);
    let likes = random.below(1_200 / (index + 1) + 3);
    let replies = match index % 100 {
        3 => 130,
        other if other % 4 == 1 => 1 + random.below(5),
        _ => 0,
    };
    Comment {
        id: second << 32 | random.below(1 << 12) << 20 | position << 11 | index,
        video_id: video.id,
        parent_id: video.id,
        likes: (index % 9 != 4).then_some(likes),
        replies: (index % 31 != 30).then_some(replies),
        create_time: create_time(second, &mut random),
        text: (*random.pick(&TEXTS)).to_owned(),
        display_name: None,
    }
}

/// Where the comment with that id would be: the video's position, and its own among the comments.
fn origin(id: u64) -> (u64, u64) {
    (id >> 11 & 0x1ff, id & 0x7ff)
}

fn reply(parent: &Comment, index: u64) -> Comment {
    let mut random = Random(parent.id ^ index << 40);
    let second = parent.create_time.unsigned_abs() + 5 + random.below(86_400);
    Comment {
        // Counted, so that no two are the same.
        id: second << 32 | random.below(1 << 24) << 8 | index,
        video_id: parent.video_id,
        parent_id: parent.id,
        likes: (index % 9 != 4).then(|| random.below(20)),
        replies: Some(0),
        create_time: create_time(second, &mut random),
        text: (*random.pick(&TEXTS)).to_owned(),
        display_name: Some(*random.pick(&NAMES)),
    }
}

/// Observed: a comment is created 25 to 92 seconds after its id was given out.
fn create_time(second: u64, random: &mut Random) -> i64 {
    (second + 25 + random.below(68)).cast_signed()
}
