//! `GET /openapi.json`: the description of the API.

use std::sync::OnceLock;

use vidintel::{
    app::App,
    error::Error,
    http::{Call, Reply, serve},
    openapi,
    program::Ended,
};

/// Made once: its examples are made from the answers themselves.
static DESCRIPTION: OnceLock<String> = OnceLock::new();

/// Answers the requests.
pub fn main() -> Ended {
    serve(|app, call| Box::pin(handle(app, call)))
}

async fn handle(app: &App, _: &Call) -> Result<Reply, Error> {
    let support = &app.config.service.support_address;
    let description = DESCRIPTION.get_or_init(|| openapi::json(support));
    Ok(Reply::document("application/json", description.clone()))
}
