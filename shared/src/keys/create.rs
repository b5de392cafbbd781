//! Making a key, once for each `Idempotency-Key`.

use time::OffsetDateTime;

use super::{ApiKey, Environment, KeyItem, KeyName, Known, insert, known};
use crate::{
    app::App,
    error::Error,
    ids::{AccountId, KeyId},
    secrets::Pepper,
};

/// Makes a key of `account`, for whom the key `by` has let in. With the same `seed` it is the same key again, as long as that is not revoked:
/// then it is refused, so that what has leaked does not come back to life.
pub async fn create(
    app: &App,
    (account, by): (&AccountId, &KeyId),
    (name, environment): (KeyName, Environment),
    seed: Option<&str>,
    now: OffsetDateTime,
) -> Result<(ApiKey, KeyItem), Error> {
    let peppers = app.secrets.get().await?.pepper;
    let derived = |pepper: &Pepper, seed: &str| {
        let key_id = KeyId::derived(pepper, &format!("{account}\0{seed}"));
        (ApiKey::derived(account.clone(), environment, pepper, seed), key_id)
    };
    if let Some(seed) = seed {
        // While the pepper is rotated, the request may have been answered by who has read another secret.
        for pepper in peppers.others() {
            let (key, key_id) = derived(pepper, seed);
            if let Some(known) = known(&app.store, account, &key_id).await? {
                return Ok((key, known.live()?));
            }
        }
    }
    let (key, key_id) = match seed {
        Some(seed) => derived(&peppers.current, seed),
        None => (ApiKey::random(account.clone(), environment), KeyId::random()),
    };
    let item = KeyItem::new(&key, key_id, name, &peppers.current, now);
    let stored = insert(&app.store, item, Some(by)).await?;
    Ok((key, stored))
}

impl Known {
    /// The key, if it can still be used.
    pub(super) fn live(self) -> Result<KeyItem, Error> {
        match self {
            Self::Live(item) => Ok(*item),
            Self::Revoked => Err(Error::Conflict(
                "this `Idempotency-Key` was used for a key that has been revoked; use a new one",
            )),
        }
    }
}
