//! Derived figures. There is no standard for any of them: each says its formula, and its version
//! counts up when the formula changes.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::{
    SearchPage,
    answer::Statistics,
    figure::{Basis, Figure, Origin, Reason, STATISTICS_LAG, Timestamp},
};

/// Below this age views per hour jump about.
const MIN_AGE_SECONDS: u64 = 2 * 3_600;

/// A derived figure with everything needed to check it. Every key is always present.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Rate {
    /// The figure; `null` if unavailable.
    #[schema(required = true)]
    pub value: Option<f64>,
    /// Always `derived`, or `null` if unavailable.
    #[schema(required = true)]
    pub source: Option<Origin>,
    /// When the oldest of its inputs was fetched; `null` if unavailable.
    #[schema(required = true)]
    pub fetched_at: Option<Timestamp>,
    /// The greatest lag of its inputs, in seconds; `null` if none is declared.
    #[schema(required = true)]
    pub lag_seconds_max: Option<u64>,
    /// `derived` or `unavailable`.
    pub basis: Basis,
    /// Why `value` is `null`; `null` if there is a value.
    #[schema(required = true)]
    pub reason: Option<Reason>,
    /// How it is computed from `inputs`.
    #[schema(value_type = String, examples("(likes + comments + shares) / views"))]
    pub formula: &'static str,
    /// Counts up when the formula changes.
    #[schema(examples(1))]
    pub formula_version: u32,
    /// The inputs by name; `null` for those that are missing.
    #[schema(value_type = BTreeMap<String, Option<u64>>)]
    pub inputs: BTreeMap<&'static str, Option<u64>>,
}

/// Figures derived from the statistics.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Engagement {
    /// Likes, comments and shares for each view.
    pub engagement_rate_by_views: Rate,
    /// Shares for each view.
    pub share_rate: Rate,
    /// Saves for each view.
    pub save_rate: Rate,
    /// Comments for each like.
    pub comments_to_likes: Rate,
    /// Views an hour since the video was created, up to when they were fetched. Not given for the
    /// first two hours.
    pub view_velocity: Rate,
    /// Likes, comments and shares for each follower that the creator has now. Only where the creator is
    /// looked up too.
    pub engagement_rate_by_followers: Rate,
    /// Views for each follower that the creator has now. Only where the creator is looked up too.
    pub views_to_followers: Rate,
    /// Views as a multiple of the median of the creator's recent videos; 3 and more stand out. Only
    /// where the creator is looked up too.
    pub outlier_multiple: Rate,
}

/// What a video is held against: its creator.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// Followers.
    pub followers: Figure<u64>,
    /// Median of the views of the creator's recent videos.
    pub median_views: Figure<u64>,
}

impl Standing {
    /// Nobody asked for the creator.
    pub fn not_requested() -> Self {
        Self {
            followers: Figure::unavailable(Reason::NotRequested),
            median_views: Figure::unavailable(Reason::NotRequested),
        }
    }
}

