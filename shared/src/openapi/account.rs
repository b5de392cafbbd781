//! Signing up, API keys, usage.

use super::{BodyProblems, KeyProblems, Outage};
use crate::{
    accounts::{RecoverRequest, Recovered, SignUpAccepted, SignUpRequest, Verified, VerifyRequest},
    http::Problem,
    keys::NewKeyView,
    views::{CreateKeyRequest, KeyList, UsageView},
};

/// Sign up, or get back into an account. A mail with a token goes to the address, and says what to do with it;
/// the answer does not tell whether the address is known. An international domain is turned into its ASCII form;
/// spellings of one Gmail address are one address.
#[utoipa::path(
    post, path = "/v1/accounts", tag = "Account", request_body = SignUpRequest,
    responses(
        (status = 202, description = "A mail was sent, unless too many were", body = SignUpAccepted),
        (status = 400, description = "Invalid body or value", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Under 13: no account can be opened, nothing was kept", body = Problem, content_type = "application/problem+json"),
        BodyProblems,
        (status = 429, description = "Too many mails asked for from your network", body = Problem, content_type = "application/problem+json"),
        Outage
    )
)]
pub(super) fn sign_up() {}

/// Confirm the address with the mailed token. Opens the account and shows its first API key; for ten
/// minutes the same token is answered in the same way, in case the answer was lost.
#[utoipa::path(
    post, path = "/v1/accounts/verify", tag = "Account", request_body = VerifyRequest,
    responses(
        (status = 201, description = "The account and its first key", body = Verified),
        (status = 400, description = "Invalid body", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Unknown, used or expired token", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The address has an account already", body = Problem, content_type = "application/problem+json"),
        BodyProblems,
        Outage
    )
)]
pub(super) fn verify_account() {}

/// Get back into an account: with the token that was mailed to its address because of a sign-up. Makes a new
/// API key, and if wanted revokes every other one and cancels a deletion. For ten minutes the same token is
/// answered with the same key, in case the answer was lost. A mail says that it has happened. Of a suspended
/// account the key opens what is under `/v1/privacy`.
#[utoipa::path(
    post, path = "/v1/accounts/recover", tag = "Account", request_body = RecoverRequest,
    responses(
        (status = 201, description = "The account and its new key", body = Recovered),
        (status = 400, description = "Invalid body", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Unknown, used or expired token", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The account is being deleted, or has 20 keys", body = Problem, content_type = "application/problem+json"),
        BodyProblems,
        Outage
    )
)]
pub(super) fn recover_account() {}

/// Create an API key. It is shown in this answer only. With an `Idempotency-Key`, a repeated request
/// within a day is answered with the same key; once that key is revoked, the request is refused.
#[utoipa::path(
    post, path = "/v1/keys", tag = "Account", request_body = CreateKeyRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 128 printable characters", min_length = 1, max_length = 128)),
    security(("api_key" = []), ("bearer" = [])),
    responses(
        (status = 201, description = "The new key", body = NewKeyView),
        (status = 400, description = "Invalid body or value", body = Problem, content_type = "application/problem+json"),
        KeyProblems,
        (status = 409, description = "Too many keys, or the idempotency key is too old or of a revoked key", body = Problem, content_type = "application/problem+json"),
        BodyProblems,
        (status = 422, description = "The idempotency key was used for another request", body = Problem, content_type = "application/problem+json"),
        Outage
    )
)]
pub(super) fn create_key() {}

/// List the account's live API keys.
#[utoipa::path(
    get, path = "/v1/keys", tag = "Account",
    security(("api_key" = []), ("bearer" = [])),
    responses(
        (status = 200, description = "The keys, oldest first", body = KeyList),
        (status = 400, description = "A query parameter, of which there are none", body = Problem, content_type = "application/problem+json"),
        KeyProblems,
        Outage
    )
)]
pub(super) fn list_keys() {}

/// Revoke an API key. The next request with it is refused. Revoking what is revoked already is fine. The last
/// key that is not of the sandbox is only revoked with `confirm=last`.
#[utoipa::path(
    delete, path = "/v1/keys/{key_id}", tag = "Account",
    params(
        ("key_id" = String, Path, description = "Public id of the key", example = "key_3cRt0pQ9sLmX"),
        ("confirm" = Option<String>, Query, description = "`last`: also the last key that opens the account", example = "last")
    ),
    security(("api_key" = []), ("bearer" = [])),
    responses(
        (status = 204, description = "The key is not live any more"),
        (status = 400, description = "Not an id of a key", body = Problem, content_type = "application/problem+json"),
        KeyProblems,
        (status = 404, description = "No key of yours, now or ever", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It is the last one", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not everywhere yet: try again", body = Problem, content_type = "application/problem+json")
    )
)]
pub(super) fn revoke_key() {}

/// This period's quota, and the use of its days. With `from` and `to`, the use of any days: it is
/// kept for 12 months.
#[utoipa::path(
    get, path = "/v1/usage", tag = "Account",
    params(
        ("from" = Option<String>, Query, description = "First day; the period's first if left out", format = Date, example = "2026-11-01"),
        ("to" = Option<String>, Query, description = "Last day; today if left out", format = Date, example = "2026-11-30")
    ),
    security(("api_key" = []), ("bearer" = [])),
    responses(
        (status = 200, description = "Quota and use", body = UsageView),
        (status = 400, description = "Not a date, or too many days", body = Problem, content_type = "application/problem+json"),
        KeyProblems,
        Outage
    )
)]
pub(super) fn get_usage() {}
