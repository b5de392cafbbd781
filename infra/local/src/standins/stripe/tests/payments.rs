//! Refunds, disputes, the portal, redaction, and what a new start finds.

use stripe_core::{
    dispute::ListDispute,
    refund::{CreateRefund, CreateRefundReason, ListRefund},
};
use time::Duration;

use super::{Card, World, refusal};
use crate::{
    http::Client as Http,
    standins::stripe::{API_VERSION, RefundView, Stripe, Totals},
};

#[tokio::test]
async fn a_charge_is_given_back_once() {
    let world = World::start().await;
    let (customer, _) = world.subscriber(Card::Good).await;
    let charge = world.stripe.charges(&customer)[0].id.clone();
    let give_back = |amount: i64| CreateRefund::new().charge(charge.as_str()).amount(amount);
    let too_much = give_back(2_001).send(&world.client).await;
    assert_eq!(refusal(too_much), (400, "amount_too_large".to_owned()));
    world.news();
    let part = give_back(500).reason(CreateRefundReason::RequestedByCustomer);
    let part = part.send(&world.client).await.expect("a refund");
    assert_eq!(part.amount, 500);
    assert_eq!(world.news(), ["refund.created", "charge.refunded"]);
    let shown = world.call("GET", &format!("/v1/charges/{charge}"), "").await.json();
    assert_eq!((&shown["amount_refunded"], &shown["refunded"]), (&500.into(), &false.into()));
    let intent = part.payment_intent.expect("an intent").into_id();
    let rest = CreateRefund::new().payment_intent(intent.as_str());
    assert_eq!(rest.send(&world.client).await.expect("a refund").amount, 1_500);
    let again = rest.send(&world.client).await;
    assert_eq!(refusal(again), (400, "charge_already_refunded".to_owned()));
    let all = ListRefund::new().charge(charge.as_str()).send(&world.client).await;
    assert_eq!(all.expect("a list").data.len(), 2);
    assert_eq!(world.stripe.totals(&customer), Totals { charged: 2_000, refunded: 2_000 });
    let now = world.clock.now().unix_timestamp();
    let RefundView { charge: of, created, .. } = world.stripe.refunds(&customer)[0].clone();
    assert_eq!((of, created), (charge, now));
}

#[tokio::test]
async fn a_disputed_charge_cannot_be_given_back() {
    let world = World::start().await;
    let (customer, _) = world.subscriber(Card::Good).await;
    let charge = world.stripe.charges(&customer)[0].id.clone();
    let dispute = world.stripe.dispute(&charge).expect("a dispute");
    assert!(world.stripe.dispute(&charge).is_err());
    let refused = CreateRefund::new().charge(charge.as_str()).send(&world.client).await;
    assert_eq!(refusal(refused), (400, "charge_disputed".to_owned()));
    let listed = ListDispute::new().charge(charge.as_str()).send(&world.client).await;
    let listed = listed.expect("a list");
    assert_eq!((listed.data[0].id.as_str(), listed.data[0].amount), (dispute.as_str(), 2_000));
    world.stripe.close_dispute(&dispute, true).expect("closed");
    let refunded = CreateRefund::new().charge(charge.as_str()).send(&world.client).await;
    assert_eq!(refunded.expect("a refund").amount, 2_000);
    assert!(world.stripe.close_dispute(&dispute, true).is_err());
}

#[tokio::test]
async fn an_inquiry_takes_nothing_and_lets_the_charge_be_given_back() {
    let world = World::start().await;
    let (customer, _) = world.subscriber(Card::Good).await;
    let charge = world.stripe.charges(&customer)[0].id.clone();
    let inquiry = world.stripe.inquire(&charge).expect("an inquiry");
    let shown = world.call("GET", &format!("/v1/disputes/{inquiry}"), "").await.json();
    assert_eq!(shown["status"], "warning_needs_response");
    assert!(world.stripe.close_dispute(&inquiry, false).is_err());
    let refund = CreateRefund::new().charge(charge.as_str()).send(&world.client).await;
    assert_eq!(refund.expect("a refund").amount, 2_000);
    world.stripe.close_dispute(&inquiry, true).expect("closed");
}

