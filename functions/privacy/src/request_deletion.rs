//! `POST /v1/privacy/deletions`: a preview, or, confirmed, the deletion of the account after the grace
//! period.

use lambda_http::http::StatusCode;
use vidintel::{
    app::App,
    error::Error,
    gate::Class,
    http::{Call, Reply, authenticate_holder, serve},
    privacy::{Deletion, DeletionRequest, preview, request_deletion},
    program::Ended,
};

/// Answers the requests.
pub fn main() -> Ended {
    serve(|app, call| Box::pin(handle(app, call)))
}

async fn handle(app: &App, call: &Call) -> Result<Reply, Error> {
    let account = authenticate_holder(app, call, Class::Account).await?;
    let request: DeletionRequest = call.json()?;
    if !request.confirm {
        let grace = app.config.service.deletion_grace_days;
        let preview = preview(&app.store, &account, grace, call.now()).await?;
        return Reply::json(StatusCode::OK, &preview);
    }
    let erasure = request_deletion(app, &account, call.now()).await?;
    Reply::json(StatusCode::ACCEPTED, &Deletion::new(&erasure))
}
