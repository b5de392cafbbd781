//! Everything of one account in the tables: counted, deleted, or stripped, as the inventory says. Each
//! call goes through the account's own partitions only, so that it costs what the account has and not
//! what others have.

use std::time::Instant;

use aws_sdk_dynamodb::types::Select;
use futures_util::future::try_join_all;
use time::{Duration, OffsetDateTime};

use super::holds::was_held;
use crate::{
    error::Error,
    ids::AccountId,
    inventory::{API_LOGS, BACKUP_DAYS, Table},
    retention::delete_items,
    store::{Item, Store, conditional, number, s, unavailable},
};

/// Tables in which an account's items are deleted, in this order.
pub(super) const DELETED: [Table; 7] = [
    Table::ApiKeys,
    Table::ApiLogs,
    Table::UsageStats,
    Table::Quotas,
    Table::Consents,
    Table::SupportMessages,
    Table::BillingTasks,
];

/// The table whose items stay, without what names a person.
pub(super) const STRIPPED: Table = Table::BillingRecords;

/// What is removed from an item that stays…
const NAMING: &str = "REMOVE email, company";

/// …and what one has that it was not removed from.
const NAMED: &str = "attribute_exists(email) OR attribute_exists(company)";

/// Partitions that are counted at the same time.
const AT_ONCE: usize = 16;

/// How much longer than promised a request log may be there, should the job that deletes it not run.
const LATE: Duration = Duration::days(30);

/// An account, and the days of which there can be request logs of it: only their partitions are of a day each.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    pub(super) account: AccountId,
    since: OffsetDateTime,
    /// The present.
    until: OffsetDateTime,
}

impl Subject {
    /// An account that was opened at `opened_at` (epoch seconds). What may be there of its logs is of their period
    /// before the oldest backup: of an account of ten years, a hundred days. A legal hold may have kept all of them.
    pub(super) async fn new(
        store: &Store,
        account: AccountId,
        opened_at: i64,
        until: OffsetDateTime,
    ) -> Result<Self, Error> {
        let opened = OffsetDateTime::from_unix_timestamp(opened_at).map_err(Error::internal)?;
        let kept = API_LOGS.keep.until(until).map_or(Duration::ZERO, |end| end - until);
        let oldest = until - kept - Duration::days(BACKUP_DAYS) - LATE;
        let since = match opened < oldest && !was_held(store, &account).await? {
            true => oldest,
            false => opened,
        };
        Ok(Self { account, since, until })
    }

    /// Partition keys of the account's items in `table`.
    pub(super) fn partitions(&self, table: Table) -> Vec<String> {
        let account = self.account.to_string();
        if table != Table::ApiLogs {
            return vec![account];
        }
        // A day more on both sides: environments' events may overtake each other.
        let last = self.until.date() + Duration::DAY;
        let first = self.since.date() - Duration::DAY;
        let days = std::iter::successors(Some(first), |day| day.next_day());
        days.take_while(|day| *day <= last).map(|day| format!("{account}#{day}")).collect()
    }

    /// How many items the account has in `table`.
    pub(super) async fn count(&self, store: &Store, table: Table) -> Result<u64, Error> {
        Ok(self.counts(store, table).await?.into_iter().map(|it| it.1).sum())
    }

    /// The account's partitions in `table` that hold anything, and how many items.
    async fn counts(&self, store: &Store, table: Table) -> Result<Vec<(String, u64)>, Error> {
        let mut found = Vec::new();
        // An account has a partition for each day.
        for some in self.partitions(table).chunks(AT_ONCE) {
            let counts = some.iter().map(|it| count_partition(store, table, it));
            let counts = try_join_all(counts).await?.into_iter();
            found.extend(some.iter().cloned().zip(counts).filter(|it| it.1 > 0));
        }
        Ok(found)
    }

