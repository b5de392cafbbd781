//! Products and prices.

use super::{
    api::Answer,
    list::Window,
    model::{Interval, Metadata, Price, Product},
    params::Params,
    refusal::Refusal,
    state::{Object, State},
    table::Row,
};

pub(super) fn create_product(state: &mut State, _: &str, params: &mut Params) -> Answer {
    let id = params.nonempty("id");
    let name = params.required("name")?;
    let description = params.nonempty("description");
    let is_active = params.flag("active")?.unwrap_or(true);
    let metadata = params.metadata("metadata", &Metadata::new())?;
    params.finish()?;
    if id.as_ref().is_some_and(|id| state.products.get(id).is_some()) {
        let refusal = Refusal::invalid("Product already exists.");
        return Err(refusal.code("resource_already_exists").param("id"));
    }
    let id = id.unwrap_or_else(|| state.id(Product::PREFIX));
    let created = state.now;
    let product = Product { id: id.clone(), created, name, description, is_active, metadata };
    state.announce(product, "product.created");
    Ok(state.show::<Product>(&id))
}

pub(super) fn retrieve_product(state: &mut State, id: &str, params: &mut Params) -> Answer {
    params.finish()?;
    Ok(state.find::<Product>(id)?.render(state))
}

pub(super) fn create_price(state: &mut State, _: &str, params: &mut Params) -> Answer {
    let currency = params.required("currency")?.to_lowercase();
    let product = params.required("product")?;
    let missing = || Refusal::parameter_missing("unit_amount");
    let unit_amount = params.number("unit_amount")?.ok_or_else(missing)?;
    let intervals = [("month", Interval::Month), ("year", Interval::Year)];
    let interval = params
        .choice("recurring[interval]", &intervals)?
        .ok_or_else(|| Refusal::parameter_missing("recurring[interval]"))?;
    if params.number("recurring[interval_count]")?.is_some_and(|it| it != 1) {
        return Err(Refusal::parameter_invalid("recurring[interval_count]", "1"));
    }
    let lookup_key = params.nonempty("lookup_key");
    let takes_over = params.flag("transfer_lookup_key")?.unwrap_or(false);
    let nickname = params.nonempty("nickname");
    let is_active = params.flag("active")?.unwrap_or(true);
    let metadata = params.metadata("metadata", &Metadata::new())?;
    let is_exclusive = tax_behavior(params)?;
    params.finish()?;
    state.refer::<Product>(&product, "product")?;
    if currency.len() != 3 {
        return Err(Refusal::parameter_invalid("currency", "a three-letter code"));
    }
    if unit_amount < 0 {
        return Err(Refusal::parameter_invalid("unit_amount", "0 or more"));
    }
    if let Some(key) = &lookup_key
        && let Some(holder) = state.prices.iter().find(|it| it.lookup_key.as_ref() == Some(key))
    {
        if !takes_over {
            let message = format!("A price (`{}`) already uses that lookup key.", holder.id);
            return Err(Refusal::invalid(message).param("lookup_key"));
        }
        let holder = holder.id.clone();
        state.update::<Price>(&holder, |it| it.lookup_key = None);
    }
    let id = state.id(Price::PREFIX);
    let created = state.now;
    let price = Price {
        id: id.clone(),
        created,
        product,
        currency,
        unit_amount,
        interval,
        lookup_key,
        is_exclusive,
        nickname,
        is_active,
        metadata,
    };
    state.announce(price, "price.created");
    Ok(state.show::<Price>(&id))
}

fn tax_behavior(params: &mut Params) -> Result<Option<bool>, Refusal> {
    let behaviors = [("exclusive", Some(true)), ("inclusive", Some(false)), ("unspecified", None)];
    Ok(params.choice("tax_behavior", &behaviors)?.flatten())
}

/// Of a price little can be changed; how it is taxed, once.
pub(super) fn update_price(state: &mut State, id: &str, params: &mut Params) -> Answer {
    let old = state.find::<Price>(id)?;
    let is_exclusive = tax_behavior(params)?;
    let is_active = params.flag("active")?;
    let metadata = params.metadata("metadata", &old.metadata)?;
    params.finish()?;
    if old.is_exclusive.is_some() && is_exclusive.is_some() && old.is_exclusive != is_exclusive {
        let message = "The tax behavior of a price cannot be changed once it is set.";
        return Err(Refusal::invalid(message).param("tax_behavior"));
    }
    state.update::<Price>(id, |it| {
        it.is_exclusive = is_exclusive.or(it.is_exclusive);
        it.is_active = is_active.unwrap_or(it.is_active);
        it.metadata = metadata;
    });
    Ok(state.show::<Price>(id))
}

pub(super) fn retrieve_price(state: &mut State, id: &str, params: &mut Params) -> Answer {
    params.finish()?;
    Ok(state.find::<Price>(id)?.render(state))
}

pub(super) fn list_prices(state: &mut State, _: &str, params: &mut Params) -> Answer {
    let keys = params.list("lookup_keys");
    let is_active = params.flag("active")?;
    let product = params.nonempty("product");
    let currency = params.nonempty("currency");
    let window = Window::take(params)?;
    params.finish()?;
    if keys.len() > 10 {
        return Err(Refusal::parameter_invalid("lookup_keys", "up to 10"));
    }
    window.cut::<Price>(state, "/v1/prices", |it| {
        (keys.is_empty() || it.lookup_key.as_ref().is_some_and(|key| keys.contains(key)))
            && is_active.is_none_or(|wanted| wanted == it.is_active)
            && product.as_ref().is_none_or(|wanted| *wanted == it.product)
            && currency.as_ref().is_none_or(|wanted| *wanted == it.currency)
    })
}

/// The price that something is to be sold at.
pub(super) fn sold_at(state: &State, id: &str, param: &str) -> Result<Price, Refusal> {
    let price = state.refer::<Price>(id, param)?;
    if !price.is_active {
        let message = format!("The price specified is inactive ({id}).");
        return Err(Refusal::invalid(message).param(param));
    }
    Ok(price)
}
