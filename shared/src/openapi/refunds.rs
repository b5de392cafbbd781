//! Refunds.

use super::{KeyProblems, Outage};
use crate::{
    billing::{RefundList, RefundView},
    http::Problem,
};

/// Ask for your money back. All of the first purchase is given back within 7 days, half of it until day 14,
/// nothing after. The operator decides, and a mail says so; a refund that is approved ends the plan at once.
/// Asking again shows where the same refund stands.
#[utoipa::path(
    post, path = "/v1/billing/refunds", tag = "Billing",
    security(("api_key" = []), ("bearer" = [])),
    responses(
        (status = 200, description = "Asked for before: where it stands", body = RefundView),
        (status = 201, description = "Asked for", body = RefundView),
        (status = 400, description = "A query parameter, of which there are none", body = Problem, content_type = "application/problem+json"),
        KeyProblems,
        (status = 409, description = "Nothing was bought, or longer than 14 days ago", body = Problem, content_type = "application/problem+json"),
        Outage
    )
)]
pub(super) fn request_refund() {}

/// The refunds that the account has asked for, and where they stand.
#[utoipa::path(
    get, path = "/v1/billing/refunds", tag = "Billing",
    security(("api_key" = []), ("bearer" = [])),
    responses(
        (status = 200, description = "The refunds, the oldest first", body = RefundList),
        (status = 400, description = "A query parameter, of which there are none", body = Problem, content_type = "application/problem+json"),
        KeyProblems,
        Outage
    )
)]
pub(super) fn list_refunds() {}
