//! `expand[]`: objects in place of their ids.

use serde_json::{Map, Value};

use super::{
    model::{
        Charge, Customer, Dispute, Invoice, PaymentIntent, Price, Product, Refund, Subscription,
    },
    refusal::Refusal,
    render::refunds,
    render_billing::payments,
    state::{Object, State},
};

/// How deep a path may lead.
const MAX_DEPTH: usize = 4;

/// Puts objects where `paths` lead to ids of theirs.
pub(super) fn expand(state: &State, mut object: Value, paths: &[String]) -> Result<Value, Refusal> {
    for path in paths {
        let steps: Vec<_> = path.split('.').collect();
        // `data` of a list does not count.
        if steps.iter().filter(|it| **it != "data").count() > MAX_DEPTH {
            return Err(Refusal::invalid("You cannot expand more than 4 levels.").param("expand"));
        }
        walk(state, &mut object, &steps, path)?;
    }
    Ok(object)
}

fn walk(state: &State, at: &mut Value, steps: &[&str], path: &str) -> Result<(), Refusal> {
    let Some((step, rest)) = steps.split_first() else {
        if let Value::String(id) = at
            && let Some(object) = resolve(state, id)
        {
            *at = object;
        }
        return Ok(());
    };
    if let Value::String(id) = at
        && let Some(object) = resolve(state, id)
    {
        *at = object;
    }
    match at {
        Value::Null => Ok(()),
        Value::Array(items) => items.iter_mut().try_for_each(|item| walk(state, item, steps, path)),
        Value::Object(fields) => {
            if !fields.contains_key(*step)
                && let Some(hidden) = hidden(state, fields, step)
            {
                fields.insert((*step).to_owned(), hidden);
            }
            match fields.get_mut(*step) {
                Some(field) => walk(state, field, rest, path),
                None => {
                    let message = format!("This property cannot be expanded ({path}).");
                    Err(Refusal::invalid(message).param("expand"))
                }
            }
        }
        Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            let message = format!("This property cannot be expanded ({path}).");
            Err(Refusal::invalid(message).param("expand"))
        }
    }
}

/// What the object shows only when asked to.
fn hidden(state: &State, object: &Map<String, Value>, name: &str) -> Option<Value> {
    let id = object.get("id")?.as_str()?;
    match name {
        "payments" => state.invoices.get(id).map(payments),
        "refunds" => state.charges.get(id).map(|it| refunds(it, state)),
        _ => None,
    }
}

fn resolve(state: &State, id: &str) -> Option<Value> {
    fn of<T: Object>(state: &State, id: &str) -> Option<Value> {
        id.starts_with(T::PREFIX).then(|| state.show::<T>(id)).filter(|it| !it.is_null())
    }
    of::<Customer>(state, id)
        .or_else(|| of::<Product>(state, id))
        .or_else(|| of::<Price>(state, id))
        .or_else(|| of::<Subscription>(state, id))
        .or_else(|| of::<Invoice>(state, id))
        .or_else(|| of::<PaymentIntent>(state, id))
        .or_else(|| of::<Charge>(state, id))
        .or_else(|| of::<Refund>(state, id))
        .or_else(|| of::<Dispute>(state, id))
        // A product's id is whatever its maker chose.
        .or_else(|| state.products.get(id).map(|it| it.render(state)))
}
