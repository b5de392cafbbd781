//! `GET /v1/plans`: what each plan allows and costs.

use lambda_http::http::{HeaderValue, StatusCode, header};
use vidintel::{
    app::App,
    billing::PlanList,
    error::Error,
    http::{Call, Reply, serve},
    program::Ended,
};

/// Answers the requests.
pub fn main() -> Ended {
    serve(|app, call| Box::pin(handle(app, call)))
}

async fn handle(_: &App, _: &Call) -> Result<Reply, Error> {
    let reply = Reply::json(StatusCode::OK, &PlanList::all())?;
    // A page of another site may show them.
    let reply = reply.with(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    Ok(reply.with(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300")))
}
