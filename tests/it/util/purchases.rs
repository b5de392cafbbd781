//! Customers who have bought a plan, and what follows from it.

use local::standins::stripe::Card;
use serde_json::{Value, json};
use time::Duration;
use vidintel::{
    accounts::{self, Account},
    app::App,
    billing::{
        stripe::CheckoutOrder,
        task::{self, Task},
    },
    ids::AccountId,
    plans::Plan,
};

use super::{Customer, World, app_of, objections::instant};

pub(crate) const WORK: &str = "WorkBillingFunction";
pub(crate) const DECIDE: &str = "DecideBillingFunction";
pub(crate) const PREPARE: &str = "PrepareBillingFunction";

/// The library's own clients.
pub(crate) fn library(world: &World) -> App {
    app_of(&world.cloud, world.cloud.redis.direct_url())
}

pub(crate) fn id_of(customer: &Customer) -> AccountId {
    customer.account_id.parse().expect("an account's id")
}

pub(crate) async fn account_of(world: &World, customer: &Customer) -> Account {
    let found = accounts::get(&library(world).store, &id_of(customer)).await;
    found.expect("read").expect("an account")
}

pub(crate) async fn plan_of(world: &World, customer: &Customer) -> Plan {
    account_of(world, customer).await.plan_at(world.cloud.clock.now())
}

pub(crate) async fn tasks_of(world: &World, customer: &Customer) -> Vec<Task> {
    task::of_account(&library(world).store, &id_of(customer)).await.expect("read")
}

/// Has the account be a customer of Stripe's; its id there.
pub(crate) async fn customer_at_stripe(world: &World, customer: &Customer) -> String {
    let stripe = library(world).stripe().await.expect("Stripe");
    let email = account_of(world, customer).await.email;
    let made = stripe.create_customer(&customer.account_id, email.expose(), None).await;
    let id = made.expect("a customer").id;
    let update = json!({
        "TableName": world.cloud.dynamodb.table("accounts"),
        "Key": { "id": { "S": customer.account_id } },
        "UpdateExpression": "SET customer = :customer",
        "ExpressionAttributeValues": { ":customer": { "S": id } },
    });
    world.cloud.dynamodb.call("UpdateItem", &update).await.expect("updated");
    id
}

/// Buys `plan` at the checkout page; the customer's id at Stripe.
pub(crate) async fn buy(world: &World, customer: &Customer, plan: Plan, card: Card) -> String {
    let stripe = library(world).stripe().await.expect("Stripe");
    stripe.prepare().await.expect("prices");
    let at_stripe = customer_at_stripe(world, customer).await;
    let price = stripe.price(plan).await.expect("read").expect("a price");
    let order = CheckoutOrder {
        customer: &at_stripe,
        account: &customer.account_id,
        price: &price,
        success_url: "https://api.example.com/done".to_owned(),
        cancel_url: "https://api.example.com/cancelled".to_owned(),
    };
    let key = format!("checkout {} {}", customer.account_id, instant(world));
    let session = stripe.create_checkout(&order, &key).await.expect("a session");
    world.cloud.stripe.pay(&session.id, card).expect("paid");
    world.cloud.settle().await;
    at_stripe
}

/// Lets time pass at Stripe too, each of its events being heard of at its own time. No job runs.
pub(crate) async fn pass(world: &World, time: Duration) {
    let (clock, stripe) = (&world.cloud.clock, &world.cloud.stripe);
    let until = clock.now() + time;
    while let Some(due) = stripe.next_due().filter(|due| *due <= until) {
        clock.set(due.max(clock.now()));
        stripe.run_due(clock.now());
        world.cloud.settle().await;
    }
    clock.set(until);
}

/// What the operator gets for an order.
pub(crate) async fn order(world: &World, function: &str, order: &Value) -> Result<Value, String> {
    let mut order = order.clone();
    order["time"] = json!(instant(world));
    world.cloud.invoke(function, &order).await.map_err(|error| error.message)
}

/// Subjects of the mails to `to`, the oldest first.
pub(crate) fn subjects(world: &World, to: &str) -> Vec<String> {
    let mails = world.cloud.ses.mails();
    mails.iter().filter(|it| it.to == [to]).map(|it| it.subject.clone()).collect()
}
