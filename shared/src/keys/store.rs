//! Keys in DynamoDB: table `api-keys`, `account` / `key_id`. Every change also counts the account's
//! gate version up, so that no older copy of the keys can be put into Redis again.
//!
//! A revoked key leaves a mark, `revoked#<key id>` in the place of the id: no key of that id is made again,
//! and whoever revokes it again learns that it was done. Marks are not among what is read to authenticate.

use aws_sdk_dynamodb::types::{
    ConditionCheck, Delete, Put, TransactWriteItem, Update,
    builders::{DeleteBuilder, PutBuilder},
};
use time::OffsetDateTime;

use super::{Environment, KeyItem};
use crate::{
    accounts::{self, Status},
    billing::{KeyChange, telling_of_key},
    dates::at,
    error::{AuthError, Error},
    ids::{AccountId, KeyId},
    inventory::Table,
    privacy::{Act, noting},
    store::{
        Item, Store, deleting, from_item, n, putting, s, to_item, transact, unavailable, updating,
    },
};

/// How many live keys an account may have.
pub const MAX_KEYS: usize = 20;

/// How often a change starts over because somebody else has changed the account meanwhile.
const TRIES: u32 = 8;

const TOO_MANY: Error =
    Error::Conflict("the account has 20 live keys, the most there can be; revoke one first");

const NO_SUCH_KEY: Error = Error::NotFound("key of yours");

const LAST_KEY: Error = Error::Conflict(
    "this is the last key that opens your account: make another one first. To revoke it all the same, repeat \
     the request with `?confirm=last`; you get a new key only by mail then, by signing up again with your \
     address",
);

/// What there is under a key's id.
#[derive(Debug)]
pub enum Known {
    /// A key that works.
    Live(Box<KeyItem>),
    /// The mark of one that did.
    Revoked,
}

/// Every live key of the account, oldest first. Strongly consistent.
pub async fn list(store: &Store, account: &AccountId) -> Result<Vec<KeyItem>, Error> {
    let answer = store
        .client()
        .query()
        .table_name(store.name(Table::ApiKeys))
        .consistent_read(true)
        .key_condition_expression("account = :account AND begins_with(key_id, :live)")
        .expression_attribute_values(":account", s(account.to_string()))
        .expression_attribute_values(":live", s("key_"))
        .send()
        .await
        .map_err(unavailable)?;
    let mut keys = answer
        .items
        .unwrap_or_default()
        .into_iter()
        .map(from_item)
        .collect::<Result<Vec<KeyItem>, _>>()?;
    keys.sort_by(|a, b| (a.created_at, &a.key_id).cmp(&(b.created_at, &b.key_id)));
    Ok(keys)
}

/// One live key.
pub async fn find(
    store: &Store,
    account: &AccountId,
    key_id: &KeyId,
) -> Result<Option<KeyItem>, Error> {
    let key = [("account", account.to_string()), ("key_id", key_id.to_string())];
    store.get(Table::ApiKeys, key).await?.map(from_item).transpose()
}

/// What there is or was under this id.
pub async fn known(
    store: &Store,
    account: &AccountId,
    key_id: &KeyId,
) -> Result<Option<Known>, Error> {
    if let Some(item) = find(store, account, key_id).await? {
        return Ok(Some(Known::Live(Box::new(item))));
    }
    Ok(was_revoked(store, account, key_id).await?.then_some(Known::Revoked))
}

async fn was_revoked(store: &Store, account: &AccountId, key_id: &KeyId) -> Result<bool, Error> {
    let key = [("account", account.to_string()), ("key_id", mark(key_id))];
    Ok(store.get(Table::ApiKeys, key).await?.is_some())
}

/// Stores a new key that was asked for with the key `by`, if that still works then. An equal one that is
/// already there is left as it is and returned: the request was tried again. One that was revoked is
/// refused.
pub async fn insert(store: &Store, key: KeyItem, by: Option<&KeyId>) -> Result<KeyItem, Error> {
    let unmarked = ConditionCheck::builder()
        .table_name(store.name(Table::ApiKeys))
        .key("account", s(key.account.to_string()))
        .key("key_id", s(mark(&key.key_id)))
        .condition_expression("attribute_not_exists(account)")
        .build()
        .map_err(Error::internal)?;
    let account = account_update(store, &key.account)
        .update_expression("ADD gate_version :one, key_count :one")
        .condition_expression("attribute_exists(id) AND key_count < :most")
        .expression_attribute_values(":most", n(MAX_KEYS));
    let mut items = vec![
        put_new(store, &key)?,
        updating(account)?,
        TransactWriteItem::builder().condition_check(unmarked).build(),
    ];
    // Not itself: a transaction names an item once.
    if let Some(by) = by.filter(|by| **by != key.key_id) {
        let works = ConditionCheck::builder()
            .table_name(store.name(Table::ApiKeys))
            .key("account", s(key.account.to_string()))
            .key("key_id", s(by.to_string()))
            .condition_expression("attribute_exists(account)")
            .build()
            .map_err(Error::internal)?;
        items.push(TransactWriteItem::builder().condition_check(works).build());
    }
    let told = (KeyChange::Made, key.name.as_str());
    items.push(telling_of_key(store, &key.account, told, at(key.created_at))?);
    let Some(reasons) = transact(store, items).await? else { return Ok(key) };
    if let Some(there) = known(store, &key.account, &key.key_id).await? {
        return there.live();
    }
    let failed = |part| reasons.get(part).is_some_and(|it| it == "ConditionalCheckFailed");
    match () {
        // It was revoked after it had let the request in.
        () if failed(3) => Err(AuthError::Unknown.into()),
        () if failed(1) => Err(TOO_MANY),
        _ => Err(Error::Unavailable { dependency: "DynamoDB", detail: reasons.join(", ") }),
    }
}

