//! Billing records: what was charged, paid and given back, as it was at the time. Written once, never
//! changed, kept for 7 years (privacy policy §3.2); after an erasure without address and name.

use std::collections::HashSet;

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::stripe::{CreditNote, Invoice, Paid};
use crate::{
    dates::day,
    error::Error,
    ids::AccountId,
    inventory::{self, Table},
    plans::Plan,
    store::{Item, Store, from_item, n, s, text, to_item, unavailable},
};

/// What a record is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecordKind {
    /// An invoice was issued.
    Invoice,
    /// It was paid, in money or from the customer's balance.
    Receipt,
    /// It was withdrawn.
    Void,
    /// It was given up.
    WrittenOff,
    /// Money came in.
    Payment,
    /// Money was given back.
    Refund,
    /// A refund did not arrive and is with us again.
    RefundFailed,
    /// Money was taken back by the card's holder.
    Dispute,
    /// That was decided for us, and the money is here again.
    DisputeWon,
    /// Something was taken off an invoice. What was given back of it is a refund besides.
    CreditNote,
    /// That was withdrawn.
    CreditNoteVoid,
}

impl RecordKind {
    /// Name in storage.
    pub fn name(self) -> &'static str {
        match self {
            Self::Invoice => "invoice",
            Self::Receipt => "receipt",
            Self::Void => "void",
            Self::WrittenOff => "written-off",
            Self::Payment => "payment",
            Self::Refund => "refund",
            Self::RefundFailed => "refund-failed",
            Self::Dispute => "dispute",
            Self::DisputeWon => "dispute-won",
            Self::CreditNote => "credit-note",
            Self::CreditNoteVoid => "credit-note-void",
        }
    }

    /// What `cents` of it do to the money that is here.
    pub fn money(self, cents: i64) -> i64 {
        match self {
            Self::Payment | Self::RefundFailed | Self::DisputeWon => cents,
            Self::Refund | Self::Dispute => -cents,
            Self::Invoice | Self::Receipt | Self::Void | Self::WrittenOff => 0,
            // What of it was paid out is a refund's.
            Self::CreditNote | Self::CreditNoteVoid => 0,
        }
    }
}

/// A line of an invoice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordLine {
    /// What it is for.
    pub description: String,
    /// Negative for a credit.
    pub cents: i64,
    /// First second of the time it pays for.
    pub from: i64,
    /// First second after it.
    pub to: i64,
    /// The plan that it pays for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Plan>,
}

/// A record as it is stored (`billing-records`, `account` / `record`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Whose.
    pub account: AccountId,
    /// `2026-11-15#receipt#in_…`: the day, so that they are in order, and what makes it one.
    pub record: String,
    /// What it is of.
    pub kind: RecordKind,
    /// Stripe's id of what it is of: an invoice, a charge, a refund, a dispute.
    pub source: String,
    /// When that happened (epoch seconds).
    pub issued_at: i64,
    /// Minor units of `currency`.
    pub amount_cents: i64,
    /// Of it, taxes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax_cents: Option<i64>,
    /// What the customer's balance has paid of an invoice; negative: what was added to it by an invoice or a credit
    /// note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balance_cents: Option<i64>,
    /// What was paid for a receipt's invoice, beside the balance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paid_cents: Option<i64>,
    /// ISO 4217, lower case.
    pub currency: String,
    /// A payment's number at Stripe (`pi_…`), by which it can be redacted once its customer is deleted there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_intent: Option<String>,
    /// The invoice's number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// What it belongs to: a payment's invoice is not always known, a refund's charge is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// An invoice's lines.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<RecordLine>,
    /// Address on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Name on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub company: Option<String>,
}

/// Every record that follows from what Stripe says of a customer, in order.
pub fn records(account: &AccountId, invoices: &[Invoice], charges: &[Paid]) -> Vec<Record> {
    let mut all = Vec::new();
    for invoice in invoices {
        all.extend(of_invoice(account, invoice));
    }
    for (charge, refunds, disputes) in charges {
        let invoice = invoices.iter().find(|it| {
            charge.payment_intent.as_ref().is_some_and(|intent| it.payment_intents.contains(intent))
        });
        let new = |kind, source: &str, at, cents, of: Option<String>| Record {
            of,
            ..Record::new(account, kind, source, at, (cents, &charge.currency))
        };
        if charge.is_paid {
            let of = invoice.map(|it| it.id.clone());
            let payment = new(RecordKind::Payment, &charge.id, charge.created, charge.cents, of);
            let payment_intent = charge.payment_intent.clone();
            all.push(Record { payment_intent, ..payment });
        }
        let of = || Some(charge.id.clone());
        for refund in refunds {
            let made = |kind| new(kind, &refund.id, refund.created, refund.cents, of());
            if refund.has_failed() || refund.status == "succeeded" {
                all.push(made(RecordKind::Refund));
            }
            if refund.has_failed() {
                all.push(made(RecordKind::RefundFailed));
            }
        }
        for dispute in disputes.iter().filter(|it| it.takes_money) {
            let at = dispute.created;
            all.push(new(RecordKind::Dispute, &dispute.id, at, dispute.cents, of()));
            if dispute.is_won {
                all.push(new(RecordKind::DisputeWon, &dispute.id, at, dispute.cents, of()));
            }
        }
    }
    all.sort_by(|a, b| a.record.cmp(&b.record));
    all
}

