//! `GET /v1/objections/{objection_id}`: where an objection stands. The id cannot be guessed, and
//! the answer names nobody.

use lambda_http::http::StatusCode;
use vidintel::{
    app::App,
    error::Error,
    http::{Call, Reply, serve},
    objections::find,
    program::Ended,
};

/// Answers the requests.
pub fn main() -> Ended {
    serve(|app, call| Box::pin(handle(app, call)))
}

async fn handle(app: &App, call: &Call) -> Result<Reply, Error> {
    let objection = find(&app.store, &call.path("objection_id"), call.now()).await?;
    Reply::json(StatusCode::OK, &objection)
}
