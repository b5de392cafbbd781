//! Getting back into an account by mail: who has no key, or whose key somebody else has, asks for a token by
//! signing up with the account's address again. It makes a new key, and if wanted revokes all others and
//! cancels a deletion. So the mailbox decides whose the account is, not who holds a key.

use aws_sdk_dynamodb::types::Update;
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use utoipa::ToSchema;

use super::{
    Account,
    store::{confirm_mail, get},
};
use crate::{
    app::App,
    dates::at,
    error::{AuthError, Error},
    ids::{AccountId, KeyId},
    inventory::{self, RECOVERY_HOURS, Table},
    keys::{self, ApiKey, Environment, KeyItem, KeyName, NewKeyView, Recovery},
    mail::{self, Invitation, Mail},
    plans::Plan,
    privacy::{self, Kind, State},
    secrets::{Pepper, Peppers},
    store::{conditional, from_item, n, s},
};

/// A used token answers again for this long, so that an answer that was lost on its way can be asked for once
/// more.
const AGAIN: Duration = Duration::minutes(10);

/// What getting back in asks for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RecoverRequest {
    /// The token from the mail.
    #[schema(example = "8Jd0sVb3NcQ7yLh5TgXe1RfKu6MaPo2w")]
    pub token: String,
    /// Whether every other key of the account is revoked at once: if somebody else may have one. They go on
    /// working unless you say so.
    #[serde(default)]
    #[schema(example = true)]
    pub revoke_other_keys: bool,
    /// Whether a deletion of the account that has not begun is cancelled. It stays scheduled unless you say so.
    #[serde(default)]
    #[schema(example = true)]
    pub cancel_deletion: bool,
}

/// The account, with a new key.
#[derive(Serialize, ToSchema)]
pub struct Recovered {
    /// Its id.
    #[schema(example = "acc_4kPq9ZtR2mWx")]
    pub account_id: String,
    /// Its plan.
    pub plan: Plan,
    /// Its new API key.
    pub api_key: NewKeyView,
    /// How many other keys of it work: `GET /v1/keys` lists them.
    #[schema(example = 0)]
    pub other_keys: usize,
    /// Whether a deletion of it is scheduled.
    #[schema(example = false)]
    pub deletion_is_open: bool,
}

/// A mailed token as it waits (`sessions`, `hash`).
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct PendingRecovery {
    hash: String,
    account: AccountId,
    /// Epoch seconds, as all below.
    valid_until: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    used_at: Option<i64>,
    /// When the mail that says so was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    told_at: Option<i64>,
    expires_at: i64,
    expires_on: String,
}

impl PendingRecovery {
    pub(super) fn new(
        account: &AccountId,
        pepper: &Pepper,
        token: &str,
        now: OffsetDateTime,
    ) -> Self {
        let hash = token_hash(pepper, token);
        let expiry = inventory::RECOVERIES.expiry(now, &hash);
        Self {
            hash,
            account: account.clone(),
            valid_until: (now + Duration::hours(RECOVERY_HOURS)).unix_timestamp(),
            used_at: None,
            told_at: None,
            expires_at: expiry.at,
            expires_on: expiry.on,
        }
    }

    fn is_open(&self, now: OffsetDateTime) -> bool {
        let now = now.unix_timestamp();
        match self.used_at {
            Some(used) => now - used <= AGAIN.whole_seconds(),
            None => now < self.valid_until,
        }
    }
}

/// Stored form of a mailed token.
fn token_hash(pepper: &Pepper, token: &str) -> String {
    pepper.hash("recovery token", token)
}

/// Lets back in who has the token. The same token again comes to the same key, for ten minutes.
pub async fn recover(
    app: &App,
    request: &RecoverRequest,
    now: OffsetDateTime,
) -> Result<Recovered, Error> {
    app.gate.check_restored().await?;
    let peppers = app.secrets.get().await?.pepper;
    // A token mailed just before a rotation is still found.
    for pepper in peppers.all() {
        let hash = token_hash(pepper, &request.token);
        if let Some(item) = app.store.get(Table::Sessions, [("hash", hash)]).await? {
            let waiting: PendingRecovery = from_item(item)?;
            if waiting.is_open(now) {
                return open(app, (&peppers, pepper), request, &waiting, now).await;
            }
        }
    }
    Err(AuthError::RecoveryToken.into())
}

