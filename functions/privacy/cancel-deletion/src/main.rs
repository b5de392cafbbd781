//! `DELETE /v1/privacy/deletions/{request_id}`: withdraws a deletion that has not begun.

use lambda_http::http::StatusCode;
use vidintel::{
    app::App,
    error::{Error, InputError},
    http::{Call, Reply, authenticate, serve},
    ids::RequestId,
    privacy::{Deletion, cancel_deletion, load},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    serve(|app, call| Box::pin(handle(app, call))).await
}

async fn handle(app: &App, call: &Call) -> Result<Reply, Error> {
    let (account, _) = authenticate(app, call).await?;
    let id: RequestId = call.path("request_id").parse().map_err(|_| {
        InputError::field("request_id", "must be the id of a request, such as req_4kPq9ZtR2mWx")
    })?;
    let erasure = load(&app.store, &id).await?.filter(|it| it.account == account.id);
    let erasure = erasure.ok_or(Error::NotFound("request"))?;
    let erasure = cancel_deletion(app, &account, erasure, call.now()).await?;
    Reply::json(StatusCode::OK, &Deletion::new(&erasure))
}
