//! Pages of videos, and what can be said of the videos of a page together.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;
use time::Date;
use utoipa::ToSchema;

use super::{
    Cursors, Search, SearchPage, Video, VideoRecord, View,
    engagement::{Rate, median},
    figure::{Figure, METADATA_LAG, Reason, STATISTICS_LAG},
};

/// Hashtags, regions that are listed at most.
const LISTED: usize = 20;

/// Fewer videos than these have no meaningful median.
const MIN_FOR_MEDIAN: usize = 3;

/// A page of a search.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct VideoPage {
    /// The videos in the source's order, newest first.
    pub videos: Vec<Video>,
    /// Send it as `cursor` for the next page; `null` if this is the last one.
    #[schema(required = true)]
    pub next_cursor: Option<String>,
    /// Which hashtags occur together with what was searched for, most frequent first, at most 20.
    pub hashtags: Vec<HashtagUse>,
    /// Whether this answer comes from the cache; of a later page, whether its first one is less than an hour old.
    pub cached: bool,
    /// Seconds since its first page was fetched: all pages show what there was then.
    #[schema(examples(0))]
    pub age_seconds: u64,
}

/// How often a hashtag is used in some videos.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct HashtagUse {
    /// Without `#`, in lower case.
    #[schema(examples("sourdough"))]
    pub name: String,
    /// Videos with it.
    #[schema(examples(12))]
    pub videos: u64,
    /// Their share of the videos looked at: `videos / all`, of those whose hashtags are known.
    #[schema(examples(0.6))]
    pub share: f64,
}

impl VideoPage {
    /// The page of `search`, each video with `view`.
    pub fn new(search: &Search, page: &SearchPage, cursors: &Cursors, view: &View) -> Self {
        Self {
            videos: page.videos.iter().map(|it| Video::from_record(it, view)).collect(),
            next_cursor: page.next.as_ref().and_then(|next| search.cursor(cursors, next)),
            hashtags: hashtags(&page.videos, None),
            cached: view.cached,
            age_seconds: age(page.at, view),
        }
    }
}

/// Seconds from `at` to the time of the request.
pub(super) fn age(at: i64, view: &View) -> u64 {
    u64::try_from(view.now.unix_timestamp().saturating_sub(at)).unwrap_or(0)
}

/// The hashtags of `videos`, but for `left_out`.
pub(super) fn hashtags(videos: &[VideoRecord], left_out: Option<&str>) -> Vec<HashtagUse> {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    let mut all = 0;
    for tags in videos.iter().filter_map(|it| it.facts.hashtags.as_ref()) {
        all += 1;
        let distinct: HashSet<String> = tags.value.iter().map(|it| it.to_lowercase()).collect();
        for tag in distinct {
            *counts.entry(tag).or_default() += 1;
        }
    }
    let left_out = left_out.map(str::to_lowercase);
    counts.retain(|name, _| Some(name) != left_out.as_ref());
    let mut uses: Vec<_> = counts
        .into_iter()
        .map(|(name, videos)| HashtagUse { name, videos, share: videos as f64 / f64::from(all) })
        .collect();
    uses.sort_by(|a, b| b.videos.cmp(&a.videos).then_with(|| a.name.cmp(&b.name)));
    uses.truncate(LISTED);
    uses
}

/// The median of the views of `page`'s videos, as a figure.
pub fn median_views(page: &SearchPage) -> Figure<u64> {
    let views: Vec<u64> =
        page.videos.iter().filter_map(|it| it.facts.views.as_ref()).map(|it| it.value).collect();
    let enough = (views.len() >= MIN_FOR_MEDIAN).then_some(views);
    match enough.and_then(median) {
        Some(median) => Figure::computed(median, page.at, STATISTICS_LAG),
        None => Figure::unavailable(Reason::TooFew),
    }
}

/// A hashtag, as far as a sample of the videos with it shows.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Hashtag {
    /// Without `#`.
    #[schema(examples("sourdough"))]
    pub name: String,
    /// What was looked at.
    pub sample: Sample,
    /// Median of the views of the sample's videos.
    pub median_views: Figure<u64>,
    /// Interactions for each view, over all videos of the sample that tell both.
    pub engagement_rate_by_views: Rate,
    /// Which other hashtags occur together with it, most frequent first, at most 20.
    pub hashtags: Vec<HashtagUse>,
    /// Countries in which the creators of the sample registered, most frequent first, at most 20. For
    /// plans that include the country.
    pub regions: Figure<Vec<RegionUse>>,
    /// Whether this answer comes from the cache.
    pub cached: bool,
    /// Seconds since it was fetched.
    #[schema(examples(0))]
    pub age_seconds: u64,
}

