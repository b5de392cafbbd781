//! Customers, products, prices; keys, parameters, idempotency, faults, lists.

use std::time::Duration as Real;

use serde_json::json;
use stripe::{IdempotencyKey, RequestStrategy, StripeRequest};
use stripe_core::customer::{
    CreateCustomer, DeleteCustomer, ListCustomer, RetrieveCustomer, RetrieveCustomerReturned,
    UpdateCustomer,
};
use stripe_product::{
    price::{ListPrice, RetrievePrice},
    product::RetrieveProduct,
};
use time::Duration;

use super::super::Fault;
use super::{World, price, refusal};
use crate::standins::stripe::API_VERSION;

#[tokio::test]
async fn a_customer_is_made_changed_and_deleted() {
    let world = World::start().await;
    let id = world.customer().await;
    let changed = UpdateCustomer::new(id.as_str())
        .email("grace@example.com")
        .metadata(
            [("account".to_owned(), "acc_1".to_owned())]
                .into_iter()
                .collect::<std::collections::HashMap<_, _>>(),
        )
        .send(&world.client)
        .await
        .expect("a customer");
    assert_eq!(changed.email.as_deref(), Some("grace@example.com"));
    assert_eq!(changed.name.as_deref(), Some("Ada"));
    assert_eq!(changed.created, world.clock.now().unix_timestamp());
    let deleted = DeleteCustomer::new(id.as_str()).send(&world.client).await.expect("deleted");
    assert_eq!(deleted.id.as_str(), id);
    match RetrieveCustomer::new(id.as_str()).send(&world.client).await.expect("what is left") {
        RetrieveCustomerReturned::DeletedCustomer(it) => assert_eq!(it.id.as_str(), id),
        RetrieveCustomerReturned::Customer(it) => panic!("still there: {}", it.id),
    }
    let again = DeleteCustomer::new(id.as_str()).send(&world.client).await;
    assert_eq!(refusal(again), (404, "resource_missing".to_owned()));
    let events = world.stripe.take_events();
    let kinds: Vec<_> = events.iter().map(|it| it.kind.as_str()).collect();
    assert_eq!(kinds, ["customer.created", "customer.updated", "customer.deleted"]);
    let update: serde_json::Value = serde_json::from_str(&events[1].payload).expect("JSON");
    let previous = &update["data"]["previous_attributes"];
    assert_eq!(*previous, json!({ "email": "ada@example.com", "metadata": {} }));
    assert_eq!(update["api_version"], API_VERSION);
    assert!(update["request"]["id"].as_str().is_some_and(|it| it.starts_with("req_")));
}

#[tokio::test]
async fn prices_are_found_by_their_keys_which_can_be_handed_over() {
    let world = World::start().await;
    let found = ListPrice::new().lookup_keys(["pro".to_owned()]).send(&world.client).await;
    let found = found.expect("a list").data;
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].id.as_str(), found[0].unit_amount), (world.pro.as_str(), Some(2_000)));
    assert!(price(&world.client, "pro", 3_000, "pro").await.is_err());
    let form = "product=pro&currency=usd&unit_amount=3000&recurring[interval]=month\
                &lookup_key=pro&transfer_lookup_key=true";
    let new = world.call("POST", "/v1/prices", form).await.json();
    let found = ListPrice::new().lookup_keys(["pro".to_owned()]).send(&world.client).await;
    assert_eq!(found.expect("a list").data[0].id.as_str(), new["id"].as_str().expect("an id"));
    let old = RetrievePrice::new(world.pro.as_str()).send(&world.client).await.expect("a price");
    assert_eq!(old.lookup_key, None);
    let product = RetrieveProduct::new("pro").send(&world.client).await.expect("a product");
    assert_eq!(product.name, "pro");
    let twice = world.call("POST", "/v1/products", "id=pro&name=Pro").await;
    assert_eq!(twice.json()["error"]["code"], "resource_already_exists");
}

