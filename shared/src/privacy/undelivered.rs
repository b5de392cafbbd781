//! Answers that did not arrive: the certificate of an erasure, what was decided on an objection. Nothing else is
//! known of whom they were for, so the record of the request says so, and waits for the operator to have seen it.

use serde::Serialize;
use time::OffsetDateTime;

use super::instant;
use crate::{
    error::Error,
    inventory::Table,
    store::{Conditional, Store, conditional, n, number, s, text, unavailable},
};

/// Queue of what did not arrive; see the index `by-queue`.
const QUEUE: &str = "undelivered";

/// An answer that did not arrive.
#[derive(Debug, Serialize)]
pub struct Undelivered {
    /// The request or objection.
    pub id: String,
    /// When the mail was sent.
    pub mailed_at: String,
}

/// What the operator knows of a mail that did not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// It waits to be seen.
    Waits,
    /// It was seen.
    Seen,
    /// Nothing: there is no place left where it could wait.
    None,
}

/// Notes that the mail about the closed request or objection `id`, sent at `at` (epoch seconds), did not arrive.
/// Noting it again changes nothing. Of one that is being closed just now it fails: it is to come again.
pub async fn note_undelivered(store: &Store, id: &str, at: i64) -> Result<Notice, Error> {
    let update = store
        .client()
        .update_item()
        .table_name(store.name(Table::PrivacyRequests))
        .key("id", s(id))
        .update_expression("SET undelivered_at = :at, queue = :queue, next_at = :at")
        .condition_expression(
            "attribute_exists(closed_at) AND attribute_not_exists(undelivered_at) AND \
             attribute_not_exists(queue)",
        )
        .expression_attribute_values(":at", n(at))
        .expression_attribute_values(":queue", s(QUEUE));
    if let Conditional::Done(_) = conditional(update.send().await)? {
        return Ok(Notice::Waits);
    }
    match store.get(Table::PrivacyRequests, [("id", id.to_owned())]).await? {
        Some(item) if !item.contains_key("undelivered_at") => {
            Err(Error::internal("a request is still being closed"))
        }
        // Noted before.
        Some(item) if text(&item, "queue") == Some(QUEUE) => Ok(Notice::Waits),
        Some(_) => Ok(Notice::Seen),
        // Past its time.
        None => Ok(Notice::None),
    }
}

/// What did not arrive and waits to be seen, the oldest first.
pub async fn undelivered(store: &Store) -> Result<Vec<Undelivered>, Error> {
    let query = store
        .client()
        .query()
        .table_name(store.name(Table::PrivacyRequests))
        .index_name("by-queue")
        .key_condition_expression("queue = :queue")
        .expression_attribute_values(":queue", s(QUEUE));
    let mut items = query.into_paginator().items().send();
    let mut found = Vec::new();
    while let Some(item) = items.next().await {
        let item = item.map_err(unavailable)?;
        if let (Some(id), Some(at)) = (text(&item, "id"), number(&item, "next_at")) {
            found.push(Undelivered { id: id.to_owned(), mailed_at: instant(at) });
        }
    }
    Ok(found)
}

/// The operator has seen it. Its record goes on saying that it did not arrive.
pub async fn clear_undelivered(store: &Store, id: &str, now: OffsetDateTime) -> Result<(), Error> {
    let update = store
        .client()
        .update_item()
        .table_name(store.name(Table::PrivacyRequests))
        .key("id", s(id))
        .update_expression("REMOVE queue, next_at")
        .condition_expression("queue = :queue AND next_at <= :now")
        .expression_attribute_values(":queue", s(QUEUE))
        .expression_attribute_values(":now", n(now.unix_timestamp()));
    match conditional(update.send().await)? {
        Conditional::Done(_) => Ok(()),
        Conditional::Refused(_) => Err(Error::NotFound("answer that did not arrive")),
    }
}
