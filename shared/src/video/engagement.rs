//! Derived figures. There is no standard for any of them: each says its formula, and its version
//! counts up when the formula changes.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::{
    answer::Statistics,
    figure::{Basis, Figure, Origin, Reason, Timestamp},
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
}

/// A named input: its figure's value, time and lag.
type Input = (&'static str, Option<u64>, Option<Timestamp>, Option<u64>);

impl Engagement {
    /// From the statistics and the time between the video's creation and their fetching.
    pub(super) fn of(statistics: &Statistics, seconds_live: Figure<u64>) -> Self {
        let input = |name, it: &Figure<u64>| (name, it.value, it.fetched_at, it.lag_seconds_max);
        let views = input("views", &statistics.views);
        let likes = input("likes", &statistics.likes);
        let comments = input("comments", &statistics.comments);
        let shares = input("shares", &statistics.shares);
        let saves = input("saves", &statistics.saves);
        let live = input("seconds_live", &seconds_live);
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
        }
    }
}

impl Rate {
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

    #[test]
    fn rates_are_as_documented() {
        let counts = statistics([Some(1_000), Some(80), Some(20), Some(10), Some(5)]);
        let engagement = Engagement::of(&counts, figure(Some(7_200)));
        assert_eq!(engagement.engagement_rate_by_views.value, Some(0.11));
        assert_eq!(engagement.share_rate.value, Some(0.01));
        assert_eq!(engagement.save_rate.value, Some(0.005));
        assert_eq!(engagement.comments_to_likes.value, Some(0.25));
        assert_eq!(engagement.view_velocity.value, Some(500.0));
        assert_eq!(
            engagement.share_rate.inputs,
            [("shares", Some(10)), ("views", Some(1_000))].into()
        );
        let young = Engagement::of(&counts, figure(Some(7_199))).view_velocity;
        assert_eq!((young.value, young.reason), (None, Some(Reason::TooYoung)));
    }

    proptest! {
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
            let engagement = Engagement::of(&statistics(counts), figure(live));
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
