//! Accounts in DynamoDB: table `accounts`, key `id`. An item `email#<hash>` marks an address as
//! taken, which makes it unique in one transaction.

use super::Account;
use crate::{
    error::Error,
    ids::AccountId,
    inventory::Table,
    store::{Store, from_item},
};

/// The account, strongly consistent.
pub async fn get(store: &Store, id: &AccountId) -> Result<Option<Account>, Error> {
    store.get(Table::Accounts, [("id", id.to_string())]).await?.map(from_item).transpose()
}

/// Key of the marker of an address.
pub(super) fn marker(email_hash: &str) -> String {
    format!("email#{email_hash}")
}

/// Whether an account has this address.
pub(super) async fn is_taken(store: &Store, email_hash: &str) -> Result<bool, Error> {
    Ok(store.get(Table::Accounts, [("id", marker(email_hash))]).await?.is_some())
}
