//! Creators who want to be left out: nobody looks up what is theirs any more.
//!
//! [`ask()`] takes an objection and mails a token, [`confirm()`] looks for the code in the creator's
//! profile, [`decide()`] is the operator's where TikTok does not let us look, [`watch()`] keeps the time.
//! [`Objections`] is what every answer about a creator goes by. An objection is withdrawn on the same
//! way.
//!
//! What is kept of one is a keyed hash of the handle. The handle itself, the address and the code are
//! there only until it is decided.

mod ask;
mod confirm;
mod decide;
mod list;
mod mails;
mod store;
mod username;
mod views;
mod watch;

use serde::{Deserialize, Serialize};
use time::Duration;
use utoipa::ToSchema;

pub use self::{
    ask::{Ask, ask},
    confirm::confirm,
    decide::{Decision, decide},
    list::{Objections, STAMP_KEY},
    store::find,
    username::Username,
    views::{ConfirmObjection, ObjectionAccepted, ObjectionRequest, ObjectionView},
    watch::{QueuedObjection, Watched, queued, watch},
};
use crate::inventory::OBJECTION_HOURS;

/// From its confirmation, an opt-out is honoured within 48 hours (privacy policy §5.4).
pub const HONOURED_WITHIN: Duration = Duration::hours(48);

/// An objection that waits so long for the operator raises an alarm: half a day before the time is up.
pub const ALARM_AFTER: Duration = Duration::hours(36);

/// How long a mailed token is valid, from the request on.
const TOKEN_VALID: Duration = Duration::hours(OBJECTION_HOURS);

/// What is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ObjectionKind {
    /// To be left out.
    #[default]
    Object,
    /// To be let in again.
    Withdraw,
}

/// Where an objection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ObjectionState {
    /// Its token has not been sent back yet.
    Unconfirmed,
    /// The profile can be read and does not hold the code yet.
    WaitingForCode,
    /// The profile cannot be read: the operator decides.
    Queued,
    /// The creator is left out.
    Active,
    /// The creator is not left out any more.
    Withdrawn,
    /// The operator could not see that it comes from the creator.
    Refused,
}

impl ObjectionKind {
    /// Where it stands when it was carried out.
    fn carried_out(self) -> ObjectionState {
        match self {
            Self::Object => ObjectionState::Active,
            Self::Withdraw => ObjectionState::Withdrawn,
        }
    }
}
