//! What Stripe keeps. Amounts are in the smallest unit of their currency, instants in Unix seconds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub(super) type Metadata = BTreeMap<String, String>;

/// A card that a person could type in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Card {
    /// 4242 4242 4242 4242: every charge succeeds.
    Good,
    /// 4000 0000 0000 0002: every charge is declined, and it cannot be attached in a form.
    Declined,
    /// 4000 0000 0000 0341: pays at the checkout, and every later charge is declined.
    FailsLater,
    /// 4000 0027 6000 3184: its holder must confirm each payment with the bank (3-D Secure), so it pays
    /// where a person is: at the checkout and on an invoice's page.
    MustConfirm,
    /// 000123456789: an account at a bank, debited days later. Only where the checkout takes more than cards.
    BankDebit,
}

impl Card {
    /// The card with this number; blanks do not matter.
    pub fn from_number(number: &str) -> Option<Self> {
        let digits: String = number.chars().filter(|it| !it.is_whitespace()).collect();
        match digits.as_str() {
            "4242424242424242" => Some(Self::Good),
            "4000000000000002" => Some(Self::Declined),
            "4000000000000341" => Some(Self::FailsLater),
            "4000002760003184" => Some(Self::MustConfirm),
            "000123456789" => Some(Self::BankDebit),
            _ => None,
        }
    }

    pub(super) fn last4(self) -> &'static str {
        match self {
            Self::Good => "4242",
            Self::Declined => "0002",
            Self::FailsLater => "0341",
            Self::MustConfirm => "3184",
            Self::BankDebit => "6789",
        }
    }

    pub(super) fn can_be_attached(self) -> bool {
        self != Self::Declined
    }

    /// Whether it pays where nobody is there to confirm.
    pub(super) fn pays(self) -> bool {
        self == Self::Good
    }

    pub(super) fn must_confirm(self) -> bool {
        self == Self::MustConfirm
    }
}

/// How often a price is paid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Interval {
    #[default]
    Month,
    Year,
}

impl Interval {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Month => "month",
            Self::Year => "year",
        }
    }

    pub(super) fn months(self) -> i32 {
        match self {
            Self::Month => 1,
            Self::Year => 12,
        }
    }
}

