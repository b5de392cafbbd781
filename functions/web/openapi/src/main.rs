//! `GET /openapi.json`: the description of the API.

use lambda_http::http::{HeaderValue, StatusCode, header};
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
    let reply = Reply::text(StatusCode::OK, "application/json", openapi::json());
    // Browsers of other sites may read it: it holds nothing that is not public.
    let reply = reply.with(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    Ok(reply.with(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300")))
}
