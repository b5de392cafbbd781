//! `GET /v1/policy`: the tables of the privacy policy, as the service keeps them.

use lambda_http::http::{HeaderValue, StatusCode, header};
use vidintel::{
    app::App,
    error::Error,
    http::{Call, Reply, serve},
    policy::policy,
    program::Ended,
};

/// Answers the requests.
pub fn main() -> Ended {
    serve(|app, call| Box::pin(handle(app, call)))
}

async fn handle(app: &App, _: &Call) -> Result<Reply, Error> {
    let reply = Reply::json(StatusCode::OK, &policy(&app.config.service.support_address))?;
    Ok(reply.with(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600")))
}
