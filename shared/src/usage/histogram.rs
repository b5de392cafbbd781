//! Response times as counts by logarithmic bucket: counts of several days add up, which percentiles
//! themselves do not.

use std::collections::BTreeMap;

/// Each bucket reaches 10 % further than the one before it.
const GROWTH: f64 = 1.1;
/// The last bucket holds everything from about 46 seconds on.
const LAST: u32 = 112;

/// Counts by bucket. Bucket `i` holds times up to `1.1^i` milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram(BTreeMap<u32, u64>);

impl Histogram {
    /// Bucket of `ms` milliseconds.
    pub fn bucket(ms: u32) -> u32 {
        let index = f64::from(ms.max(1)).ln() / GROWTH.ln();
        (index.ceil() as u32).min(LAST)
    }

    /// The shortest and the longest time of `bucket`, in whole milliseconds. The last one has no end, and the
    /// first few hold none: between them there is no whole millisecond.
    pub fn bounds(bucket: u32) -> (u64, Option<u64>) {
        let reach = |bucket: u32| GROWTH.powi(bucket.cast_signed()).floor() as u64;
        let from = bucket.checked_sub(1).map_or(0, |before| reach(before) + 1);
        (from, (bucket < LAST).then(|| reach(bucket)))
    }

    /// Adds `count` times to `bucket`.
    pub fn add(&mut self, bucket: u32, count: u64) {
        *self.0.entry(bucket.min(LAST)).or_default() += count;
    }

    /// Every bucket that is not empty.
    pub fn iter(&self) -> impl Iterator<Item = (u32, u64)> + '_ {
        self.0.iter().map(|(bucket, count)| (*bucket, *count))
    }

    /// The time in milliseconds that `percent` of the requests did not exceed, up to 10 % too high;
    /// `None` without requests.
    pub fn percentile(&self, percent: u64) -> Option<u64> {
        let total: u64 = self.0.values().sum();
        let rank = (total * percent).div_ceil(100).max(1);
        let mut below = 0;
        self.0.iter().find_map(|(bucket, count)| {
            below += count;
            (below >= rank).then(|| GROWTH.powi(*bucket as i32).round() as u64)
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn percentiles_are_at_most_a_tenth_too_high(
            mut times in prop::collection::vec(1u32..40_000, 1..200), percent in 1u64..=100,
        ) {
            let mut histogram = Histogram::default();
            for time in &times {
                histogram.add(Histogram::bucket(*time), 1);
            }
            times.sort_unstable();
            let rank = (times.len() as u64 * percent).div_ceil(100).max(1) as usize;
            let exact = f64::from(times[rank - 1]);
            let found = histogram.percentile(percent).expect("not empty") as f64;
            prop_assert!(found >= exact - 0.5 && found <= exact * GROWTH + 0.5, "{found} for {exact}");
        }
    }

    #[test]
    fn every_time_lies_within_the_bounds_of_its_bucket() {
        for ms in (0..5_000).chain([39_317, 39_318, 60_000, u32::MAX]) {
            let (from, to) = Histogram::bounds(Histogram::bucket(ms));
            let is_in = from <= u64::from(ms) && to.is_none_or(|to| u64::from(ms) <= to);
            assert!(is_in, "{ms} is not in {from} to {to:?}");
        }
    }

    #[test]
    fn nothing_has_no_percentile() {
        assert_eq!(Histogram::default().percentile(50), None);
    }
}
