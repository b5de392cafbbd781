//! Billing: what is bought, what was paid, and what follows from it.
//!
//! Stripe is the one source of what a customer has bought. An event of Stripe's says only that something has
//! changed: [`sync()`] then reads the customer's state back and writes down what follows, so that events may
//! come twice, late or out of order. Card data never comes near us.

mod attempt;
mod change;
mod checkout;
mod close;
mod decide;
mod dunning;
mod event;
pub mod events;
mod invoices;
mod key_changes;
mod mails;
mod money;
mod queue;
pub mod reconcile;
pub mod record;
mod refund;
mod refund_payment;
pub mod standing;
pub mod stripe;
mod sync;
pub mod task;
mod told;
mod views;
mod work;

pub use self::{
    attempt::Attempt,
    change::change_plan,
    checkout::start_checkout,
    close::{last_payment, stop, stop_open, stop_renewals},
    decide::{Decided, Decision, decide},
    dunning::MAIL_DAYS,
    event::StripeEvent,
    invoices::{
        InvoiceDetail, InvoiceLine, InvoiceList, InvoiceState, InvoiceView, invoice, list_invoices,
    },
    key_changes::{KeyChange, telling_of_key},
    money::shown,
    queue::{HEAVY_USE, Queue, QueuedFlag, QueuedRefund, REFUND_ALARM_AFTER, Waiting, queue},
    refund::{RefundList, RefundView, Share, refunds_of, request_refund, share},
    refund_payment::CHAIN,
    stripe::Stripe,
    sync::{AtStripe, Synced, sync, sync_account},
    views::{
        BillingView, CheckoutView, PendingView, PlanList, PlanRequest, PlanView, PortalView, Price,
        SubscriptionState, SubscriptionView,
    },
    work::{Worked, work, work_on},
};

/// Days after a failed payment in which the plan goes on: Stripe tries again meanwhile, and mails tell.
pub const GRACE_DAYS: i64 = 14;

/// Why something about billing cannot be done. The messages are shown and say what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BillingError {
    /// The operator has not set Stripe up.
    #[error("plans cannot be bought here yet: the operator has not set up payment")]
    NotEnabled,
    /// The bank said no.
    #[error(
        "the card was declined and nothing has changed: change the card at POST /v1/billing/portal, then try again"
    )]
    CardDeclined,
    /// The bank wants the card's holder to confirm the payment, and that cannot be waited for.
    #[error(
        "the card's bank wants this payment confirmed, which cannot be waited for while another plan or the \
         end is to come: ask for the present plan first, then for the larger one"
    )]
    MustConfirm,
    /// A change that waited for its payment was given up.
    #[error(
        "the payment for this change was not confirmed in time and nothing has changed: ask for it again, \
         with a new `Idempotency-Key` if you send one"
    )]
    NotConfirmed,
    /// The operator has changed the subscription at Stripe.
    #[error(
        "this subscription has been arranged by hand (it is paid by the year, for example, or its payments \
         are paused): it can be ended here or at POST /v1/billing/portal, and only the operator can change it"
    )]
    ByHand,
    /// There is a subscription already.
    #[error("there is a subscription already: change its plan at POST /v1/billing/plan")]
    AlreadySubscribed,
    /// There is none.
    #[error("there is no subscription: buy a plan at POST /v1/billing/checkout")]
    NotSubscribed,
    /// It is the plan that there is.
    #[error("this is the plan already")]
    SamePlan,
    /// A payment is overdue.
    #[error(
        "a payment is overdue: make it at the `pay_url` of GET /v1/billing, or change the card at \
         POST /v1/billing/portal, first"
    )]
    PastDue,
    /// The present period, whose rest a larger plan would credit, is not paid.
    #[error(
        "this period is not paid yet: a renewal is charged within two hours, and the larger plan can be had \
         from then on; if its payment was taken back, write to support"
    )]
    PeriodNotPaid,
    /// Stripe makes no more invoices of the subscription for now.
    #[error("the plan was changed too often within a day: nothing has changed, try again tomorrow")]
    TooManyChanges,
    /// Nothing can be given back any more.
    #[error("a refund can be asked for until 14 days after the first purchase")]
    RefundOver,
}
