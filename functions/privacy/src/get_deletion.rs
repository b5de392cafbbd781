//! `GET /v1/privacy/deletions/{request_id}`: where a deletion stands; once it is done, its certificate.

use lambda_http::http::StatusCode;
use vidintel::{
    app::App,
    error::Error,
    gate::Class,
    http::{Call, Reply, authenticate_holder, serve},
    privacy::{Deletion, Kind, State, find_any},
    program::Ended,
};

/// Answers the requests.
pub fn main() -> Ended {
    serve(|app, call| Box::pin(handle(app, call)))
}

async fn handle(app: &App, call: &Call) -> Result<Reply, Error> {
    let kinds = [Kind::Erasure, Kind::Redaction];
    let mut request = find_any(&app.store, &kinds, &call.path("request_id")).await?;
    // Nobody has a key any more when it is done; the id cannot be guessed, and it names nobody.
    if request.kind == Kind::Erasure && request.state != State::Done {
        let account = authenticate_holder(app, call, Class::Account).await?;
        request = request.of(&account)?;
    }
    Reply::json(StatusCode::OK, &Deletion::read(&app.store, &request).await?)
}
