//! Events on their way.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration as Real,
};

use axum::{Router, body::Bytes, routing::post};
use http::{HeaderMap, StatusCode};
use stripe_webhook::Webhook;
use time::Duration;

use super::{Card, World};
use crate::{
    serve::{listen, serve},
    standins::stripe::Webhooks,
};

/// What came: signature and body, in the order of arrival.
type Inbox = Arc<Mutex<Vec<(String, String)>>>;

/// Takes webhooks, after it has refused the first `refused` of them.
async fn receiver(world: &mut World, refused: usize) -> (Inbox, String) {
    let inbox = Inbox::default();
    let (kept, left) = (Arc::clone(&inbox), Arc::new(Mutex::new(refused)));
    let take = move |headers: HeaderMap, body: Bytes| {
        let status = {
            let mut left = left.lock().expect("a count");
            if *left == 0 {
                let signature = headers["stripe-signature"].to_str().expect("text").to_owned();
                let body = String::from_utf8(body.to_vec()).expect("text");
                kept.lock().expect("an inbox").push((signature, body));
                StatusCode::OK
            } else {
                *left -= 1;
                StatusCode::INTERNAL_SERVER_ERROR
            }
        };
        async move { status }
    };
    let (listener, address) = listen(None).await.expect("a port");
    world.tasks.push(serve(listener, Router::new().route("/hook", post(take))));
    (inbox, format!("http://{address}/hook"))
}

fn ids(inbox: &Inbox) -> Vec<String> {
    let inbox = inbox.lock().expect("an inbox");
    inbox.iter().map(|(_, body)| id_in(body)).collect()
}

