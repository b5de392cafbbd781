//! `POST /v1/billing/checkout`: opens a page of Stripe's on which a plan is paid.

use lambda_http::http::StatusCode;
use vidintel::{
    app::App,
    billing::{Attempt, PlanRequest, start_checkout},
    error::Error,
    gate::Class,
    http::{Call, Reply, authenticate, serve},
    program::Ended,
};

/// Answers the requests.
pub fn main() -> Ended {
    serve(|app, call| Box::pin(handle(app, call)))
}

async fn handle(app: &App, call: &Call) -> Result<Reply, Error> {
    let (account, _) = authenticate(app, call, Class::Payment).await?;
    let request: PlanRequest = call.json()?;
    let attempt = Attempt::of(call)?;
    let checkout = start_checkout(app, &account, request.plan, &attempt, call.now()).await?;
    Reply::json(StatusCode::CREATED, &checkout)
}
