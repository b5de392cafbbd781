//! Plans, payment, invoices.

use super::{BodyProblems, HolderProblems, KeyProblems, Outage};
use crate::{
    billing::{
        BillingView, CheckoutView, InvoiceDetail, InvoiceList, PlanList, PlanRequest, PortalView,
        SubscriptionView,
    },
    http::Problem,
};

/// Every plan: what it allows, what it costs. Needs no key.
#[utoipa::path(
    get, path = "/v1/plans", tag = "Billing",
    responses(
        (status = 200, description = "The plans", body = PlanList),
        (status = 400, description = "A query parameter, of which there are none", body = Problem, content_type = "application/problem+json")
    )
)]
pub(super) fn list_plans() {}

/// The account's plan and its subscription.
#[utoipa::path(
    get, path = "/v1/billing", tag = "Billing",
    security(("api_key" = []), ("bearer" = [])),
    responses(
        (status = 200, description = "Plan and subscription", body = BillingView),
        (status = 400, description = "A query parameter, of which there are none", body = Problem, content_type = "application/problem+json"),
        KeyProblems,
        Outage
    )
)]
pub(super) fn get_billing() {}

/// Buy a plan. Open the `url` of the answer in a browser and pay there: the card's number never comes to us.
/// A checkout that is still open from before is closed. With an `Idempotency-Key`, a repeated request is
/// answered with the same checkout as long as that is open.
#[utoipa::path(
    post, path = "/v1/billing/checkout", tag = "Billing", request_body = PlanRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 128 printable characters", min_length = 1, max_length = 128)),
    security(("api_key" = []), ("bearer" = [])),
    responses(
        (status = 201, description = "The checkout", body = CheckoutView),
        (status = 400, description = "Invalid body, or a plan that is not paid for", body = Problem, content_type = "application/problem+json"),
        KeyProblems,
        (status = 409, description = "There is a subscription already, or payment is not set up", body = Problem, content_type = "application/problem+json"),
        BodyProblems,
        (status = 422, description = "The idempotency key was used for another plan", body = Problem, content_type = "application/problem+json"),
        Outage
    )
)]
pub(super) fn start_checkout() {}

/// Open Stripe's page for cards, invoices and cancellation. Open the `url` of the answer in a browser soon.
#[utoipa::path(
    post, path = "/v1/billing/portal", tag = "Billing",
    security(("api_key" = []), ("bearer" = [])),
    responses(
        (status = 201, description = "The page", body = PortalView),
        (status = 400, description = "A query parameter, of which there are none", body = Problem, content_type = "application/problem+json"),
        HolderProblems,
        (status = 409, description = "Nothing was ever bought, or payment is not set up", body = Problem, content_type = "application/problem+json"),
        Outage
    )
)]
pub(super) fn open_portal() {}

/// Change the plan of the subscription. A larger plan begins at once, with a month and a quota of its own: its
/// whole price is charged, less what is left of the month before. If the card's bank wants that payment confirmed,
/// the answer is 202: open `pay_url` in a browser by `pending.expires_at`; until it is confirmed nothing changes.
/// A smaller plan, or `free` for the end, begins with the next period. Either is taken back by asking for the
/// present plan. With an `Idempotency-Key`, a repeated request changes nothing more, and is declined as before:
/// use a new one for another card.
#[utoipa::path(
    post, path = "/v1/billing/plan", tag = "Billing", request_body = PlanRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 128 printable characters", min_length = 1, max_length = 128)),
    security(("api_key" = []), ("bearer" = [])),
    responses(
        (status = 200, description = "The subscription after the change", body = SubscriptionView),
        (status = 202, description = "The subscription, and the larger plan that waits for its payment to be confirmed at `pay_url`", body = SubscriptionView),
        (status = 400, description = "Invalid body", body = Problem, content_type = "application/problem+json"),
        KeyProblems,
        (status = 402, description = "The card was declined, and nothing has changed", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "No subscription, an overdue payment, the plan that there is, a confirmation that cannot be waited for, a subscription that was arranged by hand, or a plan that was changed too often today; or payment is not set up", body = Problem, content_type = "application/problem+json"),
        BodyProblems,
        (status = 422, description = "The idempotency key was used for another plan", body = Problem, content_type = "application/problem+json"),
        Outage
    )
)]
pub(super) fn change_plan() {}

/// The account's invoices, newest first, as they were issued. They are kept for 7 years.
#[utoipa::path(
    get, path = "/v1/billing/invoices", tag = "Billing",
    params(
        ("limit" = Option<u64>, Query, description = "Most entries, 1 to 100; 20 if left out", minimum = 1, maximum = 100, example = 20),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before", example = "MTc5NTUyMTYwMCBpbl9FeGFtcGxlMDAwMQ", max_length = 200, pattern = "^[A-Za-z0-9_-]+$")
    ),
    security(("api_key" = []), ("bearer" = [])),
    responses(
        (status = 200, description = "A page of invoices", body = InvoiceList),
        (status = 400, description = "A parameter is not valid", body = Problem, content_type = "application/problem+json"),
        HolderProblems,
        Outage
    )
)]
pub(super) fn list_invoices() {}

/// One invoice, and where Stripe shows it.
#[utoipa::path(
    get, path = "/v1/billing/invoices/{invoice_id}", tag = "Billing",
    params(("invoice_id" = String, Path, description = "Id of the invoice", example = "in_Example0001", max_length = 67, pattern = "^in_[A-Za-z0-9]+$")),
    security(("api_key" = []), ("bearer" = [])),
    responses(
        (status = 200, description = "The invoice", body = InvoiceDetail),
        (status = 400, description = "Not an id of an invoice", body = Problem, content_type = "application/problem+json"),
        HolderProblems,
        (status = 404, description = "No such invoice of yours", body = Problem, content_type = "application/problem+json"),
        Outage
    )
)]
pub(super) fn get_invoice() {}

/// Where Stripe's pages lead back to: what has happened, and what to do next.
#[utoipa::path(
    get, path = "/billing/{page}", tag = "Billing",
    params(("page" = String, Path, description = "Which one", example = "done", max_length = 9, pattern = "^(done|cancelled|account)$")),
    responses(
        (status = 200, description = "The page", body = String, content_type = "text/html"),
        (status = 404, description = "There is no such page", body = Problem, content_type = "application/problem+json")
    )
)]
pub(super) fn billing_page() {}
