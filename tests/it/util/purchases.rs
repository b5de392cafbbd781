//! Customers who have bought a plan, and what follows from it.

use local::standins::stripe::Card;
use serde_json::{Value, json};
use vidintel::{
    accounts::{self, Account},
    app::App,
    billing::task::{self, Task},
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

/// Buys `plan` at the checkout page; the customer's id at Stripe.
pub(crate) async fn buy(world: &World, customer: &Customer, plan: Plan, card: Card) -> String {
    world.sell().await;
    world.buy(plan.name(), customer, card).await
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
