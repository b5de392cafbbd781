//! `GET /v1/privacy/exports/{request_id}/download`: sends on to the file, by a link that soon ends.

use lambda_http::http::{HeaderValue, StatusCode, header};
use vidintel::{
    app::App,
    error::Error,
    gate::Class,
    http::{Call, Reply, authenticate_holder, serve},
    privacy::{Kind, find, link},
    program::Ended,
};

/// Answers the requests.
pub fn main() -> Ended {
    serve(|app, call| Box::pin(handle(app, call)))
}

async fn handle(app: &App, call: &Call) -> Result<Reply, Error> {
    let account = authenticate_holder(app, call, Class::Account).await?;
    let request = find(&app.store, Kind::Export, &call.path("request_id")).await?.of(&account)?;
    let link = link(app, &request, call.now()).await?;
    let location = HeaderValue::try_from(&link.url).map_err(Error::internal)?;
    Ok(Reply::json(StatusCode::SEE_OTHER, &link)?.with(header::LOCATION, location))
}
