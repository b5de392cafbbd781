//! Cards whose holders must confirm each payment with the bank (3-D Secure).

use http::Method;
use local::standins::stripe::{Card, Fault};
use serde_json::{Value, json};
use time::Duration;
use vidintel::billing;

use crate::util::{
    Customer, World, assert_problem,
    purchases::{WORK, library, subjects},
};

const ADA: &str = "ada@example.com";
const PLAN: &str = "/v1/billing/plan";

/// A customer with Basic, paid with a card that must be confirmed each time.
async fn shop() -> (World, Customer, String) {
    let world = World::start().await;
    world.sell().await;
    let ada = world.customer(ADA).await;
    let id = world.buy("basic", &ada, Card::MustConfirm).await;
    (world, ada, id)
}

async fn subscription(world: &World, customer: &Customer) -> Value {
    world.billing(customer).await["subscription"].take()
}

fn open_invoices(world: &World, id: &str) -> Vec<String> {
    let all = world.cloud.stripe.invoices(id);
    all.into_iter().filter(|it| it.status == "open").map(|it| it.id).collect()
}

/// Confirms on the page that the answer names, as a browser does.
async fn confirm(world: &World, page: &str) {
    let at = page.find("/pages/").expect("a page of the stand-in's");
    let client = local::http::Client::new(&page[..at]);
    let form = "confirm=yes".to_owned();
    let request = client.request(Method::POST, &page[at..]);
    let answer = world.send(request.body("application/x-www-form-urlencoded", form)).await;
    assert_eq!(answer.status, 303, "{}", answer.text());
    world.cloud.settle().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_larger_plan_waits_until_its_payment_is_confirmed() {
    let (world, ada, id) = shop().await;
    world.pass(Duration::days(15)).await;
    let asked = world.post_as(PLAN, "pro", &ada, "raise-1").await;
    assert_eq!(asked.status, 202, "{}", asked.text());
    let answer = asked.json();
    assert_eq!((&answer["plan"], &answer["pending"]["plan"]), (&json!("basic"), &json!("pro")));
    assert_eq!(answer["pending"]["expires_at"], "2026-12-10T11:00:00Z");
    let page = answer["pay_url"].as_str().expect("a page").to_owned();
    assert_eq!(world.cloud.stripe.totals(&id).charged, 500);
    // Asked for again, by this name and by another: the same one waits.
    for again in
        [world.post_as(PLAN, "pro", &ada, "raise-1"), world.post_as(PLAN, "pro", &ada, "raise-2")]
    {
        let again = again.await;
        assert_eq!((again.status.as_u16(), again.json()), (202, answer.clone()));
    }
    assert_eq!(open_invoices(&world, &id).len(), 1);
    assert_eq!(subscription(&world, &ada).await, answer);
    assert_eq!(world.get("/v1/usage", &ada).await.json()["limit"], 1_000);

    world.pass(Duration::hours(3)).await;
    confirm(&world, &page).await;
    let view = subscription(&world, &ada).await;
    assert_eq!(
        (&view["plan"], &view["pending"], &view["pay_url"]),
        (&json!("pro"), &Value::Null, &Value::Null)
    );
    // From when it was asked for, and whole.
    assert_eq!(view["period_start"], "2026-12-09T12:00:00Z");
    assert_eq!((&view["requests"], &view["is_paid"]), (&json!(10_000), &json!(true)));
    assert_eq!(world.get("/v1/usage", &ada).await.json()["limit"], 10_000);
    assert_eq!(world.cloud.stripe.totals(&id).charged, 500 + 1_750);
    let again = world.post_as(PLAN, "pro", &ada, "raise-1").await;
    assert_eq!((again.status.as_u16(), &again.json()["plan"]), (200, &json!("pro")));
    let other = world.post_as(PLAN, "business", &ada, "raise-1").await;
    assert_ne!(other.status, 200, "{}", other.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_confirmed_in_time_changes_nothing_and_nobody_is_mailed() {
    let (world, ada, id) = shop().await;
    world.run_job(WORK).await;
    let told = subjects(&world, ADA);
    let asked = world.post_as(PLAN, "pro", &ada, "raise-1").await;
    assert_eq!(asked.status, 202, "{}", asked.text());
    world.pass(Duration::hours(23) - Duration::SECOND).await;
    assert_eq!(subscription(&world, &ada).await["pending"]["plan"], "pro");
    world.pass(Duration::SECOND).await;
    let view = subscription(&world, &ada).await;
    assert_eq!((&view["plan"], &view["pending"]), (&json!("basic"), &Value::Null));
    assert_eq!(world.cloud.stripe.invoices(&id)[1].status, "void");
    // Its name has been used up; another one waits anew.
    assert_problem(&world.post_as(PLAN, "pro", &ada, "raise-1").await, 409, "conflict");
    assert_eq!(world.post_as(PLAN, "pro", &ada, "raise-2").await.status, 202);
    world.pass(Duration::hours(24)).await;
    world.run_job(WORK).await;
    assert_eq!(subjects(&world, ADA), told, "nothing was withdrawn that anybody owed");
    assert_eq!(world.cloud.stripe.totals(&id).charged, 500);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_given_up_by_another_change() {
    let (world, ada, id) = shop().await;
    assert_eq!(world.change("pro", &ada).await.status, 202);
    let larger = world.change("business", &ada).await;
    assert_eq!(larger.status, 202, "{}", larger.text());
    assert_eq!(larger.json()["pending"]["plan"], "business");
    assert_eq!(open_invoices(&world, &id).len(), 1);
    let back = world.change("basic", &ada).await;
    assert_eq!((back.status.as_u16(), &back.json()["pending"]), (200, &Value::Null));
    assert!(open_invoices(&world, &id).is_empty());
    assert_eq!(world.change("pro", &ada).await.status, 202);
    let ending = world.change("free", &ada).await;
    assert_eq!((ending.status.as_u16(), &ending.json()["status"]), (200, &json!("ending")));
    assert!(open_invoices(&world, &id).is_empty());
    // With an end to come it cannot wait; nothing is changed by asking.
    assert_problem(&world.change("pro", &ada).await, 409, "conflict");
    assert_eq!(subscription(&world, &ada).await["status"], "ending");
    assert_eq!(world.change("basic", &ada).await.status, 200);
    assert_eq!(world.change("pro", &ada).await.status, 202);
    assert_eq!(world.cloud.stripe.totals(&id).charged, 500);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_smaller_plan_to_come_that_stays_to_come() {
    let (world, ada, id) = shop().await;
    world.cloud.stripe.set_card(&id, Card::Good).expect("set");
    assert_eq!(world.change("pro", &ada).await.status, 200);
    assert_eq!(world.change("basic", &ada).await.status, 200);
    world.cloud.stripe.set_card(&id, Card::MustConfirm).expect("set");
    let refused = world.change("business", &ada).await;
    assert_problem(&refused, 409, "conflict");
    assert!(refused.text().contains("confirmed"), "{}", refused.text());
    let view = subscription(&world, &ada).await;
    assert_eq!((&view["plan"], &view["next_plan"]), (&json!("pro"), &json!("basic")));
    assert!(open_invoices(&world, &id).is_empty());
}

/// Stripe shows the payment with its refusal. A field of it that is missing must not make a card that is to be
/// confirmed, or was declined, a failure of ours.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_whose_payment_cannot_be_read_leads_to_where_it_is_paid() {
    for card in [Card::MustConfirm, Card::FailsLater] {
        let (world, ada, id) = shop().await;
        world.cloud.stripe.set_card(&id, card).expect("set");
        world.cloud.stripe.omit("payment_intent", "created");
        let answer = world.change("pro", &ada).await;
        assert_eq!(answer.status, 202, "{card:?}: {}", answer.text());
        let page = answer.json()["pay_url"].as_str().expect("a page").to_owned();
        let view = subscription(&world, &ada).await;
        assert_eq!((&view["plan"], &view["pending"]["plan"]), (&json!("basic"), &json!("pro")));
        if card == Card::MustConfirm {
            confirm(&world, &page).await;
            assert_eq!(subscription(&world, &ada).await["plan"], "pro");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_more_shall_be_charged_nothing_waits_to_be_confirmed() {
    let (world, ada, id) = shop().await;
    assert_eq!(world.change("pro", &ada).await.status, 202);
    let stripe = library(&world).stripe().await.expect("Stripe");
    for _ in 0..2 {
        billing::stop_renewals(&stripe, &id, world.cloud.clock.now()).await.expect("stopped");
    }
    world.cloud.settle().await;
    assert!(open_invoices(&world, &id).is_empty());
    let view = subscription(&world, &ada).await;
    assert_eq!((&view["pending"], &view["status"]), (&Value::Null, &json!("ending")));
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_between_any_two_calls_one_change_waits_in_the_end() {
    let interface = "POST /v1/subscriptions/{id}";
    for after in 0..3 {
        let (world, ada, id) = shop().await;
        let so_far = world.cloud.stripe.counts().get(interface).copied().unwrap_or_default();
        let fault = Fault::DownOnce { interface, after: so_far + after, times: 1 };
        world.cloud.stripe.fault(fault);
        assert_problem(&world.post_as(PLAN, "pro", &ada, "raise-1").await, 503, "unavailable");
        assert_eq!(subscription(&world, &ada).await["plan"], "basic");
        world.cloud.stripe.fault(Fault::None);
        let again = world.post_as(PLAN, "pro", &ada, "raise-1").await;
        assert_eq!(again.status, 202, "after {after}: {}", again.text());
        assert_eq!(open_invoices(&world, &id).len(), 1);
        confirm(&world, again.json()["pay_url"].as_str().expect("a page")).await;
        assert_eq!(subscription(&world, &ada).await["plan"], "pro");
        assert_eq!(world.cloud.stripe.totals(&id).charged, 500 + 1_500);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reminder_of_a_renewal_leads_to_where_it_is_confirmed() {
    let (world, ada, id) = shop().await;
    world.pass(Duration::days(30) + Duration::hours(2)).await;
    world.run_job(WORK).await;
    let mail = world.cloud.ses.mails().pop().expect("a mail");
    assert_eq!(mail.subject, "Your payment failed");
    let text = mail.text.expect("a text part");
    let view = subscription(&world, &ada).await;
    assert_eq!(view["status"], "past_due");
    let page = view["pay_url"].as_str().expect("a page").to_owned();
    assert!(text.contains(&page), "{page} is not in {text}");
    confirm(&world, &page).await;
    let view = subscription(&world, &ada).await;
    assert_eq!((&view["status"], &view["is_paid"]), (&json!("active"), &json!(true)));
    assert_eq!(world.cloud.stripe.totals(&id).charged, 1_000);
}
