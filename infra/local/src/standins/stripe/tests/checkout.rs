//! From a session to a paid subscription.

use stripe_billing::{
    SubscriptionStatus,
    invoice::{ListInvoice, RetrieveInvoice},
    subscription::{ListSubscription, RetrieveSubscription},
};
use stripe_checkout::{
    CheckoutSessionPaymentStatus, CheckoutSessionStatus,
    checkout_session::{ExpireCheckoutSession, RetrieveCheckoutSession},
};
use stripe_core::charge::ListCharge;
use time::Duration;

use super::{Card, World, refusal, subscription_data};
use crate::http::Client as Http;

#[tokio::test]
async fn a_person_pays_at_the_page_and_has_a_subscription() {
    let world = World::start().await;
    let customer = world.customer().await;
    let session = world.session(&customer).await;
    assert_eq!(session.status, Some(CheckoutSessionStatus::Open));
    let page = session.url.expect("a page");
    let path = page.strip_prefix(&world.url).expect("its own page").to_owned();
    let http = Http::new(&world.url);
    let shown = http.get(&path).send().await.expect("a page").text();
    assert!(shown.contains("20.00 USD") && shown.contains("4242 4242 4242 4242"), "{shown}");
    let pay = |number: &str| {
        let form = format!("card={}", number.replace(' ', "+"));
        let request = http.request(http::Method::POST, &path);
        request.body("application/x-www-form-urlencoded", form).send()
    };
    let declined = pay("4000 0000 0000 0002").await.expect("a page");
    assert!(declined.status == 402 && declined.text().contains("declined"));
    assert!(world.stripe.subscriptions(&customer).is_empty());
    world.news();

    let paid = pay("4242 4242 4242 4242").await.expect("a way back");
    assert_eq!(paid.status, 303);
    let back = format!("https://example.com/done?session={}", session.id);
    assert_eq!(paid.header("location"), Some(back.as_str()));
    assert_eq!(
        world.news(),
        [
            "customer.updated",
            "customer.subscription.created",
            "invoice.created",
            "invoice.finalized",
            "charge.succeeded",
            "payment_intent.succeeded",
            "invoice.updated",
            "invoice.paid",
            "invoice.payment_succeeded",
            "checkout.session.completed",
        ]
    );
    assert_eq!(pay("4242 4242 4242 4242").await.expect("a page").status, 410);

    let session = RetrieveCheckoutSession::new(session.id.as_str()).send(&world.client).await;
    let session = session.expect("a session");
    assert_eq!(session.status, Some(CheckoutSessionStatus::Complete));
    assert_eq!(session.payment_status, CheckoutSessionPaymentStatus::Paid);
    assert_eq!(session.client_reference_id.as_deref(), Some("acc_1"));
    let id = session.subscription.expect("a subscription").id().to_string();
    let subscription = RetrieveSubscription::new(id.as_str()).send(&world.client).await;
    let subscription = subscription.expect("a subscription");
    assert_eq!(subscription.status, SubscriptionStatus::Active);
    let item = &subscription.items.data[0];
    assert_eq!(item.price.lookup_key.as_deref(), Some("pro"));
    assert_eq!(item.current_period_start, world.clock.now().unix_timestamp());
    // 28 February.
    assert_eq!(item.current_period_end - item.current_period_start, 28 * 86_400);
    let of_it = ListSubscription::new().customer(customer.as_str()).send(&world.client).await;
    assert_eq!(of_it.expect("a list").data.len(), 1);

    let invoices = ListInvoice::new()
        .customer(customer.as_str())
        .expand(["data.payments".to_owned()])
        .send(&world.client)
        .await
        .expect("a list");
    let invoice = &invoices.data[0];
    assert_eq!((invoice.total, invoice.amount_paid, invoice.amount_remaining), (2_000, 2_000, 0));
    assert_eq!(invoice.customer_email.as_deref(), Some("ada@example.com"));
    assert_eq!(invoice.lines.data[0].period.end, item.current_period_end);
    let payments = invoice.payments.as_ref().expect("payments");
    let intent = payments.data[0].payment.payment_intent.as_ref().expect("an intent").id();
    let charges = ListCharge::new().customer(customer.as_str()).send(&world.client).await;
    let charge = &charges.expect("a list").data[0];
    assert_eq!(charge.payment_intent.as_ref().map(|it| it.id()), Some(intent));
    assert_eq!((charge.amount, charge.paid), (2_000, true));
    let plain = RetrieveInvoice::new(invoice.id.as_ref().expect("an id").as_str());
    assert!(plain.send(&world.client).await.expect("an invoice").payments.is_none());
    let pdf = invoice.invoice_pdf.as_ref().expect("a file");
    let pdf = http.get(pdf.strip_prefix(&world.url).expect("a path")).send().await;
    assert!(pdf.expect("a file").body.starts_with(b"%PDF-"));
}