/// Revokes a key; again is as good as once. The last one that opens the account is revoked only with
/// `even_the_last`. The gate must be told afterwards.
pub async fn revoke(
    store: &Store,
    account: &AccountId,
    key_id: &KeyId,
    even_the_last: bool,
    now: OffsetDateTime,
) -> Result<(), Error> {
    let opens = |key: &KeyItem| key.environment == Environment::Live;
    for _ in 0..TRIES {
        // The account before its keys: whoever changes them in between has this refused.
        let found = accounts::get(store, account).await?.ok_or(NO_SUCH_KEY)?;
        let keys = list(store, account).await?;
        let Some(key) = keys.iter().find(|it| it.key_id == *key_id) else {
            return was_revoked(store, account, key_id).await?.then_some(()).ok_or(NO_SUCH_KEY);
        };
        if opens(key) && !even_the_last && keys.iter().filter(|it| opens(it)).count() == 1 {
            return Err(LAST_KEY);
        }
        let update = account_update(store, account)
            .update_expression("ADD gate_version :one, key_count :minus")
            .condition_expression("gate_version = :seen")
            .expression_attribute_values(":minus", n(-1))
            .expression_attribute_values(":seen", n(found.gate_version));
        let mut items = vec![updating(update)?];
        items.extend(revoking(store, account, key_id, now)?);
        let told = (KeyChange::Revoked, key.name.as_str());
        items.push(telling_of_key(store, account, told, now)?);
        if transact(store, items).await?.is_none() {
            return Ok(());
        }
    }
    Err(Error::Unavailable { dependency: "DynamoDB", detail: CHANGING.to_owned() })
}

/// Revokes a key, at `at`, that a backup has brought back, or marks one that it does not know; whether that was
/// to be done. Nothing of an account that is not there.
pub(crate) async fn revoke_again(
    store: &Store,
    account: &AccountId,
    key_id: &KeyId,
    at: OffsetDateTime,
) -> Result<bool, Error> {
    for _ in 0..TRIES {
        let Some(found) = accounts::get(store, account).await? else { return Ok(false) };
        let keys = list(store, account).await?;
        let is_live = keys.iter().any(|it| it.key_id == *key_id);
        if !is_live && was_revoked(store, account, key_id).await? {
            return Ok(false);
        }
        let update = account_update(store, account)
            .update_expression("SET key_count = :keys ADD gate_version :one")
            .condition_expression("gate_version = :seen")
            .expression_attribute_values(":keys", n(keys.len() - usize::from(is_live)))
            .expression_attribute_values(":seen", n(found.gate_version));
        let mut items = vec![updating(update)?, putting(marking(store, account, key_id, at))?];
        if is_live {
            items.push(deleting(deletion(store, account, key_id))?);
        }
        if transact(store, items).await?.is_none() {
            return Ok(true);
        }
    }
    Err(Error::Unavailable { dependency: "DynamoDB", detail: CHANGING.to_owned() })
}

const CHANGING: &str = "the account kept changing";

/// What is to become of an account's keys when its holder comes back by mail.
#[derive(Debug)]
pub struct Recovery {
    /// The new key.
    pub key: KeyItem,
    /// Whether all others are revoked.
    pub revoke_others: bool,
    /// Marks the mailed token as used, unless that was done; on condition that it was not.
    pub using: Option<Update>,
}

