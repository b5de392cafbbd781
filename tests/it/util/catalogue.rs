//! What the stand-in for TikTok would answer, told from its catalogue.

use std::collections::{BTreeMap, BTreeSet};

use local::standins::tiktok::{CatalogueVideo, Statistics};
use serde_json::{Value, json};
use time::{
    Date, Duration, OffsetDateTime,
    macros::{date, datetime},
};

use super::World;

/// A condition on a video.
pub(crate) type Holds<'a> = &'a dyn Fn(&CatalogueVideo) -> bool;

impl World {
    /// The videos that Research knows by now, oldest first.
    pub(crate) fn researched(&self) -> Vec<&CatalogueVideo> {
        let until = (self.cloud.clock.now() - Duration::hours(48)).unix_timestamp();
        let all = self.cloud.tiktok.catalogue().iter();
        all.filter(|it| it.in_research && it.create_time <= until).collect()
    }

    /// Sets the clock to when most videos of the last 30 days have something in common, such as their
    /// creator; tells what. Of each the views are known.
    pub(crate) fn go_to_the_busiest(&self, of: impl Fn(&CatalogueVideo) -> String) -> String {
        let told = self.researched().into_iter().filter(|it| it.statistics.is_some());
        let told: Vec<_> = told.map(|it| (of(it), it.create_time)).collect();
        let count = |(name, last): &&(String, i64)| {
            // Half a day at either end, as whole days count.
            let times = last - 26 * 86_400..=*last;
            told.iter().filter(|it| it.0 == *name && times.contains(&it.1)).count()
        };
        let (name, last) = told.iter().max_by_key(count).expect("a video");
        let last = OffsetDateTime::from_unix_timestamp(*last).expect("in range");
        self.cloud.clock.set(last + Duration::hours(49));
        name.clone()
    }

    /// What a search of `days` answers with in all its pages, newest first: those for which both
    /// conditions hold. As TikTok's matching is approximate, the video just before one of these comes
    /// with it at times; it is left out where the answer tells that it is none, which `told` says.
    pub(crate) fn searched(
        &self,
        (first, last): (Date, Date),
        told: Holds<'_>,
        other: Holds<'_>,
    ) -> Vec<&CatalogueVideo> {
        let may_be = |it: &CatalogueVideo| (first..=last).contains(&day_of(it)) && told(it);
        let known = self.researched();
        let mut found = BTreeMap::new();
        for (n, video) in known.iter().enumerate() {
            if may_be(video) && other(video) {
                found.insert(video.id, *video);
                let before = n.checked_sub(1).map(|before| known[before]);
                if let Some(before) = before.filter(|it| video.id.is_multiple_of(3) && may_be(it)) {
                    found.insert(before.id, before);
                }
            }
        }
        found.into_values().rev().collect()
    }
}

/// Videos besides those of the catalogue, all younger, within the days of one search. None has an id that
/// makes the stand-in, whose matching is approximate, answer with another one besides.
#[derive(Debug, Default)]
pub(crate) struct Made {
    /// Added to each second.
    pub(crate) shift: u64,
}

impl Made {
    /// The days on which they were created.
    pub(crate) const DAYS: (Date, Date) = (date!(2026 - 11 - 02), date!(2026 - 11 - 22));
    /// A time at which Research knows all of them.
    pub(crate) const AFTER: OffsetDateTime = datetime!(2026-11-25 0:00 UTC);

    /// `count` videos of a creator, one each `hours`, oldest first.
    pub(crate) fn of(
        &self,
        username: &'static str,
        count: u64,
        hours: u64,
    ) -> impl Iterator<Item = CatalogueVideo> {
        let begin = Self::DAYS.0.midnight().assume_utc().unix_timestamp().unsigned_abs();
        let shift = self.shift;
        (0..count).map(move |n| made(n, username, begin + n * hours * 3_600 + shift))
    }
}

fn made(n: u64, username: &'static str, second: u64) -> CatalogueVideo {
    let mut id = second << 32 | (n * 17 + 1);
    if id.is_multiple_of(3) {
        id += 1;
    }
    let pick = |of: u64| (n % of) as usize;
    let word = ["alpha", "beta"][pick(2)];
    let statistics =
        Statistics { views: n * 100, likes: n * 3, comments: n % 50, shares: n, saves: 1 };
    CatalogueVideo {
        id,
        create_time: second.cast_signed() + 9,
        username,
        display_name: username,
        caption: format!("{word} number {} #made #mod{}", n % 10, n % 7),
        hashtags: vec!["made".to_owned(), format!("mod{}", n % 7)],
        mentions: Vec::new(),
        music_id: 1_000 + n % 4,
        music_title: "a sound".to_owned(),
        duration: [4, 30, 95, 420][pick(4)],
        region: [Some("DE"), Some("FR"), None, Some("IE")][pick(4)],
        statistics: (n % 11 != 7).then_some(statistics),
        tag: None,
        effects: vec![500 + n % 3],
        in_research: true,
        in_oembed: true,
    }
}

impl World {
    /// Lets TikTok have the video; its id.
    pub(crate) fn add(&self, video: CatalogueVideo) -> String {
        let id = video.id.to_string();
        self.cloud.tiktok.add(video);
        id
    }
}

/// The day on which the video was created (UTC).
pub(crate) fn day_of(video: &CatalogueVideo) -> Date {
    OffsetDateTime::from_unix_timestamp(video.create_time).expect("in range").date()
}

/// Ids, as answers have them.
pub(crate) fn ids(videos: &[&CatalogueVideo]) -> Vec<String> {
    videos.iter().map(|it| it.id.to_string()).collect()
}

/// Ids of the videos in an answer's list.
pub(crate) fn ids_in(list: &Value) -> Vec<String> {
    let all = list.as_array().expect("a list").iter();
    all.map(|it| it["id"].as_str().expect("an id").to_owned()).collect()
}

/// How often each hashtag is used in `videos`, as answers have it.
pub(crate) fn hashtags(videos: &[&CatalogueVideo], left_out: Option<&str>) -> Value {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for video in videos {
        let distinct: BTreeSet<String> =
            video.hashtags.iter().map(|it| it.to_lowercase()).collect();
        for tag in distinct.into_iter().filter(|it| Some(it.as_str()) != left_out) {
            *counts.entry(tag).or_default() += 1;
        }
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let all = videos.len() as f64;
    let uses = counts.into_iter().take(20);
    uses.map(|(name, n)| json!({ "name": name, "videos": n, "share": n as f64 / all })).collect()
}

/// Likes, comments, shares and views of the videos of which the stand-in tells all four, added up.
pub(crate) fn sums(videos: &[&CatalogueVideo]) -> Option<[u64; 4]> {
    let mut sums = None;
    for video in videos.iter().filter(|it| !it.id.is_multiple_of(30)) {
        let Some(it) = video.statistics else { continue };
        let sums = sums.get_or_insert([0; 4]);
        for (sum, count) in sums.iter_mut().zip([it.likes, it.comments, it.shares, it.views]) {
            *sum += count;
        }
    }
    sums
}

/// The median of the views that are told; `None` of fewer than three.
pub(crate) fn median_views(videos: &[&CatalogueVideo]) -> Option<u64> {
    let mut views: Vec<u64> =
        videos.iter().filter_map(|it| it.statistics).map(|it| it.views).collect();
    views.sort_unstable();
    let middle = views.len() / 2;
    match views.len() {
        0..3 => None,
        odd if odd % 2 == 1 => Some(views[middle]),
        _ => Some((views[middle - 1] + views[middle]) / 2),
    }
}
