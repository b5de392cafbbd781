//! Packs of log entries in `api-logs`, `account_day` / `pack`: one or more packs for each minute, each
//! written once. An entry counts once, however often it arrives: the numbered packs of its minute say whether
//! it is there already, and statistics and settlement are written in the pack's own transaction. An entry that
//! cannot arrive in another way is a pack by itself, named by its id.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{Read, Write},
};

use aws_sdk_dynamodb::{
    primitives::Blob,
    types::{AttributeValue, Put, TransactWriteItem, Update, builders::UpdateBuilder},
};
use flate2::{Compression, read::DeflateDecoder, write::DeflateEncoder};
use serde::de::DeserializeOwned;
use time::{OffsetDateTime, macros::format_description};

use super::{Entry, Histogram};
use crate::{
    accounts::Status,
    error::Error,
    gate::settled_key,
    ids::AccountId,
    inventory::{self, Table},
    store::{Item, Store, n, pause, putting, s, text, transact, unavailable, updating},
};

/// Packs that one call writes of a minute at most, and fails to write.
const ATTEMPTS: u32 = 20;

/// How often a pack is written that meets others, with the SDK's own attempts each time, and the number of the
/// pause between: a long one.
const ROUNDS: u32 = 3;
const LONG: u32 = 8;

/// Entries in one pack at most…
const PACK_SIZE: usize = 300;
/// …and bytes before compression. Clients choose what is in some fields, so a full pack need not
/// compress at all, and an item of DynamoDB holds 400 KB.
const PACK_BYTES: usize = 300_000;

/// Partition key of an account's packs of one day.
pub fn day_key(account: &AccountId, at: OffsetDateTime) -> String {
    format!("{account}#{}", at.date())
}

/// Appends `entries`, in any order, of any accounts; returns how many were new. Those of accounts that are
/// not there any more are dropped.
pub async fn append(store: &Store, entries: &[Entry]) -> Result<usize, Error> {
    let mut groups: BTreeMap<(&AccountId, i64), Vec<&Entry>> = BTreeMap::new();
    for entry in entries {
        groups.entry((&entry.account, entry.at_ms.div_euclid(60_000))).or_default().push(entry);
    }
    let mut new = 0;
    let mut kept = BTreeMap::new();
    for ((account, minute), group) in groups {
        let is_kept = match kept.get(account) {
            Some(known) => *known,
            None => {
                let item = store.get(Table::Accounts, [("id", account.to_string())]).await?;
                *kept.entry(account).or_insert(is_logged(item.as_ref()))
            }
        };
        if !is_kept {
            continue;
        }
        new += append_minute(store, account, minute, &group, Expected::Anything).await?;
    }
    Ok(new)
}

/// Appends an entry that is in no stream, and that only this call appends: nothing needs to be read, however
/// many there are in its minute. Says no where the account is not there any more.
pub(super) async fn append_alone(store: &Store, entry: &Entry) -> Result<bool, Error> {
    let account = store.get(Table::Accounts, [("id", entry.account.to_string())]).await?;
    if !is_logged(account.as_ref()) {
        return Ok(false);
    }
    let minute = entry.at_ms.div_euclid(60_000) * 60;
    let minute = OffsetDateTime::from_unix_timestamp(minute).map_err(Error::internal)?;
    // Behind every number: see `packs_from`.
    let pack = format!("{}#id-{}", label(minute)?, entry.request_id);
    let day_key = day_key(&entry.account, minute);
    let items = transaction(store, &entry.account, minute, &day_key, &pack, &[entry])?;
    // Refused: it is there, and counted.
    write(store, items).await.map(|_| true)
}

/// Writes a pack and what counts with it; says no where its name is taken. Many at once are in each other's way
/// at the day's statistics for longer than an operation lasts; no request waits for this.
async fn write(store: &Store, items: Vec<TransactWriteItem>) -> Result<bool, Error> {
    for round in 1.. {
        match transact(store, items.clone()).await {
            Err(Error::Unavailable { .. }) if round < ROUNDS => pause(LONG).await,
            outcome => return Ok(outcome?.is_none()),
        }
    }
    unreachable!("the last round returns")
}

fn label(minute: OffsetDateTime) -> Result<String, Error> {
    minute.format(format_description!("[hour]:[minute]")).map_err(Error::internal)
}

