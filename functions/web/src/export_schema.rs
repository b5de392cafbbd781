//! `GET /export.schema.json`: the form of the files in an export.

use vidintel::{
    app::App,
    error::Error,
    http::{Call, Reply, serve},
    privacy::export_schema,
    program::Ended,
};

/// Answers the requests.
pub fn main() -> Ended {
    serve(|app, call| Box::pin(handle(app, call)))
}

async fn handle(_: &App, _: &Call) -> Result<Reply, Error> {
    Ok(Reply::document("application/schema+json", export_schema()?))
}
