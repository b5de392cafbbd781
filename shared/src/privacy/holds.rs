//! Legal holds: while one stands, the account is not erased, and no job deletes its logs, statistics,
//! quotas, billing records, billing tasks and support messages. What is a copy (exports) or lives for hours (sessions)
//! ends as ever. A hold is an item `hold#<account>` in `privacy-requests`, in the queue `hold` while it
//! stands.

use std::collections::BTreeSet;

use serde::Serialize;
use time::OffsetDateTime;

use super::is_erased;
use crate::{
    accounts,
    billing::record,
    error::Error,
    ids::AccountId,
    inventory::{self, Table},
    store::{Store, n, s, text, unavailable},
};

/// Queue of the holds that stand; see the index `by-queue`.
const QUEUE: &str = "hold";

/// What became of a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Hold {
    /// It stands.
    Placed,
    /// It is over.
    Released,
}

/// Places a hold on `account`, which is there or has left anything: a mistyped one would hold nothing. `reason` names
/// the matter, such as a file number, and nobody.
pub async fn place_hold(
    store: &Store,
    account: &AccountId,
    reason: &str,
    now: OffsetDateTime,
) -> Result<Hold, Error> {
    // That an account was erased is known for 24 months, and its billing records are kept for 7 years.
    let is_known = accounts::get(store, account).await?.is_some()
        || is_erased(store, account).await?
        || record::is_any_of(store, account).await?;
    if !is_known {
        return Err(Error::NotFound(
            "account: it is not there, was not erased within 24 months, and has left no billing records",
        ));
    }
    store
        .client()
        .update_item()
        .table_name(store.name(Table::PrivacyRequests))
        .key("id", s(id(account)))
        .update_expression(
            "SET kind = :kind, account = :account, #state = :state, reason = :reason, \
             received_at = if_not_exists(received_at, :now), queue = :queue, next_at = :now \
             REMOVE closed_at, expires_at, expires_on",
        )
        .expression_attribute_names("#state", "state")
        .expression_attribute_values(":kind", s("legal-hold"))
        .expression_attribute_values(":account", s(account.to_string()))
        .expression_attribute_values(":state", s("open"))
        .expression_attribute_values(":reason", s(reason))
        .expression_attribute_values(":now", n(now.unix_timestamp()))
        .expression_attribute_values(":queue", s(QUEUE))
        .send()
        .await
        .map_err(unavailable)?;
    Ok(Hold::Placed)
}

/// Releases the hold on `account`; what it kept is deleted by the jobs' next runs.
pub async fn release_hold(
    store: &Store,
    account: &AccountId,
    now: OffsetDateTime,
) -> Result<Hold, Error> {
    let expiry = inventory::PRIVACY_REQUESTS.expiry(now, account.tag());
    let answer = store
        .client()
        .update_item()
        .table_name(store.name(Table::PrivacyRequests))
        .key("id", s(id(account)))
        .update_expression(
            "SET #state = :state, closed_at = :now, expires_at = :at, expires_on = :on \
             REMOVE queue, next_at",
        )
        .condition_expression("attribute_exists(queue)")
        .expression_attribute_names("#state", "state")
        .expression_attribute_values(":state", s("closed"))
        .expression_attribute_values(":now", n(now.unix_timestamp()))
        .expression_attribute_values(":at", n(expiry.at))
        .expression_attribute_values(":on", s(expiry.on))
        .send()
        .await;
    // Released already: releasing again changes nothing.
    crate::store::conditional(answer)?;
    Ok(Hold::Released)
}

/// Whether a hold stands on `account` now.
pub(super) async fn is_held(store: &Store, account: &AccountId) -> Result<bool, Error> {
    let item = store.get(Table::PrivacyRequests, [("id", id(account))]).await?;
    Ok(item.is_some_and(|it| text(&it, "queue") == Some(QUEUE)))
}

/// Whether a hold stands on `account` or has within 24 months.
pub(super) async fn was_held(store: &Store, account: &AccountId) -> Result<bool, Error> {
    Ok(store.get(Table::PrivacyRequests, [("id", id(account))]).await?.is_some())
}

/// Every account that a hold stands on, as the index knows it: up to a second behind.
pub async fn held_accounts(store: &Store) -> Result<BTreeSet<String>, Error> {
    let mut items = store
        .client()
        .query()
        .table_name(store.name(Table::PrivacyRequests))
        .index_name("by-queue")
        .key_condition_expression("queue = :queue")
        .expression_attribute_values(":queue", s(QUEUE))
        .into_paginator()
        .items()
        .send();
    let mut held = BTreeSet::new();
    while let Some(item) = items.next().await {
        let item = item.map_err(unavailable)?;
        held.extend(text(&item, "id").and_then(|it| it.strip_prefix("hold#")).map(str::to_owned));
    }
    Ok(held)
}

fn id(account: &AccountId) -> String {
    format!("hold#{account}")
}