fn of_invoice(account: &AccountId, invoice: &Invoice) -> Vec<Record> {
    let new = |kind, at: Option<i64>, cents| {
        at.map(|at| Record {
            tax_cents: Some(invoice.tax_cents),
            balance_cents: invoice.balance_cents.filter(|cents| *cents != 0),
            number: invoice.number.clone(),
            of: invoice.subscription.clone(),
            email: invoice.email.clone(),
            company: invoice.name.clone(),
            ..Record::new(account, kind, &invoice.id, at, (cents, &invoice.currency))
        })
    };
    let line = |it: &super::stripe::Line| RecordLine {
        description: it.description.clone(),
        cents: it.cents,
        from: it.period.start,
        to: it.period.end,
        plan: it.plan,
    };
    let issued = new(RecordKind::Invoice, invoice.finalized_at, invoice.total_cents)
        .map(|it| Record { lines: invoice.lines.iter().map(line).collect(), ..it });
    [
        issued,
        new(RecordKind::Receipt, invoice.paid_at, invoice.total_cents)
            .map(|it| Record { paid_cents: Some(invoice.paid_cents), ..it }),
        new(RecordKind::Void, invoice.voided_at, invoice.total_cents),
        new(RecordKind::WrittenOff, invoice.uncollectible_at, invoice.total_cents),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The records that follow from a credit note.
pub(super) fn of_credit_note(account: &AccountId, note: &CreditNote) -> Vec<Record> {
    let new = |kind, at: i64| Record {
        number: note.number.clone(),
        of: Some(note.invoice.clone()),
        balance_cents: Some(-note.to_balance_cents).filter(|cents| *cents != 0),
        ..Record::new(account, kind, &note.id, at, (note.cents, &note.currency))
    };
    let voided = note.voided_at.map(|at| new(RecordKind::CreditNoteVoid, at));
    std::iter::once(new(RecordKind::CreditNote, note.created)).chain(voided).collect()
}

impl Record {
    fn new(
        account: &AccountId,
        kind: RecordKind,
        source: &str,
        at: i64,
        (cents, currency): (i64, &str),
    ) -> Self {
        Self {
            account: account.clone(),
            record: format!("{}#{}#{source}", day(at), kind.name()),
            kind,
            source: source.to_owned(),
            issued_at: at,
            amount_cents: cents,
            tax_cents: None,
            balance_cents: None,
            paid_cents: None,
            payment_intent: None,
            currency: currency.to_owned(),
            number: None,
            of: None,
            lines: Vec::new(),
            email: None,
            company: None,
        }
    }

    /// As it is stored: with its end. `None` where that has come already: Stripe tells of invoices for longer
    /// than we keep them.
    pub fn item(&self, now: OffsetDateTime) -> Result<Option<Item>, Error> {
        let issued =
            OffsetDateTime::from_unix_timestamp(self.issued_at).map_err(Error::internal)?;
        let expiry = inventory::BILLING_RECORDS.expiry(issued, self.account.tag());
        // The daily job deletes what comes due before its next run.
        if expiry.at <= (now + Duration::days(2)).unix_timestamp() {
            return Ok(None);
        }
        let mut item = to_item(self)?;
        item.insert("expires_at".to_owned(), n(expiry.at));
        item.insert("expires_on".to_owned(), s(expiry.on));
        Ok(Some(item))
    }

    /// The plan that an invoice pays for: of the line that reaches furthest.
    pub fn plan(&self) -> Option<Plan> {
        self.lines.iter().max_by_key(|it| (it.to, it.cents))?.plan
    }
}

/// Every record of `account`, the oldest first.
pub async fn of_account(store: &Store, account: &AccountId) -> Result<Vec<Record>, Error> {
    let mut items = partition(store, account).into_paginator().items().send();
    let mut all = Vec::new();
    while let Some(item) = items.next().await {
        all.push(from_item(item.map_err(unavailable)?)?);
    }
    Ok(all)
}

/// Names of the records that `account` has.
pub(super) async fn names(store: &Store, account: &AccountId) -> Result<HashSet<String>, Error> {
    let query = partition(store, account).projection_expression("#record");
    let query = query.expression_attribute_names("#record", "record");
    let mut items = query.into_paginator().items().send();
    let mut names = HashSet::new();
    while let Some(item) = items.next().await {
        names.extend(text(&item.map_err(unavailable)?, "record").map(str::to_owned));
    }
    Ok(names)
}

/// Whether there is any record of `account`: they outlive it, and its erasure's own record.
pub async fn is_any_of(store: &Store, account: &AccountId) -> Result<bool, Error> {
    let query = partition(store, account).projection_expression("account").limit(1);
    Ok(query.send().await.map_err(unavailable)?.count > 0)
}

/// One record of `account`.
pub async fn load(
    store: &Store,
    account: &AccountId,
    record: &str,
) -> Result<Option<Record>, Error> {
    let key = [("account", account.to_string()), ("record", record.to_owned())];
    store.get(Table::BillingRecords, key).await?.map(from_item).transpose()
}

fn partition(store: &Store, account: &AccountId) -> QueryFluentBuilder {
    store
        .client()
        .query()
        .table_name(store.name(Table::BillingRecords))
        .key_condition_expression("account = :account")
        .expression_attribute_values(":account", s(account.to_string()))
        .consistent_read(true)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::billing::stripe::{Charge, Dispute, Refund};

    /// A payment with these refunds, disputed or not, and if so won or not.
    fn paid(n: usize, cents: i64, refunds: &[i64], dispute: Option<bool>) -> Paid {
        let currency = || "usd".to_owned();
        let charge = Charge {
            id: format!("ch_{n}"),
            cents,
            currency: currency(),
            created: 1_795_521_600 + n as i64,
            is_paid: true,
            is_disputed: dispute.is_some(),
            payment_intent: Some(format!("pi_{n}")),
            has_refunds: !refunds.is_empty(),
            refunds: None,
        };
        let refund = |(k, cents): (usize, &i64)| Refund {
            id: format!("re_{n}_{k}"),
            cents: *cents,
            currency: currency(),
            created: 1_795_521_700,
            status: "succeeded".to_owned(),
        };
        let dispute = dispute.map(|is_won| Dispute {
            id: format!("du_{n}"),
            cents,
            currency: currency(),
            created: 1_795_521_800,
            takes_money: true,
            is_won,
            reason: "fraudulent".to_owned(),
        });
        let refunds = refunds.iter().enumerate().map(refund).collect();
        (charge, refunds, dispute.into_iter().collect())
    }

    fn account() -> AccountId {
        "acc_4kPq9ZtR2mWx".parse().expect("an id")
    }

    fn sum(records: &[Record]) -> i64 {
        records.iter().map(|it| it.kind.money(it.amount_cents)).sum()
    }

    #[test]
    fn a_refund_that_did_not_arrive_changes_nothing_in_the_end() {
        let (charge, mut refunds, _) = paid(1, 2_000, &[700], None);
        refunds[0].status = "failed".to_owned();
        let all = records(&account(), &[], &[(charge, refunds, Vec::new())]);
        assert_eq!(all.len(), 3);
        assert_eq!(sum(&all), 2_000);
    }

    #[test]
    fn an_inquiry_moves_no_money_until_it_becomes_a_dispute() {
        let (charge, _, mut disputes) = paid(1, 2_000, &[], Some(false));
        disputes[0].takes_money = false;
        let all = records(&account(), &[], &[(charge.clone(), Vec::new(), disputes.clone())]);
        assert_eq!((all.len(), sum(&all)), (1, 2_000));
        disputes[0].takes_money = true;
        let all = records(&account(), &[], &[(charge, Vec::new(), disputes)]);
        assert_eq!((all.len(), sum(&all)), (2, 0));
    }

    proptest! {
        #[test]
        fn the_sum_of_the_records_is_the_money_at_stripe(
            all in proptest::collection::vec(
                (1i64..20_000, proptest::collection::vec(1i64..5_000, 0..3), proptest::option::of(any::<bool>())),
                0..8,
            ),
        ) {
            let (mut charges, mut money) = (Vec::new(), 0);
            for (n, (cents, refunds, dispute)) in all.iter().enumerate() {
                charges.push(paid(n, *cents, refunds, *dispute));
                money += cents - refunds.iter().sum::<i64>();
                money -= if *dispute == Some(false) { *cents } else { 0 };
            }
            let made = records(&account(), &[], &charges);
            prop_assert_eq!(sum(&made), money);
            // Each has its own name, and the order in which Stripe tells does not matter.
            let names: HashSet<_> = made.iter().map(|it| it.record.clone()).collect();
            prop_assert_eq!(names.len(), made.len());
            charges.reverse();
            prop_assert_eq!(records(&account(), &[], &charges), made);
        }
    }
}
