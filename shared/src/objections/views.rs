//! What callers send and see. None of it tells whether a handle or an address is known.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ObjectionKind, ObjectionState};
use crate::{ids::ObjectionId, privacy::instant};

/// What objecting asks for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ObjectionRequest {
    /// The creator's handle, with or without `@`.
    #[schema(example = "made.up", min_length = 1, max_length = 25)]
    pub username: String,
    /// Where the token is sent. Kept until it is decided, no longer.
    #[schema(example = "ada@example.com", format = "email", max_length = 254)]
    pub email: String,
    /// To be left out, unless you say that you withdraw.
    #[serde(default)]
    pub kind: ObjectionKind,
}

/// The same answer whether or not handle and address are known.
#[derive(Debug, Serialize, ToSchema)]
pub struct ObjectionAccepted {
    /// Its id: `GET /v1/objections/{objection_id}` says where it stands.
    #[schema(example = "obj_4kPq9ZtR2mWx")]
    pub id: String,
    /// Put this anywhere into the profile's bio until it is found there.
    #[schema(example = "tvi-8Jd0sVb3NcQ7")]
    pub code: String,
    /// When the mailed token ends.
    #[schema(format = DateTime, example = "2026-11-27T12:00:00Z")]
    pub expires_at: String,
    /// What to do next.
    #[schema(
        example = "Put the code into the profile's bio, then send the token from the mail to POST /v1/objections/confirm. If no mail comes, look among the spam, then ask again after an hour: only a few are sent to one address within an hour."
    )]
    pub message: &'static str,
}

/// What confirming an objection asks for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfirmObjection {
    /// The token from the mail.
    #[schema(example = "8Jd0sVb3NcQ7yLh5TgXe1RfKu6MaPo2w")]
    pub token: String,
}

/// Where an objection stands. It names nobody.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub struct ObjectionView {
    /// Its id.
    #[schema(example = "obj_4kPq9ZtR2mWx")]
    pub id: String,
    /// What is asked for.
    pub kind: ObjectionKind,
    /// Where it stands.
    #[schema(example = "active")]
    pub state: ObjectionState,
    /// Until when the operator decides; `null` unless it is queued.
    #[schema(required = true, format = DateTime, example = json!(null))]
    pub due_at: Option<String>,
    /// What that means, and what to do.
    #[schema(example = "Videos of this creator are not looked up any more.")]
    pub message: &'static str,
}

impl ObjectionView {
    pub(super) fn new(
        id: &ObjectionId,
        kind: ObjectionKind,
        state: ObjectionState,
        due_at: Option<i64>,
    ) -> Self {
        Self {
            id: id.to_string(),
            kind,
            state,
            due_at: due_at.map(instant),
            message: message(state),
        }
    }
}

fn message(state: ObjectionState) -> &'static str {
    match state {
        ObjectionState::Unconfirmed => "Send the token from the mail to confirm it.",
        ObjectionState::WaitingForCode => {
            "The code is not in the profile's bio yet. Put it there and confirm again with the same \
             token; the bio can be changed back afterwards."
        }
        ObjectionState::Queued => {
            "The profile cannot be looked at by the service, so a person does it. Leave the code in \
             the bio; a mail says what was decided."
        }
        ObjectionState::Active => "Videos of this creator are not looked up any more.",
        ObjectionState::Withdrawn => "Videos of this creator can be looked up again.",
        ObjectionState::Refused => {
            "It could not be seen that this comes from the creator. Put a new code into the bio and \
             try again."
        }
    }
}
