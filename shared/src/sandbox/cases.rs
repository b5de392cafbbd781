//! Every case, once: what triggers it, what it answers, and what the document says of it.

use super::Fault;
use crate::video::Profile;

/// One case.
#[derive(Clone, Copy, Debug)]
pub struct Case<T: 'static> {
    /// What triggers it: an id, a handle or a word.
    pub key: &'static str,
    /// What it answers, in words.
    pub about: &'static str,
    /// What it answers.
    pub answer: Result<T, Fault>,
}

/// What is special about a video.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Both sources answered, and nothing is missing.
    Complete,
    /// Research does not have it.
    OembedOnly,
    /// oEmbed does not show it.
    ResearchOnly,
    /// Every count is zero.
    NoViews,
    /// Research leaves the country out.
    NoCountry,
    /// One label.
    MadeWithAi,
    /// Two labels.
    Branded,
    /// No text under it.
    NoCaption,
    /// Text in several scripts.
    Scripts,
    /// Research leaves the counts out.
    NoCounts,
    /// Research leaves the likes out.
    NoLikes,
    /// No sound.
    NoSound,
    /// Several lines that mention others.
    Mentions,
    /// The longest caption.
    LongCaption,
    /// More views than a JavaScript number holds.
    Popular,
    /// More comments than a page holds.
    ManyComments,
    /// No comments.
    NoComments,
    /// A thumbnail of unknown size, for an unknown time.
    BareThumbnail,
    /// Both sources answered; no labels, no mentions.
    Ordinary,
    /// Research failed.
    ResearchFailed,
    /// Research was not asked: it is busy.
    ResearchLeftAlone,
    /// Research is not enabled.
    ResearchDisabled,
}

/// A made-up creator.
#[derive(Clone, Copy, Debug)]
pub struct Creator {
    /// Name as shown.
    pub display_name: &'static str,
    /// Country.
    pub country: &'static str,
    /// What the videos are about.
    pub subject: &'static str,
    /// Hashtag of the videos, besides `sandbox`.
    pub hashtag: &'static str,
    bio: Option<&'static str>,
    verified: Option<bool>,
    followers: Option<u64>,
    following: Option<u64>,
    likes: Option<u64>,
}

impl Creator {
    /// The profile. Each creator has ten videos.
    pub(super) fn profile(&self) -> Profile {
        Profile {
            display_name: Some(self.display_name.to_owned()),
            bio: self.bio.map(str::to_owned),
            verified: self.verified,
            followers: self.followers,
            following: self.following,
            likes: self.likes,
            videos: Some(10),
        }
    }
}

/// What a word does to a search. It stands for every video of the days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// The first page has a cursor, which has expired when it is used.
    Expires,
    /// The first page is empty although there are more.
    BeginsEmpty,
    /// Every second video is left out because its creator objected. Nothing tells.
    Suppresses,
}

const fn answers<T: Copy>(key: &'static str, answer: T, about: &'static str) -> Case<T> {
    Case { key, about, answer: Ok(answer) }
}

const fn fails<T: Copy>(key: &'static str, fault: Fault, about: &'static str) -> Case<T> {
    Case { key, about, answer: Err(fault) }
}

const ORDINARY: &str = "an ordinary video: both sources answered; no labels, no mentions";

