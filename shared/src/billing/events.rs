//! Stripe's events: taken in, handed over to the queue, and handled once each.

use std::collections::BTreeMap;

use futures_util::{StreamExt, stream};
use serde::Deserialize;
use serde_json::Value;
use time::OffsetDateTime;

use super::{
    event::{StripeEvent, are_handled, note},
    sync::{Synced, sync_for},
    work::work_on,
};
use crate::{
    app::App,
    error::{Error, InputError},
    secrets::StripeCredentials,
};

/// Customers whose events are handled at the same time, by each of the two functions that may be at it
/// (`MaximumConcurrency`): with some 200 ms an answer, and each list asked for once a customer, that is less than the 25
/// calls of one operation that Stripe takes in a second (docs.stripe.com/rate-limits).
const AT_ONCE: usize = 2;

/// Events that say something about what is bought or paid. Others are taken and dropped. The endpoint at Stripe is
/// sent these and no others: above all not `invoice.created`, whose answer Stripe waits for, up to three days, before
/// it charges a renewal (docs.stripe.com/invoicing/integration/workflow-transitions).
pub const KINDS: [&str; 34] = [
    "charge.dispute.closed",
    "charge.dispute.created",
    "charge.dispute.funds_reinstated",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.updated",
    "charge.failed",
    "charge.refunded",
    "charge.succeeded",
    "charge.updated",
    "checkout.session.async_payment_failed",
    "checkout.session.async_payment_succeeded",
    "checkout.session.completed",
    "credit_note.created",
    "credit_note.updated",
    "credit_note.voided",
    "customer.created",
    "customer.deleted",
    "customer.subscription.created",
    "customer.subscription.deleted",
    "customer.subscription.paused",
    "customer.subscription.pending_update_applied",
    "customer.subscription.pending_update_expired",
    "customer.subscription.resumed",
    "customer.subscription.updated",
    "invoice.finalized",
    "invoice.marked_uncollectible",
    "invoice.paid",
    "invoice.payment_action_required",
    "invoice.payment_failed",
    "invoice.updated",
    "invoice.voided",
    "refund.created",
    "refund.failed",
    "refund.updated",
];

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
    if !KINDS.contains(&payload.kind.as_str()) {
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
    if are_handled(&app.store, events).await? {
        return Ok(Synced::default());
    }
    let customer = match whose {
        Ok(customer) => Some(customer),
        Err(charge) => app.stripe().await?.payer(&charge).await?,
    };
    match customer {
        Some(customer) => {
            let synced = sync_for(app, &customer, events, now).await?;
            if let Some(account) = &synced.account {
                // A receipt is to be quick. What fails here is tried again by the job.
                if let Err(error) = work_on(app, account, now).await {
                    tracing::warn!(error = %error, "mails about billing are put off");
                }
            }
            Ok(synced)
        }
        None => {
            note(&app.store, events, "no customer", now).await?;
            Ok(Synced::default())
        }
    }
}

#[cfg(test)]
mod tests {
    use stripe_webhook::Webhook;
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-24 12:00 UTC);

    fn credentials(secrets: &[&str]) -> StripeCredentials {
        StripeCredentials {
            secret_key: "sk_test_made_up".to_owned().into(),
            webhook_secrets: secrets.iter().map(|it| (*it).to_owned().into()).collect(),
        }
    }

    fn body(kind: &str, object: Value) -> String {
        serde_json::json!({ "id": "evt_1", "object": "event", "type": kind, "data": { "object": object } })
            .to_string()
    }

    fn signed(body: &str, secret: &str, at: OffsetDateTime) -> String {
        Webhook::generate_test_header(body, secret, Some(at.unix_timestamp()))
    }

    #[test]
    fn only_what_is_signed_with_a_secret_of_ours_within_five_minutes_is_taken_in() {
        let invoice = serde_json::json!({ "object": "invoice", "id": "in_1", "customer": "cus_1" });
        let body = body("invoice.paid", invoice);
        let own = credentials(&["whsec_new", "whsec_old"]);
        let take = |signature: Option<&str>, body: &str| take_in(body, signature, &own, NOW);
        for secret in ["whsec_new", "whsec_old"] {
            let event =
                take(Some(&signed(&body, secret, NOW)), &body).expect("taken in").expect("one");
            assert_eq!((event.id.as_str(), event.customer.as_deref()), ("evt_1", Some("cus_1")));
        }
        // As Stripe signs while a secret is rotated: with both.
        let other = signed(&body, "whsec_another", NOW);
        let both = format!(
            "{other},v1={}",
            signed(&body, "whsec_old", NOW).split_once("v1=").expect("v1").1
        );
        assert!(take(Some(&both), &body).is_ok());
        let forged = signed(&body, "whsec_another", NOW);
        let minutes = time::Duration::minutes;
        let stale = signed(&body, "whsec_new", NOW - minutes(6));
        let early = signed(&body, "whsec_new", NOW + minutes(6));
        let of_another = signed("{}", "whsec_new", NOW);
        let cut = &signed(&body, "whsec_new", NOW)[..40];
        for wrong in [&forged, &stale, &early, &of_another, cut, "", "t=,v1=", "v1=00"] {
            let refused = take(Some(wrong), &body);
            assert!(matches!(refused, Err(Error::Input(InputError::Field { .. }))), "{wrong}");
        }
        assert!(take(None, &body).is_err());
    }

    #[test]
    fn the_operator_is_told_of_each_kind_and_of_no_draft() {
        let told = include_str!("../../../docs/OPERATIONS.md");
        for kind in KINDS {
            assert!(told.contains(&format!("`{kind}`")), "{kind} is not in docs/OPERATIONS.md");
        }
        // Whoever hears of drafts holds back every renewal while it does not answer.
        for kind in ["invoice.created", "invoice.upcoming"] {
            assert!(!KINDS.contains(&kind), "{kind}");
        }
        assert!(!told.contains("`invoice.*`"));
        assert!(KINDS.is_sorted());
    }

    #[test]
    fn an_event_is_kept_as_whose_it_is_and_nothing_else() {
        let own = credentials(&["whsec_new"]);
        let take = |kind: &str, object: Value| {
            let body = body(kind, object);
            take_in(&body, Some(&signed(&body, "whsec_new", NOW)), &own, NOW).expect("signed")
        };
        let customer = serde_json::json!({
            "object": "customer", "id": "cus_1", "email": "ada@example.com",
            "metadata": { "account": "acc_1" },
        });
        let event = take("customer.deleted", customer).expect("one");
        assert_eq!(event.customer.as_deref(), Some("cus_1"));
        assert_eq!(event.account.as_deref(), Some("acc_1"));
        assert!(!serde_json::to_string(&event).expect("JSON").contains("ada@"));
        let dispute = serde_json::json!({ "object": "dispute", "id": "du_1", "charge": "ch_1" });
        let event = take("charge.dispute.created", dispute).expect("one");
        assert_eq!((event.customer, event.charge.as_deref()), (None, Some("ch_1")));
        let session =
            serde_json::json!({ "object": "checkout.session", "customer": { "id": "cus_2" } });
        let event = take("checkout.session.completed", session).expect("one");
        assert_eq!(event.customer.as_deref(), Some("cus_2"));
        assert_eq!(take("price.updated", serde_json::json!({ "customer": "cus_1" })), None);
        assert_eq!(take("invoice.paid", serde_json::json!({})), None);
    }
}
