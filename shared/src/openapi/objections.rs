//! Objections of creators.

use super::{BodyProblems, Outage};
use crate::{
    http::Problem,
    objections::{ConfirmObjection, ObjectionAccepted, ObjectionRequest, ObjectionView},
};

/// A creator asks to be left out: what the profile publishes is not looked up any more. Or, as a
/// `withdraw`, to be let in again. A mail with a token goes to the address; the answer does not tell
/// whether handle or address is known. Needs no account.
#[utoipa::path(
    post, path = "/v1/objections", tag = "Privacy", request_body = ObjectionRequest,
    responses(
        (status = 202, description = "A mail was sent, unless too many were", body = ObjectionAccepted),
        (status = 400, description = "Invalid body or value", body = Problem, content_type = "application/problem+json"),
        BodyProblems,
        (status = 429, description = "Too many mails asked for from your network", body = Problem, content_type = "application/problem+json"),
        Outage
    )
)]
pub(super) fn request_objection() {}

/// Confirm an objection with the mailed token. Where the profile can be read and its bio holds the code,
/// it is `active` (or `withdrawn`) at once. `waiting_for_code`: put the code there and send the same token
/// again. `queued`: the operator looks, within 48 hours. The same token again comes to the same.
#[utoipa::path(
    post, path = "/v1/objections/confirm", tag = "Privacy", request_body = ConfirmObjection,
    responses(
        (status = 200, description = "Where it stands", body = ObjectionView),
        (status = 400, description = "Invalid body", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Unknown or expired token", body = Problem, content_type = "application/problem+json"),
        BodyProblems,
        (status = 500, description = "A fault of ours", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not everywhere yet: confirm again", body = Problem, content_type = "application/problem+json")
    )
)]
pub(super) fn confirm_objection() {}

/// Where an objection stands. It names nobody, and needs no key: the id cannot be guessed.
#[utoipa::path(
    get, path = "/v1/objections/{objection_id}", tag = "Privacy",
    params(("objection_id" = String, Path, description = "Id of the objection", example = "obj_4kPq9ZtR2mWx")),
    responses(
        (status = 200, description = "The objection", body = ObjectionView),
        (status = 400, description = "Not an id of an objection", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such objection, or it ended unconfirmed", body = Problem, content_type = "application/problem+json"),
        Outage
    )
)]
pub(super) fn get_objection() {}
