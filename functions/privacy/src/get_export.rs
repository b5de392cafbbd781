//! `GET /v1/privacy/exports/{request_id}`: where an export stands, and where its file is.

use lambda_http::http::StatusCode;
use vidintel::{
    app::App,
    error::Error,
    gate::Class,
    http::{Call, Reply, authenticate_holder, serve},
    privacy::{Kind, export_view, find},
    program::Ended,
};

/// Answers the requests.
pub fn main() -> Ended {
    serve(|app, call| Box::pin(handle(app, call)))
}

async fn handle(app: &App, call: &Call) -> Result<Reply, Error> {
    let account = authenticate_holder(app, call, Class::Account).await?;
    let request = find(&app.store, Kind::Export, &call.path("request_id")).await?.of(&account)?;
    Reply::json(StatusCode::OK, &export_view(&app.store, &request, call.now()).await?)
}
