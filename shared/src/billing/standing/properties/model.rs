//! A model of Stripe with one customer, and of what is written down of it here.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use stripe_shared::SubscriptionStatus;

use crate::{
    accounts::{Account, EmailAddress, Span, Status},
    billing::{
        AtStripe, GRACE_DAYS,
        stripe::{Bought, Charge, Dispute, Invoice, InvoiceStatus, Line, Refund},
        sync::past_period,
    },
    dates::at,
    ids::AccountId,
    plans::{Period, Plan},
};

const HOUR: i64 = 3_600;
pub(super) const DAY: i64 = 24 * HOUR;
const START: i64 = 1_795_521_600;

/// What happens.
#[derive(Clone, Debug)]
pub(super) enum Act {
    /// Hours pass.
    Wait(i64),
    /// The plan is to be this one.
    Change(usize),
    /// The card pays from now on, or is declined, or must be confirmed.
    Card(u8),
    /// What waits to be confirmed is.
    Confirm,
    /// The latest payment is given back whole, and what it paid for is ended; or it is only given back.
    Refund(bool),
    /// The bank takes the latest payment back, or gives it back to us.
    Dispute,
    Win,
    /// The operator stops collecting payments, or goes on.
    Pause,
}

pub(super) fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (1_i64..40 * 24).prop_map(Act::Wait),
        4 => (0_i64..30).prop_map(Act::Wait),
        8 => (0_usize..4).prop_map(Act::Change),
        3 => (0_u8..3).prop_map(Act::Card),
        2 => Just(Act::Confirm),
        1 => any::<bool>().prop_map(Act::Refund),
        1 => Just(Act::Dispute),
        1 => Just(Act::Win),
        1 => Just(Act::Pause),
    ]
}

/// A model of Stripe with one subscription, and what is written down of it here.
pub(super) struct Model {
    pub(super) now: i64,
    pub(super) stripe: AtStripe,
    card: u8,
    /// A larger plan that waits: its invoice.
    waits: Option<usize>,
    /// When an invoice is tried again.
    retry: Option<(usize, i64)>,
    pub(super) account: Account,
    /// The periods that have had requests, each with what paid for it.
    pub(super) backed: BTreeMap<i64, BTreeSet<String>>,
    pub(super) money: i64,
}

impl Model {
    pub(super) fn new() -> Self {
        let bought = Bought {
            id: "sub_1".to_owned(),
            status: SubscriptionStatus::Canceled,
            plan: None,
            item: None,
            cents: None,
            currency: "usd".to_owned(),
            period: None,
            anchor: START,
            cancel_at: None,
            keep: None,
            keep_price: None,
            price: None,
            is_monthly: true,
            is_uncollected: false,
            pending: None,
            latest_invoice: None,
            last_change: None,
            created: START,
            ended_at: None,
        };
        let mut model = Self {
            now: START,
            stripe: AtStripe { subscriptions: vec![bought], ..AtStripe::default() },
            card: 0,
            waits: None,
            retry: None,
            account: account(),
            backed: BTreeMap::new(),
            money: 0,
        };
        model.buy(Plan::Basic);
        model
    }

    fn bought(&mut self) -> &mut Bought {
        self.stripe.subscriptions.last_mut().expect("one")
    }

    fn is_running(&self) -> bool {
        self.stripe.subscriptions.last().is_some_and(Bought::is_open)
    }

    /// A checkout: a new subscription, whose first period is paid at once.
    fn buy(&mut self, plan: Plan) {
        let (now, n) = (self.now, self.stripe.subscriptions.len());
        let period = month(now, now);
        let new = Bought {
            id: format!("sub_{}", n + 1),
            status: SubscriptionStatus::Active,
            plan: Some(plan),
            period: Some(period),
            anchor: now,
            cancel_at: None,
            keep: None,
            is_uncollected: false,
            created: now,
            ended_at: None,
            ..self.bought().clone()
        };
        self.stripe.subscriptions.push(new);
        let invoice = self.invoice(plan, period, 0);
        self.pay(invoice);
        self.hear();
    }

    /// Issues an invoice for the period, less `credit`.
    fn invoice(&mut self, plan: Plan, period: Span, credit: i64) -> usize {
        let (n, now) = (self.stripe.invoices.len(), self.now);
        let subscription = self.bought().id.clone();
        let price = plan.cents_per_month();
        let line = |cents| Line { description: String::new(), cents, period, plan: Some(plan) };
        let total = price - credit;
        self.stripe.invoices.push(Invoice {
            id: format!("in_{n}"),
            number: None,
            status: InvoiceStatus::Open,
            subscription: Some(subscription),
            is_of_change: credit > 0,
            total_cents: total,
            tax_cents: 0,
            due_cents: total,
            paid_cents: 0,
            balance_cents: None,
            currency: "usd".to_owned(),
            created: now,
            finalized_at: Some(now),
            paid_at: None,
            voided_at: None,
            uncollectible_at: None,
            is_attempted: true,
            next_attempt: None,
            lines: vec![line(price), line(-credit)],
            email: None,
            name: None,
            page: None,
            pdf: None,
            payment_intents: vec![format!("pi_{n}")],
        });
        n
    }

