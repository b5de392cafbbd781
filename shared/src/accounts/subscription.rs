//! What an account has bought, as Stripe last told it (`billing::sync` writes it down).

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{
    billing::GRACE_DAYS,
    dates::at,
    plans::{Period, Plan},
};

/// A stretch of time, in epoch seconds: from `start` until just before `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// First second.
    pub start: i64,
    /// First second after it.
    pub end: i64,
}

impl Span {
    /// Of a quota period.
    pub fn of(period: &Period) -> Self {
        Self { start: period.start.unix_timestamp(), end: period.end.unix_timestamp() }
    }

    /// As a quota period.
    pub fn period(self) -> Period {
        Period { start: at(self.start), end: at(self.end) }
    }
}

/// A quota period that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastPeriod {
    /// When it was.
    #[serde(flatten)]
    pub span: Span,
    /// Its metered requests; stored before this was kept, it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota: Option<u64>,
}

/// A subscription that entitles to a plan. All times are epoch seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// Its id at Stripe.
    pub id: String,
    /// The plan of the present period.
    pub plan: Plan,
    /// The plan from the next period on, where it is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_plan: Option<Plan>,
    /// Billing periods are counted in months from here.
    pub anchor: i64,
    /// The present billing period.
    pub period: Span,
    /// When it ends by itself: it was cancelled, or its payment failed and the grace is over then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<i64>,
    /// Since when a payment is overdue, if one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub past_due_since: Option<i64>,
    /// Until when it has been paid for. Stored before this was known: to the end of the present period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paid_to: Option<i64>,
    /// A larger plan that begins once its payment is confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<Pending>,
    /// Stripe's page on which the payment that is overdue, or waits to be confirmed, can be made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pay_page: Option<String>,
}

/// A change that waits for its payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// The plan.
    pub plan: Plan,
    /// Until when it can be paid.
    pub until: i64,
}

/// A month has at most so many seconds…
const LONGEST_MONTH: i64 = 31 * DAY;
/// …and at least so many.
const SHORTEST_MONTH: i64 = 28 * DAY;
const DAY: i64 = 24 * 60 * 60;

impl Subscription {
    /// The plan that it entitles to at `now`; `None` once it has ended.
    pub fn plan_at(&self, now: OffsetDateTime) -> Option<Plan> {
        if self.has_ended(now) {
            return None;
        }
        let is_next = now.unix_timestamp() >= self.period.end;
        Some(self.next_plan.filter(|_| is_next).unwrap_or(self.plan))
    }

    /// The quota period that holds `now`; `None` before the present billing period and once it has ended.
    /// After the present one they follow each other by calendar, so that a renewal that we have not heard
    /// of yet finds the same period.
    pub fn period_at(&self, now: OffsetDateTime) -> Option<Period> {
        if now.unix_timestamp() < self.period.start || self.has_ended(now) {
            return None;
        }
        let mut period = self.month_at(now);
        // Then the gate asks again.
        if let Some(end) = self.ends_at.map(at) {
            period.end = period.end.min(end);
        }
        Some(period)
    }

    /// Metered requests of the quota period that holds `now`; `None` where there is none. Of a period that
    /// has not been paid for, the share of it that the grace is.
    pub fn quota_at(&self, now: OffsetDateTime) -> Option<u64> {
        self.period_at(now)?;
        let quota = self.plan_at(now)?.requests_per_period();
        let month = self.month_at(now);
        let length = (month.end - month.start).whole_seconds();
        // A week that is paid for by itself, for example.
        let quota = match length {
            SHORTEST_MONTH.. => quota,
            _ => share(quota, length, LONGEST_MONTH),
        };
        match self.is_paid_at(now) {
            true => Some(quota),
            false => Some(share(quota, GRACE_DAYS * DAY, length)),
        }
    }

    /// Whether the quota period that holds `now` has been paid for.
    pub fn is_paid_at(&self, now: OffsetDateTime) -> bool {
        let paid_to = self.paid_to.unwrap_or(self.period.end);
        self.month_at(now).start.unix_timestamp() < paid_to
    }

    /// The quota period that holds `now`, wherever the subscription ends: the billing period, or of a longer
    /// one (a year) the month from the anchor on.
    fn month_at(&self, now: OffsetDateTime) -> Period {
        let month = Period::billed_month_of(at(self.anchor), now);
        let Span { start, end } = self.period;
        if now.unix_timestamp() >= end {
            month
        } else if end - start <= LONGEST_MONTH {
            self.period.period()
        } else {
            Period { start: month.start.max(at(start)), end: month.end.min(at(end)) }
        }
    }

    /// What the gate goes by, and everything else that is said of it, but for an address that may be another
    /// one each time.
    pub fn is_as(&self, other: &Self) -> bool {
        let lasting = |it: &Self| Self { pay_page: None, ..it.clone() };
        lasting(self) == lasting(other)
    }

    fn has_ended(&self, now: OffsetDateTime) -> bool {
        self.ends_at.is_some_and(|end| now.unix_timestamp() >= end)
    }
}

