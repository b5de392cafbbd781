//! Billing records as they are kept: table `billing-records`, `account` / `record`.

use time::OffsetDateTime;

use super::record::Record;
use crate::{
    error::Error,
    ids::AccountId,
    inventory::Table,
    store::{Store, from_item, number, s, unavailable},
};

/// Every record of `account` that is still kept at `now`, the oldest first.
pub(super) async fn records_of(
    store: &Store,
    account: &AccountId,
    now: OffsetDateTime,
) -> Result<Vec<Record>, Error> {
    let query = store
        .client()
        .query()
        .table_name(store.name(Table::BillingRecords))
        .key_condition_expression("account = :account")
        .expression_attribute_values(":account", s(account.to_string()))
        .consistent_read(true);
    let mut items = query.into_paginator().items().send();
    let mut records = Vec::new();
    while let Some(item) = items.next().await {
        let item = item.map_err(unavailable)?;
        if number(&item, "expires_at").is_none_or(|at| at > now.unix_timestamp()) {
            records.push(from_item(item)?);
        }
    }
    Ok(records)
}
