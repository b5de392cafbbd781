//! `POST /v1/accounts`: signing up.

use lambda_http::http::StatusCode;
use vidintel::{
    accounts::{SignUp, SignUpRequest, sign_up},
    app::App,
    error::Error,
    http::{Call, Reply, serve},
    program::Ended,
};

/// Answers the requests.
pub fn main() -> Ended {
    serve(|app, call| Box::pin(handle(app, call)))
}

async fn handle(app: &App, call: &Call) -> Result<Reply, Error> {
    let request = SignUp::try_from(call.json::<SignUpRequest>()?)?;
    let accepted = sign_up(app, request, call.source_ip(), call.now()).await?;
    Reply::json(StatusCode::ACCEPTED, &accepted)
}
