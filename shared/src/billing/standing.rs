//! What follows from Stripe's state: which plan, which period, until when. Nothing here asks anybody.

use stripe_shared::SubscriptionStatus;

use super::{
    GRACE_DAYS,
    stripe::{Bought, Invoice, InvoiceStatus},
};
use crate::{
    accounts::{Span, Subscription},
    plans::Plan,
};

/// What the customer's subscriptions entitle to; `None`: to nothing. With several (two checkouts were paid at
/// the same moment) the largest plan counts, of equal ones the newest.
pub fn standing(bought: &[Bought], invoices: &[Invoice]) -> Option<Subscription> {
    let entitled =
        bought.iter().filter_map(|it| entitlement(it, invoices).map(|found| (it, found)));
    let best = entitled.max_by_key(|(it, found)| (rank(found.plan), it.created, it.id.clone()));
    best.map(|(_, found)| found)
}

/// How many subscriptions entitle to something: more than one is one too many.
pub fn live(bought: &[Bought]) -> usize {
    bought.iter().filter(|it| entitles(&it.status) && it.plan.is_some()).count()
}

fn rank(plan: Plan) -> u64 {
    plan.requests_per_period()
}

/// Not `incomplete` (the first payment has not come), `unpaid`, `paused` or what has ended.
fn entitles(status: &SubscriptionStatus) -> bool {
    use SubscriptionStatus::{Active, PastDue, Trialing};
    matches!(status, Active | Trialing | PastDue)
}

fn entitlement(bought: &Bought, invoices: &[Invoice]) -> Option<Subscription> {
    if !entitles(&bought.status) {
        return None;
    }
    let (priced, period) = (bought.plan?, bought.period?);
    let kept = bought.keep.filter(|(_, until)| period.start < *until).map(|(plan, _)| plan);
    let plan = kept.unwrap_or(priced);
    let past_due_since = (bought.status == SubscriptionStatus::PastDue)
        .then(|| overdue_since(&bought.id, invoices).unwrap_or(period.start));
    let grace = past_due_since.map(|since| since + GRACE_DAYS * 24 * 60 * 60);
    Some(Subscription {
        id: bought.id.clone(),
        plan,
        next_plan: (plan != priced).then_some(priced),
        anchor: bought.anchor,
        period: Span { start: period.start, end: period.end },
        ends_at: [bought.cancel_at, grace].into_iter().flatten().min(),
        past_due_since,
    })
}

/// When the oldest invoice was issued whose payment has failed.
fn overdue_since(subscription: &str, invoices: &[Invoice]) -> Option<i64> {
    let of_it = invoices.iter().filter(|it| it.subscription.as_deref() == Some(subscription));
    let failed = of_it.filter(|it| it.status == InvoiceStatus::Open && it.is_attempted);
    failed.filter_map(|it| it.finalized_at).min()
}
