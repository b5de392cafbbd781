//! `GET /export.schema.json`: the form of the files in an export.

use vidintel::{
    app::App,
    error::Error,
    http::{Call, Reply, serve},
    privacy::export_schema,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    serve(|app, call| Box::pin(handle(app, call))).await
}

async fn handle(_: &App, _: &Call) -> Result<Reply, Error> {
    Ok(Reply::document("application/schema+json", export_schema()?))
}
