//! `GET /v1/privacy/deletions/{request_id}`: where a deletion stands; once it is done, its certificate.

use lambda_http::http::StatusCode;
use vidintel::{
    app::App,
    error::{Error, InputError},
    http::{Call, Reply, authenticate, serve},
    ids::RequestId,
    privacy::{Deletion, State, load},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    serve(|app, call| Box::pin(handle(app, call))).await
}

async fn handle(app: &App, call: &Call) -> Result<Reply, Error> {
    const NONE: Error = Error::NotFound("request");
    let id: RequestId = call.path("request_id").parse().map_err(|_| {
        InputError::field("request_id", "must be the id of a request, such as req_4kPq9ZtR2mWx")
    })?;
    let erasure = load(&app.store, &id).await?.filter(|it| it.kind == "erasure");
    // Nobody has a key any more when it is done; the id cannot be guessed, and it names nobody.
    if let Some(done) = erasure.as_ref().filter(|it| it.state == State::Done) {
        return Reply::json(StatusCode::OK, &Deletion::new(done));
    }
    let (account, _) = authenticate(app, call).await?;
    let own = erasure.filter(|it| it.account == account.id).ok_or(NONE)?;
    Reply::json(StatusCode::OK, &Deletion::new(&own))
}