/// What becomes of a subscription when the last retry of a payment has failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum AfterRetries {
    /// It stays `past_due`.
    #[default]
    LeavePastDue,
    /// It is cancelled.
    Cancel,
    /// It becomes `unpaid`.
    MarkUnpaid,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Customer {
    pub(super) id: String,
    pub(super) created: i64,
    pub(super) email: Option<String>,
    pub(super) name: Option<String>,
    pub(super) metadata: Metadata,
    /// Below zero: credit, which the next invoices use up. Above: owed, added to the next invoice.
    pub(super) balance: i64,
    /// Of the address that was collected at a checkout.
    #[serde(default)]
    pub(super) country: Option<String>,
    pub(super) is_deleted: bool,
    pub(super) card: Option<Card>,
    pub(super) payment_method: Option<String>,
    /// What its invoice numbers begin with.
    pub(super) invoice_prefix: String,
    pub(super) next_invoice: u32,
    /// Lines that wait for the next invoice.
    pub(super) pending: Vec<Line>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Product {
    pub(super) id: String,
    pub(super) created: i64,
    pub(super) name: String,
    pub(super) description: Option<String>,
    pub(super) is_active: bool,
    pub(super) metadata: Metadata,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Price {
    pub(super) id: String,
    pub(super) created: i64,
    pub(super) product: String,
    pub(super) currency: String,
    pub(super) unit_amount: i64,
    #[serde(default)]
    pub(super) interval: Interval,
    pub(super) lookup_key: Option<String>,
    /// Whether tax comes on top of it; `None`: nobody has said.
    #[serde(default)]
    pub(super) is_exclusive: Option<bool>,
    pub(super) nickname: Option<String>,
    pub(super) is_active: bool,
    pub(super) metadata: Metadata,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum SessionStatus {
    Open,
    Complete,
    Expired,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Session {
    pub(super) id: String,
    pub(super) created: i64,
    pub(super) expires_at: i64,
    pub(super) status: SessionStatus,
    pub(super) customer: Option<String>,
    pub(super) customer_email: Option<String>,
    pub(super) price: String,
    pub(super) quantity: i64,
    pub(super) success_url: String,
    pub(super) cancel_url: Option<String>,
    pub(super) client_reference_id: Option<String>,
    pub(super) metadata: Metadata,
    pub(super) subscription_metadata: Metadata,
    pub(super) trial_days: Option<i64>,
    /// Whether taxes are computed, of it and of the subscription that it becomes.
    #[serde(default)]
    pub(super) is_taxed: bool,
    /// Whether only cards are taken.
    #[serde(default)]
    pub(super) only_cards: bool,
    pub(super) missing_payment_method: MissingPaymentMethod,
    pub(super) subscription: Option<String>,
    pub(super) invoice: Option<String>,
}

/// What happens when a trial ends and there is no card.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum MissingPaymentMethod {
    #[default]
    CreateInvoice,
    Cancel,
    Pause,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct PortalSession {
    pub(super) id: String,
    pub(super) created: i64,
    pub(super) customer: String,
    pub(super) return_url: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum SubscriptionStatus {
    Trialing,
    Active,
    PastDue,
    Unpaid,
    Paused,
    Canceled,
}

impl SubscriptionStatus {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Trialing => "trialing",
            Self::Active => "active",
            Self::PastDue => "past_due",
            Self::Unpaid => "unpaid",
            Self::Paused => "paused",
            Self::Canceled => "canceled",
        }
    }
}

/// What becomes of invoices while payments are not collected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PauseBehavior {
    /// They stay drafts.
    KeepAsDraft,
    /// They are given up.
    MarkUncollectible,
    /// They are withdrawn.
    Void,
}

/// A change that is made once its invoice is paid.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct PendingUpdate {
    pub(super) invoice: String,
    pub(super) expires_at: i64,
    pub(super) price: String,
    pub(super) quantity: i64,
    /// Of a cycle that begins anew.
    pub(super) anchor: Option<i64>,
    pub(super) period: (i64, i64),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Subscription {
    pub(super) id: String,
    pub(super) created: i64,
    pub(super) customer: String,
    pub(super) status: SubscriptionStatus,
    pub(super) item: String,
    pub(super) price: String,
    pub(super) quantity: i64,
    pub(super) anchor: i64,
    pub(super) period_start: i64,
    pub(super) period_end: i64,
    pub(super) cancel_at_period_end: bool,
    pub(super) canceled_at: Option<i64>,
    pub(super) ended_at: Option<i64>,
    pub(super) cancel_reason: Option<String>,
    pub(super) metadata: Metadata,
    pub(super) latest_invoice: Option<String>,
    pub(super) trial_start: Option<i64>,
    pub(super) trial_end: Option<i64>,
    pub(super) missing_payment_method: MissingPaymentMethod,
    /// Whether the end of the trial has been announced.
    pub(super) is_trial_end_announced: bool,
    pub(super) pause_collection: Option<PauseBehavior>,
    #[serde(default)]
    pub(super) pending_update: Option<PendingUpdate>,
    pub(super) is_taxed: bool,
}

impl Subscription {
    pub(super) fn is_over(&self) -> bool {
        self.status == SubscriptionStatus::Canceled
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum InvoiceStatus {
    Draft,
    Open,
    Paid,
    Void,
    Uncollectible,
}

impl InvoiceStatus {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Open => "open",
            Self::Paid => "paid",
            Self::Void => "void",
            Self::Uncollectible => "uncollectible",
        }
    }
}

/// Why an invoice was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum BillingReason {
    Create,
    Cycle,
    Update,
    /// Asked for on its own: at a cancellation.
    Manual,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Line {
    pub(super) id: String,
    pub(super) amount: i64,
    /// On top of it.
    #[serde(default)]
    pub(super) tax: i64,
    pub(super) description: String,
    pub(super) start: i64,
    pub(super) end: i64,
    pub(super) price: String,
    pub(super) quantity: i64,
    pub(super) subscription: String,
    pub(super) subscription_item: String,
    /// Of a proration: the invoice item that it comes from.
    pub(super) invoice_item: Option<String>,
}

impl Line {
    pub(super) fn gross(&self) -> i64 {
        self.amount + self.tax
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Invoice {
    pub(super) id: String,
    pub(super) created: i64,
    pub(super) number: Option<String>,
    pub(super) customer: String,
    pub(super) customer_email: Option<String>,
    pub(super) customer_name: Option<String>,
    pub(super) subscription: Option<String>,
    pub(super) currency: String,
    pub(super) status: InvoiceStatus,
    pub(super) reason: BillingReason,
    pub(super) period_start: i64,
    pub(super) period_end: i64,
    pub(super) lines: Vec<Line>,
    pub(super) starting_balance: i64,
    pub(super) ending_balance: Option<i64>,
    pub(super) amount_due: i64,
    pub(super) amount_paid: i64,
    pub(super) attempt_count: u32,
    /// How many attempts have failed of those that happen by themselves.
    pub(super) retries: usize,
    pub(super) next_payment_attempt: Option<i64>,
    /// Of a draft: when it is finalized by itself.
    pub(super) finalizes_at: Option<i64>,
    pub(super) finalized_at: Option<i64>,
    pub(super) paid_at: Option<i64>,
    pub(super) voided_at: Option<i64>,
    pub(super) uncollectible_at: Option<i64>,
    pub(super) payment: Option<String>,
    pub(super) payment_intent: Option<String>,
}

impl Invoice {
    pub(super) fn total(&self) -> i64 {
        self.lines.iter().map(Line::gross).sum()
    }

    pub(super) fn tax(&self) -> i64 {
        self.lines.iter().map(|line| line.tax).sum()
    }

    pub(super) fn remaining(&self) -> i64 {
        self.amount_due - self.amount_paid
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct PaymentIntent {
    pub(super) id: String,
    pub(super) created: i64,
    pub(super) customer: String,
    pub(super) amount: i64,
    pub(super) currency: String,
    pub(super) is_paid: bool,
    /// Whether its holder has to confirm it.
    #[serde(default)]
    pub(super) must_confirm: bool,
    pub(super) latest_charge: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Charge {
    pub(super) id: String,
    pub(super) created: i64,
    pub(super) customer: String,
    pub(super) payment_intent: String,
    pub(super) amount: i64,
    pub(super) amount_refunded: i64,
    pub(super) currency: String,
    pub(super) is_paid: bool,
    pub(super) is_disputed: bool,
    pub(super) card: Card,
    pub(super) email: Option<String>,
    pub(super) name: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Refund {
    pub(super) id: String,
    pub(super) created: i64,
    pub(super) charge: String,
    pub(super) payment_intent: String,
    pub(super) amount: i64,
    pub(super) currency: String,
    pub(super) reason: Option<String>,
    pub(super) metadata: Metadata,
    #[serde(default)]
    pub(super) has_failed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum DisputeStatus {
    /// The bank only asks; no money moves.
    Inquiry,
    InquiryClosed,
    NeedsResponse,
    Won,
    Lost,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Dispute {
    pub(super) id: String,
    pub(super) created: i64,
    pub(super) charge: String,
    pub(super) payment_intent: String,
    pub(super) amount: i64,
    pub(super) currency: String,
    pub(super) status: DisputeStatus,
}
