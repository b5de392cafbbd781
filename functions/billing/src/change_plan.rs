//! `POST /v1/billing/plan`: changes the plan of a subscription, a larger one now or once its payment is
//! confirmed, a smaller one from the next period on.

use lambda_http::http::StatusCode;
use vidintel::{
    app::App,
    billing::{Attempt, PlanRequest, change_plan},
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
    let subscription = change_plan(app, &account, request.plan, &attempt, call.now()).await?;
    let status = match subscription.awaits(request.plan) {
        true => StatusCode::ACCEPTED,
        false => StatusCode::OK,
    };
    Reply::json(status, &subscription)
}
