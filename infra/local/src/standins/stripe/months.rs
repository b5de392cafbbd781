//! Billing periods by the calendar, and shares of them.

use time::{Date, Month, OffsetDateTime};

/// The instant `months` after `anchor`, at the same time of day; in a shorter month its last day.
pub(super) fn months_after(anchor: i64, months: i32) -> i64 {
    let Ok(anchor_time) = OffsetDateTime::from_unix_timestamp(anchor) else { return anchor };
    let date = anchor_time.date();
    let count = date.year() * 12 + i32::from(u8::from(date.month())) - 1 + months;
    let year = count.div_euclid(12);
    // Always within 1..=12.
    let month = u8::try_from(count.rem_euclid(12) + 1).ok().and_then(|it| Month::try_from(it).ok());
    let Some(month) = month else { return anchor };
    let day = date.day().min(month.length(year));
    match Date::from_calendar_date(year, month, day) {
        Ok(date) => anchor_time.replace_date(date).unix_timestamp(),
        Err(_) => anchor,
    }
}

/// The end of the period of so many months that begins at `start`, of a cycle that hangs on `anchor`.
pub(super) fn period_end(anchor: i64, start: i64, each: i32) -> i64 {
    // A month has 31 days at most, so this is not too far.
    let months = i32::try_from((start - anchor).max(0) / (31 * 86_400)).unwrap_or_default();
    let mut months = months - months % each;
    while months_after(anchor, months) <= start {
        months += each;
    }
    months_after(anchor, months)
}

/// `amount` times `part` / `whole`, rounded to the nearest unit, halves away from zero.
pub(super) fn share(amount: i64, part: i64, whole: i64) -> i64 {
    let (part, whole) = (i128::from(part), i128::from(whole.max(1)));
    let size = i128::from(amount.unsigned_abs()) * part;
    let rounded = (2 * size + whole) / (2 * whole);
    i64::try_from(rounded * i128::from(amount.signum())).unwrap_or(amount)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_cycle_returns_to_its_day_after_a_short_month() {
        let anchor = datetime!(2027-01-31 10:00 UTC).unix_timestamp();
        let mut start = anchor;
        for wanted in [
            datetime!(2027-02-28 10:00 UTC),
            datetime!(2027-03-31 10:00 UTC),
            datetime!(2027-04-30 10:00 UTC),
        ] {
            start = period_end(anchor, start, 1);
            assert_eq!(start, wanted.unix_timestamp());
        }
        let leap = datetime!(2027-12-31 23:59:59 UTC).unix_timestamp();
        assert_eq!(months_after(leap, 2), datetime!(2028-02-29 23:59:59 UTC).unix_timestamp());
    }

    #[test]
    fn halves_go_away_from_zero() {
        for (amount, part, whole, wanted) in
            [(1, 1, 2, 1), (-1, 1, 2, -1), (2000, 1, 3, 667), (-2000, 1, 3, -667), (5, 0, 9, 0)]
        {
            assert_eq!(share(amount, part, whole), wanted, "{amount} {part}/{whole}");
        }
    }

    proptest! {
        #[test]
        fn periods_follow_each_other(anchor in 0_i64..4_000_000_000, after in 0_i64..400_000_000) {
            let start = anchor + after;
            let end = period_end(anchor, start, 1);
            prop_assert!(end > start && end - start <= 31 * 86_400);
            let next = period_end(anchor, end, 1);
            prop_assert!((28 * 86_400..=31 * 86_400).contains(&(next - end)));
            let year = period_end(anchor, start, 12);
            prop_assert!(year > start && year - start <= 366 * 86_400);
            let next = period_end(anchor, year, 12);
            prop_assert!((365 * 86_400..=366 * 86_400).contains(&(next - year)));
        }

        #[test]
        fn a_share_is_exact_and_symmetric(
            amount in -1_000_000_i64..1_000_000, part in 0_i64..3_000_000, more in 0_i64..3_000_000
        ) {
            let whole = (part + more).max(1);
            let it = share(amount, part, whole);
            prop_assert_eq!(it, -share(-amount, part, whole));
            // Not further than half a unit from the exact value.
            let error = 2 * (i128::from(it) * i128::from(whole)
                - i128::from(amount) * i128::from(part));
            prop_assert!(error.abs() <= i128::from(whole));
        }
    }
}
