//! `POST /v1/billing/portal`: opens Stripe's page for cards, invoices and cancellation.

use lambda_http::http::StatusCode;
use vidintel::{
    app::App,
    billing::{BillingError, PortalView},
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
    let stripe = app.stripe().await?;
    let customer = account.customer.ok_or(BillingError::NotSubscribed)?;
    let back = format!("{}/billing/account", app.config.service.public_url);
    let url = stripe.create_portal(&customer, &back).await?.url;
    Reply::json(StatusCode::CREATED, &PortalView { url })
}
