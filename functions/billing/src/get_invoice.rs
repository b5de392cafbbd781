//! `GET /v1/billing/invoices/{invoice_id}`: one of the account's invoices, and where Stripe shows it.

use lambda_http::http::StatusCode;
use vidintel::{
    app::App,
    billing,
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
    let account = authenticate_holder(app, call, Class::Payment).await?;
    let invoice = billing::invoice(app, &account.id, &call.path("invoice_id")).await?;
    Reply::json(StatusCode::OK, &invoice)
}
