//! What a change in the middle of a period gives back and costs.

use super::{
    billing::product_name,
    model::{Line, Subscription},
    months::share,
    state::State,
    tax,
};

/// Gives back the time not used at the old price.
pub(super) fn credit(state: &mut State, it: &Subscription) -> Line {
    line(state, it, "Unused time on", -1)
}

/// Costs of the time that remains at the price that `it` has.
pub(super) fn rest(state: &mut State, it: &Subscription) -> Line {
    line(state, it, "Remaining time on", 1)
}

fn line(state: &mut State, it: &Subscription, words: &str, sign: i64) -> Line {
    let (unit_amount, name) = match state.prices.get(&it.price) {
        Some(price) => (price.unit_amount, product_name(state, &price.product)),
        None => (0, String::new()),
    };
    let whole = it.period_end - it.period_start;
    let part = (it.period_end - state.now).clamp(0, whole);
    let day = time::OffsetDateTime::from_unix_timestamp(state.now).map(|at| at.date());
    let day = day.map(|it| it.to_string()).unwrap_or_default();
    let amount = sign * share(unit_amount * it.quantity, part, whole);
    Line {
        id: state.id("il_"),
        amount,
        tax: if it.is_taxed { tax::on(amount) } else { 0 },
        description: format!("{words} {name} after {day}"),
        start: state.now,
        end: it.period_end,
        price: it.price.clone(),
        quantity: it.quantity,
        subscription: it.id.clone(),
        subscription_item: it.item.clone(),
        invoice_item: Some(state.id("ii_")),
    }
}
