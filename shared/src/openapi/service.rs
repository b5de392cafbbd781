//! About the service itself.

use crate::{http::Problem, views::Health};

/// State of the service and of what it depends on.
#[utoipa::path(
    get, path = "/health", tag = "Service",
    responses(
        (status = 200, description = "The service can answer; a part may be degraded", body = Health),
        (status = 503, description = "The service cannot answer", body = Health)
    )
)]
pub(super) fn health() {}

/// This description.
#[utoipa::path(
    get, path = "/openapi.json", tag = "Service",
    responses((status = 200, description = "OpenAPI 3.1", body = serde_json::Value))
)]
pub(super) fn openapi_json() {}

/// The documentation, as a page to read.
#[utoipa::path(
    get, path = "/docs", tag = "Service",
    responses((status = 200, description = "The page", body = String, content_type = "text/html"))
)]
pub(super) fn docs() {}

/// What a kind of problem means and what to do: where the `type` of an error leads.
#[utoipa::path(
    get, path = "/problems/{kind}", tag = "Service",
    params(("kind" = String, Path, description = "Name of the kind", example = "not-found")),
    responses(
        (status = 200, description = "The page", body = String, content_type = "text/html"),
        (status = 404, description = "There is no such kind", body = Problem, content_type = "application/problem+json")
    )
)]
pub(super) fn show_problem() {}
