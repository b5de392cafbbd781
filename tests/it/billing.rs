//! Plans: told, bought, changed, ended; and what was charged for them.

use local::standins::stripe::{Card, Fault};
use serde_json::{Value, json};
use time::Duration;

use crate::util::{Customer, World, assert_problem, rate_limit};

const CHECKOUT: &str = "/v1/billing/checkout";
const PLAN: &str = "/v1/billing/plan";
const INVOICES: &str = "/v1/billing/invoices";

/// A world that sells, with a customer in it.
pub(crate) async fn shop() -> (World, Customer) {
    let world = World::start().await;
    world.sell().await;
    let ada = world.customer("ada@example.com").await;
    (world, ada)
}

/// What the subscription is at: status, plan, plan to come.
pub(crate) async fn at(world: &World, customer: &Customer) -> [Value; 3] {
    let mut view = world.billing(customer).await["subscription"].take();
    ["status", "plan", "next_plan"].map(|name| view[name].take())
}

/// All that was charged to the customer, in cents.
pub(crate) fn charged(world: &World, id: &str) -> i64 {
    world.cloud.stripe.totals(id).charged
}

#[tokio::test(flavor = "multi_thread")]
async fn plans_and_prices_are_told_to_everybody() {
    let world = World::start().await;
    let answer = world.send(world.cloud.client().get("/v1/plans")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert!(answer.header("cache-control").is_some_and(|it| it.starts_with("public")));
    let list = answer.json();
    let plans = list["plans"].as_array().expect("plans").iter();
    let told: Vec<_> = plans
        .map(|it| json!([it["name"], it["requests_per_month"], it["price"]["amount_cents"]]))
        .collect();
    let expected = json!([
        ["free", 50, 0],
        ["basic", 1_000, 500],
        ["pro", 10_000, 2_000],
        ["business", 100_000, 10_000],
    ]);
    assert_eq!(Value::from(told), expected);
    assert_eq!(list["plans"][2]["price"]["currency"], "usd");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_is_paid_holds_for_the_next_request() {
    let (world, ada) = shop().await;
    assert_eq!(world.billing(&ada).await, json!({ "plan": "free", "subscription": null }));
    let portal = world.post("/v1/billing/portal", &json!({}), &ada).await;
    assert_problem(&portal, 409, "conflict");
    assert_problem(&world.change("pro", &ada).await, 409, "conflict");
    let before = world.video(0, &ada).await;
    assert_eq!(rate_limit(&before, "month", 'r'), 49);

    let opened = world.checkout("pro", &ada).await;
    assert_eq!(opened.status, 201, "{}", opened.text());
    let checkout = opened.json();
    assert!(checkout["url"].as_str().is_some_and(|it| it.starts_with("http")));
    assert!(checkout["expires_at"].is_string());
    let back = world.cloud.stripe.pay(checkout["id"].as_str().expect("an id"), Card::Good);
    assert_eq!(back.expect("paid"), format!("{}/billing/done", world.cloud.url()));
    world.cloud.settle().await;

    let billing = world.billing(&ada).await;
    assert_eq!(
        (&billing["plan"], &billing["subscription"]["status"]),
        (&json!("pro"), &json!("active"))
    );
    assert_eq!(billing["subscription"]["period_start"], "2026-11-24T12:00:00Z");
    assert_eq!(billing["subscription"]["period_end"], "2026-12-24T12:00:00Z");
    let after = world.video(1, &ada).await;
    assert_eq!(rate_limit(&after, "month", 'r'), 9_999);
    let id = &world.cloud.stripe.customers()[0];
    assert_eq!(world.cloud.stripe.customer(id)["email"], "ada@example.com");
    assert_eq!(charged(&world, id), 2_000);

    assert_problem(&world.checkout("business", &ada).await, 409, "conflict");
    let portal = world.post("/v1/billing/portal", &json!({}), &ada).await;
    assert_eq!(portal.status, 201, "{}", portal.text());
    assert!(portal.json()["url"].as_str().is_some_and(|it| it.starts_with("http")));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_checkout_that_was_opened_last_can_be_paid() {
    let (world, ada) = shop().await;
    let first = world.checkout("pro", &ada).await.json()["id"].as_str().expect("an id").to_owned();
    let second = world.checkout("basic", &ada).await.json();
    let stripe = &world.cloud.stripe;
    assert!(stripe.pay(&first, Card::Good).is_err());
    stripe.pay(second["id"].as_str().expect("an id"), Card::Good).expect("paid");
    assert_eq!(stripe.customers().len(), 1);
    world.cloud.settle().await;
    assert_eq!(world.billing(&ada).await["plan"], "basic");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_checkouts_at_once_one_customer_comes_and_at_most_one_can_be_paid() {
    let (world, ada) = shop().await;
    let all = ["pro"; 6].map(|plan| world.checkout(plan, &ada));
    let mut open = 0;
    for answer in futures_util::future::join_all(all).await {
        assert_eq!(answer.status, 201, "{}", answer.text());
        let id = answer.json()["id"].as_str().expect("an id").to_owned();
        open += usize::from(world.cloud.stripe.pay(&id, Card::Good).is_ok());
    }
    assert!(open <= 1, "{open}");
    assert_eq!(world.cloud.stripe.customers().len(), 1);
    world.cloud.settle().await;
    if open == 0 {
        world.buy("pro", &ada, Card::Good).await;
    }
    assert_eq!(world.billing(&ada).await["plan"], "pro");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_checkout_is_the_same_one_until_it_has_ended() {
    let (world, ada) = shop().await;
    let first = world.post_as(CHECKOUT, "pro", &ada, "order-1").await;
    assert_eq!(first.status, 201, "{}", first.text());
    let again = world.post_as(CHECKOUT, "pro", &ada, "order-1").await;
    assert_eq!(again.json(), first.json());
    let other = world.post_as(CHECKOUT, "basic", &ada, "order-1").await;
    assert_problem(&other, 422, "idempotency-key-reused");
    // Another customer's key of the same name is another one.
    let bob = world.customer("bob@example.com").await;
    let of_bob = world.post_as(CHECKOUT, "basic", &bob, "order-1").await;
    assert_eq!(of_bob.status, 201, "{}", of_bob.text());
    assert_eq!(world.post_as(CHECKOUT, "pro", &ada, "order-2").await.status, 201);
    let ended = world.post_as(CHECKOUT, "pro", &ada, "order-1").await;
    assert_problem(&ended, 409, "conflict");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_larger_plan_begins_at_once_with_a_period_of_its_own_less_the_rest_of_the_old_one() {
    let (world, ada) = shop().await;
    let id = world.buy("basic", &ada, Card::Good).await;
    world.pass(Duration::days(15)).await;
    let raised = world.change("pro", &ada).await;
    assert_eq!(raised.status, 200, "{}", raised.text());
    assert_eq!(raised.json()["plan"], "pro");
    assert_eq!(raised.json()["period_start"], "2026-12-09T12:00:00Z");
    assert_eq!(raised.json()["period_end"], "2027-01-09T12:00:00Z");
    // 20 dollars less half of 5.
    assert_eq!(charged(&world, &id), 500 + 1_750);
    // Each event lets the gate ask anew, which can cost a lease for a while.
    world.cloud.settle().await;
    assert_eq!(rate_limit(&world.video(0, &ada).await, "month", 'r'), 9_999);
    assert_problem(&world.change("pro", &ada).await, 409, "conflict");
    assert_eq!(charged(&world, &id), 500 + 1_750);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_smaller_plan_and_the_end_come_with_the_next_period_and_can_be_taken_back() {
    let (world, ada) = shop().await;
    let id = world.buy("pro", &ada, Card::Good).await;
    let lowered = world.change("basic", &ada).await.json();
    assert_eq!((&lowered["plan"], &lowered["next_plan"]), (&json!("pro"), &json!("basic")));
    assert_eq!(world.change("basic", &ada).await.json(), lowered);
    assert_eq!(world.change("pro", &ada).await.status, 200);
    assert_eq!(at(&world, &ada).await, [json!("active"), json!("pro"), Value::Null]);

    let ending = world.change("free", &ada).await.json();
    assert_eq!(ending["status"], "ending");
    assert_eq!(ending["ends_at"], "2026-12-24T12:00:00Z");
    assert_eq!(world.change("pro", &ada).await.json()["status"], "active");
    assert_eq!(charged(&world, &id), 2_000);

    assert_eq!(world.change("basic", &ada).await.status, 200);
    world.cloud.settle().await;
    assert_eq!(rate_limit(&world.video(0, &ada).await, "month", 'r'), 9_999);
    world.pass(Duration::days(30) + Duration::hours(2)).await;
    assert_eq!(at(&world, &ada).await, [json!("active"), json!("basic"), Value::Null]);
    assert_eq!(rate_limit(&world.video(1, &ada).await, "month", 'r'), 999);
    assert_eq!(charged(&world, &id), 2_000 + 500);

    assert_eq!(world.change("free", &ada).await.status, 200);
    world.pass(Duration::days(31)).await;
    assert_eq!(world.billing(&ada).await, json!({ "plan": "free", "subscription": null }));
    assert_problem(&world.change("basic", &ada).await, 409, "conflict");
    assert_eq!(charged(&world, &id), 2_000 + 500);
    world.buy("basic", &ada, Card::Good).await;
    assert_eq!(world.billing(&ada).await["plan"], "basic");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_larger_plan_in_place_of_a_smaller_one_to_come_is_charged_against_what_was_paid() {
    let (world, ada) = shop().await;
    let id = world.buy("pro", &ada, Card::Good).await;
    assert_eq!(world.change("basic", &ada).await.status, 200);
    world.pass(Duration::days(15)).await;
    let raised = world.change("business", &ada).await;
    assert_eq!(raised.status, 200, "{}", raised.text());
    assert_eq!(at(&world, &ada).await, [json!("active"), json!("business"), Value::Null]);
    // 100 dollars less half of 20.
    assert_eq!(charged(&world, &id), 2_000 + 9_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declined_card_changes_nothing() {
    let (world, ada) = shop().await;
    let id = world.buy("basic", &ada, Card::FailsLater).await;
    assert_problem(&world.change("pro", &ada).await, 402, "card-declined");
    assert_eq!(at(&world, &ada).await, [json!("active"), json!("basic"), Value::Null]);
    world.cloud.stripe.set_card(&id, Card::Good).expect("set");
    assert_eq!(world.change("pro", &ada).await.status, 200);
    // A smaller one to come, and the end, stay to come.
    world.cloud.stripe.set_card(&id, Card::FailsLater).expect("set");
    assert_eq!(world.change("basic", &ada).await.status, 200);
    assert_problem(&world.change("business", &ada).await, 402, "card-declined");
    let to_come = [json!("active"), json!("pro"), json!("basic")];
    assert_eq!(at(&world, &ada).await, to_come);
    world.cloud.settle().await;
    assert_eq!(at(&world, &ada).await, to_come);
    assert_eq!(world.change("free", &ada).await.status, 200);
    assert_problem(&world.change("business", &ada).await, 402, "card-declined");
    world.cloud.settle().await;
    assert_eq!(at(&world, &ada).await[0], "ending");
    assert_eq!(charged(&world, &id), 500 + 1_500);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_to_be_deleted_is_charged_for_nothing_new() {
    let (world, ada) = shop().await;
    let id = world.buy("basic", &ada, Card::Good).await;
    let deletion = json!({ "confirm": true });
    assert_eq!(world.post("/v1/privacy/deletions", &deletion, &ada).await.status, 202);
    assert_problem(&world.change("business", &ada).await, 409, "conflict");
    assert_eq!(charged(&world, &id), 500);
    assert_eq!(world.change("free", &ada).await.json()["status"], "ending");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_change_is_made_once() {
    let (world, ada) = shop().await;
    let id = world.buy("basic", &ada, Card::Good).await;
    for _ in 0..3 {
        let answer = world.post_as(PLAN, "pro", &ada, "change-1").await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.json()["plan"], "pro");
    }
    let other = world.post_as(PLAN, "business", &ada, "change-1").await;
    assert_problem(&other, 422, "idempotency-key-reused");
    assert_eq!(charged(&world, &id), 500 + 1_500);
    let both = ["business"; 4].map(|plan| world.change(plan, &ada));
    for answer in futures_util::future::join_all(both).await {
        assert!([200, 409].contains(&answer.status.as_u16()), "{}", answer.text());
    }
    assert_eq!(charged(&world, &id), 500 + 1_500 + 8_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_owes_may_leave_but_not_change() {
    let (world, ada) = shop().await;
    world.buy("basic", &ada, Card::FailsLater).await;
    world.pass(Duration::days(30) + Duration::hours(2)).await;
    assert_eq!(at(&world, &ada).await[0], "past_due");
    for plan in ["basic", "pro"] {
        assert_problem(&world.change(plan, &ada).await, 409, "conflict");
    }
    assert_problem(&world.checkout("pro", &ada).await, 409, "conflict");
    let left = world.change("free", &ada).await;
    assert_eq!(left.status, 200, "{}", left.text());
    assert!(left.json()["ends_at"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn invoices_are_listed_page_by_page_and_stay_without_stripe() {
    let (world, ada) = shop().await;
    world.buy("basic", &ada, Card::Good).await;
    for _ in 0..4 {
        world.pass(Duration::days(31)).await;
    }
    let whole = world.get(INVOICES, &ada).await.json();
    let all = whole["invoices"].as_array().expect("invoices");
    assert_eq!((all.len(), &whole["next_cursor"]), (5, &Value::Null));
    for invoice in all {
        let facts = ["status", "total_cents", "currency", "plan", "refunded_cents"];
        let facts = facts.map(|name| invoice[name].clone());
        assert_eq!(json!(facts), json!(["paid", 500, "usd", "basic", 0]));
        assert_eq!(invoice["lines"][0]["amount_cents"], 500);
        assert!(invoice["number"].is_string() && invoice["paid_at"].is_string());
    }
    assert!(all.is_sorted_by(|a, b| a["issued_at"].as_str() >= b["issued_at"].as_str()));
    let mut pages = Vec::new();
    let mut path = format!("{INVOICES}?limit=2");
    loop {
        let page = world.get(&path, &ada).await.json();
        pages.extend(page["invoices"].as_array().expect("invoices").iter().cloned());
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("{INVOICES}?limit=2&cursor={cursor}");
    }
    assert_eq!(&pages, all);

    let one = format!("{INVOICES}/{}", all[0]["id"].as_str().expect("an id"));
    let shown = world.get(&one, &ada).await.json();
    assert!(shown["page_url"].is_string() && shown["pdf_url"].is_string());
    assert_eq!(shown["total_cents"], 500);
    world.cloud.stripe.fault(Fault::Hang);
    let without = world.get(&one, &ada).await.json();
    assert_eq!((&without["page_url"], &without["pdf_url"]), (&Value::Null, &Value::Null));
    assert_eq!(without["number"], all[0]["number"]);
    world.cloud.stripe.fault(Fault::None);

    let bob = world.customer("bob@example.com").await;
    assert_eq!(world.get(INVOICES, &bob).await.json()["invoices"], json!([]));
    assert_problem(&world.get(&one, &bob).await, 404, "not-found");
    for id in ["in_", "x", "in_%2e%2e", "sub_1", &format!("in_{}", "a".repeat(80))] {
        let answer = world.get(&format!("{INVOICES}/{id}"), &ada).await;
        assert_problem(&answer, 400, "invalid-value");
    }
    for query in ["limit=0", "limit=101", "limit=x", "cursor=x", "cursor=%00"] {
        let answer = world.get(&format!("{INVOICES}?{query}"), &ada).await;
        assert_problem(&answer, 400, "invalid-value");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_given_back_is_shown_at_its_invoice() {
    let (world, ada) = shop().await;
    let id = world.buy("pro", &ada, Card::Good).await;
    let charge = world.cloud.stripe.charges(&id)[0].id.clone();
    world.cloud.stripe.refund_from_dashboard(&charge, 700).expect("given back");
    world.cloud.settle().await;
    let list = world.get(INVOICES, &ada).await.json();
    let invoice = &list["invoices"][0];
    assert_eq!(json!([invoice["status"], invoice["refunded_cents"]]), json!(["paid", 700]));
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_requests_are_refused_and_open_nothing() {
    let (world, ada) = shop().await;
    let client = world.cloud.client();
    assert_problem(&world.checkout("free", &ada).await, 400, "invalid-value");
    for path in [CHECKOUT, PLAN] {
        for body in [json!({}), json!({ "plan": "gold" }), json!({ "plan": "pro", "price": 1 })] {
            assert_problem(&world.post(path, &body, &ada).await, 400, "invalid-body");
        }
        let long = world.post_as(path, "pro", &ada, &"k".repeat(129)).await;
        assert_problem(&long, 400, "invalid-value");
        let form = client.request(http::Method::POST, path).body("text/plain", "plan=pro");
        assert_problem(&world.send(form.key(&ada.key)).await, 415, "unsupported-media-type");
        let nobody = client.post(path, &json!({ "plan": "pro" }));
        assert_problem(&world.send(nobody).await, 401, "invalid-api-key");
    }
    for path in ["/v1/billing", INVOICES, "/v1/billing/invoices/in_1"] {
        assert_problem(&world.send(client.get(path)).await, 401, "invalid-api-key");
    }
    assert!(world.cloud.stripe.customers().is_empty());
    world.cloud.stripe.fault(Fault::Down);
    assert_problem(&world.checkout("pro", &ada).await, 503, "unavailable");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_was_deleted_at_stripe_can_buy_again() {
    let (world, ada) = shop().await;
    let first = world.buy("pro", &ada, Card::Good).await;
    world.cloud.stripe.delete_customer(&first).expect("deleted");
    world.cloud.settle().await;
    assert_eq!(world.billing(&ada).await["plan"], "free");
    let second = world.buy("basic", &ada, Card::Good).await;
    assert_ne!(first, second);
    assert_eq!(world.billing(&ada).await["plan"], "basic");
    // What was paid before is still told.
    let list = world.get(INVOICES, &ada).await.json();
    assert_eq!(list["invoices"].as_array().map(Vec::len), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_say_what_has_happened_and_run_nothing() {
    let world = World::start().await;
    let client = world.cloud.client();
    for (page, words) in
        [("done", "went through"), ("cancelled", "Nothing was bought"), ("account", "are saved")]
    {
        let answer = world.send(client.get(format!("/billing/{page}"))).await;
        assert_eq!(answer.status, 200);
        assert!(answer.header("content-type").is_some_and(|it| it.starts_with("text/html")));
        let policy = answer.header("content-security-policy").expect("a policy");
        assert!(policy.starts_with("default-src 'none'"), "{policy}");
        assert!(answer.text().contains(words) && !answer.text().contains("<script"));
    }
    for other in ["nothing", "Done", "%3Cscript%3E"] {
        let answer = world.send(client.get(format!("/billing/{other}"))).await;
        assert_problem(&answer, 404, "not-found");
    }
}
