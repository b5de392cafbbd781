//! What customers send and see of billing. Amounts are whole minor units of a currency.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::stripe::Session;
use crate::{
    accounts::{Account, Subscription},
    plans::{CURRENCY, Plan},
};

/// Every plan.
#[derive(Debug, Serialize, ToSchema)]
pub struct PlanList {
    /// Smallest first.
    pub plans: Vec<PlanView>,
}

/// What a plan allows and costs.
#[derive(Debug, Serialize, ToSchema)]
pub struct PlanView {
    /// Its name.
    #[schema(example = "pro")]
    pub name: Plan,
    /// Charged requests in a period.
    #[schema(example = 10_000)]
    pub requests_per_month: u64,
    /// Requests in any minute.
    #[schema(example = 100)]
    pub requests_per_minute: u64,
    /// Whether answers name a video's country.
    #[schema(example = true)]
    pub includes_country: bool,
    /// Price of a month, taxes not included.
    pub price: Price,
}

/// An amount of money.
#[derive(Debug, Serialize, ToSchema)]
pub struct Price {
    /// In hundredths of the currency.
    #[schema(example = 2_000)]
    pub amount_cents: i64,
    /// ISO 4217, lower case.
    #[schema(example = "usd")]
    pub currency: &'static str,
}

impl PlanList {
    /// All of them.
    pub fn all() -> Self {
        let view = |plan: Plan| PlanView {
            name: plan,
            requests_per_month: plan.requests_per_period(),
            requests_per_minute: plan.requests_per_minute(),
            includes_country: plan.includes_country(),
            price: Price { amount_cents: plan.cents_per_month(), currency: CURRENCY },
        };
        Self { plans: Plan::ALL.map(view).into() }
    }
}

/// Which plan is to be bought or changed to.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanRequest {
    /// The plan.
    #[schema(example = "pro")]
    pub plan: Plan,
}

/// A checkout: a page of Stripe's on which the plan is paid.
#[derive(Debug, Serialize, ToSchema)]
pub struct CheckoutView {
    /// Its id.
    #[schema(example = "cs_test_Example0001")]
    pub id: String,
    /// Open it in a browser.
    #[schema(format = "uri", example = "https://checkout.stripe.com/c/pay/cs_test_Example0001")]
    pub url: String,
    /// Until when it can be paid; `null` if that is not known.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(required = true, value_type = Option<String>, format = DateTime, example = "2026-11-25T12:00:00Z")]
    pub expires_at: Option<OffsetDateTime>,
}

impl From<Session> for CheckoutView {
    fn from(it: Session) -> Self {
        Self { id: it.id, url: it.url, expires_at: instant(it.expires_at) }
    }
}

/// Stripe's page for cards, invoices and cancellation.
#[derive(Debug, Serialize, ToSchema)]
pub struct PortalView {
    /// Open it in a browser, soon.
    #[schema(format = "uri", example = "https://billing.stripe.com/p/session/test_Example0001")]
    pub url: String,
}

/// The account's plan and what it comes from.
#[derive(Debug, Serialize, ToSchema)]
pub struct BillingView {
    /// The plan at this moment.
    #[schema(example = "pro")]
    pub plan: Plan,
    /// What is subscribed to; `null` without a subscription.
    #[schema(required = true)]
    pub subscription: Option<SubscriptionView>,
}

impl BillingView {
    /// Of the account, at `now`.
    pub fn of(account: &Account, now: OffsetDateTime) -> Self {
        let subscription = account.subscription.as_ref();
        Self {
            plan: account.plan_at(now),
            subscription: subscription.and_then(|it| SubscriptionView::at(it, now)),
        }
    }
}

/// Where a subscription stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SubscriptionState {
    /// It goes on.
    Active,
    /// It ends at `ends_at`.
    Ending,
    /// A payment has failed; unless it is made, it ends at `ends_at`.
    PastDue,
}

/// A subscription.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct SubscriptionView {
    /// Where it stands.
    #[schema(example = "active")]
    pub status: SubscriptionState,
    /// The plan of this period.
    #[schema(example = "pro")]
    pub plan: Plan,
    /// The plan from the next period on; `null` if it is the same.
    #[schema(required = true, example = "basic")]
    pub next_plan: Option<Plan>,
    /// Charged requests in this period: all that the plan has, or a share of them until the period is paid.
    #[schema(example = 10_000)]
    pub requests: u64,
    /// Whether this period has been paid for.
    #[schema(example = true)]
    pub is_paid: bool,
    /// A larger plan that begins once its payment is confirmed; `null` if none waits.
    #[schema(required = true, example = json!(null))]
    pub pending: Option<PendingView>,
    /// Page of Stripe's on which the payment that is overdue, or waits to be confirmed, can be made; `null` if
    /// there is none. Open it in a browser.
    #[schema(required = true, format = "uri", example = json!(null))]
    pub pay_url: Option<String>,
    /// First instant of this period, a month.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime, example = "2026-11-15T10:30:00Z")]
    pub period_start: OffsetDateTime,
    /// First instant of the next one.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime, example = "2026-12-15T10:30:00Z")]
    pub period_end: OffsetDateTime,
    /// When it ends; `null` if it goes on.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(required = true, value_type = Option<String>, format = DateTime, example = json!(null))]
    pub ends_at: Option<OffsetDateTime>,
    /// Since when a payment is overdue; `null` if none is.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(required = true, value_type = Option<String>, format = DateTime, example = json!(null))]
    pub past_due_since: Option<OffsetDateTime>,
}

