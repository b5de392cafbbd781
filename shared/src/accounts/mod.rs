//! Accounts: signing up, confirming the address, and what the gate needs to know of one.

mod address;
mod network;
mod recover;
mod sign_up;
mod status;
mod store;
mod subscription;
mod verify;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

pub(crate) use self::store::{
    confirm_mail_again, owner, set_customer_again, set_status_again, stop_mail, stop_mail_again,
};
pub use self::{
    address::EmailAddress,
    recover::{RecoverRequest, Recovered, recover},
    sign_up::{SignUp, SignUpAccepted, SignUpRequest, sign_up},
    status::{Set, set_status},
    store::{get, get_many, marker, own_marker, set_customer},
    subscription::{PastPeriod, Pending, Span, Subscription},
    verify::{Verified, VerifyRequest, verify},
};
use crate::{
    dates::at,
    ids::{AccountId, RequestId},
    mail::MailStop,
    plans::{Period, Plan},
};

/// Version of the privacy policy that a sign-up accepts.
pub const POLICY_VERSION: &str = "1.0";

/// Whether an account is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Served.
    Active,
    /// Not served, by the operator's decision.
    Suspended,
    /// Not served any more: it is being erased.
    Erasing,
}

impl Status {
    /// Name in storage and in the gate.
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Erasing => "erasing",
        }
    }

    /// Whether requests go through.
    pub fn is_served(self) -> bool {
        self == Self::Active
    }
}

/// An account as it is stored (`accounts`, `id`).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// Where mail goes.
    pub email: EmailAddress,
    /// Keyed hash of the address, by which it is found.
    pub email_hash: String,
    /// Company, if given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub company: Option<String>,
    /// The plan that it has without a subscription: free, unless the operator grants another one.
    pub plan: Plan,
    /// Its id as a customer of Stripe, once it has been to the checkout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<String>,
    /// Those that it was before and that were deleted there: what they paid is there still.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub past_customers: Vec<String>,
    /// What it has bought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscription: Option<Subscription>,
    /// The paid period before the present one, or the last one there was: leases of it are still
    /// credited to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub past_period: Option<PastPeriod>,
    /// Counts up whenever what Stripe says has been written down: who has read before that reads again.
    #[serde(default)]
    pub billing_version: u64,
    /// Whether it is served.
    pub status: Status,
    /// Epoch seconds.
    pub created_at: i64,
    /// The policy that was accepted.
    pub policy_version: String,
    /// When (epoch seconds).
    pub policy_accepted_at: i64,
    /// When consent to marketing was given (epoch seconds); absent without consent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub marketing_consent_at: Option<i64>,
    /// Counts up with every change that the gate must know: keys, plan, status.
    pub gate_version: u64,
    /// Live keys.
    pub key_count: u64,
    /// The request to erase it, while one is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erasure: Option<RequestId>,
    /// Whether the customer is still to be told of the status.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub status_untold: bool,
    /// The latest request for a copy of what is kept about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub export: Option<RequestId>,
    /// That its address refuses mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mail_stopped: Option<MailStop>,
    /// When its address was last confirmed again (epoch seconds).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mail_confirmed_at: Option<i64>,
}

impl Account {
    /// The plan at `now`: of the subscription, as long as it lasts.
    pub fn plan_at(&self, now: OffsetDateTime) -> Plan {
        self.subscription.as_ref().and_then(|it| it.plan_at(now)).unwrap_or(self.plan)
    }

    /// The quota period that holds `now`: the one that was paid for, else the calendar month.
    pub fn period(&self, now: OffsetDateTime) -> Period {
        let paid = self.subscription.as_ref().and_then(|it| it.period_at(now));
        let past = || self.past_period_of(now).map(|it| it.span.period());
        paid.unwrap_or_else(|| {
            let mut period = past().unwrap_or_else(|| Period::month_of(now));
            // A request from just before what was bought: the gate must not go on with its period.
            let begins = self.subscription.as_ref().map(|it| at(it.period.start));
            if let Some(begins) = begins.filter(|it| now < *it) {
                period.end = period.end.min(begins);
            }
            period
        })
    }

    /// Metered requests of the quota period that holds `now` (see [`Account::period`]): what has been paid
    /// for, else what the plan without a subscription has.
    pub fn quota_at(&self, now: OffsetDateTime) -> u64 {
        let paid = self.subscription.as_ref().and_then(|it| it.quota_at(now));
        let past = || self.past_period_of(now).and_then(|it| it.quota);
        paid.or_else(past).unwrap_or_else(|| self.plan.requests_per_period())
    }

    fn past_period_of(&self, now: OffsetDateTime) -> Option<PastPeriod> {
        let period = self.past_period.map(|it| it.span.period());
        self.past_period.filter(|_| period.is_some_and(|it| it.start <= now && now < it.end))
    }
}
