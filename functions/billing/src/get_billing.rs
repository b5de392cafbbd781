//! `GET /v1/billing`: the account's plan, and the subscription that it comes from.

use lambda_http::http::StatusCode;
use vidintel::{
    app::App,
    billing::BillingView,
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
    let (account, _) = authenticate(app, call, Class::Account).await?;
    Reply::json(StatusCode::OK, &BillingView::of(&account, call.now()))
}