/// A larger plan that waits for its payment. If that is not made in time, nothing changes and nothing is
/// charged.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct PendingView {
    /// The plan.
    #[schema(example = "business")]
    pub plan: Plan,
    /// Until when it can be paid.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime, example = "2026-11-25T11:00:00Z")]
    pub expires_at: OffsetDateTime,
}

impl SubscriptionView {
    /// Whether it waits for the payment of `plan`.
    pub fn awaits(&self, plan: Plan) -> bool {
        self.pending.as_ref().is_some_and(|it| it.plan == plan)
    }

    /// At `now`; `None` once it has ended.
    pub fn at(it: &Subscription, now: OffsetDateTime) -> Option<Self> {
        let plan = it.plan_at(now)?;
        // Stripe's clock may be a little ahead of the request's.
        let period = it.period_at(now).unwrap_or(it.period.period());
        let status = match (it.past_due_since, it.ends_at) {
            (Some(_), _) => SubscriptionState::PastDue,
            (None, Some(_)) => SubscriptionState::Ending,
            (None, None) => SubscriptionState::Active,
        };
        // It may have run out since it was last heard of.
        let pending = it.pending.filter(|it| now.unix_timestamp() < it.until);
        let pending = pending.and_then(|it| {
            Some(PendingView { plan: it.plan, expires_at: instant(Some(it.until))? })
        });
        let can_pay = pending.is_some() || it.past_due_since.is_some();
        Some(Self {
            status,
            plan,
            requests: it.quota_at(now).unwrap_or_else(|| plan.requests_per_period()),
            is_paid: it.is_paid_at(now),
            pending,
            pay_url: it.pay_page.clone().filter(|_| can_pay),
            next_plan: it.next_plan.filter(|next| *next != plan),
            period_start: period.start,
            period_end: period.end,
            ends_at: instant(it.ends_at),
            past_due_since: instant(it.past_due_since),
        })
    }
}

/// Epoch seconds as an instant.
pub(super) fn instant(seconds: Option<i64>) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp(seconds?).ok()
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::accounts::{Pending, Span};

    #[test]
    fn the_plan_to_come_is_shown_until_it_has_come() {
        let (start, end) = (datetime!(2026-11-15 10:30 UTC), datetime!(2026-12-15 10:30 UTC));
        let mut it = Subscription {
            id: "sub_1".to_owned(),
            plan: Plan::Pro,
            next_plan: Some(Plan::Basic),
            anchor: start.unix_timestamp(),
            period: Span { start: start.unix_timestamp(), end: end.unix_timestamp() },
            ends_at: None,
            past_due_since: None,
            paid_to: Some(end.unix_timestamp()),
            pending: None,
            pay_page: Some("https://invoice.stripe.com/i/1".to_owned()),
        };
        let shown = |it: &Subscription, now| {
            let view = SubscriptionView::at(it, now).expect("one");
            (view.status, view.plan, view.next_plan, view.period_start)
        };
        let active = SubscriptionState::Active;
        let before = (active, Plan::Pro, Some(Plan::Basic), start);
        assert_eq!(shown(&it, start), before);
        assert_eq!(shown(&it, start - time::Duration::SECOND), before);
        assert_eq!(shown(&it, end), (active, Plan::Basic, None, end));
        it.ends_at = Some(end.unix_timestamp());
        assert_eq!(shown(&it, start).0, SubscriptionState::Ending);
        assert_eq!(SubscriptionView::at(&it, start).expect("one").pay_url, None);
        it.pending = Some(Pending { plan: Plan::Business, until: start.unix_timestamp() + 60 });
        let waits = SubscriptionView::at(&it, start).expect("one");
        assert!(waits.awaits(Plan::Business) && waits.pay_url.is_some());
        let over = SubscriptionView::at(&it, start + time::Duration::MINUTE).expect("one");
        assert!(over.pending.is_none() && over.pay_url.is_none());
        it.past_due_since = Some(start.unix_timestamp());
        assert_eq!(shown(&it, start).0, SubscriptionState::PastDue);
        assert_eq!(SubscriptionView::at(&it, end), None);
    }
}
