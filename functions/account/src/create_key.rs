//! `POST /v1/keys`: a new API key.

use lambda_http::http::StatusCode;
use vidintel::{
    app::App,
    error::{Error, InputError},
    gate::Class,
    http::{Call, Reply, authenticate, serve},
    keys::{self, KeyName, NewKeyView},
    program::Ended,
    views::CreateKeyRequest,
};

/// Answers the requests.
pub fn main() -> Ended {
    serve(|app, call| Box::pin(handle(app, call)))
}

async fn handle(app: &App, call: &Call) -> Result<Reply, Error> {
    let (account, by) = authenticate(app, call, Class::Account).await?;
    let request: CreateKeyRequest = call.json()?;
    let (name, environment) = (KeyName::parse(&request.name)?, request.environment);
    let (seed, now) = (call.idempotency_key()?, call.now());
    let (key, stored) =
        keys::create(app, (&account.id, &by), (name.clone(), environment), seed, now).await?;
    if stored.name != name.as_str() || stored.environment != environment {
        return Err(InputError::IdempotencyKeyReused.into());
    }
    if !stored.may_be_shown_again(now) {
        return Err(Error::Conflict(
            "this `Idempotency-Key` was used more than a day ago; use a new one",
        ));
    }
    app.gate.invalidate_now(&account.id).await?;
    let view = NewKeyView { key: key.expose().to_owned(), view: (&stored).into() };
    Reply::json(StatusCode::CREATED, &view)
}
