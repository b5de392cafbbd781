//! `GET /docs`: the documentation as a page.

use std::sync::LazyLock;

use vidintel::{
    app::App,
    docs,
    error::Error,
    http::{Call, Reply, serve},
};

/// Made once: it is the same for everybody.
static PAGE: LazyLock<String> = LazyLock::new(docs::page);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    serve(|app, call| Box::pin(handle(app, call))).await
}

async fn handle(_: &App, _: &Call) -> Result<Reply, Error> {
    Ok(docs::reply(PAGE.clone()))
}