/// A named input: its figure's value, time and lag.
type Input = (&'static str, Option<u64>, Option<Timestamp>, Option<u64>);

impl Engagement {
    /// From the statistics, the time between the video's creation and their fetching, and the creator.
    pub(super) fn of(
        statistics: &Statistics,
        seconds_live: Figure<u64>,
        standing: &Standing,
    ) -> Self {
        let input = |name, it: &Figure<u64>| (name, it.value, it.fetched_at, it.lag_seconds_max);
        let views = input("views", &statistics.views);
        let likes = input("likes", &statistics.likes);
        let comments = input("comments", &statistics.comments);
        let shares = input("shares", &statistics.shares);
        let saves = input("saves", &statistics.saves);
        let live = input("seconds_live", &seconds_live);
        let followers = input("followers", &standing.followers);
        let median = input("median_views", &standing.median_views);
        let against = |rate: Rate, figure: &Figure<u64>| match figure.reason {
            // Why there is none says more than that there is none.
            Some(reason) => rate.without(reason),
            None => rate,
        };
        let too_young = live.1.is_some_and(|seconds| seconds < MIN_AGE_SECONDS);
        Self {
            engagement_rate_by_views: rate(
                "(likes + comments + shares) / views",
                &[likes, comments, shares],
                1.0,
                views,
            ),
            share_rate: rate("shares / views", &[shares], 1.0, views),
            save_rate: rate("saves / views", &[saves], 1.0, views),
            comments_to_likes: rate("comments / likes", &[comments], 1.0, likes),
            view_velocity: {
                let formula = "views * 3600 / seconds_live";
                let rate = rate(formula, &[views], 3_600.0, live);
                if too_young { rate.without(Reason::TooYoung) } else { rate }
            },
            engagement_rate_by_followers: against(
                rate(
                    "(likes + comments + shares) / followers",
                    &[likes, comments, shares],
                    1.0,
                    followers,
                ),
                &standing.followers,
            ),
            views_to_followers: against(
                rate("views / followers", &[views], 1.0, followers),
                &standing.followers,
            ),
            outlier_multiple: against(
                rate("views / median_views", &[views], 1.0, median),
                &standing.median_views,
            ),
        }
    }
}

impl Rate {
    /// Interactions for each view over the videos of `page` that tell all four counts.
    pub(super) fn over(page: &SearchPage) -> Self {
        let mut sums = [0u64; 4];
        let mut any = false;
        for video in &page.videos {
            let facts = &video.facts;
            let counts = [&facts.likes, &facts.comments, &facts.shares, &facts.views];
            let [Some(likes), Some(comments), Some(shares), Some(views)] = counts else { continue };
            for (sum, count) in sums.iter_mut().zip([likes, comments, shares, views]) {
                *sum = sum.saturating_add(count.value);
            }
            any = true;
        }
        let at = Timestamp::from_unix(page.at);
        let input = |name, sum| (name, any.then_some(sum), at, Some(STATISTICS_LAG));
        let [likes, comments, shares, views] = sums;
        let interactions =
            [input("likes", likes), input("comments", comments), input("shares", shares)];
        let formula = "sum(likes + comments + shares) / sum(views)";
        rate(formula, &interactions, 1.0, input("views", views))
    }

    fn without(self, reason: Reason) -> Self {
        Self {
            value: None,
            source: None,
            fetched_at: None,
            lag_seconds_max: None,
            basis: Basis::Unavailable,
            reason: Some(reason),
            ..self
        }
    }
}

/// The median of `values`, of an even number of them the lower middle's and the upper one's mean, rounded
/// down; `None` of none.
pub(super) fn median(mut values: Vec<u64>) -> Option<u64> {
    values.sort_unstable();
    let upper = *values.get(values.len() / 2)?;
    if values.len() % 2 == 1 {
        return Some(upper);
    }
    Some(values[values.len() / 2 - 1].midpoint(upper))
}

/// The sum of `numerators` times `factor`, over `denominator`.
fn rate(formula: &'static str, numerators: &[Input], factor: f64, denominator: Input) -> Rate {
    let all = || numerators.iter().chain([&denominator]);
    // In floating point: sums of hostile counts must not overflow.
    let sum: Option<f64> = numerators.iter().map(|input| input.1.map(|it| it as f64)).sum();
    let value = match (sum, denominator.1) {
        (_, Some(0)) => Err(Reason::ZeroDenominator),
        (Some(sum), Some(denominator)) => Ok(sum * factor / denominator as f64),
        _ => Err(Reason::MissingInput),
    };
    let rate = Rate {
        value: value.ok(),
        source: Some(Origin::Derived),
        fetched_at: all().filter_map(|input| input.2).min(),
        lag_seconds_max: all().filter_map(|input| input.3).max(),
        basis: Basis::Derived,
        reason: None,
        formula,
        formula_version: 1,
        inputs: all().map(|input| (input.0, input.1)).collect(),
    };
    match value {
        Ok(_) => rate,
        Err(reason) => rate.without(reason),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn figure(value: Option<u64>) -> Figure<u64> {
        Figure { value, ..Figure::unavailable(Reason::AbsentInAnswer) }
    }

    fn statistics(counts: [Option<u64>; 5]) -> Statistics {
        let [views, likes, comments, shares, saves] = counts.map(figure);
        Statistics { views, likes, comments, shares, saves }
    }

    fn of(counts: &Statistics, live: Figure<u64>) -> Engagement {
        Engagement::of(counts, live, &Standing::not_requested())
    }

    #[test]
    fn a_video_is_held_against_its_creator() {
        let counts = statistics([Some(1_000), Some(80), Some(20), Some(10), Some(5)]);
        let standing =
            |followers, median| Standing { followers: figure(followers), median_views: median };
        let known = |value| Figure { reason: None, ..figure(Some(value)) };
        let held = Standing { followers: known(500), median_views: known(250) };
        let engagement = Engagement::of(&counts, figure(None), &held);
        assert_eq!(engagement.engagement_rate_by_followers.value, Some(0.22));
        assert_eq!(engagement.views_to_followers.value, Some(2.0));
        assert_eq!(engagement.outlier_multiple.value, Some(4.0));
        let zero = Standing { followers: known(0), median_views: known(0) };
        let zero = Engagement::of(&counts, figure(None), &zero);
        for rate in [zero.views_to_followers, zero.outlier_multiple] {
            assert_eq!((rate.value, rate.reason), (None, Some(Reason::ZeroDenominator)));
        }
        let few = standing(None, Figure::unavailable(Reason::TooFew));
        let few = Engagement::of(&counts, figure(None), &few).outlier_multiple;
        assert_eq!((few.value, few.reason), (None, Some(Reason::TooFew)));
        let unasked = of(&counts, figure(None)).views_to_followers;
        assert_eq!(unasked.reason, Some(Reason::NotRequested));
    }

    #[test]
    fn rates_are_as_documented() {
        let counts = statistics([Some(1_000), Some(80), Some(20), Some(10), Some(5)]);
        let engagement = of(&counts, figure(Some(7_200)));
        assert_eq!(engagement.engagement_rate_by_views.value, Some(0.11));
        assert_eq!(engagement.share_rate.value, Some(0.01));
        assert_eq!(engagement.save_rate.value, Some(0.005));
        assert_eq!(engagement.comments_to_likes.value, Some(0.25));
        assert_eq!(engagement.view_velocity.value, Some(500.0));
        assert_eq!(
            engagement.share_rate.inputs,
            [("shares", Some(10)), ("views", Some(1_000))].into()
        );
        let young = of(&counts, figure(Some(7_199))).view_velocity;
        assert_eq!((young.value, young.reason), (None, Some(Reason::TooYoung)));
    }

    proptest! {
        #[test]
        fn as_many_lie_above_the_median_as_below(values in prop::collection::vec(any::<u64>(), 1..40)) {
            let median = median(values.clone()).unwrap();
            let below = values.iter().filter(|it| **it < median).count();
            let above = values.iter().filter(|it| **it > median).count();
            prop_assert!(below <= values.len() / 2 && above <= values.len() / 2);
            prop_assert!(values.iter().min() <= Some(&median) && Some(&median) <= values.iter().max());
        }

        #[test]
        fn a_rate_is_finite_or_null_with_a_reason(
            counts in any::<[Option<u64>; 5]>(),
            zero in 0..6usize,
            live in any::<Option<u64>>(),
        ) {
            let mut counts = counts;
            if let Some(count) = counts.get_mut(zero) {
                *count = Some(0);
            }
            let engagement = of(&statistics(counts), figure(live));
            let views = counts[0].filter(|it| *it > 0);
            let likes = counts[1].filter(|it| *it > 0);
            for (rate, expected) in [
                (&engagement.engagement_rate_by_views, views.is_some()
                    && counts[1].is_some() && counts[2].is_some() && counts[3].is_some()),
                (&engagement.share_rate, views.is_some() && counts[3].is_some()),
                (&engagement.save_rate, views.is_some() && counts[4].is_some()),
                (&engagement.comments_to_likes, likes.is_some() && counts[2].is_some()),
                (&engagement.view_velocity, counts[0].is_some()
                    && live.is_some_and(|it| it >= MIN_AGE_SECONDS)),
            ] {
                prop_assert_eq!(rate.value.is_some(), expected, "{:?}", rate);
                prop_assert_eq!(rate.reason.is_none(), expected);
                prop_assert!(rate.value.is_none_or(f64::is_finite));
            }
        }
    }
}