/// The videos. The id of number `NN` is `75NN`, 13 zeros, `NN`: as a JavaScript number it would lose its
/// end. All were given out in 2025.
pub const VIDEOS: &[Case<Shape>] = &[
    answers(
        "7501000000000000001",
        Shape::Complete,
        "complete: both sources answered, and every figure is there",
    ),
    answers(
        "7502000000000000002",
        Shape::OembedOnly,
        "known to oEmbed only: no counts, country or labels (`not_in_source`)",
    ),
    answers(
        "7503000000000000003",
        Shape::ResearchOnly,
        "known to Research only: no display name, thumbnail or title of the sound",
    ),
    answers(
        "7504000000000000004",
        Shape::NoViews,
        "zero views, likes, comments, shares and saves: engagement has `zero_denominator`",
    ),
    answers("7505000000000000005", Shape::NoCountry, "without a country"),
    answers("7506000000000000006", Shape::MadeWithAi, "labelled as made with AI (`AIGC`)"),
    answers(
        "7507000000000000007",
        Shape::Branded,
        "labelled twice: paid partnership (`Branded`) and made with AI (`AIGC`)",
    ),
    answers(
        "7508000000000000008",
        Shape::NoCaption,
        "without a caption, so without hashtags and mentions too",
    ),
    answers(
        "7509000000000000009",
        Shape::Scripts,
        "caption, hashtags, display name and title of the sound in several scripts",
    ),
    answers(
        "7510000000000000010",
        Shape::NoCounts,
        "without any count: engagement has `missing_input`",
    ),
    answers("7511000000000000011", Shape::NoLikes, "with every count but the likes"),
    answers("7512000000000000012", Shape::NoSound, "without a sound"),
    answers(
        "7513000000000000013",
        Shape::Mentions,
        "a caption of three lines that mentions two creators",
    ),
    answers(
        "7514000000000000014",
        Shape::LongCaption,
        "a caption of 4,000 characters, the longest there is",
    ),
    answers(
        "7515000000000000015",
        Shape::Popular,
        "9,007,199,254,740,993 views: more than a JavaScript number can hold",
    ),
    answers("7516000000000000016", Shape::ManyComments, "250 comments: several pages"),
    answers("7517000000000000017", Shape::NoComments, "views and likes, but no comments"),
    answers("7518000000000000018", Shape::BareThumbnail, "a thumbnail without size and end"),
    answers("7519000000000000019", Shape::Ordinary, ORDINARY),
    answers("7520000000000000020", Shape::Ordinary, ORDINARY),
    answers("7521000000000000021", Shape::Ordinary, ORDINARY),
    answers("7522000000000000022", Shape::Ordinary, ORDINARY),
    answers("7523000000000000023", Shape::Ordinary, ORDINARY),
    answers("7524000000000000024", Shape::Ordinary, ORDINARY),
    answers("7525000000000000025", Shape::Ordinary, ORDINARY),
    answers("7526000000000000026", Shape::Ordinary, ORDINARY),
    answers("7527000000000000027", Shape::Ordinary, ORDINARY),
    answers("7528000000000000028", Shape::Ordinary, ORDINARY),
    answers("7529000000000000029", Shape::Ordinary, ORDINARY),
    answers("7530000000000000030", Shape::Ordinary, ORDINARY),
    answers("7531000000000000031", Shape::Ordinary, ORDINARY),
    answers("7532000000000000032", Shape::Ordinary, ORDINARY),
    answers("7533000000000000033", Shape::Ordinary, ORDINARY),
    answers("7534000000000000034", Shape::Ordinary, ORDINARY),
    answers("7535000000000000035", Shape::Ordinary, ORDINARY),
    answers("7536000000000000036", Shape::Ordinary, ORDINARY),
    answers("7537000000000000037", Shape::Ordinary, ORDINARY),
    answers("7538000000000000038", Shape::Ordinary, ORDINARY),
    answers("7539000000000000039", Shape::Ordinary, ORDINARY),
    answers("7540000000000000040", Shape::Ordinary, ORDINARY),
    fails(
        "7570000000000000070",
        Fault::NotFound,
        "no such video, as for every id that is not in this list",
    ),
    fails("7571000000000000071", Fault::Objected, "the creator asked to be left out"),
    answers(
        "7572000000000000072",
        Shape::ResearchFailed,
        "partial: oEmbed answered, Research failed (`source_failed`)",
    ),
    answers(
        "7573000000000000073",
        Shape::ResearchLeftAlone,
        "partial: oEmbed answered, Research was left alone (`source_busy`)",
    ),
    answers(
        "7574000000000000074",
        Shape::ResearchDisabled,
        "oEmbed answered, Research is not enabled (`source_disabled`)",
    ),
    fails("7575000000000000075", Fault::Busy, "the sources want to be left alone for 60 seconds"),
    fails(
        "7576000000000000076",
        Fault::Failed,
        "a source failed for the moment: asking again may help",
    ),
    fails(
        "7577000000000000077",
        Fault::Refused,
        "a source failed in a way that asking again does not help",
    ),
    fails("7578000000000000078", Fault::Timeout, "no source answered in time; said at once"),
    fails(
        "7579000000000000079",
        Fault::Exhausted,
        "your share of what TikTok allows in a day is used up, until 00:00 UTC",
    ),
    fails("7580000000000000080", Fault::Quota, "your quota of the period is used up"),
    fails("7581000000000000081", Fault::Minute, "your requests of the minute are used up"),
];

