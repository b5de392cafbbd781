//! Customers.

use serde_json::json;

use super::{
    api::Answer,
    list::Window,
    model::{Customer, Metadata},
    params::Params,
    refusal::Refusal,
    state::{Object, State},
    subscriptions,
    table::Row,
};

pub(super) fn create(state: &mut State, _: &str, params: &mut Params) -> Answer {
    let email = email(params)?;
    let name = params.nonempty("name");
    let metadata = params.metadata("metadata", &Metadata::new())?;
    params.finish()?;
    let id = make(state, email, name, metadata);
    Ok(state.show::<Customer>(&id))
}

/// Makes a customer: the id.
pub(super) fn make(
    state: &mut State,
    email: Option<String>,
    name: Option<String>,
    metadata: Metadata,
) -> String {
    let id = state.id(Customer::PREFIX);
    let invoice_prefix = state.id("").chars().take(8).collect::<String>().to_uppercase();
    let customer = Customer {
        id: id.clone(),
        created: state.now,
        email,
        name,
        metadata,
        balance: 0,
        country: None,
        is_deleted: false,
        card: None,
        payment_method: None,
        invoice_prefix,
        next_invoice: 1,
        pending: Vec::new(),
    };
    state.announce(customer, "customer.created");
    id
}

fn email(params: &mut Params) -> Result<Option<String>, Refusal> {
    let email = params.nonempty("email");
    let is_valid =
        |it: &str| it.split_once('@').is_some_and(|(a, b)| !a.is_empty() && !b.is_empty());
    match &email {
        Some(text) if !is_valid(text) => {
            Err(Refusal::invalid("Invalid email address.").code("email_invalid").param("email"))
        }
        _ => Ok(email),
    }
}

pub(super) fn retrieve(state: &mut State, id: &str, params: &mut Params) -> Answer {
    params.finish()?;
    Ok(state.find::<Customer>(id)?.render(state))
}

pub(super) fn list(state: &mut State, _: &str, params: &mut Params) -> Answer {
    let email = params.nonempty("email");
    let window = Window::take(params)?;
    params.finish()?;
    window.cut::<Customer>(state, "/v1/customers", |it| {
        !it.is_deleted && (email.is_none() || email == it.email)
    })
}

/// The customer with this id, unless deleted.
pub(super) fn existing(state: &State, id: &str) -> Result<Customer, Refusal> {
    let missing = || Refusal::missing(Customer::NAME, id);
    state.find::<Customer>(id).ok().filter(|it| !it.is_deleted).ok_or_else(missing)
}

/// As [`existing`], for the id in a parameter.
pub(super) fn referred(state: &State, id: &str) -> Result<Customer, Refusal> {
    let missing = || Refusal::missing_reference(Customer::NAME, id, "customer");
    state.find::<Customer>(id).ok().filter(|it| !it.is_deleted).ok_or_else(missing)
}

/// Checks the customer that a list is asked of. One that never was is refused; whether one that was deleted is,
/// Stripe's documents do not say: it is, unless a test wants it otherwise.
pub(super) fn listed(state: &State, id: Option<&str>) -> Result<(), Refusal> {
    let Some(id) = id else { return Ok(()) };
    let is_listed = |it: &Customer| !it.is_deleted || state.knows_deleted;
    match state.customers.get(id).is_some_and(is_listed) {
        true => Ok(()),
        false => Err(Refusal::missing_reference(Customer::NAME, id, "customer")),
    }
}

pub(super) fn update(state: &mut State, id: &str, params: &mut Params) -> Answer {
    let old = existing(state, id)?;
    let changes_email = params.has("email");
    let email = email(params)?;
    let name = params.text("name");
    let metadata = params.metadata("metadata", &old.metadata)?;
    params.finish()?;
    state.update::<Customer>(id, |it| {
        if changes_email {
            it.email = email;
        }
        if let Some(name) = name {
            it.name = Some(name).filter(|it| !it.is_empty());
        }
        it.metadata = metadata;
    });
    Ok(state.show::<Customer>(id))
}

pub(super) fn delete(state: &mut State, id: &str, params: &mut Params) -> Answer {
    existing(state, id)?;
    params.finish()?;
    remove(state, id);
    Ok(json!({ "id": id, "object": "customer", "deleted": true }))
}

/// Deletes a customer, and ends its subscriptions.
pub(super) fn remove(state: &mut State, id: &str) {
    let running = state.subscriptions.iter().filter(|it| it.customer == id && !it.is_over());
    let running: Vec<_> = running.map(|it| it.id.clone()).collect();
    for subscription in running {
        subscriptions::end(state, &subscription, None);
    }
    // The event shows the customer as it was.
    state.tell::<Customer>(id, "customer.deleted");
    state.edit::<Customer>(id, |it| {
        it.is_deleted = true;
        it.card = None;
        it.payment_method = None;
    });
}
