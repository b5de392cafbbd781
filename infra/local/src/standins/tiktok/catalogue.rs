//! A few hundred made-up videos by made-up creators: the same ones in every process.

use time::{OffsetDateTime, macros::datetime};

/// How many videos there are.
const VIDEOS: u64 = 300;

/// The video of the documentation's first example, and which one it is by its time.
const EXAMPLE: u64 = 7_565_919_548_239_514_898;
const EXAMPLE_INDEX: u64 = 189;

/// The videos were created between these.
const FIRST: OffsetDateTime = datetime!(2024-02-01 00:00 UTC);
const LAST: OffsetDateTime = datetime!(2026-10-31 00:00 UTC);

const REGIONS: [&str; 8] = ["DE", "FR", "JP", "BR", "US", "NG", "ID", "IE"];

const CREATORS: [(&str, &str); 20] = [
    ("alba.bakes", "Alba bakes 🥐"),
    ("bolt_bikes", "Bolt & Bikes"),
    ("corner.garden", "The Corner Garden"),
    ("drum.daily", "Drum Daily"),
    ("ebb_and_tide", "Ebb and Tide"),
    ("fold.paper", "折り紙 fold.paper"),
    ("grid.runner", "Grid Runner"),
    ("hilltop.hens", "Hilltop Hens"),
    ("ink_lines", "Ink <Lines>"),
    ("jolly.jumper", "Jolly Jumper"),
    ("kiln_cast", "Kiln / Cast"),
    ("lentil.lab", "Lentil Lab"),
    ("moss.maps", "Moss Maps"),
    ("north_knits", "North \"Knits\""),
    ("orbit.notes", "Orbit Notes"),
    ("pixel.pantry", "Pixel Pantry"),
    ("quiet_quarry", "Quiet Quarry"),
    ("river.radio", "River Radio"),
    ("slow.solder", "Slow Solder"),
    ("tiny.trains", "Tiny Trains"),
];

const SUBJECTS: [(&str, &str); 10] = [
    ("Bread that rises by itself", "sourdough"),
    ("Three repairs in a minute", "repair"),
    ("What grows in October", "garden"),
    ("Eight bars, no mistakes", "drums"),
    ("The tide in 20 seconds", "sea"),
    ("A crane from one sheet", "origami"),
    ("5 km before breakfast", "running"),
    ("Meet the new hens", "hens"),
    ("Line by line", "drawing"),
    ("Small & loud: a test", "engines"),
];

/// One made-up video.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogueVideo {
    /// Its id; the upper 32 bits are a second shortly before `create_time`.
    pub id: u64,
    /// Epoch second.
    pub create_time: i64,
    /// Handle without `@`.
    pub username: &'static str,
    /// Name as shown.
    pub display_name: &'static str,
    /// Text, with its hashtags and mentions.
    pub caption: String,
    /// Without `#`.
    pub hashtags: Vec<String>,
    /// Handles without `@`.
    pub mentions: Vec<String>,
    /// Id of the sound.
    pub music_id: u64,
    /// Title of the sound.
    pub music_title: String,
    /// Seconds.
    pub duration: u64,
    /// Country in which the creator registered; some have none.
    pub region: Option<&'static str>,
    /// Counts; some videos have none.
    pub statistics: Option<Statistics>,
    /// Kind and number of its label.
    pub tag: Option<(&'static str, i64)>,
    /// Effects; most have none.
    pub effects: Vec<u64>,
    /// Whether the Research API knows it. Every tenth it does not.
    pub in_research: bool,
    /// Whether it may be embedded. Every twenty-fifth may not.
    pub in_oembed: bool,
}

/// Counts of a made-up video.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statistics {
    /// Zero for some.
    pub views: u64,
    /// Left out of the answer for one in 30.
    pub likes: u64,
    /// Comments.
    pub comments: u64,
    /// Shares.
    pub shares: u64,
    /// Times saved.
    pub saves: u64,
}

/// Handle and name of the creator with that handle; upper and lower case are the same.
pub(super) fn creator(handle: &str) -> Option<(&'static str, &'static str)> {
    CREATORS.into_iter().find(|it| it.0.eq_ignore_ascii_case(handle))
}

/// The catalogue, oldest video first.
pub(super) fn make() -> Vec<CatalogueVideo> {
    let step = (LAST - FIRST).whole_seconds().unsigned_abs() / VIDEOS;
    (0..VIDEOS).map(|index| video(index, step)).collect()
}

fn video(index: u64, step: u64) -> CatalogueVideo {
    let mut random = Random(index);
    let create_time =
        FIRST.unix_timestamp().unsigned_abs() + index * step + random.below(step - 60);
    // Observed: a video is created 1 to 48 seconds after its id was given out.
    let id = (create_time - 1 - random.below(48)) << 32 | random.below(1 << 32);
    let (id, create_time) = match index {
        EXAMPLE_INDEX => (EXAMPLE, (EXAMPLE >> 32) + 20),
        _ => (id, create_time),
    };
    let creator = random.pick(&CREATORS);
    let subject = random.pick(&SUBJECTS);
    let mut hashtags = vec![subject.1.to_owned(), format!("madeup{}", index % 7)];
    let mut caption = format!("{} #{} #{}", subject.0, hashtags[0], hashtags[1]);
    let mut mentions = Vec::new();
    if index.is_multiple_of(5) {
        let friend = random.pick(&CREATORS).0;
        caption = format!("{caption} with @{friend}");
        mentions.push(friend.to_owned());
    }
    if index.is_multiple_of(6) {
        caption.push_str(" #スープ\n2nd line ♬");
        hashtags.push("スープ".to_owned());
    }
    CatalogueVideo {
        id,
        create_time: create_time.cast_signed(),
        username: creator.0,
        display_name: creator.1,
        caption,
        hashtags,
        mentions,
        music_id: (create_time - 1_000_000) << 32 | random.below(1 << 32),
        music_title: format!("original sound - {}", creator.1),
        duration: [4, 12, 31, 59, 95, 420][random.index(6)],
        region: (index % 9 != 4).then(|| *random.pick(&REGIONS)),
        statistics: (index % 11 != 7).then(|| statistics(&mut random, index)),
        tag: match index % 20 {
            3 => Some(("AIGC", 1)),
            9 => Some(("AIGC", 2)),
            13 => Some(("Branded", 1)),
            _ => None,
        },
        effects: if index.is_multiple_of(13) { vec![random.below(1 << 20)] } else { Vec::new() },
        in_research: index % 10 != 4,
        in_oembed: index % 25 != 24,
    }
}

fn statistics(random: &mut Random, index: u64) -> Statistics {
    if index % 17 == 2 {
        return Statistics { views: 0, likes: 0, comments: 0, shares: 0, saves: 0 };
    }
    let views = 100 + random.below(5_000_000);
    let likes = random.below(views / 5 + 1);
    Statistics {
        views,
        likes,
        comments: random.below(likes / 10 + 1),
        shares: random.below(likes / 15 + 1),
        saves: random.below(likes / 8 + 1),
    }
}

/// `SplitMix64`: the same numbers for the same seed, everywhere and for ever.
pub(super) struct Random(pub(super) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn index(&mut self, len: usize) -> usize {
        self.below(len as u64) as usize
    }

    pub(super) fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.index(of.len())]
    }
}
