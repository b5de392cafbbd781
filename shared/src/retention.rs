//! The engine behind the retention jobs: deletes what is due by querying only what is due.
//!
//! Every expiring item stands in its table's `by-expiry` index under the hour of its expiry. A run at
//! `now` deletes everything that would come due before the next run, so that nothing outlives its
//! period, and remembers how far it came: a run that was killed, or a week without runs, is made up
//! for by the next one.

use std::time::Instant;

use aws_sdk_dynamodb::types::{AttributeValue, DeleteRequest, KeysAndAttributes, WriteRequest};
use serde::Serialize;
use time::{Duration, OffsetDateTime};

use crate::{
    error::Error,
    inventory::{SPREAD, Table, expires_on},
    store::{Item, Store, n, number, s, unavailable},
};

/// Items in one `BatchWriteItem`.
const BATCH: usize = 25;

/// How far back the very first run looks.
const FIRST_LOOK_BACK: Duration = Duration::days(2);

/// One retention job.
#[derive(Clone, Copy, Debug)]
pub struct Purge {
    /// Name under which the job remembers how far it came.
    pub job: &'static str,
    /// The table.
    pub table: Table,
    /// Attributes of the table's key.
    pub key: &'static [&'static str],
    /// Time between two runs.
    pub every: Duration,
}

/// Purges `api-logs`, hourly.
pub const API_LOGS: Purge = Purge {
    job: "purge-api-logs",
    table: Table::ApiLogs,
    key: &["account_day", "pack"],
    every: Duration::hours(1),
};

/// What one run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Purged {
    /// Items found due.
    pub due: u64,
    /// Items deleted.
    pub deleted: u64,
    /// Whether everything due is gone; if not, the next run goes on.
    pub complete: bool,
    /// Items found that are past their period already: the job came too late for them.
    pub overdue: u64,
}

impl Purge {
    /// Runs once for `now`; stops in good order at `deadline`.
    pub async fn run(
        &self,
        store: &Store,
        now: OffsetDateTime,
        deadline: Instant,
    ) -> Result<Purged, Error> {
        let until = now + self.every;
        let mut hour = self.done_to(store).await?.unwrap_or(now - FIRST_LOOK_BACK);
        // A clock that was set back must not make the job wait for it.
        hour = hour.min(now - Duration::hours(1));
        let mut purged = Purged { complete: true, ..Purged::default() };
        while truncate(hour) <= until {
            for part in 0..SPREAD {
                if !self.purge_hour(store, hour, part, until, now, deadline, &mut purged).await? {
                    purged.complete = false;
                    return Ok(purged);
                }
            }
            // The hour that `until` lies in is only partly due: it is looked at again.
            if truncate(hour) + Duration::hours(1) <= until {
                self.set_done_to(store, truncate(hour) + Duration::hours(1)).await?;
            }
            hour += Duration::hours(1);
        }
        Ok(purged)
    }

    #[expect(clippy::too_many_arguments, reason = "one inner loop, split off to be read")]
    async fn purge_hour(
        &self,
        store: &Store,
        hour: OffsetDateTime,
        part: u32,
        until: OffsetDateTime,
        now: OffsetDateTime,
        deadline: Instant,
        purged: &mut Purged,
    ) -> Result<bool, Error> {
        let mut pages = store
            .client()
            .query()
            .table_name(store.name(self.table))
            .index_name("by-expiry")
            .key_condition_expression("expires_on = :hour")
            .expression_attribute_values(":hour", s(expires_on(hour, part)))
            .into_paginator()
            .send();
        while let Some(page) = pages.next().await {
            let items = page.map_err(unavailable)?.items.unwrap_or_default();
            for chunk in items.chunks(BATCH) {
                if Instant::now() >= deadline {
                    return Ok(false);
                }
                let keys: Vec<Item> = chunk.iter().map(|item| self.key_of(item)).collect();
                // The index has keys only, and an hour is only partly due at its end.
                let whole = truncate(hour) + Duration::hours(1) <= until;
                let keys = if whole { keys } else { self.due(store, keys, until).await? };
                purged.due += keys.len() as u64;
                if truncate(hour) + Duration::hours(1) <= now {
                    purged.overdue += keys.len() as u64;
                }
                purged.deleted += self.delete(store, keys).await?;
            }
        }
        Ok(true)
    }

