//! What we read of Stripe's objects: only what billing goes by. Amounts are in minor units, times in epoch
//! seconds. `Debug` shows no personal data.

use std::fmt;

use stripe_shared::SubscriptionStatus;

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
    /// What of the total the customer's balance has paid, where that is known. Negative: added to it.
    pub balance_cents: Option<i64>,
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
    /// All that was given back of it, where the answer has said all.
    pub refunds: Option<Vec<Refund>>,
}

/// What was taken off an invoice after it was issued.
#[derive(Clone, Debug)]
pub struct CreditNote {
    /// `cn_…`
    pub id: String,
    /// The number that the customer knows.
    pub number: Option<String>,
    /// The invoice (`in_…`).
    pub invoice: String,
    /// How much, with taxes.
    pub cents: i64,
    /// What of it went to the customer's balance. The rest was not paid yet, or was given back.
    pub to_balance_cents: i64,
    /// ISO 4217, lower case.
    pub currency: String,
    /// When.
    pub created: i64,
    /// When it was withdrawn.
    pub voided_at: Option<i64>,
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

/// A payment, with what was given back of it and what is disputed.
pub type Paid = (Charge, Vec<Refund>, Vec<Dispute>);
