//! `POST /v1/privacy/exports`: asks for a copy of everything that is kept about the account.

use lambda_http::http::StatusCode;
use vidintel::{
    app::App,
    error::Error,
    gate::Class,
    http::{Call, Reply, authenticate_holder, serve},
    privacy::{export_view, request_export},
    program::Ended,
};

/// Answers the requests.
pub fn main() -> Ended {
    serve(|app, call| Box::pin(handle(app, call)))
}

async fn handle(app: &App, call: &Call) -> Result<Reply, Error> {
    let account = authenticate_holder(app, call, Class::Account).await?;
    let request = request_export(app, &account, call.now()).await?;
    let view = export_view(&app.store, &request, call.now()).await?;
    Reply::json(StatusCode::ACCEPTED, &view)
}
