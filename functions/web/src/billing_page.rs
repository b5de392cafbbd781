//! `GET /billing/{page}`: where Stripe's pages lead back to.

use vidintel::{
    app::App,
    docs::{self, BillingPage},
    error::Error,
    http::{Call, Reply, serve},
    program::Ended,
};

/// Answers the requests.
pub fn main() -> Ended {
    serve(|app, call| Box::pin(handle(app, call)))
}

async fn handle(_: &App, call: &Call) -> Result<Reply, Error> {
    let page = BillingPage::named(&call.path("page")).ok_or(Error::NotFound("page"))?;
    Ok(docs::reply(docs::billing_page(page)))
}