/// Whether requests of the account stored as `item` are logged: not of one that is erased or being erased. A
/// function can be frozen with an entry in its hand, and wake up long after.
pub(super) fn is_logged(item: Option<&Item>) -> bool {
    item.is_some_and(|it| text(it, "status") != Some(Status::Erasing.name()))
}

/// What the table is expected to hold of a minute. It is a matter of cost alone: an expectation that is not met
/// costs one transaction that is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// No pack: it is not looked for before the first one is written.
    Nothing,
    /// Perhaps some.
    Anything,
}

/// Appends entries of one account and minute (counted from 1970); returns how many were new.
pub(super) async fn append_minute(
    store: &Store,
    account: &AccountId,
    minute: i64,
    entries: &[&Entry],
    expected: Expected,
) -> Result<usize, Error> {
    let minute = OffsetDateTime::from_unix_timestamp(minute * 60).map_err(Error::internal)?;
    let (day_key, label) = (day_key(account, minute), label(minute)?);
    let (mut written, mut packs, mut known) = (0, 0, BTreeSet::new());
    // Another run may write the same minute at the same time: then what it has written is read.
    for attempt in 0..ATTEMPTS {
        // The first pack is written on the condition that it is not there.
        let is_looked_for = attempt > 0 || expected == Expected::Anything;
        let there = if is_looked_for {
            packs_from(store, &day_key, &label, packs).await?
        } else {
            Vec::new()
        };
        for item in there {
            packs += 1;
            known.extend(read_pack(&item)?.into_iter().map(|entry| entry.request_id));
        }
        let (mut new, mut ids, mut bytes): (Vec<&Entry>, BTreeSet<&String>, usize) =
            (Vec::new(), BTreeSet::new(), 0);
        let mut is_last = true;
        for entry in entries {
            if known.contains(&entry.request_id) || ids.contains(&entry.request_id) {
                continue;
            }
            bytes += serde_json::to_vec(entry).map_err(Error::internal)?.len();
            // One that is larger than a pack has one to itself: it must not end the minute.
            if new.len() == PACK_SIZE || (bytes > PACK_BYTES && !new.is_empty()) {
                is_last = false;
                break;
            }
            ids.insert(&entry.request_id);
            new.push(entry);
        }
        if new.is_empty() {
            return Ok(written);
        }
        let pack = format!("{label}#{packs:03}");
        let items = transaction(store, account, minute, &day_key, &pack, &new)?;
        if write(store, items).await? {
            written += new.len();
            if is_last {
                return Ok(written);
            }
        } else {
            // The number is taken.
            pause(attempt).await;
        }
    }
    Err(Error::Unavailable {
        dependency: "DynamoDB",
        detail: "the minute kept changing".to_owned(),
    })
}

/// The numbered packs of a minute, from number `from` on. Those named by an id lie behind them.
async fn packs_from(
    store: &Store,
    day_key: &str,
    label: &str,
    from: usize,
) -> Result<Vec<Item>, Error> {
    let mut pages = store
        .client()
        .query()
        .table_name(store.name(Table::ApiLogs))
        .consistent_read(true)
        .key_condition_expression("account_day = :day AND pack BETWEEN :first AND :last")
        .expression_attribute_values(":day", s(day_key))
        .expression_attribute_values(":first", s(format!("{label}#{from:03}")))
        .expression_attribute_values(":last", s(format!("{label}#999")))
        .into_paginator()
        .items()
        .send();
    let mut items = Vec::new();
    while let Some(item) = pages.next().await {
        items.push(item.map_err(unavailable)?);
    }
    Ok(items)
}

