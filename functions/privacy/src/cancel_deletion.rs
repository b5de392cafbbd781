//! `DELETE /v1/privacy/deletions/{request_id}`: withdraws a deletion that has not begun.

use lambda_http::http::StatusCode;
use vidintel::{
    app::App,
    error::Error,
    gate::Class,
    http::{Call, Reply, authenticate_holder, serve},
    privacy::{Deletion, Kind, cancel_deletion, find},
    program::Ended,
};

/// Answers the requests.
pub fn main() -> Ended {
    serve(|app, call| Box::pin(handle(app, call)))
}

async fn handle(app: &App, call: &Call) -> Result<Reply, Error> {
    let account = authenticate_holder(app, call, Class::Account).await?;
    let request = find(&app.store, Kind::Erasure, &call.path("request_id")).await?.of(&account)?;
    let request = cancel_deletion(app, &account, request, call.now()).await?;
    Reply::json(StatusCode::OK, &Deletion::new(&request))
}
