//! `POST /v1/objections`: a creator asks to be left out, or to be let in again.

use lambda_http::http::StatusCode;
use vidintel::{
    app::App,
    error::Error,
    http::{Call, Reply, serve},
    objections::{Ask, ObjectionRequest, ask},
    program::Ended,
};

/// Answers the requests.
pub fn main() -> Ended {
    serve(|app, call| Box::pin(handle(app, call)))
}

async fn handle(app: &App, call: &Call) -> Result<Reply, Error> {
    let request = Ask::try_from(call.json::<ObjectionRequest>()?)?;
    let accepted = ask(app, request, call.source_ip(), call.now()).await?;
    Reply::json(StatusCode::ACCEPTED, &accepted)
}
