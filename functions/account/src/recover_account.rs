//! `POST /v1/accounts/recover`: back into an account with a mailed token.

use lambda_http::http::StatusCode;
use vidintel::{
    accounts::{RecoverRequest, recover},
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
    let request: RecoverRequest = call.json()?;
    let recovered = recover(app, &request, call.now()).await?;
    Reply::json(StatusCode::CREATED, &recovered)
}