#[tokio::test]
async fn a_session_runs_out_after_a_day_or_when_told() {
    let world = World::start().await;
    let customer = world.customer().await;
    let (first, second) = (world.session(&customer).await, world.session(&customer).await);
    let expire = ExpireCheckoutSession::new(first.id.as_str());
    let expire = || expire.send(&world.client);
    assert_eq!(expire().await.expect("a session").status, Some(CheckoutSessionStatus::Expired));
    assert_eq!(refusal(expire().await).0, 400);
    world.news();
    world.advance(Duration::hours(24) - Duration::seconds(1));
    assert!(world.news().is_empty());
    world.advance(Duration::seconds(1));
    assert_eq!(world.news(), ["checkout.session.expired"]);
    assert!(world.stripe.pay(second.id.as_str(), Card::Good).is_err());
    let open = format!("/v1/checkout/sessions?customer={customer}&status=open");
    let open = world.call("GET", &open, "").await.json();
    assert_eq!(open["data"].as_array().map(Vec::len), Some(0));
    let form = format!(
        "mode=subscription&success_url=https://example.com&line_items[0][price]={}\
         &line_items[0][quantity]=1&expires_at={}",
        world.pro,
        world.clock.now().unix_timestamp() + 60
    );
    assert_eq!(world.call("POST", "/v1/checkout/sessions", &form).await.status, 400);
}

#[tokio::test]
async fn a_trial_is_announced_ends_and_pauses_without_a_card() {
    let world = World::start().await;
    let customer = world.customer().await;
    let mut trial = subscription_data();
    trial.trial_period_days = Some(14);
    let session = world.session_request(&customer).subscription_data(trial);
    let session = session.send(&world.client).await.expect("a session");
    world.stripe.pay(session.id.as_str(), Card::Good).expect("a start");
    let only = |world: &World| world.stripe.subscriptions(&customer)[0].clone();
    assert_eq!(only(&world).status, "trialing");
    assert_eq!(world.stripe.totals(&customer).charged, 0);
    world.news();
    world.advance(Duration::days(11));
    assert_eq!(world.news(), ["customer.subscription.trial_will_end"]);
    world.advance(Duration::days(3) + Duration::hours(1));
    assert_eq!(only(&world).status, "active");
    assert_eq!(world.stripe.totals(&customer).charged, 2_000);

    let second = world.customer().await;
    let form = format!(
        "mode=subscription&success_url=https://example.com&line_items[0][price]={}\
         &line_items[0][quantity]=1&customer={second}&subscription_data[trial_period_days]=7\
         &subscription_data[trial_settings][end_behavior][missing_payment_method]=pause\
         &subscription_data[billing_mode][type]=classic",
        world.pro
    );
    let session = world.call("POST", "/v1/checkout/sessions", &form).await.json();
    world.stripe.pay(session["id"].as_str().expect("an id"), Card::Good).expect("a start");
    world.stripe.remove_card(&second).expect("no card");
    world.news();
    world.advance(Duration::days(7));
    let news = world.news();
    assert!(news.contains(&"customer.subscription.paused".to_owned()), "{news:?}");
    let id = world.stripe.subscriptions(&second)[0].id.clone();
    world.stripe.set_card(&second, Card::Good).expect("a card");
    world.news();
    let resumed = world.call("POST", &format!("/v1/subscriptions/{id}/resume"), "").await;
    assert_eq!(resumed.json()["status"], "active");
    assert_eq!(world.news().last().map(String::as_str), Some("customer.subscription.resumed"));
}
