//! `GET /docs`: the documentation as a page.

use std::sync::OnceLock;

use vidintel::{
    app::App,
    docs,
    error::Error,
    http::{Call, Reply, serve},
    program::Ended,
};

/// Made once: it is the same for everybody.
static PAGE: OnceLock<String> = OnceLock::new();

/// Answers the requests.
pub fn main() -> Ended {
    serve(|app, call| Box::pin(handle(app, call)))
}

async fn handle(app: &App, _: &Call) -> Result<Reply, Error> {
    let page = PAGE.get_or_init(|| docs::page(&app.config.service.support_address));
    Ok(docs::reply(page.clone()))
}
