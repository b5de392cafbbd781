//! Keys in DynamoDB: table `api-keys`, `account` / `key_id`. Every change also counts the account's
//! gate version up, so that no older copy of the keys can be put into Redis again.

use aws_sdk_dynamodb::types::{Delete, Put, Update};

use super::KeyItem;
use crate::{
    error::Error,
    ids::{AccountId, KeyId},
    inventory::Table,
    store::{Store, deleting, from_item, n, putting, s, to_item, transact, unavailable, updating},
};

/// How many live keys an account may have.
pub const MAX_KEYS: usize = 20;

/// Every live key of the account, oldest first. Strongly consistent.
pub async fn list(store: &Store, account: &AccountId) -> Result<Vec<KeyItem>, Error> {
    let answer = store
        .client()
        .query()
        .table_name(store.name(Table::ApiKeys))
        .consistent_read(true)
        .key_condition_expression("account = :account")
        .expression_attribute_values(":account", s(account.to_string()))
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

/// Stores a new key. An equal one that is already there is left as it is and returned: the request
/// was tried again.
pub async fn insert(store: &Store, key: KeyItem) -> Result<KeyItem, Error> {
    let put = Put::builder()
        .table_name(store.name(Table::ApiKeys))
        .set_item(Some(to_item(&key)?))
        .condition_expression("attribute_not_exists(account)");
    let account = account_update(store, &key.account)
        .update_expression("ADD gate_version :one, key_count :one")
        .condition_expression("attribute_exists(id) AND key_count < :most")
        .expression_attribute_values(":most", n(MAX_KEYS));
    let items = vec![putting(put)?, updating(account)?];
    let Some(reasons) = transact(store, items).await? else { return Ok(key) };
    if let Some(there) = find(store, &key.account, &key.key_id).await? {
        return Ok(there);
    }
    match reasons.get(1).map(String::as_str) {
        Some("ConditionalCheckFailed") => Err(Error::Conflict(
            "the account has 20 live keys, the most there can be; revoke one first",
        )),
        _ => Err(Error::Unavailable { dependency: "DynamoDB", detail: reasons.join(", ") }),
    }
}

/// Deletes a key; a key that is gone already is no error. The gate must be told afterwards.
pub async fn revoke(store: &Store, account: &AccountId, key_id: &KeyId) -> Result<(), Error> {
    let delete = Delete::builder()
        .table_name(store.name(Table::ApiKeys))
        .key("account", s(account.to_string()))
        .key("key_id", s(key_id.to_string()))
        .condition_expression("attribute_exists(account)");
    let account = account_update(store, account)
        .update_expression("ADD gate_version :one, key_count :minus")
        .condition_expression("attribute_exists(id)")
        .expression_attribute_values(":minus", n(-1));
    match transact(store, vec![deleting(delete)?, updating(account)?]).await? {
        None => Ok(()),
        Some(reasons) if reasons.first().is_some_and(|it| it == "ConditionalCheckFailed") => Ok(()),
        Some(reasons) => {
            Err(Error::Unavailable { dependency: "DynamoDB", detail: reasons.join(", ") })
        }
    }
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

fn account_update(
    store: &Store,
    account: &AccountId,
) -> aws_sdk_dynamodb::types::builders::UpdateBuilder {
    Update::builder()
        .table_name(store.name(Table::Accounts))
        .key("id", s(account.to_string()))
        .expression_attribute_values(":one", n(1))
}
