//! `POST /v1/objections/confirm`: the mailed token comes back, and the profile is looked at.

use lambda_http::http::StatusCode;
use vidintel::{
    app::App,
    error::Error,
    http::{Call, Reply, serve},
    objections::{ConfirmObjection, confirm},
    program::Ended,
};

/// Answers the requests.
pub fn main() -> Ended {
    serve(|app, call| Box::pin(handle(app, call)))
}

async fn handle(app: &App, call: &Call) -> Result<Reply, Error> {
    let request: ConfirmObjection = call.json()?;
    let objection = confirm(app, &request.token, call.now()).await?;
    Reply::json(StatusCode::OK, &objection)
}
