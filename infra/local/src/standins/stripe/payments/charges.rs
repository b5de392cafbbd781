//! Charges, and the payment intents behind them.

use super::super::{
    api::Answer,
    customers,
    list::Window,
    model::{Charge, PaymentIntent},
    params::Params,
    state::{Object, State},
};

pub(in super::super) fn retrieve(state: &mut State, id: &str, params: &mut Params) -> Answer {
    params.finish()?;
    Ok(state.find::<Charge>(id)?.render(state))
}

pub(in super::super) fn retrieve_intent(
    state: &mut State,
    id: &str,
    params: &mut Params,
) -> Answer {
    params.finish()?;
    Ok(state.find::<PaymentIntent>(id)?.render(state))
}

pub(in super::super) fn list(state: &mut State, _: &str, params: &mut Params) -> Answer {
    let customer = params.nonempty("customer");
    let intent = params.nonempty("payment_intent");
    let window = Window::take(params)?;
    params.finish()?;
    customers::listed(state, customer.as_deref())?;
    window.cut::<Charge>(state, "/v1/charges", |it| {
        customer.as_ref().is_none_or(|wanted| *wanted == it.customer)
            && intent.as_ref().is_none_or(|wanted| *wanted == it.payment_intent)
    })
}
