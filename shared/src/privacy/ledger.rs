//! The erasure ledger, and how a restored table is noticed.
//!
//! Every erasure is an entry of the ledger, numbered without gaps, and the number is written into each
//! protected table in the same transaction. A table that is restored to an earlier point in time shows
//! an earlier number: until the later erasures have been repeated, the service stays closed. The ledger
//! is a table of its own, so that it does not go back together with what it protects; if it does, the
//! numbers do not agree either.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::{Delete, Put, Update};
use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{
    error::Error,
    ids::{AccountId, RequestId},
    inventory::{self, Table},
    store::{
        Item, Store, deleting, from_item, n, number, putting, s, stored, text, to_item, transact,
        unavailable, updating,
    },
};

/// Tables that must not show an erased account again.
pub(super) const PROTECTED: [Table; 11] = [
    Table::Accounts,
    Table::ApiKeys,
    Table::Sessions,
    Table::Quotas,
    Table::ApiLogs,
    Table::UsageStats,
    Table::BillingRecords,
    Table::BillingTasks,
    Table::SupportMessages,
    Table::Consents,
    Table::Exports,
];

/// Key of the item that holds a table's number, in each part of the key: no account is called so.
const MARK: &str = "erasure-ledger";

/// One erasure.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) id: RequestId,
    pub(super) account: AccountId,
    /// When the account was opened and when it was erased (epoch seconds).
    pub(super) opened_at: i64,
    pub(super) erased_at: i64,
    pub(super) sequence: i64,
    expires_at: i64,
    expires_on: String,
}

impl Entry {
    pub(super) fn new(
        id: RequestId,
        account: AccountId,
        opened_at: i64,
        now: OffsetDateTime,
        sequence: i64,
    ) -> Self {
        let expiry = inventory::DELETIONS.expiry(now, account.tag());
        let (expires_at, expires_on) = (expiry.at, expiry.on);
        let erased_at = now.unix_timestamp();
        Self { id, account, opened_at, erased_at, sequence, expires_at, expires_on }
    }
}

/// The entry of the erasure `id`.
pub(super) async fn find(store: &Store, id: &RequestId) -> Result<Option<Entry>, Error> {
    let item = store.get(Table::Deletions, [("id", id.to_string())]).await?;
    item.map(from_item).transpose()
}

/// The number of the last erasure.
pub(super) async fn head(store: &Store) -> Result<i64, Error> {
    let item = store.get(Table::Deletions, [("id", MARK.to_owned())]).await?;
    Ok(item.and_then(|it| number(&it, "sequence")).unwrap_or(0))
}

/// Takes the account out, enters it into the ledger and moves every number on: all or nothing. Says no
/// when another erasure has taken the number.
pub(super) async fn close(
    store: &Store,
    entry: &Entry,
    marker: Option<String>,
) -> Result<bool, Error> {
    let account = entry.account.to_string();
    let put = |table, item| Put::builder().table_name(store.name(table)).set_item(Some(item));
    let mut items = vec![putting(put(Table::Deletions, to_item(entry)?))?];
    let head = Update::builder()
        .table_name(store.name(Table::Deletions))
        .key("id", s(MARK))
        .update_expression("SET #sequence = :next")
        .condition_expression("attribute_not_exists(#sequence) OR #sequence = :last")
        .expression_attribute_names("#sequence", "sequence")
        .expression_attribute_values(":next", n(entry.sequence))
        .expression_attribute_values(":last", n(entry.sequence - 1));
    items.push(updating(head)?);
    for id in [Some(account), marker].into_iter().flatten() {
        let delete = Delete::builder().table_name(store.name(Table::Accounts)).key("id", s(id));
        items.push(deleting(delete)?);
    }
    for table in PROTECTED {
        // A table that was restored shows another number: moving it on would hide that.
        let mark = put(table, mark(table, entry.sequence))
            .condition_expression(match entry.sequence {
                1 => "attribute_not_exists(ledger_position) OR ledger_position = :last",
                _ => "ledger_position = :last",
            })
            .expression_attribute_values(":last", n(entry.sequence - 1));
        items.push(putting(mark)?);
    }
    match transact(store, items).await? {
        None => Ok(true),
        Some(reasons) if reasons.get(1).is_some_and(|it| it == "ConditionalCheckFailed") => {
            Ok(false)
        }
        Some(reasons) if reasons.iter().any(|it| it == "ConditionalCheckFailed") => {
            Err(Error::Restoring)
        }
        Some(reasons) => {
            Err(Error::Unavailable { dependency: "DynamoDB", detail: reasons.join(", ") })
        }
    }
}

fn mark(table: Table, position: i64) -> Item {
    let mut item = mark_key(table);
    item.insert("ledger_position".to_owned(), n(position));
    item
}

fn mark_key(table: Table) -> Item {
    table.key().iter().map(|name| ((*name).to_owned(), s(MARK))).collect()
}

/// The numbers of the protected tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Positions(BTreeMap<Table, i64>);

impl Positions {
    /// As they stand. A table without a number has seen no erasure.
    pub(super) async fn read(store: &Store) -> Result<Self, Error> {
        let keys = PROTECTED.map(|table| (table, mark_key(table)));
        let mut all: BTreeMap<_, _> = PROTECTED.map(|table| (table, 0)).into();
        for (table, item) in store.get_many(keys.into()).await? {
            all.insert(table, number(&item, "ledger_position").unwrap_or(0));
        }
        Ok(Self(all))
    }

    /// Lowest and highest.
    pub(super) fn range(&self) -> (i64, i64) {
        let lowest = self.0.values().min().copied().unwrap_or(0);
        (lowest, self.0.values().max().copied().unwrap_or(0))
    }

    /// Moves those on to `position` that are not there yet: the erasures up to it have been repeated. `false`: a
    /// table shows another number than it did, so it is another table, of which that cannot be said. One that is
    /// restored once more shows its own, earlier number again.
    pub(super) async fn move_on(&mut self, store: &Store, position: i64) -> Result<bool, Error> {
        let behind = self.0.iter_mut().filter(|it| *it.1 < position);
        let moves = behind.map(|(&table, at)| async move {
            let request = store.client().put_item().table_name(store.name(table));
            // Sent again after it was done, it finds what it has put.
            let answer = request
                .set_item(Some(mark(table, position)))
                .condition_expression(match *at {
                    0 => "attribute_not_exists(ledger_position) OR ledger_position IN (:at, :next)",
                    _ => "ledger_position IN (:at, :next)",
                })
                .expression_attribute_values(":at", n(*at))
                .expression_attribute_values(":next", n(position))
                .send()
                .await;
            let is_same = stored(answer)?;
            if is_same {
                *at = position;
            }
            Ok::<_, Error>(is_same)
        });
        Ok(try_join_all(moves).await?.into_iter().all(|it| it))
    }
}

/// Every entry after number `position`, oldest first.
pub(super) async fn entries_after(store: &Store, position: i64) -> Result<Vec<Entry>, Error> {
    let mut items = store
        .client()
        .scan()
        .table_name(store.name(Table::Deletions))
        .consistent_read(true)
        .into_paginator()
        .items()
        .send();
    let mut entries = Vec::new();
    while let Some(item) = items.next().await {
        let item = item.map_err(unavailable)?;
        if text(&item, "id") != Some(MARK) && number(&item, "sequence") > Some(position) {
            entries.push(from_item::<Entry>(item)?);
        }
    }
    entries.sort_by_key(|it| it.sequence);
    Ok(entries)
}