#[tokio::test]
async fn what_stripe_refuses_is_refused() {
    let world = World::start().await;
    for (method, path, form, status, code) in [
        ("GET", "/v1/customers/cus_none", "", 404, json!("resource_missing")),
        ("GET", "/v1/nothing", "", 404, json!(null)),
        ("POST", "/v1/customers", "colour=red", 400, json!("parameter_unknown")),
        ("POST", "/v1/customers", "email=ada", 400, json!("email_invalid")),
        ("POST", "/v1/products", "id=x", 400, json!("parameter_missing")),
        ("POST", "/v1/prices", "product=pro&currency=usd", 400, json!("parameter_missing")),
        ("GET", "/v1/customers?limit=many", "", 400, json!("parameter_invalid_integer")),
        ("GET", "/v1/customers?limit=101", "", 400, json!(null)),
        ("GET", "/v1/customers?starting_after=cus_none", "", 400, json!("resource_missing")),
        (
            "POST",
            "/v1/billing_portal/sessions",
            "customer=cus_none",
            400,
            json!("resource_missing"),
        ),
    ] {
        let answer = world.call(method, path, form).await;
        assert_eq!(answer.status, status, "{method} {path} {form}: {}", answer.text());
        assert_eq!(answer.json()["error"]["code"], code, "{method} {path} {form}");
        assert_eq!(answer.json()["error"]["type"], "invalid_request_error");
    }
    let old = [("stripe-version", "2017-08-15")];
    assert_eq!(world.call_with("GET", "/v1/customers", "", &old).await.status, 400);
    let client = crate::http::Client::new(&world.url);
    assert_eq!(client.get("/v1/customers").send().await.expect("an answer").status, 401);
    let wrong = client.get("/v1/customers").header("authorization", "Bearer sk_test_other");
    assert_eq!(wrong.send().await.expect("an answer").status, 401);
    assert!(world.stripe.customers().is_empty());
}

#[tokio::test]
async fn an_idempotency_key_brings_the_same_answer_for_a_day() {
    let world = World::start().await;
    let key = IdempotencyKey::new("signup-1").expect("a key");
    let make = |email: &'static str| {
        let key = key.clone();
        CreateCustomer::new()
            .email(email)
            .customize()
            .request_strategy(RequestStrategy::Idempotent(key))
            .send(&world.client)
    };
    let first = make("ada@example.com").await.expect("a customer");
    assert_eq!(make("ada@example.com").await.expect("the same").id, first.id);
    assert_eq!(world.stripe.customers().len(), 1);
    let headers = [("idempotency-key", "signup-1")];
    let form = "email=ada%40example.com";
    let again = world.call_with("POST", "/v1/customers", form, &headers).await;
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    let other = world.call_with("POST", "/v1/customers", "email=b@example.com", &headers).await;
    assert_eq!(
        (other.status.as_u16(), &other.json()["error"]["type"]),
        (400, &json!("idempotency_error"))
    );
    let elsewhere = world.call_with("POST", "/v1/products", form, &headers).await;
    assert_eq!(elsewhere.json()["error"]["type"], "idempotency_error");
    world.advance(Duration::days(1));
    assert_ne!(make("ada@example.com").await.expect("a new one").id, first.id);
}

#[tokio::test]
async fn a_failure_inside_is_remembered_and_one_before_it_is_not() {
    let world = World::start().await;
    let interface = "POST /v1/customers";
    let make = |key: &'static str| {
        let headers = [("idempotency-key", key)];
        let world = &world;
        async move { world.call_with("POST", "/v1/customers", "email=a@b.c", &headers).await.status }
    };
    world.stripe.fault(Fault::DownInside { interface, after: 0, times: 1 });
    assert_eq!(make("k").await, 500);
    assert_eq!(make("k").await, 500, "as before");
    assert_eq!(make("l").await, 200);
    world.stripe.fault(Fault::DownOnce { interface, after: 3, times: 1 });
    assert_eq!(make("m").await, 500);
    assert_eq!(make("m").await, 200, "it never got inside");
    // What is refused for its form may be sent again under the same key; what was tried may not.
    let headers = [("idempotency-key", "n")];
    let post =
        |path: &'static str, form: &'static str| world.call_with("POST", path, form, &headers);
    assert_eq!(post("/v1/products", "colour=red").await.status, 400);
    assert_eq!(post("/v1/products", "name=Red").await.status, 200);
    world.advance(Duration::days(1));
    assert_eq!(make("k").await, 200);
}

