//! `POST /v1/billing/refunds`: asks for the first purchase's money back.

use lambda_http::http::StatusCode;
use vidintel::{
    app::App,
    billing::request_refund,
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
    let (refund, is_new) = request_refund(&app.store, &account, call.now()).await?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Reply::json(status, &refund)
}