/// The pack, the day's statistics and the settlement of each period, all or nothing. None of these items is one
/// that a request waits for.
fn transaction(
    store: &Store,
    account: &AccountId,
    minute: OffsetDateTime,
    day_key: &str,
    pack: &str,
    entries: &[&Entry],
) -> Result<Vec<TransactWriteItem>, Error> {
    let expiry = inventory::API_LOGS.expiry(minute, day_key);
    let item = Item::from([
        ("account_day".to_owned(), s(day_key)),
        ("pack".to_owned(), s(pack)),
        ("entries".to_owned(), AttributeValue::B(Blob::new(compress(entries)?))),
        ("count".to_owned(), n(entries.len())),
        ("expires_at".to_owned(), n(expiry.at)),
        ("expires_on".to_owned(), s(expiry.on)),
    ]);
    let put = Put::builder()
        .table_name(store.name(Table::ApiLogs))
        .set_item(Some(item))
        .condition_expression("attribute_not_exists(account_day)");
    let statistics = statistics(store, account, minute, entries);
    let mut items = vec![putting(put)?, updating(statistics)?];
    let mut settled: BTreeMap<&str, u64> = BTreeMap::new();
    for entry in entries {
        *settled.entry(&entry.period).or_default() += entry.charged;
    }
    let expiry = inventory::QUOTAS.expiry(minute, account.tag());
    for (period, count) in settled.into_iter().filter(|(_, count)| *count > 0) {
        let update = Update::builder()
            .table_name(store.name(Table::Quotas))
            .key("account", s(account.to_string()))
            .key("period", s(settled_key(period)))
            .update_expression(
                "SET expires_at = :expires_at, expires_on = :expires_on ADD settled :count",
            )
            .expression_attribute_values(":count", n(count))
            .expression_attribute_values(":expires_at", n(expiry.at))
            .expression_attribute_values(":expires_on", s(&expiry.on));
        items.push(updating(update)?);
    }
    Ok(items)
}

fn statistics(
    store: &Store,
    account: &AccountId,
    minute: OffsetDateTime,
    entries: &[&Entry],
) -> UpdateBuilder {
    let count =
        |test: fn(&Entry) -> bool| entries.iter().filter(|entry| test(entry)).count() as u64;
    let mut counts = vec![
        ("requests".to_owned(), entries.len() as u64),
        ("charged".to_owned(), entries.iter().map(|it| it.charged).sum()),
        (
            "client_errors".to_owned(),
            count(|it| (400..500).contains(&it.status) && it.status != 429),
        ),
        ("limited".to_owned(), count(|it| it.status == 429)),
        ("server_errors".to_owned(), count(|it| it.status >= 500)),
        ("cache_hits".to_owned(), count(|it| it.cached)),
    ];
    let mut times = Histogram::default();
    for entry in entries.iter().filter(|entry| entry.status != 429) {
        times.add(Histogram::bucket(entry.latency_ms), 1);
    }
    counts.extend(times.iter().map(|(bucket, count)| (format!("latency_{bucket}"), count)));
    counts.retain(|(_, count)| *count > 0);
    let day = minute.replace_time(time::Time::MIDNIGHT);
    let expiry = inventory::USAGE_STATISTICS.expiry(day, account.tag());
    let mut update = Update::builder()
        .table_name(store.name(Table::UsageStats))
        .key("account", s(account.to_string()))
        .key("day", s(minute.date().to_string()))
        .expression_attribute_values(":expires_at", n(expiry.at))
        .expression_attribute_values(":expires_on", s(expiry.on));
    let mut adds = Vec::new();
    for (at, (name, count)) in counts.into_iter().enumerate() {
        update = update
            .expression_attribute_names(format!("#c{at}"), name)
            .expression_attribute_values(format!(":c{at}"), n(count));
        adds.push(format!("#c{at} :c{at}"));
    }
    update.update_expression(format!(
        "SET expires_at = :expires_at, expires_on = :expires_on ADD {}",
        adds.join(", ")
    ))
}

fn compress(entries: &[&Entry]) -> Result<Vec<u8>, Error> {
    let json = serde_json::to_vec(entries).map_err(Error::internal)?;
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&json).map_err(Error::internal)?;
    encoder.finish().map_err(Error::internal)
}

/// The entries of a stored pack.
pub fn read_pack(item: &Item) -> Result<Vec<Entry>, Error> {
    unpack(item)
}

/// The entries of a stored pack, read as any type.
pub(crate) fn unpack<T: DeserializeOwned>(item: &Item) -> Result<Vec<T>, Error> {
    let Some(Ok(blob)) = item.get("entries").map(AttributeValue::as_b) else {
        return Err(Error::internal("a pack has no entries"));
    };
    let mut json = Vec::new();
    DeflateDecoder::new(blob.as_ref()).read_to_end(&mut json).map_err(Error::internal)?;
    serde_json::from_slice(&json).map_err(Error::internal)
}