#[tokio::test]
async fn lists_refuse_a_customer_that_never_was_and_one_that_was_deleted_unless_told() {
    let world = World::start().await;
    let customer = world.customer().await;
    world.stripe.delete_customer(&customer).expect("gone");
    let lists = ["charges", "checkout/sessions", "credit_notes", "invoices", "subscriptions"];
    for (knows, status) in [(false, 400), (true, 200)] {
        world.stripe.know_deleted(knows);
        for list in lists {
            let of =
                async |id: &str| world.call("GET", &format!("/v1/{list}?customer={id}"), "").await;
            assert_eq!(of(&customer).await.status, status, "{list}");
            let never = of("cus_none").await;
            assert_eq!(never.json()["error"]["code"], "resource_missing", "{list}");
            assert_eq!(never.json()["error"]["param"], "customer", "{list}");
        }
    }
}

#[tokio::test]
async fn an_interface_is_asked_so_often_in_a_second_and_no_more() {
    let world = World::start().await;
    world.stripe.limit_rate(Some(3));
    let mut statuses = Vec::new();
    for _ in 0..5 {
        statuses.push(world.call("GET", "/v1/customers", "").await.status.as_u16());
    }
    assert_eq!(statuses, [200, 200, 200, 429, 429]);
    assert_eq!(world.call("GET", "/v1/invoices", "").await.status, 200, "each has its own");
    assert_eq!(world.stripe.limited(), 2);
    tokio::time::sleep(Real::from_millis(1_010)).await;
    assert_eq!(world.call("GET", "/v1/customers", "").await.status, 200);
}

#[tokio::test]
async fn lists_are_cut_into_pages_newest_first() {
    let world = World::start().await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.insert(0, world.customer().await);
        world.advance(Duration::seconds(10));
    }
    let page = ListCustomer::new().limit(2).send(&world.client).await.expect("a page");
    let shown: Vec<_> = page.data.iter().map(|it| it.id.to_string()).collect();
    assert_eq!((shown.as_slice(), page.has_more), (&ids[..2], true));
    let next =
        ListCustomer::new().limit(3).starting_after(ids[1].as_str()).send(&world.client).await;
    let next = next.expect("a page");
    let shown: Vec<_> = next.data.iter().map(|it| it.id.to_string()).collect();
    assert_eq!((shown.as_slice(), next.has_more), (&ids[2..], false));
    let before = format!("/v1/customers?limit=2&ending_before={}", ids[3]);
    let page = world.call("GET", &before, "").await.json();
    let shown: Vec<_> =
        page["data"].as_array().expect("a list").iter().map(|it| &it["id"]).collect();
    assert_eq!((shown, &page["has_more"]), (vec![&json!(ids[1]), &json!(ids[2])], &json!(true)));
    let since = world.clock.now().unix_timestamp() - 20;
    let page = world.call("GET", &format!("/v1/customers?created[gte]={since}"), "").await.json();
    assert_eq!(page["data"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn faults_come_before_anything_is_done() {
    let world = World::start().await;
    let make = || world.call_with("POST", "/v1/customers", "", &[("idempotency-key", "k")]);
    for (fault, status) in [(Fault::RateLimited, 429), (Fault::Down, 500)] {
        world.stripe.fault(fault);
        assert_eq!(make().await.status, status);
    }
    world.stripe.fault(Fault::Hang);
    assert!(tokio::time::timeout(Real::from_millis(50), make()).await.is_err());
    assert!(world.stripe.customers().is_empty());
    world.stripe.fault(Fault::Random { seed: 7, per_mille_429: 300, per_mille_500: 300 });
    let mut statuses = std::collections::BTreeMap::<u16, u32>::new();
    for _ in 0..60 {
        let status = world.call("GET", "/v1/customers", "").await.status.as_u16();
        *statuses.entry(status).or_default() += 1;
    }
    assert_eq!(statuses.keys().copied().collect::<Vec<_>>(), [200, 429, 500], "{statuses:?}");
    world.stripe.fault(Fault::Slow(Real::from_millis(30)));
    let begin = std::time::Instant::now();
    assert_eq!(make().await.status, 200);
    assert!(begin.elapsed() >= Real::from_millis(30));
    assert_eq!(world.stripe.counts()["GET /v1/customers"], 60);
    assert_eq!(world.stripe.counts()["POST /v1/customers"], 4);
}
