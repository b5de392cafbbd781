//! A creator: the profile, and what the recent videos show together.

use serde::{Deserialize, Serialize};
use time::{Date, OffsetDateTime, UtcOffset};
use utoipa::ToSchema;

use super::{
    OFFERED_SPAN, Profile, SearchPage, VideoId, View,
    engagement::Rate,
    figure::{Basis, Figure, METADATA_LAG, Origin, Reason, Timestamp},
    listing::{Sample, age, median_views},
};

/// A creator. Every key is always present.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Creator {
    /// Handle without `@`, in lower case.
    #[schema(examples("made.up"))]
    pub username: String,
    /// The creator's page.
    #[schema(examples("https://www.tiktok.com/@made.up"))]
    pub url: String,
    /// Name as shown.
    pub display_name: Figure<String>,
    /// What the creator says of themselves.
    pub bio: Figure<String>,
    /// Whether TikTok has verified who it is.
    pub is_verified: Figure<bool>,
    /// Followers.
    pub followers: Figure<u64>,
    /// Creators that this one follows.
    pub following: Figure<u64>,
    /// Likes of all videos together.
    pub likes: Figure<u64>,
    /// Videos.
    pub videos: Figure<u64>,
    /// What the videos of the last 30 days show.
    pub recent: Recent,
    /// Whether this answer comes from the cache.
    pub cached: bool,
    /// Seconds since the older of its parts was fetched.
    #[schema(examples(0))]
    pub age_seconds: u64,
}

/// The videos of the last 30 days, the newest 50 at most.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Recent {
    /// What was looked at.
    pub sample: Sample,
    /// Median of the views.
    pub median_views: Figure<u64>,
    /// Interactions for each view, over all videos that tell both.
    pub engagement_rate_by_views: Rate,
    /// When the videos were posted.
    pub posting_times: Figure<PostingTimes>,
}

/// How many videos were posted when, UTC.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct PostingTimes {
    /// By hour of the day: 24 counts, midnight first.
    #[schema(min_items = 24, max_items = 24)]
    pub by_hour: Vec<u64>,
    /// By day of the week: 7 counts, Monday first.
    #[schema(min_items = 7, max_items = 7)]
    pub by_weekday: Vec<u64>,
}

/// A creator's profile and when it was fetched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileRecord {
    /// Handle, in lower case, without `@`.
    pub username: String,
    /// What the source says.
    pub profile: Profile,
    /// Epoch second.
    pub at: i64,
}

/// Where a short link leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Linked(pub VideoId);

/// The days that count as recent at `now`.
pub fn recent_days(now: OffsetDateTime) -> (Date, Date) {
    let today = now.to_offset(UtcOffset::UTC).date();
    ((now.to_offset(UtcOffset::UTC) - OFFERED_SPAN).date(), today)
}

impl ProfileRecord {
    /// Followers.
    pub fn followers(&self) -> Figure<u64> {
        self.figure(self.profile.followers)
    }

    /// The profile is live: it has no lag.
    fn figure<T>(&self, value: Option<T>) -> Figure<T> {
        match value {
            None => Figure::unavailable(Reason::AbsentInAnswer),
            Some(value) => Figure {
                value: Some(value),
                source: Some(Origin::Research),
                fetched_at: Timestamp::from_unix(self.at),
                lag_seconds_max: Some(0),
                basis: Basis::Observed,
                reason: None,
            },
        }
    }
}

impl Creator {
    /// From the profile and the recent videos.
    pub fn new(
        record: &ProfileRecord,
        recent: &SearchPage,
        days: (Date, Date),
        view: &View,
    ) -> Self {
        let profile = &record.profile;
        Self {
            username: record.username.clone(),
            url: format!("https://www.tiktok.com/@{}", record.username),
            display_name: record.figure(profile.display_name.clone()),
            bio: record.figure(profile.bio.clone()),
            is_verified: record.figure(profile.verified),
            followers: record.followers(),
            following: record.figure(profile.following),
            likes: record.figure(profile.likes),
            videos: record.figure(profile.videos),
            recent: Recent {
                sample: Sample::of(recent, days),
                median_views: median_views(recent),
                engagement_rate_by_views: Rate::over(recent),
                posting_times: posting_times(recent),
            },
            cached: view.cached,
            age_seconds: age(record.at.min(recent.at), view),
        }
    }
}

fn posting_times(page: &SearchPage) -> Figure<PostingTimes> {
    let mut times = PostingTimes { by_hour: vec![0; 24], by_weekday: vec![0; 7] };
    let mut any = false;
    for created in page.videos.iter().filter_map(|it| it.facts.created_at.as_ref()) {
        let Ok(at) = OffsetDateTime::from_unix_timestamp(created.value) else { continue };
        times.by_hour[usize::from(at.hour())] += 1;
        times.by_weekday[usize::from(at.weekday().number_days_from_monday())] += 1;
        any = true;
    }
    if !any {
        return Figure::unavailable(Reason::TooFew);
    }
    Figure::computed(times, page.at, METADATA_LAG)
}

#[cfg(test)]
mod tests {
    use time::macros::{date, datetime};

    use super::*;
    use crate::video::{Fact, Facts, Outcome, Provenance, Source, VideoRecord};

    #[test]
    fn recent_days_are_as_many_as_one_search_covers() {
        let days = recent_days(datetime!(2026-11-24 00:30 +01:00));
        assert_eq!(days, (date!(2026 - 10 - 25), date!(2026 - 11 - 23)));
    }

    #[test]
    fn posting_times_are_counted_in_utc() {
        let video = |at: OffsetDateTime| {
            let created_at = Some(Fact {
                provenance: Provenance::Observed,
                source: Source::Research,
                value: at.unix_timestamp(),
            });
            let facts = Facts { created_at, ..Facts::default() };
            let record = VideoRecord::empty(VideoId::new(1).unwrap());
            record.with(Source::Research, Outcome::Answered(0), facts)
        };
        // A Monday and a Sunday.
        let videos = vec![
            video(datetime!(2026-11-23 00:30 UTC)),
            video(datetime!(2026-11-23 00:59 UTC)),
            video(datetime!(2026-11-22 23:00 UTC)),
        ];
        let page = SearchPage { videos, ..SearchPage::default() };
        let times = posting_times(&page).value.unwrap();
        assert_eq!((times.by_hour[0], times.by_hour[23]), (2, 1));
        assert_eq!(times.by_weekday, [2, 0, 0, 0, 0, 0, 1]);
        let none = SearchPage { videos: Vec::new(), ..page };
        assert_eq!(posting_times(&none).reason, Some(Reason::TooFew));
    }
}
