//! The audit trail: what the service did to keep its promises, in hash chains (table `audit`, `chain` /
//! `sequence`). Each link holds the hash of the one before it, so that none can be changed or taken out
//! of the middle unnoticed. Links hold counts and outcomes, nobody's data.

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use serde_json::Value;
use time::OffsetDateTime;

use crate::{
    error::Error,
    inventory::{self, Table},
    store::{Item, Store, n, number, pause, s, stored, text, unavailable},
};

/// Hash that the first link of a chain follows.
const NOTHING_BEFORE: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Appends a link to `chain` and returns its sequence number. `details` holds counts and outcomes.
pub async fn append(
    store: &Store,
    chain: &str,
    now: OffsetDateTime,
    act: &str,
    details: &Value,
) -> Result<i64, Error> {
    // Two runs of one job at the same time may want the same place: the later one looks again.
    for attempt in 0..20 {
        if attempt > 0 {
            pause(attempt).await;
        }
        let last = last(store, chain).await?;
        let sequence = last.as_ref().and_then(|it| number(it, "sequence")).unwrap_or(0) + 1;
        let previous = last.as_ref().and_then(|it| text(it, "hash")).unwrap_or(NOTHING_BEFORE);
        let at = now.unix_timestamp();
        let details = details.to_string();
        let hash = hash(chain, sequence, at, act, &details, previous);
        let expiry = inventory::AUDIT.expiry(now, &hash);
        let answer = store
            .client()
            .put_item()
            .table_name(store.name(Table::Audit))
            .item("chain", s(chain))
            .item("sequence", n(sequence))
            .item("at", n(at))
            .item("act", s(act))
            .item("details", s(details))
            .item("previous", s(previous))
            .item("hash", s(hash))
            .item("expires_at", n(expiry.at))
            .item("expires_on", s(expiry.on))
            .condition_expression("attribute_not_exists(chain)")
            .send()
            .await;
        if stored(answer)? {
            return Ok(sequence);
        }
    }
    Err(Error::Unavailable { dependency: "DynamoDB", detail: "the chain kept growing".to_owned() })
}

/// Why a chain is not whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Sequence number of the first link that does not fit.
    pub at: i64,
}

/// Checks `chain` from its oldest link on: how many links it has, or where it is broken. Old links may
/// have been deleted when their period ended, so it may begin with any number, but has no gaps.
pub async fn verify(store: &Store, chain: &str) -> Result<Result<u64, Broken>, Error> {
    let mut links = links(store, chain).into_paginator().items().send();
    let mut before: Option<(i64, String)> = None;
    let mut count = 0;
    while let Some(link) = links.next().await {
        let link = link.map_err(unavailable)?;
        let sequence = number(&link, "sequence").unwrap_or_default();
        let field = |name| text(&link, name).unwrap_or_default();
        let expected = hash(
            chain,
            sequence,
            number(&link, "at").unwrap_or_default(),
            field("act"),
            field("details"),
            field("previous"),
        );
        let follows = match &before {
            Some((last, hash)) => sequence == last + 1 && field("previous") == hash,
            None => sequence > 1 || field("previous") == NOTHING_BEFORE,
        };
        if !follows || field("hash") != expected {
            return Ok(Err(Broken { at: sequence }));
        }
        before = Some((sequence, expected));
        count += 1;
    }
    Ok(Ok(count))
}

/// Asks for the links of `chain`, oldest first.
fn links(store: &Store, chain: &str) -> QueryFluentBuilder {
    let query = store.client().query().table_name(store.name(Table::Audit)).consistent_read(true);
    query
        .key_condition_expression("#chain = :chain")
        .expression_attribute_names("#chain", "chain")
        .expression_attribute_values(":chain", s(chain))
}

async fn last(store: &Store, chain: &str) -> Result<Option<Item>, Error> {
    let newest = links(store, chain).scan_index_forward(false).limit(1);
    let answer = newest.send().await.map_err(unavailable)?;
    Ok(answer.items.unwrap_or_default().into_iter().next())
}

fn hash(chain: &str, sequence: i64, at: i64, act: &str, details: &str, previous: &str) -> String {
    // A JSON array keeps the parts apart, whatever is in them.
    let content = serde_json::json!([chain, sequence, at, act, details, previous]).to_string();
    blake3::hash(content.as_bytes()).to_hex().to_string()
}
