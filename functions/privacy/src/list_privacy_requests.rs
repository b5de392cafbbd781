//! `GET /v1/privacy/requests`: the account's requests under privacy law.

use lambda_http::http::StatusCode;
use vidintel::{
    app::App,
    error::Error,
    gate::Class,
    http::{Call, Reply, authenticate_holder, serve},
    privacy::{RequestList, of_account},
    program::Ended,
};

/// Answers the requests.
pub fn main() -> Ended {
    serve(|app, call| Box::pin(handle(app, call)))
}

async fn handle(app: &App, call: &Call) -> Result<Reply, Error> {
    let account = authenticate_holder(app, call, Class::Account).await?;
    let requests = of_account(&app.store, &account.id).await?;
    let list = RequestList::new(&app.store, &requests, call.now()).await?;
    Reply::json(StatusCode::OK, &list)
}
