//! `DELETE /v1/keys/{key_id}`: the next request with the key is refused.

use vidintel::{
    accounts,
    app::App,
    error::{Error, InputError},
    gate::Class,
    http::{Call, Reply, authenticate, serve},
    ids::KeyId,
    keys,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    serve(|app, call| Box::pin(handle(app, call))).await
}

async fn handle(app: &App, call: &Call) -> Result<Reply, Error> {
    let (account, _) = authenticate(app, call, Class::Account).await?;
    let key_id: KeyId = call.path("key_id").parse().map_err(|_| {
        InputError::field("key_id", "must be the id of a key, as `GET /v1/keys` lists it")
    })?;
    keys::revoke(&app.store, &account.id, &key_id).await?;
    // Also when the key was gone already: an earlier call may have ended between the two steps.
    let version = accounts::get(&app.store, &account.id).await?.map_or(0, |it| it.gate_version);
    app.gate.invalidate(&account.id, version).await?;
    Ok(Reply::no_content())
}
