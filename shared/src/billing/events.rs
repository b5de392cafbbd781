//! Stripe's events: taken in, handed over to the queue, and handled once each.

use std::collections::{BTreeMap, HashSet};

use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;

use super::sync::{Synced, sync_for};
use crate::{
    app::App,
    error::{Error, InputError},
    inventory::{self, Table},
    secrets::StripeCredentials,
    store::{Store, n, putting, s, stored},
};

/// Customers whose events are handled at the same time.
const AT_ONCE: usize = 4;

/// Events that say something about what is bought or paid. Others are taken and dropped.
const KINDS: [&str; 5] = ["charge.", "checkout.session.", "customer.", "invoice.", "refund."];

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

/// An event whose signature was checked, as it came.
#[derive(Deserialize)]
struct Payload {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    object: Value,
}

/// Takes in what was posted to us: checks that Stripe has signed it with one of our secrets within the last
/// five minutes. `None`: it is of no interest.
pub fn take_in(
    body: &str,
    signature: Option<&str>,
    credentials: &StripeCredentials,
    now: OffsetDateTime,
) -> Result<Option<StripeEvent>, Error> {
    verify(body, signature.unwrap_or_default(), credentials, now)?;
    let payload: Payload = serde_json::from_str(body)
        .map_err(|_| InputError::Body("it is not an event of Stripe's".to_owned()))?;
    if !KINDS.iter().any(|start| payload.kind.starts_with(start)) {
        return Ok(None);
    }
    let object = &payload.data.object;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let is_customer = object["object"] == "customer";
    // Expanded or not.
    let id = |name: &str| text(&object[name]).or_else(|| text(&object[name]["id"]));
    let event = StripeEvent {
        customer: if is_customer { text(&object["id"]) } else { id("customer") },
        charge: id("charge"),
        account: text(&object["metadata"]["account"]).filter(|_| is_customer),
        id: payload.id,
        kind: payload.kind,
    };
    Ok((event.customer.is_some() || event.charge.is_some()).then_some(event))
}

/// Of what was signed, async-stripe reads everything; we go by very little, so a payload of another version
/// than its own is fine.
fn verify(
    body: &str,
    signature: &str,
    credentials: &StripeCredentials,
    now: OffsetDateTime,
) -> Result<(), InputError> {
    use secrecy::ExposeSecret;
    use stripe_webhook::{Webhook, WebhookError};

    let mut refusal = "is not a signature of Stripe's with this endpoint's secret";
    for secret in &credentials.webhook_secrets {
        let (secret, at) = (secret.expose_secret(), now.unix_timestamp());
        // It would log each payload of another version.
        let silence = tracing::subscriber::NoSubscriber::default();
        let checked = tracing::subscriber::with_default(silence, || {
            Webhook::construct_event_with_timestamp(body, signature, secret, at)
        });
        match checked {
            Ok(_) | Err(WebhookError::BadParse(_)) => return Ok(()),
            Err(WebhookError::BadTimestamp(_)) => refusal = "is older than five minutes",
            Err(_) => {}
        }
    }
    Err(InputError::field("Stripe-Signature", refusal))
}

/// Handles `events`, those of one customer together; returns the places of those that must come again. One
/// customer's failure stops no other's.
pub async fn handle(app: &App, events: Vec<StripeEvent>, now: OffsetDateTime) -> Vec<usize> {
    let mut by_customer: BTreeMap<Result<String, String>, Vec<usize>> = BTreeMap::new();
    for (place, event) in events.iter().enumerate() {
        let whose = match (&event.customer, &event.charge) {
            (Some(customer), _) => Ok(customer.clone()),
            (None, charge) => Err(charge.clone().unwrap_or_default()),
        };
        by_customer.entry(whose).or_default().push(place);
    }
    let work = by_customer.into_iter().map(|(whose, places)| {
        let events: Vec<_> = places.iter().map(|place| events[*place].clone()).collect();
        async move { (places, handle_one(app, whose, &events, now).await) }
    });
    let mut outcomes = stream::iter(work).buffer_unordered(AT_ONCE);
    let mut again = Vec::new();
    while let Some((places, outcome)) = outcomes.next().await {
        if let Err(error) = outcome {
            // Nobody is named by it.
            tracing::warn!(error = %error, events = places.len(), "events must come again");
            again.extend(places);
        }
    }
    again
}

async fn handle_one(
    app: &App,
    whose: Result<String, String>,
    events: &[StripeEvent],
    now: OffsetDateTime,
) -> Result<Synced, Error> {
    if unhandled(&app.store, events).await?.is_empty() {
        return Ok(Synced::default());
    }
    let customer = match whose {
        Ok(customer) => Some(customer),
        Err(charge) => app.stripe().await?.payer(&charge).await?,
    };
    match customer {
        Some(customer) => sync_for(app, &customer, events, now).await,
        None => {
            note(&app.store, events, "no customer", now).await?;
            Ok(Synced::default())
        }
    }
}

/// Those of `events` that have not been handled yet, each once.
pub(super) async fn unhandled(
    store: &Store,
    events: &[StripeEvent],
) -> Result<Vec<StripeEvent>, Error> {
    let mut seen = HashSet::new();
    let mut new = Vec::new();
    for event in events.iter().filter(|it| seen.insert(it.id.as_str())) {
        if store.get(Table::WebhookEvents, [("id", event.id.clone())]).await?.is_none() {
            new.push(event.clone());
        }
    }
    Ok(new)
}

/// As a part of a transaction: `event` has been handled, and was not before.
pub(super) fn noting(
    store: &Store,
    event: &StripeEvent,
    outcome: &str,
    now: OffsetDateTime,
) -> Result<TransactWriteItem, Error> {
    let put = Put::builder()
        .table_name(store.name(Table::WebhookEvents))
        .set_item(Some(item(event, outcome, now)))
        .condition_expression("attribute_not_exists(id)");
    putting(put)
}

/// Notes that nothing was to be done about `events`.
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

fn item(event: &StripeEvent, outcome: &str, now: OffsetDateTime) -> crate::store::Item {
    let expiry = inventory::WEBHOOK_EVENTS.expiry(now, &event.id);
    crate::store::Item::from([
        ("id".to_owned(), s(&event.id)),
        ("event".to_owned(), s(&event.kind)),
        ("handled_at".to_owned(), n(now.unix_timestamp())),
        ("outcome".to_owned(), s(outcome)),
        ("expires_at".to_owned(), n(expiry.at)),
        ("expires_on".to_owned(), s(expiry.on)),
    ])
}
