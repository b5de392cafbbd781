//! `GET /problems/{kind}`: what a kind of problem means and what to do; where its `type` leads.

use vidintel::{
    app::App,
    docs,
    error::Error,
    http::{Call, Kind, Reply, serve},
    program::Ended,
};

/// Answers the requests.
pub fn main() -> Ended {
    serve(|app, call| Box::pin(handle(app, call)))
}

async fn handle(app: &App, call: &Call) -> Result<Reply, Error> {
    let kind = Kind::named(&call.path("kind")).ok_or(Error::NotFound("kind of problem"))?;
    Ok(docs::reply(docs::problem_page(kind, app.config.service.site())))
}