fn id_in(body: &str) -> String {
    let event: serde_json::Value = serde_json::from_str(body).expect("JSON");
    event["id"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn webhooks_are_signed_with_every_secret_and_come_in_order() {
    let mut world = World::start().await;
    let (inbox, url) = receiver(&mut world, 0).await;
    let secrets = vec!["whsec_new".to_owned(), "whsec_old".to_owned()];
    world.stripe.set_webhooks(Webhooks { url: Some(url), secrets, ..Webhooks::default() });
    let (customer, id) = world.subscriber(Card::Good).await;
    // The renewal's draft waits for its event to be taken.
    world.advance(Duration::days(28));
    world.stripe.settled().await;
    world.advance(Duration::days(1));
    let charge = world.stripe.charges(&customer)[1].id.clone();
    world.stripe.refund_from_dashboard(&charge, 500).expect("a refund");
    let dispute = world.stripe.dispute(&charge).expect("a dispute");
    world.stripe.close_dispute(&dispute, false).expect("closed");
    world.stripe.pause(&id).expect("a pause");
    world.stripe.delete_customer(&customer).expect("gone");
    world.stripe.settled().await;
    let sent: Vec<_> = world.stripe.events().into_iter().map(|it| it.id).collect();
    // Those of the plans were taken before.
    assert_eq!(ids(&inbox), sent[4..]);
    let now = world.clock.now().unix_timestamp();
    for (signature, body) in inbox.lock().expect("an inbox").iter() {
        let at = signature[2..signature.find(',').expect("parts")].parse().expect("a time");
        for secret in ["whsec_new", "whsec_old"] {
            let event = Webhook::construct_event_with_timestamp(body, signature, secret, at);
            assert_eq!(event.expect("a genuine event").id.as_str(), id_in(body));
        }
        let forged = Webhook::construct_event_with_timestamp(body, signature, "whsec_x", at);
        assert!(forged.is_err());
        let stale = Webhook::construct_event_with_timestamp(body, signature, "whsec_new", at + 301);
        assert!(stale.is_err());
        assert!(at <= now);
    }
    let of_them = world.call("GET", "/v1/events?limit=100&type=charge.*", "").await.json();
    let kinds: BTreeSet<_> = of_them["data"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|it| it["type"].as_str().expect("a type"))
        .collect();
    let wanted = [
        "charge.dispute.closed",
        "charge.dispute.created",
        "charge.refunded",
        "charge.succeeded",
        "charge.updated",
    ];
    assert_eq!(kinds, BTreeSet::from(wanted));
    assert!(
        of_them["data"].as_array().expect("a list").iter().all(|it| it["pending_webhooks"] == 0)
    );
}

#[tokio::test]
async fn what_is_not_taken_is_sent_again_and_given_up_in_the_end() {
    let mut world = World::start().await;
    let (inbox, url) = receiver(&mut world, 15).await;
    let secrets = vec!["whsec_1".to_owned()];
    world.stripe.set_webhooks(Webhooks { url: Some(url), secrets, ..Webhooks::default() });
    let customer = world.customer().await;
    world.stripe.settled().await;
    assert_eq!(ids(&inbox).len(), 1);
    assert!(world.stripe.given_up().is_empty());
    let event = ids(&inbox).remove(0);
    world.stripe.resend(&event);
    world.stripe.settled().await;
    assert_eq!(ids(&inbox), [event.clone(), event]);

    // Nobody listens there.
    let (_, address) = listen(None).await.expect("a port");
    let url = Some(format!("http://{address}/hook"));
    world.stripe.set_webhooks(Webhooks { url, ..world.stripe.webhooks() });
    world.stripe.delete_customer(&customer).expect("gone");
    for _ in 0..20 {
        world.stripe.deliver_pending();
        tokio::time::sleep(Real::from_millis(10)).await;
    }
    world.stripe.settled().await;
    let given_up = world.stripe.given_up();
    assert_eq!(
        given_up.iter().map(|it| it.kind.as_str()).collect::<Vec<_>>(),
        ["customer.deleted"]
    );
}

#[tokio::test]
async fn duplicates_and_another_order_on_demand_lose_nothing() {
    let mut world = World::start().await;
    let (inbox, url) = receiver(&mut world, 0).await;
    world.stripe.set_webhooks(Webhooks {
        url: Some(url),
        events: None,
        secrets: vec!["whsec_1".to_owned()],
        duplicates: 2,
        reorder: Some(11),
        delay: Real::from_millis(50),
    });
    let (customer, _) = world.subscriber(Card::Good).await;
    world.stripe.delete_customer(&customer).expect("gone");
    assert!(ids(&inbox).is_empty());
    world.stripe.settled().await;
    let came = ids(&inbox);
    let sent: Vec<_> = world.stripe.events()[4..].iter().map(|it| it.id.clone()).collect();
    assert_eq!(came.len(), 3 * sent.len());
    for id in &sent {
        assert_eq!(came.iter().filter(|it| *it == id).count(), 3);
    }
    let mut first: Vec<_> = Vec::new();
    for id in came {
        if !first.contains(&id) {
            first.push(id);
        }
    }
    assert_ne!(first, sent);
}

#[test]
fn the_local_endpoint_is_sent_what_the_service_goes_by() {
    let sent = crate::standins::stripe::ENDPOINT_EVENTS;
    assert_eq!(sent, vidintel::billing::events::KINDS);
}

#[tokio::test]
async fn a_draft_waits_for_its_event_to_be_taken_and_three_days_at_most() {
    for (refused, hours) in [(0, [(1, 2), (73, 2)]), (usize::MAX, [(1, 1), (73, 2)])] {
        let mut world = World::start().await;
        let (customer, _) = world.subscriber(Card::Good).await;
        world.stripe.take_events();
        let (_, url) = receiver(&mut world, refused).await;
        let events = Some(vec!["invoice.created".to_owned()]);
        let secrets = vec!["whsec_1".to_owned()];
        let url = Some(url);
        world.stripe.set_webhooks(Webhooks { url, events, secrets, ..Webhooks::default() });
        let end = world.stripe.subscriptions(&customer)[0].period_end;
        let end = time::OffsetDateTime::from_unix_timestamp(end).expect("a time");
        world.advance(end - world.clock.now());
        world.stripe.settled().await;
        let mut passed = 0;
        for (at, charges) in hours {
            world.advance(Duration::hours(at - passed));
            passed = at;
            assert_eq!(world.stripe.charges(&customer).len(), charges, "{refused} after {at} h");
        }
    }
}