    /// Deletes the account's items in `table`. `false`: there was no time for all of them; some went, however
    /// little there was.
    pub(super) async fn delete(
        &self,
        store: &Store,
        table: Table,
        deadline: Instant,
    ) -> Result<bool, Error> {
        let mut full = self.counts(store, table).await?.into_iter().map(|it| it.0).peekable();
        while let Some(partition) = full.next() {
            loop {
                let (keys, are_more) = keys(store, table, &partition).await?;
                delete_items(store, table, keys).await?;
                if (are_more || full.peek().is_some()) && Instant::now() >= deadline {
                    return Ok(false);
                }
                if !are_more {
                    break;
                }
            }
        }
        Ok(true)
    }

    /// Whether an item of the account's in [`STRIPPED`] names a person.
    pub(super) async fn is_named(&self, store: &Store) -> Result<bool, Error> {
        let mut pages = query_keys(store, STRIPPED, &self.account.to_string())
            .filter_expression(NAMED)
            .into_paginator()
            .items()
            .send();
        pages.next().await.transpose().map(|it| it.is_some()).map_err(unavailable)
    }

    /// Removes what names a person from the account's items in [`STRIPPED`].
    pub(super) async fn strip(&self, store: &Store) -> Result<(), Error> {
        let mut pages =
            query_keys(store, STRIPPED, &self.account.to_string()).into_paginator().items().send();
        while let Some(key) = pages.next().await {
            let answer = store
                .client()
                .update_item()
                .table_name(store.name(STRIPPED))
                .set_key(Some(key.map_err(unavailable)?))
                .update_expression(NAMING)
                // Its period may have ended meanwhile: it must not come back as an empty item.
                .condition_expression("attribute_exists(account)")
                .send()
                .await;
            conditional(answer)?;
        }
        Ok(())
    }
}

/// How many items a partition holds; of request logs, how many entries, as an export has them.
async fn count_partition(store: &Store, table: Table, partition: &str) -> Result<u64, Error> {
    if table == Table::ApiLogs {
        return count_entries(store, partition).await;
    }
    let mut pages = store
        .client()
        .query()
        .table_name(store.name(table))
        .consistent_read(true)
        .select(Select::Count)
        .key_condition_expression("#key = :partition")
        .expression_attribute_names("#key", table.key()[0])
        .expression_attribute_values(":partition", s(partition))
        .into_paginator()
        .send();
    let mut count = 0;
    while let Some(page) = pages.next().await {
        count += u64::from(page.map_err(unavailable)?.count.unsigned_abs());
    }
    Ok(count)
}

async fn count_entries(store: &Store, partition: &str) -> Result<u64, Error> {
    let mut packs = store
        .client()
        .query()
        .table_name(store.name(Table::ApiLogs))
        .consistent_read(true)
        .projection_expression("#count")
        .key_condition_expression("#key = :partition")
        .expression_attribute_names("#key", Table::ApiLogs.key()[0])
        .expression_attribute_names("#count", "count")
        .expression_attribute_values(":partition", s(partition))
        .into_paginator()
        .items()
        .send();
    let mut entries = 0;
    while let Some(pack) = packs.next().await {
        let count = number(&pack.map_err(unavailable)?, "count");
        // A pack that does not say is one all the same: it must not look as if nothing were left.
        entries += count.and_then(|it| u64::try_from(it).ok()).unwrap_or(1).max(1);
    }
    Ok(entries)
}

fn query_keys(
    store: &Store,
    table: Table,
    partition: &str,
) -> aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder {
    let names = table.key().iter().enumerate();
    let query = names.fold(store.client().query(), |query, (at, name)| {
        query.expression_attribute_names(format!("#k{at}"), *name)
    });
    let short: Vec<_> = (0..table.key().len()).map(|at| format!("#k{at}")).collect();
    query
        .table_name(store.name(table))
        .consistent_read(true)
        .projection_expression(short.join(", "))
        .key_condition_expression("#k0 = :partition")
        .expression_attribute_values(":partition", s(partition))
}

/// Keys of the first items of a partition, and whether there are more.
async fn keys(store: &Store, table: Table, partition: &str) -> Result<(Vec<Item>, bool), Error> {
    let answer = query_keys(store, table, partition).limit(500).send().await;
    let answer = answer.map_err(unavailable)?;
    Ok((answer.items.unwrap_or_default(), answer.last_evaluated_key.is_some()))
}
