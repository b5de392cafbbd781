//! Confirming an address: the account and its first key come into being together, or not at all.

use aws_sdk_dynamodb::types::{Put, TransactWriteItem, Update};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use utoipa::ToSchema;

use super::{
    Account, Status,
    network::note_sign_up,
    sign_up::{PendingSignUp, token_hash},
    store::{get, is_taken, marker, own_marker},
};
use crate::{
    app::App,
    error::{AuthError, Error},
    ids::{AccountId, KeyId},
    inventory::Table,
    keys::{self, ApiKey, Environment, KeyItem, KeyName, NewKeyView},
    mail,
    plans::Plan,
    secrets::{Pepper, Peppers},
    store::{Item, from_item, n, putting, s, to_item, transact, updating},
};

/// A used token answers again for this long, so that an answer that was lost on its way can be
/// asked for once more.
const AGAIN: Duration = Duration::minutes(10);

const ADDRESS_TAKEN: Error = Error::Conflict(
    "this address has an account already; for a new API key, sign up again with it",
);

/// What confirming asks for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifyRequest {
    /// The token from the mail.
    #[schema(example = "8Jd0sVb3NcQ7yLh5TgXe1RfKu6MaPo2w")]
    pub token: String,
}

/// The new account.
#[derive(Serialize, ToSchema)]
pub struct Verified {
    /// Its id.
    #[schema(example = "acc_4kPq9ZtR2mWx")]
    pub account_id: String,
    /// Its plan.
    pub plan: Plan,
    /// Its first API key.
    pub api_key: NewKeyView,
}

/// Opens the account that `token` was mailed for. `source_ip` is only counted, its network under a keyed
/// hash, for a day.
pub async fn verify(
    app: &App,
    token: &str,
    source_ip: &str,
    now: OffsetDateTime,
) -> Result<Verified, Error> {
    app.gate.check_restored().await?;
    let peppers = app.secrets.get().await?.pepper;
    // A token mailed just before a rotation is still found.
    for pepper in peppers.all() {
        let hash = token_hash(pepper, token);
        if let Some(item) = app.store.get(Table::Sessions, [("hash", hash)]).await? {
            return open(app, &peppers, (pepper, token), from_item(item)?, source_ip, now).await;
        }
    }
    Err(AuthError::Token.into())
}

async fn open(
    app: &App,
    peppers: &Peppers,
    (pepper, token): (&Pepper, &str),
    pending: PendingSignUp,
    source_ip: &str,
    now: OffsetDateTime,
) -> Result<Verified, Error> {
    let at = now.unix_timestamp();
    let too_late = pending.used_at.is_some_and(|used| at - used > AGAIN.whole_seconds());
    if at >= pending.expires_at || too_late {
        return Err(AuthError::Token.into());
    }
    // Everything follows from the token, so that doing it again comes to the same.
    let id = AccountId::derived(pepper, token);
    let key_id = KeyId::derived(pepper, token);
    let api_key = ApiKey::derived(id.clone(), Environment::Live, pepper, token);
    if let Some(email) = pending.email {
        // Its marker under this pepper is for the transaction to find.
        let others = peppers.all().filter(|it| it.version != pepper.version);
        if is_taken(&app.store, &email, others).await? {
            return Err(ADDRESS_TAKEN);
        }
        let account = Account {
            id: id.clone(),
            email_hash: email.hash(pepper),
            email,
            company: pending.company,
            plan: Plan::Free,
            customer: None,
            past_customers: Vec::new(),
            subscription: None,
            past_period: None,
            billing_version: 0,
            status: Status::Active,
            created_at: at,
            policy_version: pending.policy_version,
            policy_accepted_at: pending.policy_accepted_at,
            marketing_consent_at: pending.marketing_consent_at,
            gate_version: 1,
            key_count: 1,
            erasure: None,
            export: None,
            status_untold: false,
            mail_stopped: None,
            mail_confirmed_at: None,
        };
        let name = KeyName::parse("default")?;
        let key = KeyItem::new(&api_key, key_id.clone(), name, pepper, now);
        if create(app, &account, &key, &pending.hash, at).await? {
            note_sign_up(app, &peppers.current, &account, source_ip, now).await;
        }
    }
    let (Some(account), Some(key)) =
        tokio::try_join!(get(&app.store, &id), keys::find(&app.store, &id, &key_id))?
    else {
        // Revoked or deleted in the meantime.
        return Err(AuthError::Token.into());
    };
    // The token has come through.
    mail::lift(&app.store, peppers, &account.email).await?;
    Ok(Verified {
        account_id: id.to_string(),
        plan: account.plan_at(now),
        api_key: NewKeyView { key: api_key.expose().to_owned(), view: (&key).into() },
    })
}

/// Writes account, marker and key, and takes the personal data out of the sign-up; whether this call did.
async fn create(
    app: &App,
    account: &Account,
    key: &KeyItem,
    hash: &str,
    at: i64,
) -> Result<bool, Error> {
    let marker = Item::from([
        ("id".to_owned(), s(marker(&account.email_hash))),
        ("account".to_owned(), s(account.id.to_string())),
    ]);
    let used = Update::builder()
        .table_name(app.store.name(Table::Sessions))
        .key("hash", s(hash))
        .update_expression("SET used_at = :at REMOVE email, company")
        .condition_expression("attribute_exists(#hash) AND attribute_not_exists(used_at)")
        .expression_attribute_names("#hash", "hash")
        .expression_attribute_values(":at", n(at));
    let items = vec![
        put_new(app, Table::Accounts, "id", marker)?,
        put_new(app, Table::Accounts, "id", to_item(account)?)?,
        put_new(app, Table::ApiKeys, "account", to_item(key)?)?,
        updating(used)?,
    ];
    let Some(reasons) = transact(&app.store, items).await? else { return Ok(true) };
    let refused = |part: usize| reasons.get(part).is_some_and(|it| it == "ConditionalCheckFailed");
    // The address before the sign-up: one that is gone meanwhile says nothing of who has the address.
    if refused(0) && own_marker(&app.store, account).await?.is_none() {
        return Err(ADDRESS_TAKEN);
    }
    if refused(0) || refused(1) || refused(3) {
        // The same token at the same moment: the other call has done it.
        return Ok(false);
    }
    Err(Error::Unavailable { dependency: "DynamoDB", detail: reasons.join(", ") })
}

fn put_new(app: &App, table: Table, key: &str, item: Item) -> Result<TransactWriteItem, Error> {
    let put = Put::builder()
        .table_name(app.store.name(table))
        .set_item(Some(item))
        .condition_expression("attribute_not_exists(#key)")
        .expression_attribute_names("#key", key);
    putting(put)
}
