//! The stand-in, asked by the client that it is for.

mod billing;
mod checkout;
mod objects;
mod payments;
mod pending;
mod sums;
mod webhooks;

use std::collections::HashMap;

use stripe::{Client, ClientBuilder, StripeError};
use stripe_checkout::{
    CheckoutSession, CheckoutSessionMode,
    checkout_session::{
        CreateCheckoutSession, CreateCheckoutSessionLineItems,
        CreateCheckoutSessionSubscriptionData, CreateCheckoutSessionSubscriptionDataBillingMode,
        CreateCheckoutSessionSubscriptionDataBillingModeType,
    },
};
use stripe_core::customer::CreateCustomer;
use stripe_product::{
    price::{CreatePrice, CreatePriceRecurring, CreatePriceRecurringInterval},
    product::CreateProduct,
};
use stripe_types::Currency;
use time::{Duration, macros::datetime};
use tokio::task::AbortHandle;

use super::{Card, EventView, PREVIEW_VERSION, SECRET_KEY, Stripe};
use crate::{
    clock::Clock,
    http::{Client as Http, Response},
    serve::{listen, serve},
};

/// A running stand-in with two plans for sale.
struct World {
    clock: Clock,
    stripe: Stripe,
    client: Client,
    url: String,
    tasks: Vec<AbortHandle>,
    pro: String,
    business: String,
}

impl Drop for World {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

/// The one billing mode that is played.
fn subscription_data() -> CreateCheckoutSessionSubscriptionData {
    let mut data = CreateCheckoutSessionSubscriptionData::new();
    data.billing_mode = Some(CreateCheckoutSessionSubscriptionDataBillingMode::new(
        CreateCheckoutSessionSubscriptionDataBillingModeType::Classic,
    ));
    data
}

impl World {
    async fn start() -> Self {
        let clock = Clock::frozen_at(datetime!(2027-01-31 10:00 UTC));
        let stripe = Stripe::new(clock.clone());
        let (listener, address) = listen(None).await.expect("a port");
        let url = format!("http://{address}");
        stripe.set_url(&url);
        let tasks = vec![serve(listener, stripe.router()), stripe.start()];
        let client = ClientBuilder::new(SECRET_KEY).url(format!("{url}/")).build();
        let client = client.expect("a client");
        let mut prices = Vec::new();
        for (name, amount) in [("pro", 2_000), ("business", 10_000)] {
            let product = CreateProduct::new(name).id(name);
            product.send(&client).await.expect("a product");
            prices.push(price(&client, name, amount, name).await.expect("a price").id.to_string());
        }
        let [pro, business] = prices.try_into().expect("two prices");
        let world = Self { clock, stripe, client, url, tasks, pro, business };
        world.stripe.take_events();
        world
    }

    /// Moves the clock, stopping wherever something is due.
    fn advance(&self, by: Duration) {
        let target = self.clock.now() + by;
        while let Some(at) = self.stripe.next_due().filter(|at| *at <= target) {
            self.clock.set(at);
            self.stripe.run_due(at);
        }
        self.clock.set(target);
    }

    async fn customer(&self) -> String {
        let request = CreateCustomer::new().email("ada@example.com").name("Ada");
        request.send(&self.client).await.expect("a customer").id.to_string()
    }

    async fn session(&self, customer: &str) -> CheckoutSession {
        let request = self.session_request(customer);
        request.send(&self.client).await.expect("a session")
    }

    fn session_request(&self, customer: &str) -> CreateCheckoutSession {
        CreateCheckoutSession::new()
            .mode(CheckoutSessionMode::Subscription)
            .customer(customer)
            .line_items([line(&self.pro, 1)])
            .success_url("https://example.com/done?session={CHECKOUT_SESSION_ID}")
            .cancel_url("https://example.com/plans")
            .client_reference_id("acc_1")
            .metadata(HashMap::from([("account".to_owned(), "acc_1".to_owned())]))
            .subscription_data(subscription_data())
    }

    /// A customer who has paid for Pro: its id and the subscription's.
    async fn subscriber(&self, card: Card) -> (String, String) {
        let customer = self.customer().await;
        let session = self.session(&customer).await;
        self.stripe.pay(session.id.as_str(), card).expect("a payment");
        let subscription = self.stripe.subscriptions(&customer)[0].id.clone();
        (customer, subscription)
    }

    /// A request as any program could make it.
    async fn call(&self, method: &str, path: &str, form: &str) -> Response {
        self.call_with(method, path, form, &[]).await
    }

    /// A request for what is a preview.
    async fn preview(&self, method: &str, path: &str, form: &str) -> Response {
        self.call_with(method, path, form, &[("stripe-version", PREVIEW_VERSION)]).await
    }

    async fn call_with(
        &self,
        method: &str,
        path: &str,
        form: &str,
        headers: &[(&str, &str)],
    ) -> Response {
        let http = Http::new(&self.url);
        let mut request = http
            .request(method.parse().expect("a method"), path)
            .header("authorization", &format!("Bearer {SECRET_KEY}"));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request.body("application/x-www-form-urlencoded", form.to_owned());
        request.send().await.expect("an answer")
    }

    /// Types of the events since the last look.
    fn news(&self) -> Vec<String> {
        self.stripe.take_events().into_iter().map(|it: EventView| it.kind).collect()
    }
}

fn line(price: &str, quantity: u64) -> CreateCheckoutSessionLineItems {
    let mut line = CreateCheckoutSessionLineItems::new();
    line.price = Some(price.to_owned());
    line.quantity = Some(quantity);
    line
}

async fn price(
    client: &Client,
    product: &str,
    amount: i64,
    key: &str,
) -> Result<stripe_product::Price, StripeError> {
    CreatePrice::new(Currency::USD)
        .product(product)
        .unit_amount(amount)
        .recurring(CreatePriceRecurring::new(CreatePriceRecurringInterval::Month))
        .lookup_key(key)
        .send(client)
        .await
}

/// Status and code of a refusal.
fn refusal<T: std::fmt::Debug>(outcome: Result<T, StripeError>) -> (u16, String) {
    match outcome {
        Err(StripeError::Stripe(error, status)) => {
            (status, error.code.map(|it| it.to_string()).unwrap_or_default())
        }
        other => panic!("expected a refusal, not {other:?}"),
    }
}
