//! `GET /v1/billing/refunds`: the refunds that the account has asked for, and where they stand.

use lambda_http::http::StatusCode;
use vidintel::{
    app::App,
    billing::refunds_of,
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
    let refunds = refunds_of(&app.store, &account, call.now()).await?;
    Reply::json(StatusCode::OK, &refunds)
}
