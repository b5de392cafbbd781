//! `GET /v1/billing/invoices`: the account's invoices.

use lambda_http::http::StatusCode;
use vidintel::{
    app::App,
    billing::list_invoices,
    error::Error,
    gate::Class,
    http::{Call, Reply, authenticate_holder, serve},
    program::Ended,
};

/// Answers the requests.
pub fn main() -> Ended {
    serve(|app, call| Box::pin(handle(app, call)))
}

async fn handle(app: &App, call: &Call) -> Result<Reply, Error> {
    let account = authenticate_holder(app, call, Class::Account).await?;
    let (count, cursor) = (call.number("limit")?, call.query("cursor"));
    let list = list_invoices(&app.store, &account.id, count, cursor.as_deref()).await?;
    Reply::json(StatusCode::OK, &list)
}
