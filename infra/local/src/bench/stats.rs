//! Medians, percentiles and ratios.

use std::time::Duration;

/// Durations of one kind of thing, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Times(Vec<Duration>);

impl Times {
    /// The share `part` (0 to 1) of all took at most so long; zero if there are none.
    pub(super) fn percentile(&self, part: f64) -> Duration {
        let rank = (part * self.0.len() as f64).ceil() as usize;
        self.0.get(rank.saturating_sub(1)).copied().unwrap_or_default()
    }

    /// Half took at most so long.
    pub(super) fn median(&self) -> Duration {
        self.percentile(0.5)
    }
}

impl FromIterator<Duration> for Times {
    fn from_iter<I: IntoIterator<Item = Duration>>(times: I) -> Self {
        let mut times: Vec<_> = times.into_iter().collect();
        times.sort_unstable();
        Self(times)
    }
}

/// The middle of some figures; the mean of the two middle ones where there is none. Zero if there
/// are no figures.
pub(super) fn median(figures: impl IntoIterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.into_iter().collect();
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    match figures.as_slice() {
        [] => 0.0,
        all if all.len() % 2 == 1 => all[middle],
        all => f64::midpoint(all[middle - 1], all[middle]),
    }
}

/// How many times `of` goes into `figure`.
pub(super) fn ratio(figure: Duration, of: Duration) -> f64 {
    figure.as_secs_f64() / of.as_secs_f64()
}

/// In microseconds up to ten milliseconds, then in milliseconds.
pub(super) fn show(time: Duration) -> String {
    match time.as_micros() {
        micros @ ..10_000 => format!("{micros} µs"),
        _ => format!("{:.1} ms", time.as_secs_f64() * 1e3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_what_was_measured() {
        let times: Times = (1..=100).rev().map(Duration::from_millis).collect();
        let percent = |part| times.percentile(part).as_millis();
        assert_eq!((percent(0.5), percent(0.95), percent(1.0)), (50, 95, 100));
        assert_eq!(percent(0.0), 1);
        assert_eq!(Times::default().median(), Duration::ZERO);
    }

    #[test]
    fn the_median_of_an_even_number_lies_between_the_middle_two() {
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median([4.0, 1.0, 3.0, 2.0]), 2.5);
        assert_eq!(median([]), 0.0);
    }

    #[test]
    fn times_are_shown_in_a_unit_that_suits_them() {
        assert_eq!(show(Duration::from_micros(9_999)), "9999 µs");
        assert_eq!(show(Duration::from_micros(12_340)), "12.3 ms");
        assert_eq!(ratio(Duration::from_millis(3), Duration::from_millis(2)), 1.5);
    }
}