    fn pay(&mut self, n: usize) {
        let now = self.now;
        let invoice = &mut self.stripe.invoices[n];
        invoice.status = InvoiceStatus::Paid;
        invoice.paid_at = Some(now);
        invoice.paid_cents = invoice.due_cents;
        self.money += invoice.due_cents;
        let charge = Charge {
            id: format!("ch_{n}"),
            cents: invoice.due_cents,
            currency: "usd".to_owned(),
            created: now,
            is_paid: true,
            is_disputed: false,
            payment_intent: Some(format!("pi_{n}")),
            has_refunds: false,
            refunds: None,
        };
        self.stripe.charges.push((charge, Vec::new(), Vec::new()));
    }

    fn void(&mut self, n: usize) {
        let now = self.now;
        let invoice = &mut self.stripe.invoices[n];
        if invoice.status == InvoiceStatus::Open {
            invoice.status = InvoiceStatus::Void;
            invoice.voided_at = Some(now);
        }
    }

    fn end(&mut self) {
        let now = self.now;
        if let Some(waits) = self.waits.take() {
            self.void(waits);
        }
        if let Some((n, _)) = self.retry.take() {
            self.void(n);
        }
        let bought = self.bought();
        (bought.status, bought.pending) = (SubscriptionStatus::Canceled, None);
        bought.ended_at = Some(now);
    }

    /// What `sync` writes down.
    fn hear(&mut self) {
        let standing = self.stripe.standing();
        let bought = &self.stripe.subscriptions;
        if let Some(past) = past_period(&self.account, standing.as_ref(), bought, at(self.now)) {
            self.account.past_period = Some(past);
        }
        self.account.subscription = standing;
    }

    pub(super) fn act(&mut self, act: &Act, is_heard: bool) {
        match act {
            Act::Wait(hours) => {
                let until = self.now + hours * HOUR;
                while let Some(due) = self.next_due().filter(|due| *due <= until) {
                    // Just before it happens, and before it is heard of.
                    self.now = due - 1;
                    self.check();
                    self.now = due;
                    self.run_due();
                    self.check();
                    if is_heard {
                        self.hear();
                        self.check();
                    }
                }
                self.now = until;
            }
            Act::Change(to) if !self.is_running() => {
                let plan = Plan::ALL[*to];
                if plan != Plan::Free && self.card != 1 {
                    self.buy(plan);
                }
            }
            Act::Change(to) => self.change(Plan::ALL[*to]),
            Act::Card(card) => self.card = *card,
            Act::Confirm => self.confirm(),
            Act::Refund(ends) => self.refund(*ends),
            Act::Dispute => self.dispute(),
            Act::Win => {
                let won = self.stripe.charges.iter_mut().flat_map(|it| &mut it.2);
                for dispute in won.filter(|it| !it.is_won) {
                    dispute.is_won = true;
                    self.money += dispute.cents;
                }
            }
            Act::Pause => {
                let bought = self.bought();
                bought.is_uncollected = !bought.is_uncollected && bought.is_open();
            }
        }
        // Whatever is asked for here is read back at once, and what is done at Stripe is told of.
        if !matches!(act, Act::Wait(_)) || is_heard {
            self.hear();
        }
    }

    fn next_due(&mut self) -> Option<i64> {
        if !self.is_running() {
            return None;
        }
        let grace = self.account.subscription.as_ref().and_then(|it| it.past_due_since);
        let grace = grace.map(|it| it + GRACE_DAYS * DAY);
        let retry = self.retry.map(|it| it.1);
        let bought = self.bought();
        let pending = bought.pending.map(|it| it.1);
        let period = bought.period.map(|it| it.end);
        let now = self.now;
        [grace, retry, pending, period].into_iter().flatten().filter(|it| *it > now).min()
    }

    fn run_due(&mut self) {
        let now = self.now;
        let since = self.account.subscription.as_ref().and_then(|it| it.past_due_since);
        if since.is_some_and(|it| now >= it + GRACE_DAYS * DAY) {
            return self.end();
        }
        if self.bought().pending.is_some_and(|it| now >= it.1) {
            self.bought().pending = None;
            if let Some(n) = self.waits.take() {
                self.void(n);
            }
        }
        if let Some((n, _)) = self.retry.filter(|it| now >= it.1) {
            self.collect(n);
        }
        let Some(period) = self.bought().period.filter(|it| now >= it.end) else { return };
        if self.bought().cancel_at.is_some() {
            return self.end();
        }
        let bought = self.bought();
        let plan = bought.plan.expect("a plan");
        let next = month(bought.anchor, period.end);
        (bought.period, bought.keep) = (Some(next), None);
        let n = self.invoice(plan, next, 0);
        if self.bought().is_uncollected {
            self.void(n);
        } else {
            // A draft for an hour.
            let invoice = &mut self.stripe.invoices[n];
            (invoice.status, invoice.is_attempted) = (InvoiceStatus::Draft, false);
            invoice.finalized_at = None;
            self.retry = Some((n, now + HOUR));
        }
    }

