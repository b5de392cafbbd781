//! What we read of Stripe's objects: only what billing goes by. Amounts are in minor units, times in epoch
//! seconds. `Debug` shows no personal data.

use std::{collections::HashMap, fmt};

use stripe_shared::{
    InvoiceBillingReason, InvoiceStatus as StripeInvoiceStatus, RecurringInterval,
    SubscriptionStatus,
};

use crate::{accounts::Span, plans::Plan};

/// Metadata on a customer and a subscription: whose it is.
pub const ACCOUNT: &str = "account";

/// Metadata of a checkout: the price that it was opened for.
pub(super) const PRICE: &str = "price";
/// Metadata on a subscription with a smaller plan to come: the plan that is still paid for…
pub const KEEP_PLAN: &str = "keep_plan";
/// …and until when (epoch seconds).
pub const KEEP_UNTIL: &str = "keep_until";
/// …and the id of the price at which it was bought.
pub const KEEP_PRICE: &str = "keep_price";
/// Metadata on a subscription: the idempotency key of the last change, by which a repeated one is known.
pub const LAST_CHANGE: &str = "last_change";

/// A customer that is not deleted.
#[derive(Clone)]
pub struct Customer {
    /// `cus_…`
    pub id: String,
    /// Whose it is.
    pub account: Option<String>,
    /// Where Stripe would write to.
    pub email: Option<String>,
    /// When it was made.
    pub created: i64,
}

impl fmt::Debug for Customer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Customer").field("id", &self.id).finish_non_exhaustive()
    }
}

impl From<stripe_shared::Customer> for Customer {
    fn from(it: stripe_shared::Customer) -> Self {
        let account = it.metadata.and_then(|mut metadata| metadata.remove(ACCOUNT));
        Self { id: it.id.to_string(), account, email: it.email, created: it.created }
    }
}

/// A subscription in any state.
#[derive(Clone, Debug)]
pub struct Bought {
    /// `sub_…`
    pub id: String,
    /// Where it stands.
    pub status: SubscriptionStatus,
    /// The plan of its price; `None`: a price that is not ours.
    pub plan: Option<Plan>,
    /// Its one item.
    pub item: Option<String>,
    /// Price of a month.
    pub cents: Option<i64>,
    /// ISO 4217, lower case.
    pub currency: String,
    /// The present billing period.
    pub period: Option<Span>,
    /// From where months are counted.
    pub anchor: i64,
    /// When it ends by itself.
    pub cancel_at: Option<i64>,
    /// The plan that is still paid for, and until when.
    pub keep: Option<(Plan, i64)>,
    /// The price that it was bought at.
    pub keep_price: Option<String>,
    /// The id of the price that it has now.
    pub price: Option<String>,
    /// Whether a month is what is paid for each time.
    pub is_monthly: bool,
    /// Whether its payments are not collected (`pause_collection`): the operator has switched that on.
    pub is_uncollected: bool,
    /// The plan that waits for its payment, and until when it may.
    pub pending: Option<(Plan, i64)>,
    /// Its newest invoice; that of the plan that waits, if one does.
    pub latest_invoice: Option<String>,
    /// The idempotency key of the last change that was asked for here.
    pub last_change: Option<String>,
    /// When it was made.
    pub created: i64,
    /// When it ended.
    pub ended_at: Option<i64>,
}

impl Bought {
    /// Whether it still runs, entitling to something or not: such a one must be ended before the customer
    /// is.
    pub fn is_open(&self) -> bool {
        !matches!(self.status, SubscriptionStatus::Canceled | SubscriptionStatus::IncompleteExpired)
    }
}