/// The creators, whose videos take turns: the first of four has the videos 01, 05, 09 and so on.
pub const CREATORS: &[Case<Creator>] = &[
    answers("sandbox.baker", BAKER, "a complete profile, verified"),
    answers("sandbox_cyclist", CYCLIST, "a profile without a bio; TikTok has not verified it"),
    answers("sandbox.gardener", GARDENER, "a profile in several scripts, of 5,000,000,000 likes"),
    answers("sandbox_drummer", DRUMMER, "a profile without any count but the videos"),
    fails("sandbox.missing", Fault::NoCreator, "no such creator, as for every unknown handle"),
    fails("sandbox.objected", Fault::Objected, "the creator asked to be left out"),
    fails("sandbox.busy", Fault::Busy, "the source wants to be left alone for 60 seconds"),
    fails("sandbox.failed", Fault::Failed, "the source failed for the moment"),
    fails("sandbox.refused", Fault::Refused, "the source failed; asking again does not help"),
    fails("sandbox.timeout", Fault::Timeout, "the source did not answer in time; said at once"),
    fails("sandbox.exhausted", Fault::Exhausted, "your share of the day is used up"),
    fails("sandbox.disabled", Fault::NeedsResearch, "the source is not enabled"),
    fails("sandbox.quota", Fault::Quota, "your quota of the period is used up"),
    fails("sandbox.minute", Fault::Minute, "your requests of the minute are used up"),
];

const BAKER: Creator = Creator {
    display_name: "Sandbox Baker 🥐",
    country: "DE",
    subject: "Bread that rises by itself",
    hashtag: "sandboxbread",
    bio: Some("Made up, like everything here.\nBread every day"),
    verified: Some(true),
    followers: Some(123_456),
    following: Some(78),
    likes: Some(9_012_345),
};

const CYCLIST: Creator = Creator {
    display_name: "Sandbox & Cyclist",
    country: "FR",
    subject: "Three repairs in a minute",
    hashtag: "sandboxbikes",
    bio: None,
    verified: Some(false),
    followers: Some(0),
    following: Some(0),
    likes: Some(0),
};

const GARDENER: Creator = Creator {
    display_name: "Sandbox 庭師 Садовник بستاني",
    country: "JP",
    subject: "What grows in a sandbox",
    hashtag: "sandboxgarden",
    bio: Some("庭 · сад · حديقة · उद्यान 🌱"),
    verified: Some(false),
    followers: Some(4_500_000),
    following: Some(1),
    likes: Some(5_000_000_000),
};

const DRUMMER: Creator = Creator {
    display_name: "Sandbox <Drummer>",
    country: "US",
    subject: "Eight bars, \"no\" mistakes",
    hashtag: "sandboxdrums",
    bio: Some("Eight bars a day"),
    verified: None,
    followers: None,
    following: None,
    likes: None,
};

/// What triggers something in a search, as a keyword or as a hashtag.
pub const WORDS: &[Case<Word>] = &[
    answers(
        "sandboxexpired",
        Word::Expires,
        "a page with a cursor that has expired when it is used",
    ),
    answers(
        "sandboxempty",
        Word::BeginsEmpty,
        "a first page without videos, although there are more",
    ),
    answers(
        "sandboxobjected",
        Word::Suppresses,
        "every second video is left out, of which nothing tells",
    ),
    fails("sandboxbusy", Fault::Busy, "the source wants to be left alone for 60 seconds"),
    fails("sandboxfailed", Fault::Failed, "the source failed for the moment"),
    fails("sandboxrefused", Fault::Refused, "the source failed; asking again does not help"),
    fails("sandboxtimeout", Fault::Timeout, "the source did not answer in time; said at once"),
    fails("sandboxexhausted", Fault::Exhausted, "your share of the day is used up"),
    fails("sandboxdisabled", Fault::NeedsResearch, "the source is not enabled"),
    fails("sandboxquota", Fault::Quota, "your quota of the period is used up"),
    fails("sandboxminute", Fault::Minute, "your requests of the minute are used up"),
];
