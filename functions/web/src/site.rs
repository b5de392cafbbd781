//! `$default`: the pages for people, and an answer to whatever no route is for.

use vidintel::{
    app::App,
    error::Error,
    http::{Call, Reply, serve},
    pages,
    program::Ended,
};

/// Answers the requests.
pub fn main() -> Ended {
    serve(|app, call| Box::pin(handle(app, call)))
}

async fn handle(app: &App, call: &Call) -> Result<Reply, Error> {
    pages::open(call, &app.config.service.support_address)
}
