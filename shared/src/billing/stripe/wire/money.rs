//! Invoices and credit notes, payments, refunds and disputes.

use serde::Deserialize;

use super::{
    super::objects::{Charge, CreditNote, Dispute, Invoice, InvoiceStatus, Line, Refund},
    List, Ref,
};
use crate::{accounts::Span, plans::Plan};

#[derive(Deserialize)]
pub(in super::super) struct InvoiceWire {
    pub(super) id: String,
    number: Option<String>,
    status: String,
    /// Null for an invoice of no subscription, but there: else a renewal would be taken for one.
    #[serde(deserialize_with = "Option::deserialize")]
    parent: Option<ParentWire>,
    billing_reason: Option<String>,
    total: i64,
    total_taxes: Option<Vec<TaxWire>>,
    amount_due: Option<i64>,
    amount_paid: Option<i64>,
    starting_balance: Option<i64>,
    ending_balance: Option<i64>,
    currency: String,
    created: Option<i64>,
    status_transitions: TransitionsWire,
    attempted: Option<bool>,
    next_payment_attempt: Option<i64>,
    lines: List<LineWire>,
    customer_email: Option<String>,
    customer_name: Option<String>,
    hosted_invoice_url: Option<String>,
    invoice_pdf: Option<String>,
    payments: Option<List<PaymentWire>>,
}

#[derive(Deserialize)]
struct ParentWire {
    subscription_details: Option<DetailsWire>,
}

#[derive(Deserialize)]
struct DetailsWire {
    subscription: Ref,
}

#[derive(Deserialize)]
struct TaxWire {
    amount: i64,
}

#[derive(Deserialize)]
struct TransitionsWire {
    finalized_at: Option<i64>,
    paid_at: Option<i64>,
    voided_at: Option<i64>,
    marked_uncollectible_at: Option<i64>,
}

#[derive(Deserialize)]
struct PaymentWire {
    payment: Option<PaidWire>,
}

#[derive(Deserialize)]
struct PaidWire {
    payment_intent: Option<Ref>,
}

#[derive(Deserialize)]
pub(super) struct LineWire {
    amount: i64,
    description: Option<String>,
    period: PeriodWire,
    pricing: Option<PricingWire>,
}

#[derive(Deserialize)]
struct PeriodWire {
    start: i64,
    end: i64,
}

#[derive(Deserialize)]
struct PricingWire {
    price_details: Option<PriceDetailsWire>,
}

#[derive(Deserialize)]
struct PriceDetailsWire {
    product: Option<String>,
}

impl From<LineWire> for Line {
    fn from(it: LineWire) -> Self {
        let product = it.pricing.and_then(|it| it.price_details).and_then(|it| it.product);
        Self {
            description: it.description.unwrap_or_default(),
            cents: it.amount,
            period: Span { start: it.period.start, end: it.period.end },
            plan: product.and_then(|it| Plan::of_product(&it)),
        }
    }
}

impl InvoiceWire {
    /// Whether it has lines that it does not show.
    pub(super) fn has_more_lines(&self) -> bool {
        self.lines.has_more == Some(true)
    }

    /// The invoice; `None` where its status is none that is known here.
    pub(in super::super) fn read(self) -> Option<Invoice> {
        let status = match self.status.as_str() {
            "draft" => InvoiceStatus::Draft,
            "open" => InvoiceStatus::Open,
            "paid" => InvoiceStatus::Paid,
            "void" => InvoiceStatus::Void,
            "uncollectible" => InvoiceStatus::Uncollectible,
            _ => return None,
        };
        let payments = self.payments.into_iter().flat_map(|it| it.data);
        let balances = self.ending_balance.zip(self.starting_balance);
        let subscription = self.parent.and_then(|it| it.subscription_details);
        Some(Invoice {
            id: self.id,
            number: self.number,
            status,
            subscription: subscription.map(|it| it.subscription.id()),
            is_of_change: self.billing_reason.as_deref() == Some("subscription_update"),
            total_cents: self.total,
            tax_cents: self.total_taxes.into_iter().flatten().map(|it| it.amount).sum(),
            due_cents: self.amount_due.unwrap_or(self.total),
            paid_cents: self.amount_paid.unwrap_or_default(),
            balance_cents: balances.map(|(after, before)| after - before),
            currency: self.currency,
            created: self.created.unwrap_or_default(),
            finalized_at: self.status_transitions.finalized_at,
            paid_at: self.status_transitions.paid_at,
            voided_at: self.status_transitions.voided_at,
            uncollectible_at: self.status_transitions.marked_uncollectible_at,
            is_attempted: self.attempted.unwrap_or(false),
            next_attempt: self.next_payment_attempt,
            lines: self.lines.data.into_iter().map(Into::into).collect(),
            email: self.customer_email,
            name: self.customer_name,
            page: self.hosted_invoice_url,
            pdf: self.invoice_pdf,
            payment_intents: payments
                .filter_map(|it| it.payment?.payment_intent)
                .map(Ref::id)
                .collect(),
        })
    }
}