impl From<stripe_shared::Subscription> for Bought {
    fn from(it: stripe_shared::Subscription) -> Self {
        let item = it.items.data.into_iter().next();
        let period = item
            .as_ref()
            .map(|item| Span { start: item.current_period_start, end: item.current_period_end });
        let ends = it.cancel_at_period_end.then(|| period.map(|it| it.end)).flatten();
        let keep = |metadata: &HashMap<String, String>| {
            let plan = Plan::from_name(metadata.get(KEEP_PLAN)?)?;
            Some((plan, metadata.get(KEEP_UNTIL)?.parse().ok()?))
        };
        let plan_of =
            |it: &stripe_shared::SubscriptionItem| Plan::of_product(it.price.product.id().as_str());
        let is_monthly = |it: &stripe_shared::Recurring| {
            it.interval == RecurringInterval::Month && it.interval_count == 1
        };
        let pending = it.pending_update.and_then(|it| {
            let plan = it.subscription_items?.first().and_then(plan_of)?;
            Some((plan, it.expires_at))
        });
        Self {
            id: it.id.to_string(),
            status: it.status,
            plan: item.as_ref().and_then(plan_of),
            price: item.as_ref().map(|it| it.price.id.to_string()),
            is_monthly: item
                .as_ref()
                .and_then(|it| it.price.recurring.as_ref())
                .is_some_and(is_monthly),
            is_uncollected: it.pause_collection.is_some(),
            pending,
            latest_invoice: it.latest_invoice.and_then(|it| it.into_id()).map(|it| it.to_string()),
            cents: item.as_ref().and_then(|it| it.price.unit_amount),
            currency: it.currency.to_string(),
            item: item.map(|it| it.id.to_string()),
            period,
            anchor: it.billing_cycle_anchor,
            cancel_at: it.cancel_at.or(ends),
            keep: keep(&it.metadata),
            keep_price: it.metadata.get(KEEP_PRICE).cloned(),
            last_change: it.metadata.get(LAST_CHANGE).cloned(),
            created: it.created,
            ended_at: it.ended_at,
        }
    }
}

/// Where an invoice stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvoiceStatus {
    /// Not issued yet.
    Draft,
    /// Issued and not paid.
    Open,
    /// Paid, in money or from the customer's balance.
    Paid,
    /// Withdrawn.
    Void,
    /// Given up.
    Uncollectible,
}

/// A line of an invoice.
#[derive(Clone, Debug)]
pub struct Line {
    /// What it is for.
    pub description: String,
    /// Negative for a credit.
    pub cents: i64,
    /// The time it pays for.
    pub period: Span,
    /// The plan that it pays for.
    pub plan: Option<Plan>,
}

/// An invoice.
#[derive(Clone)]
pub struct Invoice {
    /// `in_…`
    pub id: String,
    /// The number that the customer knows; a draft has none.
    pub number: Option<String>,
    /// Where it stands.
    pub status: InvoiceStatus,
    /// The subscription that it is of.
    pub subscription: Option<String>,
    /// Whether it is of a change of that in the middle of a period.
    pub is_of_change: bool,
    /// Sum of the lines with tax, less discounts. Negative for a credit.
    pub total_cents: i64,
    /// Of it, taxes.
    pub tax_cents: i64,
    /// To be paid, after the customer's balance.
    pub due_cents: i64,
    /// Paid.
    pub paid_cents: i64,
    /// ISO 4217, lower case.
    pub currency: String,
    /// When it was made.
    pub created: i64,
    /// When it was issued.
    pub finalized_at: Option<i64>,
    /// When it was paid.
    pub paid_at: Option<i64>,
    /// When it was withdrawn.
    pub voided_at: Option<i64>,
    /// When it was given up.
    pub uncollectible_at: Option<i64>,
    /// Whether a payment was tried.
    pub is_attempted: bool,
    /// When the next payment is tried.
    pub next_attempt: Option<i64>,
    /// Its lines.
    pub lines: Vec<Line>,
    /// Address on it.
    pub email: Option<String>,
    /// Name on it.
    pub name: Option<String>,
    /// Page where it can be looked at and paid.
    pub page: Option<String>,
    /// As a file.
    pub pdf: Option<String>,
    /// Payments of it (`pi_…`); only where the request expanded them.
    pub payment_intents: Vec<String>,
}

impl fmt::Debug for Invoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut it = f.debug_struct("Invoice");
        it.field("id", &self.id).field("status", &self.status);
        it.field("total_cents", &self.total_cents).finish_non_exhaustive()
    }
}

