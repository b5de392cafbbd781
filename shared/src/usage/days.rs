use serde::Serialize;
use time::{Date, OffsetDateTime};
use utoipa::ToSchema;

use super::Histogram;
use crate::{
    error::Error,
    ids::AccountId,
    inventory::Table,
    store::{Item, Store, number, s, text, unavailable},
};

/// One day of use (UTC).
#[derive(Debug, Serialize, ToSchema)]
pub struct DayUsage {
    /// The day.
    #[schema(example = "2026-11-24", format = Date)]
    pub date: String,
    /// Requests to metered endpoints, refused ones included.
    #[schema(example = 130)]
    pub requests: u64,
    /// Requests that were charged.
    #[schema(example = 120)]
    pub charged: u64,
    /// Answers 400 to 499 except 429.
    #[schema(example = 6)]
    pub client_errors: u64,
    /// Answers 500 and up. They are not charged.
    #[schema(example = 1)]
    pub server_errors: u64,
    /// Requests over a limit (429), of which at least 60 a minute are counted. They are not charged.
    #[schema(example = 3)]
    pub limited: u64,
    /// Answers from the cache.
    #[schema(example = 80)]
    pub cache_hits: u64,
    /// Response times in milliseconds, up to 10 % too high; null without answers.
    #[schema(required)]
    pub latency_ms: Option<Latency>,
}

/// Percentiles of the response time in milliseconds.
#[derive(Debug, Serialize, ToSchema)]
pub struct Latency {
    /// Half of the answers were at least this fast.
    #[schema(example = 12)]
    pub p50: u64,
    /// 95 of 100.
    #[schema(example = 840)]
    pub p95: u64,
    /// 99 of 100.
    #[schema(example = 1900)]
    pub p99: u64,
}

/// The account's days from `from` to `to`, both included, that have use in them.
pub async fn days(
    store: &Store,
    account: &AccountId,
    from: Date,
    to: Date,
    now: OffsetDateTime,
) -> Result<Vec<DayUsage>, Error> {
    let mut items = store
        .client()
        .query()
        .table_name(store.name(Table::UsageStats))
        .key_condition_expression("account = :account AND #day BETWEEN :from AND :to")
        .expression_attribute_names("#day", "day")
        .expression_attribute_values(":account", s(account.to_string()))
        .expression_attribute_values(":from", s(from.to_string()))
        .expression_attribute_values(":to", s(to.to_string()))
        .into_paginator()
        .items()
        .send();
    let mut days = Vec::new();
    while let Some(item) = items.next().await {
        let item = item.map_err(unavailable)?;
        // DynamoDB deletes expired items when it gets to it.
        if number(&item, "expires_at").is_none_or(|at| at > now.unix_timestamp()) {
            days.push(day(&item));
        }
    }
    Ok(days)
}

fn day(item: &Item) -> DayUsage {
    let count = |name| number(item, name).unwrap_or_default().unsigned_abs();
    let mut times = Histogram::default();
    for name in item.keys() {
        if let Some(bucket) = name.strip_prefix("latency_").and_then(|it| it.parse().ok()) {
            times.add(bucket, count(name));
        }
    }
    let latency = |percent| times.percentile(percent);
    DayUsage {
        date: text(item, "day").unwrap_or_default().to_owned(),
        requests: count("requests"),
        charged: count("charged"),
        client_errors: count("client_errors"),
        server_errors: count("server_errors"),
        limited: count("limited"),
        cache_hits: count("cache_hits"),
        latency_ms: latency(50)
            .zip(latency(95))
            .zip(latency(99))
            .map(|((p50, p95), p99)| Latency { p50, p95, p99 }),
    }
}