    fn key_of(&self, item: &Item) -> Item {
        let part = |name: &&str| Some(((*name).to_owned(), item.get(*name)?.clone()));
        self.key.iter().filter_map(part).collect()
    }

    /// Those of `keys` whose items are due by `until`.
    async fn due(
        &self,
        store: &Store,
        keys: Vec<Item>,
        until: OffsetDateTime,
    ) -> Result<Vec<Item>, Error> {
        let name = store.name(self.table);
        let mut projection = self.key.join(", ");
        projection.push_str(", expires_at");
        let mut ask = Some(
            KeysAndAttributes::builder()
                .set_keys(Some(keys))
                .projection_expression(projection)
                .build()
                .map_err(Error::internal)?,
        );
        let mut due = Vec::new();
        while let Some(keys) = ask.take() {
            let answer = store
                .client()
                .batch_get_item()
                .request_items(&name, keys)
                .send()
                .await
                .map_err(unavailable)?;
            for item in answer.responses.and_then(|mut it| it.remove(&name)).unwrap_or_default() {
                if number(&item, "expires_at").is_some_and(|at| at <= until.unix_timestamp()) {
                    due.push(self.key_of(&item));
                }
            }
            ask = answer.unprocessed_keys.and_then(|mut it| it.remove(&name));
        }
        Ok(due)
    }

    async fn delete(&self, store: &Store, keys: Vec<Item>) -> Result<u64, Error> {
        let name = store.name(self.table);
        let mut left = keys
            .into_iter()
            .map(|key| {
                let delete = DeleteRequest::builder().set_key(Some(key)).build()?;
                Ok(WriteRequest::builder().delete_request(delete).build())
            })
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error: aws_sdk_dynamodb::error::BuildError| Error::internal(error))?;
        let deleted = left.len() as u64;
        let mut pause = std::time::Duration::from_millis(50);
        while !left.is_empty() {
            let answer = store
                .client()
                .batch_write_item()
                .request_items(&name, left)
                .send()
                .await
                .map_err(unavailable)?;
            left = answer.unprocessed_items.and_then(|mut it| it.remove(&name)).unwrap_or_default();
            if !left.is_empty() {
                // Throttled: the SDK retries failed calls, not the unprocessed part of good ones.
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(std::time::Duration::from_secs(2));
            }
        }
        Ok(deleted)
    }

    async fn done_to(&self, store: &Store) -> Result<Option<OffsetDateTime>, Error> {
        let item = store.get(Table::Jobs, [("name", self.job.to_owned())]).await?;
        let seconds = item.and_then(|item| number(&item, "done_to"));
        Ok(seconds.and_then(|at| OffsetDateTime::from_unix_timestamp(at).ok()))
    }

    async fn set_done_to(&self, store: &Store, at: OffsetDateTime) -> Result<(), Error> {
        let item: [(&str, AttributeValue); 2] =
            [("name", s(self.job)), ("done_to", n(at.unix_timestamp()))];
        let item = item.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        store
            .client()
            .put_item()
            .table_name(store.name(Table::Jobs))
            .set_item(Some(item))
            .send()
            .await
            .map(drop)
            .map_err(unavailable)
    }
}

/// The start of the hour of `at`.
fn truncate(at: OffsetDateTime) -> OffsetDateTime {
    let seconds = at.unix_timestamp();
    OffsetDateTime::from_unix_timestamp(seconds - seconds.rem_euclid(3600)).unwrap_or(at)
}
