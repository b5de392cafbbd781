//! `POST /v1/keys`: a new API key.

use lambda_http::http::StatusCode;
use vidintel::{
    accounts,
    app::App,
    error::{Error, InputError},
    gate::Class,
    http::{Call, Reply, authenticate, serve},
    ids::KeyId,
    keys::{self, ApiKey, KeyItem, KeyName, NewKeyView},
    views::CreateKeyRequest,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    serve(|app, call| Box::pin(handle(app, call))).await
}

async fn handle(app: &App, call: &Call) -> Result<Reply, Error> {
    let (account, _) = authenticate(app, call, Class::Account).await?;
    let request: CreateKeyRequest = call.json()?;
    let (name, environment) = (KeyName::parse(&request.name)?, request.environment);
    let pepper = app.secrets.get().await?.pepper.current;
    let (key, key_id) = match call.idempotency_key()? {
        Some(seed) => {
            let key = ApiKey::derived(account.id.clone(), environment, &pepper, seed);
            (key, KeyId::derived(&pepper, &format!("{}\0{seed}", account.id)))
        }
        None => (ApiKey::random(account.id.clone(), environment), KeyId::random()),
    };
    let item = KeyItem::new(&key, key_id, name.clone(), &pepper, call.now());
    let stored = keys::insert(&app.store, item).await?;
    if stored.name != name.as_str() || stored.environment != environment {
        return Err(InputError::IdempotencyKeyReused.into());
    }
    if !stored.may_be_shown_again(call.now()) {
        return Err(Error::Conflict(
            "this `Idempotency-Key` was used more than a day ago; use a new one",
        ));
    }
    let version = accounts::get(&app.store, &account.id).await?.map_or(0, |it| it.gate_version);
    app.gate.invalidate(&account.id, version).await?;
    let view = NewKeyView { key: key.expose().to_owned(), view: (&stored).into() };
    Reply::json(StatusCode::CREATED, &view)
}