#[tokio::test]
async fn a_refund_that_the_bank_sends_back_is_the_sellers_again() {
    let world = World::start().await;
    let (customer, _) = world.subscriber(Card::Good).await;
    let charge = world.stripe.charges(&customer)[0].id.clone();
    let refund = world.stripe.refund_from_dashboard(&charge, 500).expect("a refund");
    world.news();
    world.stripe.fail_refund(&refund).expect("it fails");
    assert!(world.stripe.fail_refund(&refund).is_err());
    assert_eq!(world.news(), ["refund.failed"]);
    assert_eq!(world.stripe.totals(&customer), Totals { charged: 2_000, refunded: 0 });
    let path = format!("/v1/charges/{charge}?expand[]=refunds");
    let shown = world.call("GET", &path, "").await.json();
    assert_eq!(shown["amount_refunded"], 0);
    assert_eq!(shown["refunds"]["data"][0]["status"], "failed");
}

#[tokio::test]
async fn the_portal_changes_the_card_and_ends_and_keeps_a_subscription() {
    let world = World::start().await;
    let (customer, _) = world.subscriber(Card::FailsLater).await;
    let form = format!("customer={customer}&return_url=https://example.com/account");
    let session = world.call("POST", "/v1/billing_portal/sessions", &form).await.json();
    let url = session["url"].as_str().expect("a page");
    let path = url.strip_prefix(&world.url).expect("its own page").to_owned();
    let http = Http::new(&world.url);
    let show = || http.get(&path).send();
    let page = show().await.expect("a page").text();
    assert!(page.contains("https://example.com/account") && page.contains("0341"), "{page}");
    let post = |action: &str, form: &'static str| {
        let request = http.request(http::Method::POST, format!("{path}/{action}"));
        request.body("application/x-www-form-urlencoded", form).send()
    };
    let declined = post("card", "card=4000000000000002").await.expect("a page");
    assert_eq!(declined.status, 402);
    assert_eq!(post("card", "card=4242424242424242").await.expect("a way").status, 303);
    assert_eq!(post("cancel", "").await.expect("a way").status, 303);
    assert!(world.stripe.subscriptions(&customer)[0].cancel_at_period_end);
    assert!(show().await.expect("a page").text().contains("ends on 28 February 2027"));
    assert_eq!(post("resume", "").await.expect("a way").status, 303);
    assert!(!world.stripe.subscriptions(&customer)[0].cancel_at_period_end);
    assert_eq!(post("other", "").await.expect("an answer").status, 404);

    world.stripe.set_card(&customer, Card::Declined).expect("a card");
    world.advance(Duration::days(29));
    assert_eq!(show().await.expect("a page").status, 404);
    let open = world.stripe.invoices(&customer)[1].id.clone();
    let path = format!("/pages/invoices/{open}");
    let pay = http.request(http::Method::POST, path);
    let pay = pay.body("application/x-www-form-urlencoded", "card=4242424242424242");
    assert_eq!(pay.send().await.expect("a way").status, 303);
    assert_eq!(world.stripe.invoices(&customer)[1].status, "paid");
}