/// `quota` times `part` / `whole`, rounded down; at most all of it.
fn share(quota: u64, part: i64, whole: i64) -> u64 {
    let (part, whole) = (part.max(0).unsigned_abs(), whole.max(1).unsigned_abs());
    quota * part.min(whole) / whole
}

#[cfg(test)]
mod tests {
    use time::{Duration, macros::datetime};

    use super::*;

    fn pro() -> Subscription {
        let (start, end) = (datetime!(2026-11-15 10:30 UTC), datetime!(2026-12-15 10:30 UTC));
        Subscription {
            id: "sub_1".to_owned(),
            plan: Plan::Pro,
            next_plan: None,
            anchor: start.unix_timestamp(),
            period: Span { start: start.unix_timestamp(), end: end.unix_timestamp() },
            ends_at: None,
            past_due_since: None,
            paid_to: Some(end.unix_timestamp()),
            pending: None,
            pay_page: None,
        }
    }

    #[test]
    fn a_renewal_that_was_not_heard_of_is_of_the_period_that_will_be_told() {
        let mut subscription = pro();
        let now = datetime!(2027-01-20 00:00 UTC);
        let period = subscription.period_at(now).expect("one");
        assert_eq!(period.key(), "2027-01-15T10:30:00Z");
        subscription.period = Span::of(&period);
        assert_eq!(subscription.period_at(now), Some(period));
        assert_eq!(subscription.plan_at(now), Some(Plan::Pro));
    }

    #[test]
    fn a_smaller_plan_begins_with_the_next_period_and_an_end_is_one() {
        let mut subscription = pro();
        subscription.next_plan = Some(Plan::Basic);
        let end = subscription.period.period().end;
        assert_eq!(subscription.plan_at(end - Duration::SECOND), Some(Plan::Pro));
        assert_eq!(subscription.plan_at(end), Some(Plan::Basic));
        let ends_at = end - Duration::days(3);
        subscription.ends_at = Some(ends_at.unix_timestamp());
        let period = subscription.period_at(ends_at - Duration::SECOND).expect("one");
        assert_eq!((period.key().as_str(), period.end), ("2026-11-15T10:30:00Z", ends_at));
        assert_eq!((subscription.plan_at(ends_at), subscription.period_at(ends_at)), (None, None));
        assert_eq!(subscription.quota_at(ends_at), None);
    }

    #[test]
    fn a_period_that_is_not_paid_for_has_the_share_of_the_grace() {
        let mut subscription = pro();
        let end = subscription.period.period().end;
        assert_eq!(subscription.quota_at(end - Duration::SECOND), Some(10_000));
        // The renewal has not been heard of: 14 of 31 days.
        assert_eq!(subscription.quota_at(end), Some(10_000 * 14 / 31));
        let next = Period::billed_month_of(at(subscription.anchor), end);
        subscription.period = Span::of(&next);
        assert_eq!(subscription.quota_at(end), Some(10_000 * 14 / 31));
        // The end of the grace is no shorter period.
        subscription.past_due_since = Some(subscription.period.start + 3_600);
        subscription.ends_at = Some(subscription.period.start + 3_600 + 14 * DAY);
        assert_eq!(subscription.quota_at(end + Duration::days(13)), Some(10_000 * 14 / 31));
        assert_eq!(subscription.quota_at(end + Duration::days(15)), None);
        (subscription.past_due_since, subscription.ends_at) = (None, None);
        subscription.paid_to = Some(subscription.period.end);
        assert_eq!(subscription.quota_at(end), Some(10_000));
        // What was stored before it was known counts as paid.
        subscription.paid_to = None;
        assert_eq!(subscription.quota_at(end), Some(10_000));
    }

    #[test]
    fn a_year_has_a_quota_each_month_and_a_week_its_share() {
        let mut subscription = pro();
        let start = subscription.period.period().start;
        subscription.period.end = start.replace_year(2027).expect("a year").unix_timestamp();
        subscription.paid_to = Some(subscription.period.end);
        let mut months = Vec::new();
        for day in 0..365 {
            let now = start + Duration::days(day);
            assert_eq!(subscription.quota_at(now), Some(10_000), "{now}");
            months.push(subscription.period_at(now).expect("one").key());
        }
        months.dedup();
        assert_eq!(months.len(), 12);
        let half = subscription.period_at(datetime!(2027-05-20 00:00 UTC)).expect("one");
        assert_eq!(half.key(), "2027-05-15T10:30:00Z");
        // Of a year that is not paid for each month has its share.
        subscription.paid_to = Some(subscription.period.start);
        let unpaid = subscription.quota_at(datetime!(2027-05-20 00:00 UTC));
        assert_eq!(unpaid, Some(10_000 * 14 / 31));
        let mut week = pro();
        week.period.end = week.period.start + 7 * DAY;
        week.paid_to = Some(week.period.end);
        assert_eq!(week.quota_at(start), Some(10_000 * 7 / 31));
    }
}