/// Which videos a figure is over.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Sample {
    /// First day (UTC).
    #[schema(value_type = String, format = Date, examples("2026-10-25"))]
    pub from: String,
    /// Last day (UTC).
    #[schema(value_type = String, format = Date, examples("2026-11-24"))]
    pub to: String,
    /// Videos looked at, 50 at most.
    #[schema(examples(50))]
    pub videos: u64,
    /// Different creators of these videos.
    #[schema(examples(41))]
    pub creators: u64,
    /// Whether these are all videos of these days; otherwise the newest ones.
    pub is_whole: bool,
}

/// How many of some videos are by creators of a country.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct RegionUse {
    /// ISO 3166-1 alpha-2.
    #[schema(examples("IE"))]
    pub country: String,
    /// Videos.
    #[schema(examples(12))]
    pub videos: u64,
}

impl Sample {
    /// What `page` is a sample of.
    pub(super) fn of(page: &SearchPage, (from, to): (Date, Date)) -> Self {
        let creators: HashSet<&str> = page
            .videos
            .iter()
            .filter_map(|it| it.facts.username.as_ref())
            .map(|it| it.value.as_str())
            .collect();
        Self {
            from: from.to_string(),
            to: to.to_string(),
            videos: page.videos.len() as u64,
            creators: creators.len() as u64,
            is_whole: page.next.is_none(),
        }
    }
}

impl Hashtag {
    /// From a sample of its videos.
    pub fn new(name: &str, search: &Search, page: &SearchPage, view: &View) -> Self {
        Self {
            name: name.to_owned(),
            sample: Sample::of(page, search.days),
            median_views: median_views(page),
            engagement_rate_by_views: Rate::over(page),
            hashtags: hashtags(&page.videos, Some(name)),
            regions: regions(page, view),
            cached: view.cached,
            age_seconds: age(page.at, view),
        }
    }
}

fn regions(page: &SearchPage, view: &View) -> Figure<Vec<RegionUse>> {
    if !view.include_country {
        return Figure::unavailable(Reason::PlanDoesNotInclude);
    }
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for country in page.videos.iter().filter_map(|it| it.facts.country.as_ref()) {
        *counts.entry(&country.value).or_default() += 1;
    }
    if counts.is_empty() {
        return Figure::unavailable(Reason::AbsentInAnswer);
    }
    let mut uses: Vec<_> = counts
        .into_iter()
        .map(|(country, videos)| RegionUse { country: country.to_owned(), videos })
        .collect();
    uses.sort_by(|a, b| b.videos.cmp(&a.videos).then_with(|| a.country.cmp(&b.country)));
    uses.truncate(LISTED);
    Figure::computed(uses, page.at, METADATA_LAG)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::video::{Fact, Facts, Outcome, Provenance, Source, VideoId};

    fn fact<T>(value: T) -> Option<Fact<T>> {
        Some(Fact { provenance: Provenance::Observed, source: Source::Research, value })
    }

    fn video(id: u64, tags: &[&str], views: Option<u64>) -> VideoRecord {
        let tags = tags.iter().map(|it| (*it).to_owned()).collect();
        let facts = Facts { hashtags: fact(tags), views: views.and_then(fact), ..Facts::default() };
        let record = VideoRecord::empty(VideoId::new(id).unwrap());
        record.with(Source::Research, Outcome::Answered(0), facts)
    }

    #[test]
    fn hashtags_are_counted_once_a_video() {
        let mut videos =
            vec![video(1, &["Soup", "soup", "bread"], None), video(2, &["soup"], None)];
        // It says nothing of its hashtags: it counts for nothing.
        videos.push(VideoRecord::empty(VideoId::new(3).unwrap()));
        let uses = hashtags(&videos, None);
        let uses: Vec<_> = uses.iter().map(|it| (it.name.as_str(), it.videos, it.share)).collect();
        assert_eq!(uses, [("soup", 2, 1.0), ("bread", 1, 0.5)]);
        assert_eq!(hashtags(&videos, Some("SOUP")).len(), 1);
    }

    #[test]
    fn a_median_needs_three_videos() {
        let page = |views: &[Option<u64>]| SearchPage {
            videos: (1..).zip(views).map(|(id, views)| video(id, &[], *views)).collect(),
            at: 7,
            ..SearchPage::default()
        };
        let few = median_views(&page(&[Some(1), None, Some(3)]));
        assert_eq!((few.value, few.reason), (None, Some(Reason::TooFew)));
        let some = median_views(&page(&[Some(9), Some(1), None, Some(3), Some(4)]));
        assert_eq!((some.value, some.reason), (Some(3), None));
    }
}