/// Stores the new key and revokes the others, all in one. Says how many others there are then; `None`: the
/// new key is not there any more. Starts with what others have done meanwhile with the same token.
pub async fn recover(
    store: &Store,
    mut recovery: Recovery,
    now: OffsetDateTime,
) -> Result<Option<usize>, Error> {
    let id = recovery.key.account.clone();
    let key_id = recovery.key.key_id.clone();
    for _ in 0..TRIES {
        let found = accounts::get(store, &id).await?.ok_or(AuthError::RecoveryToken)?;
        if found.status == Status::Erasing {
            return Err(Error::Conflict(
                "the account is being deleted and cannot be recovered any more; sign up again when you have the \
                 mail that says it is done",
            ));
        }
        let keys = list(store, &id).await?;
        let is_there = keys.iter().any(|it| it.key_id == key_id);
        if recovery.using.is_none() && !is_there {
            return Ok(None);
        }
        let mut others: Vec<_> = keys.iter().filter(|it| it.key_id != key_id).collect();
        let count = others.len();
        if !recovery.revoke_others {
            others.clear();
        }
        let left = count - others.len();
        if !is_there && left >= MAX_KEYS {
            return Err(Error::Conflict(
                "the account has 20 live keys, the most there can be; to revoke them all, send \
                 `revoke_other_keys`: true",
            ));
        }
        if recovery.using.is_none() && others.is_empty() {
            return Ok(Some(left));
        }
        let update = account_update(store, &id)
            .update_expression("SET key_count = :keys ADD gate_version :one")
            .condition_expression("gate_version = :seen AND #status <> :erasing")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":keys", n(left + 1))
            .expression_attribute_values(":seen", n(found.gate_version))
            .expression_attribute_values(":erasing", s(Status::Erasing.name()));
        let mut items = vec![updating(update)?];
        if let Some(using) = &recovery.using {
            items.push(TransactWriteItem::builder().update(using.clone()).build());
            items.push(put_new(store, &recovery.key)?);
        }
        for other in others {
            items.extend(revoking(store, &id, &other.key_id, now)?);
        }
        let Some(reasons) = transact(store, items).await? else { return Ok(Some(left)) };
        if reasons.get(1).is_some_and(|it| it == "ConditionalCheckFailed") {
            // The same token at the same moment: the other call has made the key.
            recovery.using = None;
        }
    }
    Err(Error::Unavailable { dependency: "DynamoDB", detail: CHANGING.to_owned() })
}

/// Notes that the key was used at `at` (epoch seconds), unless it is gone or a later use is known.
pub async fn mark_used(
    store: &Store,
    account: &AccountId,
    key_id: &KeyId,
    at: i64,
) -> Result<(), Error> {
    let answer = store
        .client()
        .update_item()
        .table_name(store.name(Table::ApiKeys))
        .key("account", s(account.to_string()))
        .key("key_id", s(key_id.to_string()))
        .update_expression("SET last_used_at = :at")
        .condition_expression(
            "attribute_exists(account) AND (attribute_not_exists(last_used_at) OR last_used_at < :at)",
        )
        .expression_attribute_values(":at", n(at))
        .send()
        .await;
    crate::store::conditional(answer).map(drop)
}

/// Sort key of the mark that a revoked key leaves.
fn mark(key_id: &KeyId) -> String {
    format!("revoked#{key_id}")
}

/// Puts the mark in the place of the key, and notes it where no backup can undo it.
fn revoking(
    store: &Store,
    account: &AccountId,
    key_id: &KeyId,
    now: OffsetDateTime,
) -> Result<[TransactWriteItem; 3], Error> {
    let put = putting(marking(store, account, key_id, now))?;
    let noted = noting(store, account, Act::KeyRevoked { key_id: key_id.clone() }, now)?;
    Ok([deleting(deletion(store, account, key_id))?, put, noted])
}

fn deletion(store: &Store, account: &AccountId, key_id: &KeyId) -> DeleteBuilder {
    Delete::builder()
        .table_name(store.name(Table::ApiKeys))
        .key("account", s(account.to_string()))
        .key("key_id", s(key_id.to_string()))
        .condition_expression("attribute_exists(account)")
}

fn marking(store: &Store, account: &AccountId, key_id: &KeyId, now: OffsetDateTime) -> PutBuilder {
    let mark = Item::from([
        ("account".to_owned(), s(account.to_string())),
        ("key_id".to_owned(), s(mark(key_id))),
        ("revoked_at".to_owned(), n(now.unix_timestamp())),
    ]);
    Put::builder().table_name(store.name(Table::ApiKeys)).set_item(Some(mark))
}

fn put_new(store: &Store, key: &KeyItem) -> Result<TransactWriteItem, Error> {
    let put = Put::builder()
        .table_name(store.name(Table::ApiKeys))
        .set_item(Some(to_item(key)?))
        .condition_expression("attribute_not_exists(account)");
    putting(put)
}

fn account_update(
    store: &Store,
    account: &AccountId,
) -> aws_sdk_dynamodb::types::builders::UpdateBuilder {
    Update::builder()
        .table_name(store.name(Table::Accounts))
        .key("id", s(account.to_string()))
        .expression_attribute_values(":one", n(1))
}