    fn collect(&mut self, n: usize) {
        let now = self.now;
        let invoice = &mut self.stripe.invoices[n];
        (invoice.status, invoice.is_attempted) = (InvoiceStatus::Open, true);
        invoice.finalized_at = invoice.finalized_at.or(Some(now));
        if self.card == 0 {
            self.pay(n);
            self.retry = None;
            self.bought().status = SubscriptionStatus::Active;
        } else {
            self.retry = Some((n, now + 3 * DAY));
            self.bought().status = SubscriptionStatus::PastDue;
        }
    }

    /// What `change_plan` has Stripe do.
    fn change(&mut self, target: Plan) {
        let Some(standing) = self.stripe.standing() else { return };
        let (paid, next) = (standing.plan, standing.next_plan);
        let is_past_due = standing.past_due_since.is_some();
        let period = self.bought().period.expect("a period");
        if target != Plan::Free && (is_past_due || self.bought().is_uncollected) {
            return;
        }
        if self.bought().pending.is_some_and(|it| it.0 == target) {
            return;
        }
        let is_larger = target.cents_per_month() > paid.cents_per_month();
        if is_larger && !standing.is_paid_at(at(self.now)) {
            return;
        }
        if let Some(n) = self.waits.take() {
            self.void(n);
            self.bought().pending = None;
        }
        let ends = self.bought().cancel_at.is_some();
        if target == Plan::Free {
            self.bought().cancel_at = Some(period.end);
        } else if target.cents_per_month() <= paid.cents_per_month() {
            let bought = self.bought();
            (bought.cancel_at, bought.plan) = (None, Some(target));
            bought.keep = (target != paid).then_some((paid, period.end));
        } else {
            let now = self.now;
            let rest = paid.cents_per_month() * (period.end - now) / (period.end - period.start);
            let new = month(now, now);
            match self.card {
                0 => {
                    let n = self.invoice(target, new, rest);
                    self.pay(n);
                    self.raised(target, new);
                }
                2 if next.is_none() && !ends => {
                    let n = self.invoice(target, new, rest);
                    self.waits = Some(n);
                    self.bought().pending = Some((target, period.end.min(now + 23 * HOUR)));
                }
                _ => {}
            }
        }
    }

    fn raised(&mut self, plan: Plan, period: Span) {
        let bought = self.bought();
        (bought.plan, bought.period, bought.anchor) = (Some(plan), Some(period), period.start);
        (bought.cancel_at, bought.keep, bought.pending) = (None, None, None);
    }

    fn confirm(&mut self) {
        if let (Some(n), Some((plan, _))) = (self.waits.take(), self.bought().pending) {
            let period = self.stripe.invoices[n].lines[0].period;
            self.pay(n);
            self.raised(plan, period);
        }
    }

    fn refund(&mut self, ends: bool) {
        let n = self.stripe.charges.len();
        let Some((charge, refunds, disputes)) = self.stripe.charges.last_mut() else { return };
        if !refunds.is_empty() || disputes.iter().any(|it| !it.is_won) {
            return;
        }
        let cents = charge.cents;
        charge.has_refunds = true;
        refunds.push(Refund {
            id: format!("re_{n}"),
            cents,
            currency: "usd".to_owned(),
            created: self.now,
            status: "succeeded".to_owned(),
        });
        self.money -= cents;
        if ends && self.is_running() {
            self.end();
        }
    }

    fn dispute(&mut self) {
        let n = self.stripe.charges.len();
        let Some((charge, refunds, disputes)) = self.stripe.charges.last_mut() else { return };
        if charge.is_disputed || !refunds.is_empty() {
            return;
        }
        charge.is_disputed = true;
        disputes.push(Dispute {
            id: format!("du_{n}"),
            cents: charge.cents,
            currency: "usd".to_owned(),
            created: self.now,
            takes_money: true,
            is_won: false,
            reason: "fraudulent".to_owned(),
        });
        self.money -= charge.cents;
    }
}

pub(super) fn month(anchor: i64, now: i64) -> Span {
    Span::of(&Period::billed_month_of(at(anchor), at(now)))
}

fn account() -> Account {
    Account {
        id: AccountId::from_tag("Example00001").expect("an id"),
        email: EmailAddress::parse("ada@example.com").expect("an address"),
        email_hash: "0".to_owned(),
        company: None,
        plan: Plan::Free,
        customer: Some("cus_1".to_owned()),
        mail_stopped: None,
        mail_confirmed_at: None,
        past_customers: Vec::new(),
        subscription: None,
        past_period: None,
        billing_version: 0,
        status: Status::Active,
        status_untold: false,
        created_at: 0,
        policy_version: "1.0".to_owned(),
        policy_accepted_at: 0,
        marketing_consent_at: None,
        gate_version: 1,
        key_count: 0,
        erasure: None,
        export: None,
    }
}