async fn open(
    app: &App,
    (peppers, pepper): (&Peppers, &Pepper),
    request: &RecoverRequest,
    waiting: &PendingRecovery,
    now: OffsetDateTime,
) -> Result<Recovered, Error> {
    // Everything follows from the token, so that doing it again comes to the same.
    let (id, seed) = (waiting.account.clone(), format!("recovery\0{}", request.token));
    let key = ApiKey::derived(id.clone(), Environment::Live, pepper, &seed);
    let key_id = KeyId::derived(pepper, &seed);
    let name = KeyName::parse("recovered")?;
    let recovery = Recovery {
        key: KeyItem::new(&key, key_id.clone(), name, pepper, now),
        revoke_others: request.revoke_other_keys,
        using: waiting.used_at.is_none().then(|| using(app, waiting, now)).transpose()?,
    };
    let other_keys = keys::recover(&app.store, recovery, now).await?;
    let other_keys = other_keys.ok_or(AuthError::RecoveryToken)?;
    // Also when it was done already: an earlier call may have ended here.
    app.gate.invalidate_now(&id).await?;
    // The token has come through, once: a token that is sent again within its minutes says no more.
    confirm_mail(&app.store, &id, waiting.used_at.map_or(now, at)).await?;
    let (account, key_item) =
        tokio::try_join!(get(&app.store, &id), keys::find(&app.store, &id, &key_id))?;
    let (Some(account), Some(key_item)) = (account, key_item) else {
        return Err(AuthError::RecoveryToken.into());
    };
    mail::lift(&app.store, peppers, &account.email).await?;
    tell(app, &account, waiting, request.revoke_other_keys, now).await?;
    // After the others' keys have ended, so that none of them asks for it again.
    let deletion_is_open = close_deletion(app, &account, request.cancel_deletion, now).await?;
    Ok(Recovered {
        account_id: id.to_string(),
        plan: account.plan_at(now),
        api_key: NewKeyView { key: key.expose().to_owned(), view: (&key_item).into() },
        other_keys,
        deletion_is_open,
    })
}

/// Marks the token as used, on condition that it is not.
fn using(app: &App, waiting: &PendingRecovery, now: OffsetDateTime) -> Result<Update, Error> {
    Update::builder()
        .table_name(app.store.name(Table::Sessions))
        .key("hash", s(&waiting.hash))
        .update_expression("SET used_at = :at")
        .condition_expression("attribute_exists(#hash) AND attribute_not_exists(used_at)")
        .expression_attribute_names("#hash", "hash")
        .expression_attribute_values(":at", n(now.unix_timestamp()))
        .build()
        .map_err(Error::internal)
}

/// Cancels the deletion that is open, if `cancel`; whether one is open then.
async fn close_deletion(
    app: &App,
    account: &Account,
    cancel: bool,
    now: OffsetDateTime,
) -> Result<bool, Error> {
    let Some(id) = &account.erasure else { return Ok(false) };
    let Some(request) = privacy::load(&app.store, id).await? else { return Ok(false) };
    if request.kind != Kind::Erasure || request.state == State::Cancelled {
        return Ok(false);
    }
    if cancel {
        privacy::cancel_deletion(app, account, request, now).await?;
    }
    Ok(!cancel)
}

/// Says by mail that it has happened. At worst twice, where calls overlap: never not at all.
async fn tell(
    app: &App,
    account: &Account,
    waiting: &PendingRecovery,
    revoked: bool,
    now: OffsetDateTime,
) -> Result<(), Error> {
    if waiting.told_at.is_some() {
        return Ok(());
    }
    let mail = was_recovered(revoked);
    app.mailer.tell(account, (mail::Kind::Keys, None), mail, now).await?;
    let update = app
        .store
        .client()
        .update_item()
        .table_name(app.store.name(Table::Sessions))
        .key("hash", s(&waiting.hash))
        .update_expression("SET told_at = :at")
        .condition_expression("attribute_exists(#hash)")
        .expression_attribute_names("#hash", "hash")
        .expression_attribute_values(":at", n(now.unix_timestamp()));
    conditional(update.send().await).map(drop)
}

/// The mail to an address that has an account. Nothing in it acts when it is only opened or followed.
pub(super) fn way_back(public_url: &str, token: &str) -> Mail {
    let before = [
        "Somebody, perhaps you, asked to sign up with this address. It has an account already, so nothing has \
         changed. If it was not you, ignore this mail."
            .to_owned(),
        "Have you lost your API key, or may somebody else have it?".to_owned(),
    ];
    let after = [
        format!(
            "The link works once, for {RECOVERY_HOURS} hours. On the page you can also stop every other key at \
             once, if somebody else may have one, and keep an account that is to be deleted."
        ),
        "Give the link to nobody you do not trust: it opens your account.".to_owned(),
    ];
    let invitation = Invitation {
        subject: "You already have an account",
        before: &before,
        page: &format!("{public_url}/recover"),
        label: "Get a new key on this page",
        after: &after,
        endpoint: &format!("{public_url}/v1/accounts/recover"),
    };
    invitation.mail(token)
}

/// The mail that says that a token was used.
fn was_recovered(revoked: bool) -> Mail {
    let others = match revoked {
        true => {
            "All other keys of the account have been revoked. Programs that used one of them need the new key."
        }
        false => {
            "The other keys of the account go on working. If somebody else may have one of them, revoke it."
        }
    };
    Mail::of(
        "A new key for your account",
        &[
            "A new API key was made for your account, with a token that was mailed to this address.".to_owned(),
            others.to_owned(),
            "Was it not you? Then somebody else reads your mail: change the password of your mailbox first. Then \
             sign up again with this address: a new token comes, with which you make a key and revoke all \
             others."
                .to_owned(),
        ],
    )
}
