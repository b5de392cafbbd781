//! Plans: what each allows and costs. Gate, price table, checkout and webhooks read it here.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime, Time, UtcOffset};
use utoipa::ToSchema;

/// A customer's plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Plan {
    /// 50 requests a month, 10 a minute.
    Free,
    /// 1,000 requests a month, 30 a minute.
    Basic,
    /// 10,000 requests a month, 100 a minute, with country.
    Pro,
    /// 100,000 requests a month, 500 a minute, with country.
    Business,
}

impl Plan {
    /// Every plan, smallest first.
    pub const ALL: [Self; 4] = [Self::Free, Self::Basic, Self::Pro, Self::Business];

    /// Name in the API and in storage.
    pub fn name(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Basic => "basic",
            Self::Pro => "pro",
            Self::Business => "business",
        }
    }

    /// The plan of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|plan| plan.name() == name)
    }

    /// Metered requests in a period.
    pub fn requests_per_period(self) -> u64 {
        match self {
            Self::Free => 50,
            Self::Basic => 1_000,
            Self::Pro => 10_000,
            Self::Business => 100_000,
        }
    }

    /// Requests in any minute.
    pub fn requests_per_minute(self) -> u64 {
        match self {
            Self::Free => 10,
            Self::Basic => 30,
            Self::Pro => 100,
            Self::Business => 500,
        }
    }

    /// Whether answers name the country.
    pub fn includes_country(self) -> bool {
        matches!(self, Self::Pro | Self::Business)
    }

    /// Price of a month, in minor units of [`CURRENCY`], taxes not included.
    pub fn cents_per_month(self) -> i64 {
        match self {
            Self::Free => 0,
            Self::Basic => 500,
            Self::Pro => 2_000,
            Self::Business => 10_000,
        }
    }

    /// Id of its product at Stripe; the free plan has none.
    pub fn product(self) -> Option<String> {
        (self != Self::Free).then(|| format!("{PRODUCT_PREFIX}{}", self.name()))
    }

    /// The plan whose product at Stripe has this id.
    pub fn of_product(product: &str) -> Option<Self> {
        let plan = Self::from_name(product.strip_prefix(PRODUCT_PREFIX)?)?;
        (plan != Self::Free).then_some(plan)
    }

    /// Key by which its price is found at Stripe. It names the amount: another one is another price, and
    /// who has subscribed at the old one keeps it.
    pub fn price_key(self) -> Option<String> {
        let cents = self.cents_per_month();
        self.product().map(|product| format!("{product}_{CURRENCY}_{cents}_month"))
    }
}

/// What everything is priced in: ISO 4217, as Stripe spells it.
pub const CURRENCY: &str = "usd";

const PRODUCT_PREFIX: &str = "vidintel_";

/// A quota period: from `start` until just before `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// First instant.
    pub start: OffsetDateTime,
    /// First instant of the next one.
    pub end: OffsetDateTime,
}

impl Period {
    /// The calendar month (UTC) that holds `now`.
    pub fn month_of(now: OffsetDateTime) -> Self {
        let now = now.to_offset(UtcOffset::UTC);
        let first = |date: time::Date| {
            date.replace_day(1).unwrap_or(date).with_time(Time::MIDNIGHT).assume_utc()
        };
        let start = first(now.date());
        // 31 days after the first of a month always lies in the next one.
        Self { start, end: first((start + Duration::days(31)).date()) }
    }

    /// The month that holds `at`, of those that follow each other from `anchor` on: each begins on the
    /// anchor's day, or on the last one of a month that does not have it, as Stripe counts.
    pub fn billed_month_of(anchor: OffsetDateTime, at: OffsetDateTime) -> Self {
        let anchor = anchor.to_offset(UtcOffset::UTC);
        let at = at.to_offset(UtcOffset::UTC);
        let ordinal = |date: time::Date| date.year() * 12 + i32::from(u8::from(date.month())) - 1;
        let mut months = ordinal(at.date()) - ordinal(anchor.date());
        if months_after(anchor, months) > at {
            months -= 1;
        }
        Self { start: months_after(anchor, months), end: months_after(anchor, months + 1) }
    }

    /// Key in storage: the period's start. `2026-11-01` for a calendar month, `2026-11-15T10:30:00Z` for
    /// one that was paid for.
    pub fn key(&self) -> String {
        let start = self.start.to_offset(UtcOffset::UTC);
        if start.day() == 1 && start.time() == Time::MIDNIGHT {
            return start.date().to_string();
        }
        let (hour, minute, second) = start.to_hms();
        format!("{}T{hour:02}:{minute:02}:{second:02}Z", start.date())
    }
}

fn months_after(anchor: OffsetDateTime, months: i32) -> OffsetDateTime {
    let first = anchor.year() * 12 + i32::from(u8::from(anchor.month())) - 1 + months;
    let (year, month) = (first.div_euclid(12), first.rem_euclid(12) as u8 + 1);
    let month = time::Month::try_from(month).unwrap_or(time::Month::January);
    let day = anchor.day().min(month.length(year));
    let date = time::Date::from_calendar_date(year, month, day).unwrap_or(anchor.date());
    anchor.replace_date(date)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;

    #[test]
    fn months_follow_each_other_without_gap() {
        let mut period = Period::month_of(datetime!(2023-12-31 23:59:59.999 UTC));
        assert_eq!(period.key(), "2023-12-01");
        for key in ["2024-01-01", "2024-02-01", "2024-03-01", "2024-04-01"] {
            let next = Period::month_of(period.end);
            assert_eq!((next.start, next.key().as_str()), (period.end, key));
            period = next;
        }
        let east = datetime!(2026-12-01 00:30 +01:00);
        assert_eq!(Period::month_of(east).key(), "2026-11-01");
    }

    #[test]
    fn billed_months_keep_the_anchors_day_where_there_is_one() {
        let anchor = datetime!(2027-01-31 10:30:05 UTC);
        let of = |at| Period::billed_month_of(anchor, at).key();
        assert_eq!(of(datetime!(2027-02-28 10:30:04 UTC)), "2027-01-31T10:30:05Z");
        assert_eq!(of(datetime!(2027-02-28 10:30:05 UTC)), "2027-02-28T10:30:05Z");
        assert_eq!(of(datetime!(2027-03-31 10:30:05 UTC)), "2027-03-31T10:30:05Z");
        assert_eq!(of(datetime!(2028-02-29 23:00 UTC)), "2028-02-29T10:30:05Z");
        assert_eq!(of(datetime!(2026-12-31 23:00 UTC)), "2026-12-31T10:30:05Z");
    }

    #[test]
    fn a_product_is_of_one_plan() {
        for plan in Plan::ALL {
            let product = plan.product();
            assert_eq!(product.as_deref().and_then(Plan::of_product), product.map(|_| plan));
        }
        assert_eq!(Plan::of_product("vidintel_free"), None);
        assert_eq!(Plan::Pro.price_key().as_deref(), Some("vidintel_pro_usd_2000_month"));
    }

    proptest! {
        #[test]
        fn billed_months_follow_each_other_without_gap(
            anchor in 0i64..4_000_000_000, after in 0i64..400_000_000
        ) {
            let anchor = OffsetDateTime::from_unix_timestamp(anchor).expect("an instant");
            let at = anchor + Duration::seconds(after);
            let period = Period::billed_month_of(anchor, at);
            prop_assert!(period.start <= at && at < period.end);
            let next = Period::billed_month_of(anchor, period.end);
            prop_assert_eq!(next.start, period.end);
            prop_assert_eq!(Period::billed_month_of(anchor, period.start), period);
        }
    }
}
