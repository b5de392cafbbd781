//! An event of Stripe's as it is kept: in the queue, and as handled.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{
    error::Error,
    inventory::{self, Table},
    store::{Item, Store, n, s, stored},
};

/// What is kept of an event in the queue: which one, and whose. What it says is read back from Stripe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StripeEvent {
    /// `evt_…`
    pub id: String,
    /// `invoice.paid`, for example.
    pub kind: String,
    /// `cus_…`, where the event names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<String>,
    /// `ch_…`, where it names only that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub charge: Option<String>,
    /// The account that the customer's metadata name: of a deleted customer nothing else tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}

/// Whether every one of `events` has been handled.
pub(super) async fn are_handled(store: &Store, events: &[StripeEvent]) -> Result<bool, Error> {
    for event in events {
        if store.get(Table::WebhookEvents, [("id", event.id.clone())]).await?.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Notes what became of `events`. One that is noted already stays as it is.
pub(super) async fn note(
    store: &Store,
    events: &[StripeEvent],
    outcome: &str,
    now: OffsetDateTime,
) -> Result<(), Error> {
    for event in events {
        let put = store
            .client()
            .put_item()
            .table_name(store.name(Table::WebhookEvents))
            .set_item(Some(item(event, outcome, now)))
            .condition_expression("attribute_not_exists(id)");
        stored(put.send().await)?;
    }
    Ok(())
}

fn item(event: &StripeEvent, outcome: &str, now: OffsetDateTime) -> Item {
    let expiry = inventory::WEBHOOK_EVENTS.expiry(now, &event.id);
    Item::from([
        ("id".to_owned(), s(&event.id)),
        ("event".to_owned(), s(&event.kind)),
        ("handled_at".to_owned(), n(now.unix_timestamp())),
        ("outcome".to_owned(), s(outcome)),
        ("expires_at".to_owned(), n(expiry.at)),
        ("expires_on".to_owned(), s(expiry.on)),
    ])
}
