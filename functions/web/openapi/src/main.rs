//! `GET /openapi.json`: the description of the API.

use vidintel::{
    app::App,
    error::Error,
    http::{Call, Reply, serve},
    openapi,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    serve(|app, call| Box::pin(handle(app, call))).await
}

async fn handle(_: &App, _: &Call) -> Result<Reply, Error> {
    Ok(Reply::document("application/json", openapi::json()))
}
