//! The OpenAPI 3.1 description, generated from the types that the functions answer with. The empty
//! functions below only carry the description of an operation; a test holds them against
//! `template.yaml`.

#![expect(dead_code, reason = "the operations' functions are never called: see above")]

mod videos;

use utoipa::{
    IntoResponses, Modify, OpenApi,
    openapi::{
        OpenApi as Document,
        security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme},
    },
};

use crate::{
    accounts::{SignUpAccepted, SignUpRequest, Verified, VerifyRequest},
    http::Problem,
    keys::NewKeyView,
    objections::{ConfirmObjection, ObjectionAccepted, ObjectionRequest, ObjectionView},
    policy::Policy,
    privacy::{Deletion, DeletionPreview, DeletionRequest, ExportLink, ExportRequest, RequestList},
    views::{CreateKeyRequest, Health, KeyList, UsageView},
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "TikTok Video Intelligence API",
        description = "Data about public TikTok videos from TikTok's official interfaces. Every figure \
                       says where it came from, when, and how late it may be; what no source can give \
                       is null, with the reason.\n\nRequests that are refused or fail are not charged.",
        license(name = "MIT", identifier = "MIT")
    ),
    servers((url = "/")),
    paths(
        health,
        sign_up,
        verify_account,
        create_key,
        list_keys,
        revoke_key,
        videos::get_video,
        videos::find_video,
        videos::batch_videos,
        videos::search_videos,
        videos::list_comments,
        videos::get_creator,
        videos::list_creator_videos,
        videos::get_hashtag,
        get_usage,
        request_deletion,
        get_deletion,
        cancel_deletion,
        request_export,
        get_export,
        download_export,
        list_privacy_requests,
        export_schema,
        request_objection,
        confirm_objection,
        get_objection,
        get_policy,
        openapi_json,
        docs,
        show_problem
    ),
    modifiers(&Security),
    tags(
        (name = "Videos", description = "Metered: each charged request counts against the plan's quota."),
        (name = "Account", description = "Signing up, API keys, usage. Not metered."),
        (name = "Privacy", description = "Rights under privacy law. Not metered."),
        (name = "Service", description = "About the service itself.")
    )
)]
struct Api;

struct Security;

impl Modify for Security {
    fn modify(&self, document: &mut Document) {
        let components = document.components.get_or_insert_with(Default::default);
        components.add_security_scheme(
            "api_key",
            SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("X-API-Key"))),
        );
        components
            .add_security_scheme("bearer", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    }
}

/// The document.
pub fn document() -> Document {
    Api::openapi()
}

/// The document as it is served and kept in `docs/openapi.json`.
pub fn json() -> String {
    let mut json = document().to_pretty_json().unwrap_or_default();
    json.push('\n');
    json
}

/// What every endpoint with a body may answer.
#[derive(IntoResponses)]
enum BodyProblems {
    /// Body too large
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(Problem),
    /// Not JSON
    #[response(status = 415, content_type = "application/problem+json")]
    NotJson(Problem),
}

/// What every endpoint that needs an API key may answer.
#[derive(IntoResponses)]
enum KeyProblems {
    /// No valid API key
    #[response(status = 401, content_type = "application/problem+json")]
    NoValidKey(Problem),
    /// The account is not active
    #[response(status = 403, content_type = "application/problem+json")]
    Inactive(Problem),
}

/// What every endpoint may answer that the holder of a suspended account may use too.
#[derive(IntoResponses)]
enum HolderProblems {
    /// No valid API key
    #[response(status = 401, content_type = "application/problem+json")]
    NoValidKey(Problem),
}

/// What every endpoint that needs the tables may answer.
#[derive(IntoResponses)]
enum Outage {
    /// A part of the service does not answer
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(Problem),
}

/// State of the service and of what it depends on.
#[utoipa::path(
    get, path = "/health", tag = "Service",
    responses(
        (status = 200, description = "The service can answer; a part may be degraded", body = Health),
        (status = 503, description = "The service cannot answer", body = Health)
    )
)]
fn health() {}

/// This description.
#[utoipa::path(
    get, path = "/openapi.json", tag = "Service",
    responses((status = 200, description = "OpenAPI 3.1", body = serde_json::Value))
)]
fn openapi_json() {}

/// The documentation, as a page to read.
#[utoipa::path(
    get, path = "/docs", tag = "Service",
    responses((status = 200, description = "The page", body = String, content_type = "text/html"))
)]
fn docs() {}

/// What a kind of problem means and what to do: where the `type` of an error leads.
#[utoipa::path(
    get, path = "/problems/{kind}", tag = "Service",
    params(("kind" = String, Path, description = "Name of the kind", example = "not-found")),
    responses(
        (status = 200, description = "The page", body = String, content_type = "text/html"),
        (status = 404, description = "There is no such kind", body = Problem, content_type = "application/problem+json")
    )
)]
fn show_problem() {}

/// Sign up. A mail with a token goes to the address; the answer does not tell whether the address
/// is known.
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
fn sign_up() {}

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
fn verify_account() {}

