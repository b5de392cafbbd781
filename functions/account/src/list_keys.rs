//! `GET /v1/keys`: the account's live keys.

use lambda_http::http::StatusCode;
use vidintel::{
    app::App,
    error::Error,
    gate::Class,
    http::{Call, Reply, authenticate, serve},
    keys,
    program::Ended,
    views::KeyList,
};

/// Answers the requests.
pub fn main() -> Ended {
    serve(|app, call| Box::pin(handle(app, call)))
}

async fn handle(app: &App, call: &Call) -> Result<Reply, Error> {
    let (account, _) = authenticate(app, call, Class::Account).await?;
    let keys = keys::list(&app.store, &account.id).await?;
    Reply::json(StatusCode::OK, &KeyList { keys: keys.iter().map(Into::into).collect() })
}
