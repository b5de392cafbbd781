//! `GET /openapi.json`: the description of the API.

use std::sync::LazyLock;

use vidintel::{
    app::App,
    error::Error,
    http::{Call, Reply, serve},
    openapi,
};

/// Made once: its examples are made from the answers themselves.
static DESCRIPTION: LazyLock<String> = LazyLock::new(openapi::json);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    serve(|app, call| Box::pin(handle(app, call))).await
}

async fn handle(_: &App, _: &Call) -> Result<Reply, Error> {
    Ok(Reply::document("application/json", DESCRIPTION.clone()))
}