/// Create an API key. It is shown in this answer only. With an `Idempotency-Key`, a repeated request
/// within a day is answered with the same key.
#[utoipa::path(
    post, path = "/v1/keys", tag = "Account", request_body = CreateKeyRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 128 printable characters", min_length = 1, max_length = 128)),
    security(("api_key" = []), ("bearer" = [])),
    responses(
        (status = 201, description = "The new key", body = NewKeyView),
        (status = 400, description = "Invalid body or value", body = Problem, content_type = "application/problem+json"),
        KeyProblems,
        (status = 409, description = "Too many keys, or the idempotency key is too old", body = Problem, content_type = "application/problem+json"),
        BodyProblems,
        (status = 422, description = "The idempotency key was used for another request", body = Problem, content_type = "application/problem+json"),
        Outage
    )
)]
fn create_key() {}

/// List the account's live API keys.
#[utoipa::path(
    get, path = "/v1/keys", tag = "Account",
    security(("api_key" = []), ("bearer" = [])),
    responses(
        (status = 200, description = "The keys, oldest first", body = KeyList),
        KeyProblems,
        Outage
    )
)]
fn list_keys() {}

/// Revoke an API key. The next request with it is refused. Revoking what is revoked already is fine.
#[utoipa::path(
    delete, path = "/v1/keys/{key_id}", tag = "Account",
    params(("key_id" = String, Path, description = "Public id of the key", example = "key_3cRt0pQ9sLmX")),
    security(("api_key" = []), ("bearer" = [])),
    responses(
        (status = 204, description = "The key is not live any more"),
        (status = 400, description = "Not an id of a key", body = Problem, content_type = "application/problem+json"),
        KeyProblems,
        (status = 503, description = "Not everywhere yet: try again", body = Problem, content_type = "application/problem+json")
    )
)]
fn revoke_key() {}

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
fn get_usage() {}

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
fn request_deletion() {}

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
fn get_deletion() {}

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
fn cancel_deletion() {}

/// Ask for a copy of everything that is kept about the account: a ZIP file with JSON for programs, a
/// table of use, and a page to read. A mail says when it is made, within minutes as a rule. While one is
/// on its way, and for a day, asking again is asking for the same one.
#[utoipa::path(
    post, path = "/v1/privacy/exports", tag = "Privacy",
    security(("api_key" = []), ("bearer" = [])),
    responses(
        (status = 202, description = "It will be made, or is made already", body = ExportRequest),
        HolderProblems,
        (status = 409, description = "The account is being deleted", body = Problem, content_type = "application/problem+json"),
        Outage
    )
)]
fn request_export() {}

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
fn get_export() {}

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
fn download_export() {}

/// The form of the files in an export, as JSON Schema (2020-12).
#[utoipa::path(
    get, path = "/export.schema.json", tag = "Privacy",
    responses((status = 200, description = "The schema", body = serde_json::Value, content_type = "application/schema+json"))
)]
fn export_schema() {}

/// The account's requests under privacy law.
#[utoipa::path(
    get, path = "/v1/privacy/requests", tag = "Privacy",
    security(("api_key" = []), ("bearer" = [])),
    responses(
        (status = 200, description = "The requests", body = RequestList),
        HolderProblems,
        Outage
    )
)]
fn list_privacy_requests() {}

/// A creator asks to be left out: what the profile publishes is not looked up any more. Or, as a
/// `withdraw`, to be let in again. A mail with a token goes to the address; the answer does not tell
/// whether handle or address is known. Needs no account.
#[utoipa::path(
    post, path = "/v1/creators/objections", tag = "Privacy", request_body = ObjectionRequest,
    responses(
        (status = 202, description = "A mail was sent, unless too many were", body = ObjectionAccepted),
        (status = 400, description = "Invalid body or value", body = Problem, content_type = "application/problem+json"),
        BodyProblems,
        (status = 429, description = "Too many mails asked for from your network", body = Problem, content_type = "application/problem+json"),
        Outage
    )
)]
fn request_objection() {}

/// Confirm an objection with the mailed token. Where the profile can be read and its bio holds the code,
/// it is `active` (or `withdrawn`) at once. `waiting_for_code`: put the code there and send the same token
/// again. `queued`: the operator looks, within 48 hours. The same token again comes to the same.
#[utoipa::path(
    post, path = "/v1/creators/objections/confirm", tag = "Privacy", request_body = ConfirmObjection,
    responses(
        (status = 200, description = "Where it stands", body = ObjectionView),
        (status = 400, description = "Invalid body", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Unknown or expired token", body = Problem, content_type = "application/problem+json"),
        BodyProblems,
        (status = 503, description = "Not everywhere yet: confirm again", body = Problem, content_type = "application/problem+json")
    )
)]
fn confirm_objection() {}

/// Where an objection stands. It names nobody, and needs no key: the id cannot be guessed.
#[utoipa::path(
    get, path = "/v1/creators/objections/{objection_id}", tag = "Privacy",
    params(("objection_id" = String, Path, description = "Id of the objection", example = "obj_4kPq9ZtR2mWx")),
    responses(
        (status = 200, description = "The objection", body = ObjectionView),
        (status = 400, description = "Not an id of an objection", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such objection, or it ended unconfirmed", body = Problem, content_type = "application/problem+json"),
        Outage
    )
)]
fn get_objection() {}

/// The tables of the privacy policy: what is kept, how long, why, and who receives it.
#[utoipa::path(
    get, path = "/v1/policy", tag = "Privacy",
    responses((status = 200, description = "The tables", body = Policy))
)]
fn get_policy() {}