impl Invoice {
    /// What Stripe calls an invoice; `None` for one that has no id (a preview).
    pub(super) fn read(it: stripe_shared::Invoice) -> Option<Self> {
        let status = match it.status? {
            StripeInvoiceStatus::Draft => InvoiceStatus::Draft,
            StripeInvoiceStatus::Open => InvoiceStatus::Open,
            StripeInvoiceStatus::Paid => InvoiceStatus::Paid,
            StripeInvoiceStatus::Void => InvoiceStatus::Void,
            StripeInvoiceStatus::Uncollectible => InvoiceStatus::Uncollectible,
            _ => return None,
        };
        let subscription = it.parent.and_then(|it| it.subscription_details);
        let line = |it: stripe_shared::InvoiceLineItem| Line {
            description: it.description.unwrap_or_default(),
            cents: it.amount,
            period: Span { start: it.period.start, end: it.period.end },
            plan: it
                .pricing
                .and_then(|it| it.price_details)
                .and_then(|it| Plan::of_product(&it.product)),
        };
        let intent = |it: stripe_shared::InvoicePayment| {
            it.payment.payment_intent.map(|intent| intent.into_id().to_string())
        };
        Some(Self {
            id: it.id?.to_string(),
            number: it.number,
            status,
            subscription: subscription.map(|it| it.subscription.into_id().to_string()),
            is_of_change: it.billing_reason == Some(InvoiceBillingReason::SubscriptionUpdate),
            total_cents: it.total,
            tax_cents: it.total_taxes.iter().flatten().map(|it| it.amount).sum(),
            due_cents: it.amount_due,
            paid_cents: it.amount_paid,
            currency: it.currency.to_string(),
            created: it.created,
            finalized_at: it.status_transitions.finalized_at,
            paid_at: it.status_transitions.paid_at,
            voided_at: it.status_transitions.voided_at,
            uncollectible_at: it.status_transitions.marked_uncollectible_at,
            is_attempted: it.attempted,
            next_attempt: it.next_payment_attempt,
            lines: it.lines.data.into_iter().map(line).collect(),
            email: it.customer_email,
            name: it.customer_name,
            page: it.hosted_invoice_url,
            pdf: it.invoice_pdf,
            payment_intents: it
                .payments
                .into_iter()
                .flat_map(|it| it.data)
                .filter_map(intent)
                .collect(),
        })
    }
}

/// A payment, tried or done.
#[derive(Clone, Debug)]
pub struct Charge {
    /// `ch_…`
    pub id: String,
    /// What was asked for.
    pub cents: i64,
    /// ISO 4217, lower case.
    pub currency: String,
    /// When it was tried.
    pub created: i64,
    /// Whether it was paid.
    pub is_paid: bool,
    /// Whether the card's holder has disputed it.
    pub is_disputed: bool,
    /// The payment that it is a try of (`pi_…`).
    pub payment_intent: Option<String>,
    /// Whether anything was ever given back of it, what has failed since included.
    pub has_refunds: bool,
}

impl From<stripe_shared::Charge> for Charge {
    fn from(it: stripe_shared::Charge) -> Self {
        Self {
            id: it.id.to_string(),
            cents: it.amount,
            currency: it.currency.to_string(),
            created: it.created,
            is_paid: it.paid,
            is_disputed: it.disputed,
            payment_intent: it.payment_intent.map(|it| it.into_id().to_string()),
            has_refunds: it.amount_refunded > 0
                || it.refunds.is_some_and(|refunds| !refunds.data.is_empty()),
        }
    }
}

/// Money given back.
#[derive(Clone, Debug)]
pub struct Refund {
    /// `re_…`
    pub id: String,
    /// How much.
    pub cents: i64,
    /// ISO 4217, lower case.
    pub currency: String,
    /// When.
    pub created: i64,
    /// `pending`, `succeeded`, `failed`, `canceled` or `requires_action`.
    pub status: String,
}

impl Refund {
    /// Whether the money has not reached its owner, or has come back from there.
    pub fn has_failed(&self) -> bool {
        matches!(self.status.as_str(), "failed" | "canceled")
    }
}

impl From<stripe_shared::Refund> for Refund {
    fn from(it: stripe_shared::Refund) -> Self {
        Self {
            id: it.id.to_string(),
            cents: it.amount,
            currency: it.currency.to_string(),
            created: it.created,
            status: it.status.unwrap_or_default(),
        }
    }
}

/// A payment that the card's holder disputes.
#[derive(Clone, Debug)]
pub struct Dispute {
    /// `du_…`
    pub id: String,
    /// How much.
    pub cents: i64,
    /// ISO 4217, lower case.
    pub currency: String,
    /// When it was opened.
    pub created: i64,
    /// Whether the money is taken away until it is decided. A bank's inquiry takes none
    /// (docs.stripe.com/disputes/how-disputes-work).
    pub takes_money: bool,
    /// Whether it was decided for us, so that the money is back.
    pub is_won: bool,
    /// The network's word for why: `fraudulent`, for example.
    pub reason: String,
}

impl From<stripe_shared::Dispute> for Dispute {
    fn from(it: stripe_shared::Dispute) -> Self {
        use stripe_shared::DisputeStatus as Status;
        Self {
            id: it.id.to_string(),
            cents: it.amount,
            currency: it.currency.to_string(),
            created: it.created,
            takes_money: !matches!(
                it.status,
                Status::WarningNeedsResponse | Status::WarningUnderReview | Status::WarningClosed
            ),
            is_won: it.status == Status::Won,
            reason: it.reason,
        }
    }
}
