//! The proof that the retention jobs work: looks, by itself, for anything that is past its period in
//! any table. It shares no memory with the jobs, and goes on looking at a day until it is clean.

use std::time::Instant;

use aws_sdk_dynamodb::types::Select;
use futures_util::future::try_join_all;
use serde::Serialize;
use time::{Duration, OffsetDateTime};

use super::purge::{done_to, forget_done_to, set_done_to};
use crate::{
    error::Error,
    inventory::{BACKUP_DAYS, SPREAD, Table, expires_on},
    store::{Store, n, s, unavailable},
};

/// How far back it looks at least: what a backup may bring back, and a few days.
const LOOK_BACK: Duration = Duration::days(BACKUP_DAYS + 5);

/// What was found in one table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// The table.
    pub table: &'static str,
    /// Days looked at.
    pub days: u64,
    /// Items past their period.
    pub overdue: u64,
    /// Whether there was time for all of it.
    pub complete: bool,
}

/// Looks at every table in which something expires, for `now`. Stops in good order at `deadline`.
pub async fn verify(
    store: &Store,
    now: OffsetDateTime,
    deadline: Instant,
) -> Result<Vec<Verified>, Error> {
    let mut found = Vec::new();
    for table in Table::ALL.into_iter().filter(|it| it.retention_job().is_some()) {
        found.push(verify_table(store, table, now, deadline).await?);
    }
    Ok(found)
}

async fn verify_table(
    store: &Store,
    table: Table,
    now: OffsetDateTime,
    deadline: Instant,
) -> Result<Verified, Error> {
    let name = format!("verify-retention {}", table.name());
    // As far back as a backup can bring something back, and further where something was left.
    let since = now - LOOK_BACK;
    let clean = done_to(store, &name).await?.unwrap_or(since).min(since);
    let (mut day, mut dirty) = (clean.date(), None);
    let mut verified = Verified { table: table.name(), days: 0, overdue: 0, complete: true };
    while day <= now.date() {
        if Instant::now() >= deadline {
            verified.complete = false;
            break;
        }
        let start = day.midnight().assume_utc();
        let parts = (0..SPREAD).map(|part| count(store, table, start, part, now));
        let overdue = try_join_all(parts).await?.into_iter().sum::<u64>();
        if overdue > 0 {
            dirty = dirty.or(Some(start));
        }
        verified.overdue += overdue;
        verified.days += 1;
        let Some(next) = day.next_day() else { break };
        day = next;
    }
    // The last day is looked at again: more of it will be due.
    let reached = day.midnight().assume_utc() - Duration::DAY;
    set_done_to(store, &name, dirty.unwrap_or(reached)).await?;
    if let Some(job) = table.retention_job().filter(|_| verified.overdue > 0) {
        // Its cursor is past what was found (a backup was restored, say): it starts anew.
        forget_done_to(store, job.name).await?;
    }
    Ok(verified)
}

async fn count(
    store: &Store,
    table: Table,
    day: OffsetDateTime,
    part: u32,
    now: OffsetDateTime,
) -> Result<u64, Error> {
    let mut pages = store
        .client()
        .query()
        .table_name(store.name(table))
        .index_name("by-expiry")
        .select(Select::Count)
        .key_condition_expression("expires_on = :day AND expires_at <= :now")
        .expression_attribute_values(":day", s(expires_on(day, part)))
        .expression_attribute_values(":now", n(now.unix_timestamp()))
        .into_paginator()
        .send();
    let mut count = 0;
    while let Some(page) = pages.next().await {
        count += u64::from(page.map_err(unavailable)?.count.unsigned_abs());
    }
    Ok(count)
}
