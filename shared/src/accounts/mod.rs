//! Accounts: signing up, confirming the address, and what the gate needs to know of one.

mod address;
mod sign_up;
mod store;
mod verify;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

pub use self::{
    address::EmailAddress,
    sign_up::{SignUp, SignUpAccepted, SignUpRequest, sign_up},
    store::{get, marker, own_marker},
    verify::{Verified, VerifyRequest, verify},
};
use crate::{
    ids::{AccountId, RequestId},
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
    /// Its plan.
    pub plan: Plan,
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
    /// The latest request for a copy of what is kept about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub export: Option<RequestId>,
}

impl Account {
    /// The quota period that holds `now`: the calendar month.
    pub fn period(&self, now: OffsetDateTime) -> Period {
        Period::month_of(now)
    }
}
