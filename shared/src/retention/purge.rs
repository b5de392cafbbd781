//! Every expiring item stands in its table's `by-expiry` index, under the day of its expiry and in its
//! order. A run at `now` deletes everything that would come due before the next run, so that nothing
//! outlives its period, and remembers how far it came: a run that was killed, or a week without runs,
//! is made up for by the next one.

use std::{collections::BTreeSet, time::Instant};

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::future::BoxFuture;
use serde::Serialize;
use time::{Duration, OffsetDateTime};

use super::delete::{BATCH, delete_items};
use crate::{
    app::App,
    error::Error,
    inventory::{BACKUP_DAYS, RetentionJob, SPREAD, Table, expires_on},
    privacy::held_accounts,
    store::{Item, Store, conditional, n, number, s, text, unavailable},
};

/// How far back the very first run looks, and the first one after a restore from a backup.
const FIRST_LOOK_BACK: Duration = Duration::days(BACKUP_DAYS + 5);

/// What is held is looked at again after this long. A job that does not run for less must not leave it
/// to DynamoDB's own TTL.
const HELD_FOR: Duration = Duration::days(3);

/// Due items that are read at a time: half a second's worth of deleting. Holds are read with each page…
const PAGE: i32 = 500;

/// …and where deleting is slow, after this long.
const HOLDS_FOR: std::time::Duration = std::time::Duration::from_secs(5);

/// What one run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Purged {
    /// Items found due.
    pub due: u64,
    /// Items deleted.
    pub deleted: u64,
    /// Due items that a legal hold keeps. They come up again until it is released.
    pub held: u64,
    /// Whether everything due was dealt with; if not, the next run goes on.
    pub complete: bool,
    /// Items found that are past their period already: the job came too late for them.
    pub overdue: u64,
}

/// Removes what hangs on the items with these keys, before they go; the keys of those that may go now.
pub type Attached = for<'a> fn(&'a App, Vec<Item>) -> BoxFuture<'a, Vec<Item>>;

/// A retention job.
#[derive(Clone, Copy, Debug)]
pub struct Purge {
    /// The table.
    pub table: Table,
    /// Its job.
    pub job: RetentionJob,
    /// What goes with its items.
    pub attached: Option<Attached>,
}

impl Purge {
    /// The job of `table`, where something expires in it.
    pub fn of(table: Table) -> Option<Self> {
        Some(Self { table, job: table.retention_job()?, attached: None })
    }

    /// Runs once for `now`; stops in good order at `deadline`.
    pub async fn run(
        self,
        app: &App,
        now: OffsetDateTime,
        deadline: Instant,
    ) -> Result<Purged, Error> {
        let store = &app.store;
        let done = done_to(store, self.job.name).await?.unwrap_or(now - FIRST_LOOK_BACK);
        let until = now + self.job.every;
        // A clock that was set back must not make the job wait for it.
        let mut day = done.min(now).date();
        let (held, purged) = (BTreeSet::new(), Purged::default());
        let mut pass = Pass { app, purge: self, now, until, deadline, held, left: 0, purged };
        while day <= until.date() {
            for part in 0..SPREAD {
                if !pass.partition(day.midnight().assume_utc(), part).await? {
                    return Ok(pass.purged);
                }
            }
            let Some(next) = day.next_day() else { break };
            day = next;
        }
        if pass.left > 0 {
            // The next run tries them again.
            return Ok(pass.purged);
        }
        // Of its day only what is due was looked at: the next run goes on there.
        set_done_to(store, self.job.name, until).await?;
        pass.purged.complete = true;
        Ok(pass.purged)
    }
}

/// One run on its way through the days.
struct Pass<'a> {
    app: &'a App,
    purge: Purge,
    now: OffsetDateTime,
    /// What expires by then is due.
    until: OffsetDateTime,
    deadline: Instant,
    held: BTreeSet<String>,
    /// Items that stay because what hangs on them could not be removed.
    left: u64,
    purged: Purged,
}

