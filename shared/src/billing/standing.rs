//! What follows from Stripe's state: which plan, which period, until when. Nothing here asks anybody.

use stripe_shared::SubscriptionStatus;

use super::{
    GRACE_DAYS,
    stripe::{Bought, Invoice, InvoiceStatus},
};
use crate::{
    accounts::{Pending, Span, Subscription},
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
    let paid_to = paid_to(bought, plan, invoices);
    // Whatever becomes of the invoices while payments are not collected: what was paid for goes on to its end,
    // and nothing after it.
    let uncollected = match paid_to {
        _ if !bought.is_uncollected => None,
        Some(end) if end > period.start => Some(end),
        _ => return None,
    };
    let pay_page = match bought.pending {
        Some(_) => bought.latest_invoice.as_deref().and_then(|id| page(invoices, id)),
        None if past_due_since.is_some() => unpaid(&bought.id, invoices)
            .max_by_key(|it| it.finalized_at)
            .and_then(|it| it.page.clone()),
        None => None,
    };
    Some(Subscription {
        id: bought.id.clone(),
        plan,
        next_plan: (plan != priced).then_some(priced),
        anchor: bought.anchor,
        period: Span { start: period.start, end: period.end },
        ends_at: [bought.cancel_at, grace, uncollected].into_iter().flatten().min(),
        past_due_since,
        paid_to: Some(paid_to.unwrap_or(period.start)),
        pending: bought.pending.map(|(plan, until)| Pending { plan, until }),
        pay_page,
    })
}

/// As far as the lines of its settled invoices reach that are for the plan, or for a larger one. A new cycle ends
/// what was paid before it: the rest of that was credited.
fn paid_to(bought: &Bought, plan: Plan, invoices: &[Invoice]) -> Option<i64> {
    let is_enough = |it: &Plan| rank(*it) >= rank(plan);
    let is_cut = |it: Span| it.start < bought.anchor && bought.anchor < it.end;
    let of_it = invoices.iter().filter(|it| it.subscription.as_deref() == Some(bought.id.as_str()));
    let settled = of_it.filter(|it| it.status == InvoiceStatus::Paid);
    let lines = settled.flat_map(|it| &it.lines).filter(|it| it.cents >= 0 && !is_cut(it.period));
    let lines = lines.filter(|it| it.plan.as_ref().is_some_and(is_enough));
    lines.map(|it| it.period.end).max()
}

fn page(invoices: &[Invoice], id: &str) -> Option<String> {
    invoices.iter().find(|it| it.id == id)?.page.clone()
}

/// When the oldest invoice was issued whose payment has failed.
fn overdue_since(subscription: &str, invoices: &[Invoice]) -> Option<i64> {
    unpaid(subscription, invoices).filter_map(|it| it.finalized_at).min()
}

/// Invoices of it whose payment has failed.
fn unpaid<'a>(subscription: &'a str, invoices: &'a [Invoice]) -> impl Iterator<Item = &'a Invoice> {
    let of_it = move |it: &&Invoice| it.subscription.as_deref() == Some(subscription);
    invoices.iter().filter(of_it).filter(|it| it.status == InvoiceStatus::Open && it.is_attempted)
}

#[cfg(test)]
mod properties;

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::billing::stripe::Line;

    const DAY: i64 = 24 * 60 * 60;

    pub(in crate::billing) fn bought(id: &str, status: SubscriptionStatus, plan: Plan) -> Bought {
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
            keep_price: None,
            price: Some(format!("price_{}", plan.name())),
            is_monthly: true,
            is_uncollected: false,
            pending: None,
            latest_invoice: None,
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
            is_of_change: false,
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

    /// A settled invoice of it, for this time.
    fn settled(subscription: &str, plan: Plan, cents: i64, period: Span) -> Invoice {
        let line = |cents| Line { description: String::new(), cents, period, plan: Some(plan) };
        Invoice {
            status: InvoiceStatus::Paid,
            lines: vec![line(cents), line(-1)],
            ..overdue(subscription, period.start)
        }
    }

    #[test]
    fn it_is_paid_for_as_far_as_its_settled_invoices_reach() {
        let it = [bought("a", SubscriptionStatus::Active, Plan::Pro)];
        let span = |start, end| Span { start: start * DAY, end: end * DAY };
        let paid_to = |invoices: &[Invoice]| {
            standing(&it, invoices).and_then(|it| it.paid_to).expect("known") / DAY
        };
        assert_eq!(paid_to(&[]), 100);
        let mut all = vec![settled("a", Plan::Pro, 2_000, span(70, 100))];
        assert_eq!(paid_to(&all), 100);
        all.push(settled("b", Plan::Pro, 2_000, span(100, 130)));
        all.push(settled("a", Plan::Pro, -2_000, span(100, 130)));
        all.push(settled("a", Plan::Basic, 500, span(100, 125)));
        all.push(settled("a", Plan::Pro, 2_000, span(95, 125)));
        all.push(overdue("a", 100 * DAY));
        assert_eq!(
            paid_to(&all),
            100,
            "another's, a credit, a smaller plan's, one that was cut off, an open one"
        );
        all.push(settled("a", Plan::Pro, 2_000, span(100, 130)));
        assert_eq!(paid_to(&all), 130);
    }

    #[test]
    fn what_is_not_collected_goes_on_as_long_as_it_was_paid_for() {
        let mut it = bought("a", SubscriptionStatus::Active, Plan::Pro);
        it.is_uncollected = true;
        assert_eq!(standing(std::slice::from_ref(&it), &[]), None);
        let period = Span { start: 100 * DAY, end: 130 * DAY };
        let paid = [settled("a", Plan::Pro, 2_000, period)];
        let found = standing(std::slice::from_ref(&it), &paid).expect("paid for");
        assert_eq!(found.ends_at, Some(130 * DAY));
        it.period = Some(Span { start: 130 * DAY, end: 160 * DAY });
        assert_eq!(standing(std::slice::from_ref(&it), &paid), None);
        it.is_uncollected = false;
        assert!(standing(&[it], &paid).is_some());
    }

    #[test]
    fn what_waits_for_its_payment_changes_nothing_and_says_where() {
        let mut it = bought("a", SubscriptionStatus::Active, Plan::Basic);
        it.pending = Some((Plan::Pro, 101 * DAY));
        it.latest_invoice = Some(format!("in_{}", 100 * DAY));
        let page = Some("https://invoice.stripe.com/i/1".to_owned());
        let open = Invoice { page: page.clone(), ..overdue("a", 100 * DAY) };
        let found = standing(&[it], &[open]).expect("entitled");
        assert_eq!((found.plan, found.past_due_since), (Plan::Basic, None));
        assert_eq!(found.pending, Some(Pending { plan: Plan::Pro, until: 101 * DAY }));
        assert_eq!(found.pay_page, page);
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
