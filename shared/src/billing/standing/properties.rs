//! Whatever is bought, changed, paid, not paid and taken back in whatever order: what is available at any moment
//! is no more than what was paid for it, or of a period that is not paid yet the share of the grace.

mod model;

use proptest::prelude::*;

use self::model::{Act, DAY, Model, act, month};
use crate::{
    billing::{
        GRACE_DAYS,
        record::RecordKind,
        stripe::{Invoice, InvoiceStatus},
    },
    dates::at,
    plans::Plan,
};

impl Model {
    /// What is available now against what was paid for it, and what was credited against what was paid.
    fn check(&mut self) {
        self.check_credits();
        let now = at(self.now);
        let (quota, period) = (self.account.quota_at(now), self.account.period(now));
        assert!(period.start <= now && now < period.end, "{period:?} does not hold {now}");
        if quota == Plan::Free.requests_per_period() && self.account.plan_at(now) == Plan::Free {
            return;
        }
        let start = period.start.unix_timestamp();
        let paid: Vec<&Invoice> =
            self.stripe.invoices.iter().filter(|it| self.pays_for(it, start)).collect();
        let worth = |it: &&Invoice| {
            let plan = it.lines[0].plan.expect("a plan");
            plan.requests_per_period() * it.lines[0].cents.unsigned_abs()
                / plan.cents_per_month().unsigned_abs()
        };
        if let Some(invoice) = paid.iter().find(|it| worth(it) >= quota) {
            let backed = self.backed.entry(start).or_default();
            backed.insert(invoice.id.clone());
            // What was paid once is available in one period.
            let uses = self.backed.values().filter(|it| it.contains(&invoice.id)).count();
            assert_eq!(uses, 1, "{} pays for {uses} periods", invoice.id);
            return;
        }
        // The share of a renewal that is not paid, until the grace is over.
        let plan = self.account.plan_at(now);
        let whole = month(self.account.subscription.as_ref().expect("one").anchor, start);
        let share = plan.requests_per_period() * (GRACE_DAYS * DAY).unsigned_abs()
            / (whole.end - whole.start).unsigned_abs();
        assert!(quota <= share, "{quota} of {plan:?} at {now}, paid by {paid:?}");
    }

    /// Only the rest of a period that is paid is credited.
    fn check_credits(&self) {
        let all = &self.stripe.invoices;
        for (n, credit) in all.iter().enumerate().filter(|(_, it)| it.lines[1].cents < 0) {
            let at = credit.created;
            let is_of_then = |it: &&Invoice| {
                let period = it.lines[0].period;
                let is_given_up = it.is_of_change && it.paid_at.is_none_or(|paid| paid > at);
                it.subscription == credit.subscription
                    && !is_given_up
                    && (period.start..period.end).contains(&at)
            };
            let of_then =
                all[..n].iter().filter(is_of_then).max_by_key(|it| it.lines[0].period.start);
            let of_then = of_then.expect("the invoice of the period that was credited");
            let is_paid =
                of_then.paid_at.is_some_and(|paid| paid <= at) && self.left_before(of_then, at) > 0;
            assert!(is_paid, "{} credits {} before that is paid", credit.id, of_then.id);
        }
    }

    /// Whether the invoice is paid, its money is here still, and it is for this period.
    fn pays_for(&self, invoice: &Invoice, start: i64) -> bool {
        let left = self.left_before(invoice, self.now + 1);
        invoice.status == InvoiceStatus::Paid && left > 0 && invoice.lines[0].period.start == start
    }

    /// What was left of the invoice's payment just before this moment.
    fn left_before(&self, invoice: &Invoice, at: i64) -> i64 {
        let intent = &invoice.payment_intents[0];
        let charges = self.stripe.charges.iter();
        let of_it = charges.filter(|(it, ..)| it.payment_intent.as_ref() == Some(intent));
        let left = of_it.map(|(charge, refunds, disputes)| {
            let back = refunds.iter().filter(|it| it.created < at).map(|it| it.cents);
            let taken = disputes.iter().filter(|it| it.created < at && !it.is_won);
            charge.cents - back.sum::<i64>() - taken.map(|it| it.cents).sum::<i64>()
        });
        left.sum()
    }
}

/// Found by the property: Basic is bought, an hour later raised to Pro and that lowered again. Pro's month is February
/// and ends an hour before Basic's would have, whose rest was credited.
#[test]
fn what_was_credited_pays_for_no_later_period() {
    let mut model = Model::new();
    for (act, is_heard) in [
        (Act::Refund(true), true),
        (Act::Wait(1_571), true),
        (Act::Change(1), true),
        (Act::Wait(1), true),
        (Act::Change(2), true),
        (Act::Change(1), true),
        (Act::Wait(720), true),
    ] {
        model.act(&act, is_heard);
        model.check();
    }
    assert_eq!(model.account.quota_at(at(model.now)), 1_000 * 14 / 29);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_more_is_available_than_was_paid_for(
        acts in prop::collection::vec((act(), prop::bool::weighted(0.8)), 1..40),
    ) {
        let mut model = Model::new();
        model.check();
        for (act, is_heard) in &acts {
            model.act(act, *is_heard);
            model.check();
        }
        // The sums are Stripe's.
        let records = model.stripe.records(&model.account.id);
        let money: i64 = records.iter().map(|it| it.kind.money(it.amount_cents)).sum();
        prop_assert_eq!(money, model.money);
        let receipts = records.iter().filter(|it| it.kind == RecordKind::Receipt);
        let paid: i64 = model.stripe.invoices.iter().map(|it| it.paid_cents).sum();
        prop_assert_eq!(receipts.map(|it| it.amount_cents).sum::<i64>(), paid);
    }
}
