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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DAY: i64 = 24 * 60 * 60;

    fn bought(id: &str, status: SubscriptionStatus, plan: Plan) -> Bought {
        Bought {
            id: id.to_owned(),
            status,
            plan: Some(plan),
            item: Some(format!("si_{id}")),
            cents: Some(plan.cents_per_month()),
            currency: "usd".to_owned(),
            period: Some(Span { start: 100 * DAY, end: 130 * DAY }),
            anchor: 100 * DAY,
            cancel_at: None,
            keep: None,
            created: 100 * DAY,
            ended_at: None,
            last_change: None,
        }
    }

    fn overdue(subscription: &str, at: i64) -> Invoice {
        Invoice {
            id: format!("in_{at}"),
            number: None,
            status: InvoiceStatus::Open,
            subscription: Some(subscription.to_owned()),
            total_cents: 2_000,
            tax_cents: 0,
            due_cents: 2_000,
            paid_cents: 0,
            balance_cents: None,
            currency: "usd".to_owned(),
            created: at,
            finalized_at: Some(at),
            paid_at: None,
            voided_at: None,
            uncollectible_at: None,
            is_attempted: true,
            next_attempt: None,
            lines: Vec::new(),
            email: None,
            name: None,
            page: None,
            pdf: None,
            payment_intents: Vec::new(),
        }
    }

    #[test]
    fn only_what_is_paid_or_may_still_be_paid_entitles() {
        use SubscriptionStatus::{
            Active, Canceled, Incomplete, IncompleteExpired, PastDue, Paused, Trialing, Unpaid,
        };
        for status in [Active, Trialing, PastDue] {
            assert_eq!(
                standing(&[bought("a", status, Plan::Pro)], &[]).map(|it| it.plan),
                Some(Plan::Pro)
            );
        }
        for status in [Canceled, Incomplete, IncompleteExpired, Paused, Unpaid] {
            assert_eq!(standing(&[bought("a", status, Plan::Pro)], &[]), None);
        }
        let foreign = Bought { plan: None, ..bought("a", Active, Plan::Pro) };
        assert_eq!(standing(&[foreign], &[]), None);
    }

    #[test]
    fn a_payment_that_fails_leaves_the_plan_for_the_grace_and_no_longer() {
        let it = bought("a", SubscriptionStatus::PastDue, Plan::Pro);
        // The oldest counts, of this subscription.
        let invoices = [overdue("a", 110 * DAY), overdue("a", 101 * DAY), overdue("b", 90 * DAY)];
        let found = standing(&[it], &invoices).expect("still entitled");
        assert_eq!(found.past_due_since, Some(101 * DAY));
        assert_eq!(found.ends_at, Some((101 + GRACE_DAYS) * DAY));
    }

    #[test]
    fn a_smaller_plan_waits_for_the_period_that_was_paid_for() {
        let mut it = bought("a", SubscriptionStatus::Active, Plan::Basic);
        it.keep = Some((Plan::Pro, 130 * DAY));
        let found = standing(std::slice::from_ref(&it), &[]).expect("entitled");
        assert_eq!((found.plan, found.next_plan), (Plan::Pro, Some(Plan::Basic)));
        it.period = Some(Span { start: 130 * DAY, end: 160 * DAY });
        let found = standing(&[it], &[]).expect("entitled");
        assert_eq!((found.plan, found.next_plan), (Plan::Basic, None));
    }

    proptest! {
        #[test]
        fn the_order_in_which_stripe_tells_does_not_matter(
            statuses in proptest::collection::vec((0usize..4, 1usize..4, 0i64..3), 1..6),
            seed in any::<u64>(),
        ) {
            use SubscriptionStatus::{Active, Canceled, PastDue, Unpaid};
            let mut all: Vec<_> = statuses
                .iter()
                .enumerate()
                .map(|(n, (status, plan, created))| Bought {
                    created: *created,
                    ..bought(
                        &format!("sub_{n}"),
                        [Active, PastDue, Canceled, Unpaid][*status].clone(),
                        Plan::ALL[*plan],
                    )
                })
                .collect();
            let found = standing(&all, &[]);
            let by = seed as usize % all.len();
            all.rotate_left(by);
            prop_assert_eq!(&standing(&all, &[]), &found);
            all.reverse();
            prop_assert_eq!(standing(&all, &[]), found);
        }
    }
}