#[derive(Deserialize)]
pub(in super::super) struct ChargeWire {
    id: String,
    amount: i64,
    currency: String,
    created: i64,
    paid: bool,
    disputed: Option<bool>,
    payment_intent: Option<Ref>,
    amount_refunded: Option<i64>,
    refunds: Option<List<RefundWire>>,
    customer: Option<Ref>,
}

impl ChargeWire {
    /// Whose payment it is.
    pub(in super::super) fn customer(self) -> Option<String> {
        self.customer.map(Ref::id)
    }
}

impl From<ChargeWire> for Charge {
    fn from(it: ChargeWire) -> Self {
        let shown = it.refunds.as_ref().is_some_and(|refunds| !refunds.data.is_empty());
        let refunds = it.refunds.filter(|refunds| refunds.has_more == Some(false));
        Self {
            id: it.id,
            cents: it.amount,
            currency: it.currency,
            created: it.created,
            is_paid: it.paid,
            // Where the answer does not say, it is asked for.
            is_disputed: it.disputed.unwrap_or(true),
            payment_intent: it.payment_intent.map(Ref::id),
            has_refunds: shown || it.amount_refunded.is_none_or(|cents| cents > 0),
            refunds: refunds.map(|it| it.data.into_iter().map(Into::into).collect()),
        }
    }
}

#[derive(Deserialize)]
pub(in super::super) struct RefundWire {
    id: String,
    amount: i64,
    currency: String,
    created: i64,
    status: Option<String>,
}

impl From<RefundWire> for Refund {
    fn from(it: RefundWire) -> Self {
        let status = it.status.unwrap_or_default();
        Self { id: it.id, cents: it.amount, currency: it.currency, created: it.created, status }
    }
}

#[derive(Deserialize)]
pub(in super::super) struct DisputeWire {
    id: String,
    amount: i64,
    currency: String,
    created: i64,
    status: String,
    reason: Option<String>,
}

impl From<DisputeWire> for Dispute {
    fn from(it: DisputeWire) -> Self {
        Self {
            id: it.id,
            cents: it.amount,
            currency: it.currency,
            created: it.created,
            takes_money: !it.status.starts_with("warning_"),
            is_won: it.status == "won",
            reason: it.reason.unwrap_or_default(),
        }
    }
}

#[derive(Deserialize)]
pub(in super::super) struct CreditNoteWire {
    id: String,
    number: Option<String>,
    invoice: Ref,
    amount: i64,
    currency: String,
    created: i64,
    voided_at: Option<i64>,
    post_payment_amount: Option<i64>,
    out_of_band_amount: Option<i64>,
    refunds: Option<Vec<CreditedWire>>,
}

#[derive(Deserialize)]
struct CreditedWire {
    amount_refunded: Option<i64>,
}

impl From<CreditNoteWire> for CreditNote {
    fn from(it: CreditNoteWire) -> Self {
        let returned = it.refunds.into_iter().flatten().filter_map(|it| it.amount_refunded);
        let returned: i64 = returned.chain(it.out_of_band_amount).sum();
        Self {
            id: it.id,
            number: it.number,
            invoice: it.invoice.id(),
            cents: it.amount,
            to_balance_cents: it.post_payment_amount.unwrap_or_default() - returned,
            currency: it.currency,
            created: it.created,
            voided_at: it.voided_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn an_invoice_with_nothing_but_what_is_read_is_read() {
        let invoice = json!({
            "id": "in_1", "status": "paid", "parent": null, "total": 2_000, "currency": "usd",
            "status_transitions": { "finalized_at": 1, "paid_at": 2 },
            "lines": { "data": [{ "amount": 2_000, "period": { "start": 1, "end": 3 } }] },
            "starting_balance": -500, "ending_balance": 0,
        });
        let read = |it: Value| serde_json::from_value::<InvoiceWire>(it).ok()?.read();
        let found = read(invoice.clone()).expect("it is read");
        assert_eq!((found.total_cents, found.balance_cents), (2_000, Some(500)));
        assert_eq!((found.paid_at, found.lines[0].period.end), (Some(2), 3));
        // What a record says must be there.
        for field in ["status", "parent", "total", "currency", "status_transitions", "lines"] {
            let mut without = invoice.clone();
            without.as_object_mut().expect("an object").remove(field);
            assert!(read(without).is_none(), "{field}");
        }
    }

    #[test]
    fn a_credit_note_says_what_went_to_the_balance() {
        let note = |more: Value| {
            let mut it = json!({
                "id": "cn_1", "invoice": "in_1", "amount": 700, "currency": "usd", "created": 5,
            });
            it.as_object_mut().expect("an object").extend(more.as_object().cloned().expect("one"));
            CreditNote::from(serde_json::from_value::<CreditNoteWire>(it).expect("read"))
        };
        assert_eq!(note(json!({ "pre_payment_amount": 700 })).to_balance_cents, 0);
        assert_eq!(note(json!({ "post_payment_amount": 700 })).to_balance_cents, 700);
        let partly = json!({ "post_payment_amount": 700, "refunds": [{ "amount_refunded": 300 }] });
        assert_eq!(note(partly).to_balance_cents, 400);
    }
}