impl Pass<'_> {
    /// Deals with what is due in one partition of one day. `false`: there was no time for all of it.
    async fn partition(&mut self, day: OffsetDateTime, part: u32) -> Result<bool, Error> {
        let (store, table) = (&self.app.store, self.purge.table);
        let mut pages = store
            .client()
            .query()
            .table_name(store.name(table))
            .index_name("by-expiry")
            .key_condition_expression("expires_on = :day AND expires_at <= :until")
            .expression_attribute_values(":day", s(expires_on(day, part)))
            .expression_attribute_values(":until", n(self.until.unix_timestamp()))
            .limit(PAGE)
            .into_paginator()
            .send();
        while let Some(page) = pages.next().await {
            let items = page.map_err(unavailable)?.items.unwrap_or_default();
            if items.is_empty() {
                continue;
            }
            // Read again and again, so that a hold acts on a long run too.
            let mut read_at = Instant::now();
            self.held = held_accounts(store).await?;
            for chunk in items.chunks(BATCH) {
                if Instant::now() >= self.deadline {
                    return Ok(false);
                }
                if read_at.elapsed() >= HOLDS_FOR {
                    read_at = Instant::now();
                    self.held = held_accounts(store).await?;
                }
                let now = self.now.unix_timestamp();
                let is_late = |it: &&Item| number(it, "expires_at").is_some_and(|at| at <= now);
                self.purged.due += chunk.len() as u64;
                self.purged.overdue += chunk.iter().filter(is_late).count() as u64;
                let keys = chunk.iter().map(|item| self.key_of(item));
                let (held, free): (Vec<Item>, Vec<Item>) = keys.partition(|key| self.is_held(key));
                for key in held {
                    self.put_off(key).await?;
                }
                let wanted = free.len() as u64;
                let free = match self.purge.attached {
                    Some(attached) => attached(self.app, free).await,
                    None => free,
                };
                let count = free.len() as u64;
                self.left += wanted - count;
                delete_items(store, table, free).await?;
                self.purged.deleted += count;
            }
        }
        Ok(true)
    }

    fn key_of(&self, item: &Item) -> Item {
        let part = |name: &&str| Some(((*name).to_owned(), item.get(*name)?.clone()));
        self.purge.table.key().iter().filter_map(part).collect()
    }

    fn is_held(&self, key: &Item) -> bool {
        !self.held.is_empty()
            && owner(self.purge.table, key).is_some_and(|it| self.held.contains(it))
    }

    /// Lets a held item come up again later. `held_from` keeps when it was due.
    async fn put_off(&mut self, key: Item) -> Result<(), Error> {
        let until = self.until + HELD_FOR;
        // Any partition will do; what is held comes up in the same one.
        let store = &self.app.store;
        let answer = store
            .client()
            .update_item()
            .table_name(store.name(self.purge.table))
            .set_key(Some(key))
            .update_expression(
                "SET held_from = if_not_exists(held_from, expires_at), expires_at = :at, \
                 expires_on = :on",
            )
            // Who deleted it meanwhile must not find a part of it again.
            .condition_expression("attribute_exists(expires_at)")
            .expression_attribute_values(":at", n(until.unix_timestamp()))
            .expression_attribute_values(":on", s(expires_on(until, 0)))
            .send()
            .await;
        conditional(answer)?;
        self.purged.held += 1;
        Ok(())
    }
}

/// Whose item the one with this key is, where the key says so: what a legal hold goes by.
fn owner(table: Table, key: &Item) -> Option<&str> {
    match table {
        Table::Quotas | Table::UsageStats | Table::BillingRecords | Table::BillingTasks => {
            text(key, "account")
        }
        Table::SupportMessages => text(key, "sender"),
        Table::ApiLogs => text(key, "account_day")?.split('#').next(),
        _ => None,
    }
}

/// How far the job `name` has come.
pub(super) async fn done_to(store: &Store, name: &str) -> Result<Option<OffsetDateTime>, Error> {
    let item = store.get(Table::Jobs, [("name", name.to_owned())]).await?;
    let seconds = item.and_then(|item| number(&item, "done_to"));
    Ok(seconds.and_then(|at| OffsetDateTime::from_unix_timestamp(at).ok()))
}

/// Remembers how far the job `name` has come.
pub(super) async fn set_done_to(
    store: &Store,
    name: &str,
    at: OffsetDateTime,
) -> Result<(), Error> {
    let item: [(&str, AttributeValue); 2] =
        [("name", s(name)), ("done_to", n(at.unix_timestamp()))];
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

/// Lets the job `name` start anew, as far back as its first run.
pub(crate) async fn forget_done_to(store: &Store, name: &str) -> Result<(), Error> {
    let request = store.client().delete_item().table_name(store.name(Table::Jobs));
    request.key("name", s(name)).send().await.map(drop).map_err(unavailable)
}
