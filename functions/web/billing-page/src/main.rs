//! `GET /billing/{page}`: where Stripe's pages lead back to.

use vidintel::{
    app::App,
    docs::{self, BillingPage},
    error::Error,
    http::{Call, Reply, serve},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    serve(|app, call| Box::pin(handle(app, call))).await
}

async fn handle(_: &App, call: &Call) -> Result<Reply, Error> {
    let page = BillingPage::named(&call.path("page")).ok_or(Error::NotFound("page"))?;
    Ok(docs::reply(docs::billing_page(page)))
}
