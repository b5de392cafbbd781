//! What an account has bought, as Stripe last told it (`billing::sync` writes it down).

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{
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
    /// As a quota period.
    pub fn period(self) -> Period {
        Period { start: at(self.start), end: at(self.end) }
    }
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
}

impl Subscription {
    /// The plan that it entitles to at `now`; `None` once it has ended.
    pub fn plan_at(&self, now: OffsetDateTime) -> Option<Plan> {
        if self.has_ended(now) {
            return None;
        }
        let is_next = now.unix_timestamp() >= self.period.end;
        Some(self.next_plan.filter(|_| is_next).unwrap_or(self.plan))
    }

    /// The billing period that holds `now`; `None` before the present one and once it has ended. After the
    /// present one they follow each other by calendar, so that a renewal that we have not heard of yet
    /// finds the same period.
    pub fn period_at(&self, now: OffsetDateTime) -> Option<Period> {
        if now.unix_timestamp() < self.period.start || self.has_ended(now) {
            return None;
        }
        let mut period = if now.unix_timestamp() < self.period.end {
            self.period.period()
        } else {
            Period::billed_month_of(at(self.anchor), now)
        };
        // Then the gate asks anew.
        if let Some(end) = self.ends_at.map(at) {
            period.end = period.end.min(end);
        }
        Some(period)
    }

    fn has_ended(&self, now: OffsetDateTime) -> bool {
        self.ends_at.is_some_and(|end| now.unix_timestamp() >= end)
    }
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
        }
    }

    #[test]
    fn a_renewal_that_was_not_heard_of_is_of_the_period_that_will_be_told() {
        let mut subscription = pro();
        let now = datetime!(2027-01-20 00:00 UTC);
        let period = subscription.period_at(now).expect("one");
        assert_eq!(period.key(), "2027-01-15T10:30:00Z");
        subscription.period =
            Span { start: period.start.unix_timestamp(), end: period.end.unix_timestamp() };
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
    }
}
