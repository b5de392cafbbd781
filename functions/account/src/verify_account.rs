//! `POST /v1/accounts/verify`: confirming the address.

use lambda_http::http::StatusCode;
use vidintel::{
    accounts::{VerifyRequest, verify},
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
    let request: VerifyRequest = call.json()?;
    let verified = verify(app, &request.token, call.source_ip(), call.now()).await?;
    Reply::json(StatusCode::CREATED, &verified)
}
