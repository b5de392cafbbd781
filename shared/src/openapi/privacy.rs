//! Rights of customers under privacy law, and the policy.

use super::{BodyProblems, HolderProblems, Outage};
use crate::{
    http::Problem,
    policy::Policy,
    privacy::{Deletion, DeletionPreview, DeletionRequest, ExportLink, ExportRequest, RequestList},
};

/// Delete the account. Without `confirm` the answer shows what would go and what would stay. With it,
/// the deletion begins after the grace period; a mail says so. Asking again changes nothing.
#[utoipa::path(
    post, path = "/v1/privacy/deletions", tag = "Privacy",
    request_body = DeletionRequest,
    security(("api_key" = []), ("bearer" = [])),
    responses(
        (status = 200, description = "A preview: nothing has happened", body = DeletionPreview),
        (status = 202, description = "Scheduled", body = Deletion),
        (status = 400, description = "Not valid", body = Problem, content_type = "application/problem+json"),
        HolderProblems,
        BodyProblems,
        Outage
    )
)]
pub(super) fn request_deletion() {}

/// Where a deletion stands. Once it is done this is its certificate, which needs no key.
#[utoipa::path(
    get, path = "/v1/privacy/deletions/{request_id}", tag = "Privacy",
    params(("request_id" = String, Path, description = "Id of the request", example = "req_4kPq9ZtR2mWx")),
    security((), ("api_key" = []), ("bearer" = [])),
    responses(
        (status = 200, description = "The deletion", body = Deletion),
        (status = 400, description = "Not an id of a request", body = Problem, content_type = "application/problem+json"),
        HolderProblems,
        (status = 404, description = "No such request of yours", body = Problem, content_type = "application/problem+json"),
        Outage
    )
)]
pub(super) fn get_deletion() {}

/// Withdraw a deletion that has not begun. Doing it again changes nothing.
#[utoipa::path(
    delete, path = "/v1/privacy/deletions/{request_id}", tag = "Privacy",
    params(("request_id" = String, Path, description = "Id of the request", example = "req_4kPq9ZtR2mWx")),
    security(("api_key" = []), ("bearer" = [])),
    responses(
        (status = 200, description = "Withdrawn", body = Deletion),
        (status = 400, description = "Not an id of a request", body = Problem, content_type = "application/problem+json"),
        HolderProblems,
        (status = 404, description = "No such request of yours", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It has begun", body = Problem, content_type = "application/problem+json"),
        Outage
    )
)]
pub(super) fn cancel_deletion() {}

/// Ask for a copy of everything that is kept about the account: a ZIP file with JSON for programs, a
/// table of use, and a page to read. A mail says when it is made, within minutes as a rule. While one is
/// on its way, and for a day, asking again is asking for the same one.
#[utoipa::path(
    post, path = "/v1/privacy/exports", tag = "Privacy",
    security(("api_key" = []), ("bearer" = [])),
    responses(
        (status = 202, description = "It will be made, or is made already", body = ExportRequest),
        (status = 400, description = "A query parameter, of which there are none", body = Problem, content_type = "application/problem+json"),
        HolderProblems,
        (status = 409, description = "The account is being deleted", body = Problem, content_type = "application/problem+json"),
        Outage
    )
)]
pub(super) fn request_export() {}

/// Where an export stands, and where its file is.
#[utoipa::path(
    get, path = "/v1/privacy/exports/{request_id}", tag = "Privacy",
    params(("request_id" = String, Path, description = "Id of the request", example = "req_4kPq9ZtR2mWx")),
    security(("api_key" = []), ("bearer" = [])),
    responses(
        (status = 200, description = "The export", body = ExportRequest),
        (status = 400, description = "Not an id of a request", body = Problem, content_type = "application/problem+json"),
        HolderProblems,
        (status = 404, description = "No such request of yours", body = Problem, content_type = "application/problem+json"),
        Outage
    )
)]
pub(super) fn get_export() {}

/// Fetch an export: sends on to a link that works for five minutes without a key. Follow it without
/// yours: it lies with another host.
#[utoipa::path(
    get, path = "/v1/privacy/exports/{request_id}/download", tag = "Privacy",
    params(("request_id" = String, Path, description = "Id of the request", example = "req_4kPq9ZtR2mWx")),
    security(("api_key" = []), ("bearer" = [])),
    responses(
        (status = 303, description = "The link", body = ExportLink, headers(
            ("Location" = String, description = "The same link")
        )),
        (status = 400, description = "Not an id of a request", body = Problem, content_type = "application/problem+json"),
        HolderProblems,
        (status = 404, description = "No such request of yours", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Not made yet", body = Problem, content_type = "application/problem+json"),
        (status = 410, description = "Not there any more", body = Problem, content_type = "application/problem+json"),
        Outage
    )
)]
pub(super) fn download_export() {}

/// The account's requests under privacy law.
#[utoipa::path(
    get, path = "/v1/privacy/requests", tag = "Privacy",
    security(("api_key" = []), ("bearer" = [])),
    responses(
        (status = 200, description = "The requests", body = RequestList),
        (status = 400, description = "A query parameter, of which there are none", body = Problem, content_type = "application/problem+json"),
        HolderProblems,
        Outage
    )
)]
pub(super) fn list_privacy_requests() {}

/// The form of the files in an export, as JSON Schema (2020-12).
#[utoipa::path(
    get, path = "/export.schema.json", tag = "Privacy",
    responses((status = 200, description = "The schema", body = serde_json::Value, content_type = "application/schema+json"))
)]
pub(super) fn export_schema() {}

/// The tables of the privacy policy: what is kept, how long, why, and who receives it.
#[utoipa::path(
    get, path = "/v1/policy", tag = "Privacy",
    responses(
        (status = 200, description = "The tables", body = Policy),
        (status = 400, description = "A query parameter, of which there are none", body = Problem, content_type = "application/problem+json")
    )
)]
pub(super) fn get_policy() {}