#[tokio::test]
async fn redaction_waits_for_ninety_days_and_hides_what_is_personal() {
    let world = World::start().await;
    let (customer, _) = world.subscriber(Card::Good).await;
    let jobs = "/v1/privacy/redaction_jobs";
    let form = format!("objects[customers][]={customer}&validation_behavior=error");
    let order = async || {
        let job = world.preview("POST", jobs, &form).await.json();
        format!("{jobs}/{}", job["id"].as_str().expect("an id"))
    };
    let status = async |job: &str| world.preview("GET", job, "").await.json()["status"].clone();
    let job = order().await;
    assert_eq!(status(&job).await, "validating");
    assert_eq!(world.preview("POST", &format!("{job}/run"), "").await.status, 400);
    assert_eq!(status(&job).await, "failed");
    let errors = world.preview("GET", &format!("{job}/validation_errors"), "").await.json();
    // It runs, and it was paid today.
    assert_eq!(errors["data"].as_array().map(Vec::len), Some(2));
    let failed = world.preview("GET", &job, "").await.json();
    assert_eq!(failed["validation_errors"]["data"], errors["data"]);

    world.stripe.delete_customer(&customer).expect("gone");
    // Unless it still knows the customer, it takes the numbers of invoices and payments.
    let refused = world.preview("POST", jobs, &form).await;
    assert_eq!(refused.json()["error"]["code"], "resource_missing");
    let invoice = world.stripe.invoices(&customer)[0].id.clone();
    let by_invoice = world.preview("POST", jobs, &format!("objects[invoices][]={invoice}")).await;
    assert_eq!(by_invoice.status, 200, "{}", by_invoice.text());
    let many = (0..11).map(|n| format!("objects[invoices][{n}]={invoice}")).collect::<Vec<_>>();
    assert_eq!(world.preview("POST", jobs, &many.join("&")).await.status, 400, "ten at most");
    world.stripe.know_deleted(true);
    world.advance(Duration::days(90) - Duration::seconds(120));
    let early = order().await;
    world.advance(Duration::seconds(60));
    assert_eq!(status(&early).await, "failed");
    world.advance(Duration::seconds(60));
    let job = order().await;
    world.advance(Duration::seconds(60));
    assert_eq!(status(&job).await, "ready");
    let run = world.preview("POST", &format!("{job}/run"), "").await.json();
    assert_eq!(run["status"], "redacting");
    world.advance(Duration::seconds(60));
    assert_eq!(status(&job).await, "succeeded");
    let invoices = format!("/v1/invoices?customer={customer}");
    let invoice = world.call("GET", &invoices, "").await.json()["data"][0].clone();
    assert_eq!(invoice["customer_email"], "[redacted]");
    assert_eq!(invoice["amount_paid"], 2_000);
    let everything = format!("{:?}", world.stripe.events());
    assert!(!everything.contains("ada@example.com"));
}

#[tokio::test]
async fn a_preview_is_known_to_its_own_version_only() {
    let world = World::start().await;
    let customer = world.customer().await;
    let jobs = "/v1/privacy/redaction_jobs";
    let form = format!("objects[customers][]={customer}");
    for version in [None, Some(API_VERSION), Some("2026-09-30"), Some("2017-08-15")] {
        let headers: Vec<_> = version.map(|it| ("stripe-version", it)).into_iter().collect();
        for (method, path) in [("POST", jobs), ("GET", "/v1/privacy/redaction_jobs/prj_1")] {
            let answer = world.call_with(method, path, &form, &headers).await;
            assert_eq!(answer.status, 404, "{version:?}");
            let error = answer.json()["error"].clone();
            assert!(
                error["message"].as_str().expect("a text").starts_with("Unrecognized request URL")
            );
            assert_eq!(error["code"], serde_json::Value::Null, "no object is missing");
        }
    }
    assert_eq!(world.preview("POST", jobs, &form).await.status, 200);
    // And what has been in all versions for long is not written for that one here.
    assert_eq!(world.preview("GET", "/v1/customers", "").await.status, 400);
}

#[tokio::test]
async fn a_restricted_key_may_do_what_it_is_set_to() {
    let world = World::start().await;
    world.stripe.forbid(&["rak_charge_write", "rak_dispute_read"]);
    for (method, path) in [("POST", "/v1/refunds"), ("GET", "/v1/disputes")] {
        assert_eq!(world.call(method, path, "").await.status, 403, "{path}");
    }
    let refused = world.call("POST", "/v1/refunds", "charge=ch_1").await.json();
    let message = refused["error"]["message"].as_str().expect("a text").to_owned();
    assert!(message.contains("Having the 'rak_charge_write' permission"), "{message}");
    assert_eq!(world.call("GET", "/v1/refunds?charge=ch_1", "").await.status, 200);
}

#[tokio::test]
async fn a_new_start_finds_everything_and_goes_on() {
    let world = World::start().await;
    let (customer, _) = world.subscriber(Card::Good).await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("stripe.json");
    world.stripe.save(&file).expect("written");
    world.clock.set(world.clock.now() + Duration::days(29));
    let next = Stripe::new(world.clock.clone());
    next.load(&folder.path().join("nothing.json")).expect("nothing");
    next.load(&file).expect("read");
    next.run_due(world.clock.now());
    assert_eq!(next.totals(&customer).charged, 4_000);
    // Nobody had been told of anything yet.
    assert_eq!(next.take_events()[0].kind, "product.created");
    let made = next.events().into_iter().map(|it| it.id);
    let made: std::collections::BTreeSet<_> = made.collect();
    assert_eq!(made.len(), next.events().len());
    std::fs::write(&file, "{").expect("written");
    assert!(next.load(&file).is_err());
}
