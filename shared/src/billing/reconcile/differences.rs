//! In what an account differs from what Stripe says. Nothing here asks anybody.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    accounts::{Account, Subscription},
    billing::record::{Record, RecordKind},
};

/// A kind of difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Difference {
    /// One has a subscription that the other does not have.
    Subscription,
    /// The plan, the next one, or the one that waits for its payment.
    Plan,
    /// The billing period.
    Period,
    /// When it ends, since when a payment is overdue, or until when it is paid for.
    End,
    /// A record is missing here.
    RecordMissing,
    /// Stripe does not know of a record.
    RecordUnknown,
    /// A record says something else than Stripe.
    Amount,
    /// The money that came in, less what went out.
    Money,
    /// More than one running subscription.
    SeveralSubscriptions,
    /// The payments of a subscription are not collected.
    CollectionPaused,
    /// There is no such customer at Stripe.
    CustomerMissing,
}

impl Difference {
    /// Name of its metric.
    pub(super) fn metric(self) -> &'static str {
        match self {
            Self::Subscription => "BillingDiffersInSubscription",
            Self::Plan => "BillingDiffersInPlan",
            Self::Period => "BillingDiffersInPeriod",
            Self::End => "BillingDiffersInEnd",
            Self::RecordMissing => "BillingRecordMissing",
            Self::RecordUnknown => "BillingRecordUnknown",
            Self::Amount => "BillingDiffersInAmount",
            Self::Money => "BillingDiffersInMoney",
            Self::SeveralSubscriptions => "BillingSeveralSubscriptions",
            Self::CollectionPaused => "BillingCollectionPaused",
            Self::CustomerMissing => "BillingCustomerMissing",
        }
    }
}

/// What follows from what Stripe says of a customer.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    /// Whether there is such a customer.
    pub has_customer: bool,
    /// What it is entitled to.
    pub standing: Option<Subscription>,
    /// Its running subscriptions.
    pub live: usize,
    /// Whether the payments of one are not collected.
    pub is_uncollected: bool,
    /// Its records.
    pub records: Vec<Record>,
    /// Ids of what was not understood of that which Stripe says of it; empty where there is not even an id.
    pub unreadable: Vec<String>,
}

/// In what `account` and its `records` differ from what is expected, each kind once.
pub fn differences(account: &Account, records: &[Record], expected: &Expected) -> Vec<Difference> {
    if !expected.has_customer {
        // Of a customer who is gone there is nothing to compare with.
        return vec![Difference::CustomerMissing];
    }
    let mut found = Vec::new();
    match (&account.subscription, &expected.standing) {
        (None, None) => {}
        (Some(here), Some(there)) => found.extend(of_subscription(here, there)),
        _ => found.push(Difference::Subscription),
    }
    let mut of_records = of_records(records, &expected.records);
    // What was not understood is not missing.
    if !expected.unreadable.is_empty() {
        of_records.retain(|it| !matches!(it, Difference::RecordUnknown | Difference::Money));
        // Invoices and payments say until when it is paid.
        found.retain(|it| *it != Difference::End);
    }
    if expected.unreadable.iter().any(|it| it.is_empty() || it.starts_with("sub_")) {
        found.clear();
    }
    found.extend(of_records);
    if expected.live > 1 {
        found.push(Difference::SeveralSubscriptions);
    }
    if expected.is_uncollected {
        found.push(Difference::CollectionPaused);
    }
    found.sort_unstable();
    found.dedup();
    found
}

fn of_subscription(here: &Subscription, there: &Subscription) -> Vec<Difference> {
    let plans = |it: &Subscription| (it.plan, it.next_plan, it.pending);
    let periods = |it: &Subscription| (it.period.start, it.period.end, it.anchor);
    let ends = |it: &Subscription| (it.ends_at, it.past_due_since, it.paid_to);
    let differs = [
        (here.id != there.id, Difference::Subscription),
        (plans(here) != plans(there), Difference::Plan),
        (periods(here) != periods(there), Difference::Period),
        (ends(here) != ends(there), Difference::End),
    ];
    differs.into_iter().filter(|it| it.0).map(|it| it.1).collect()
}

fn of_records(here: &[Record], there: &[Record]) -> Vec<Difference> {
    let by_name = |all: &[Record]| -> BTreeMap<String, Record> {
        all.iter().map(|it| (it.record.clone(), it.clone())).collect()
    };
    let (ours, theirs) = (by_name(here), by_name(there));
    let mut found = Vec::new();
    for (name, their) in &theirs {
        match ours.get(name) {
            None => found.push(Difference::RecordMissing),
            Some(our) if figures(our) != figures(their) || !agree_on_payment(our, their) => {
                found.push(Difference::Amount);
            }
            Some(_) => {}
        }
    }
    if ours.keys().any(|it| !theirs.contains_key(it)) {
        found.push(Difference::RecordUnknown);
    }
    if money(here) != money(there) {
        found.push(Difference::Money);
    }
    found
}

/// What must be the same. Address and name on an invoice are what they were when it was written down.
fn figures(it: &Record) -> (RecordKind, &str, i64, i64, Option<i64>, &str) {
    (it.kind, &it.source, it.issued_at, it.amount_cents, it.tax_cents, &it.currency)
}

/// Whether both say the same of what was paid and what the balance did. Older records say nothing of it.
fn agree_on_payment(our: &Record, their: &Record) -> bool {
    let agree = |ours: Option<i64>, theirs: Option<i64>| ours.is_none() || ours == theirs;
    our.paid_cents.is_none()
        || agree(our.paid_cents, their.paid_cents) && agree(our.balance_cents, their.balance_cents)
}

/// The money that is here by these records, by currency.
fn money(records: &[Record]) -> BTreeMap<&str, i64> {
    let mut sums = BTreeMap::new();
    for record in records {
        let cents = record.kind.money(record.amount_cents);
        // A currency in which nothing came or went is as good as none.
        if cents != 0 {
            *sums.entry(record.currency.as_str()).or_default() += cents;
        }
    }
    sums
}
