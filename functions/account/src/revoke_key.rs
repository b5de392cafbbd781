//! `DELETE /v1/keys/{key_id}`: the next request with the key is refused.

use vidintel::{
    app::App,
    error::{Error, InputError},
    gate::Class,
    http::{Call, Reply, authenticate, serve},
    ids::KeyId,
    keys,
    program::Ended,
};

/// Answers the requests.
pub fn main() -> Ended {
    serve(|app, call| Box::pin(handle(app, call)))
}

async fn handle(app: &App, call: &Call) -> Result<Reply, Error> {
    let (account, _) = authenticate(app, call, Class::Account).await?;
    let key_id: KeyId = call.path("key_id").parse().map_err(|_| {
        InputError::field("key_id", "must be the id of a key, as `GET /v1/keys` lists it")
    })?;
    let even_the_last = match call.query("confirm").as_deref() {
        None => false,
        Some("last") => true,
        Some(_) => return Err(InputError::field("confirm", "must be `last`").into()),
    };
    keys::revoke(&app.store, &account.id, &key_id, even_the_last, call.now()).await?;
    // Also when the key was gone already: an earlier call may have ended between the two steps.
    app.gate.invalidate_now(&account.id).await?;
    Ok(Reply::no_content())
}
