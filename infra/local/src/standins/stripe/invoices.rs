//! Invoices: shown, paid, voided.

use super::{
    api::Answer,
    billing::{self, Attempt},
    list::Window,
    model::{Card, Invoice, InvoiceStatus},
    params::Params,
    refusal::Refusal,
    state::{Object, State},
};

pub(super) fn retrieve(state: &mut State, id: &str, params: &mut Params) -> Answer {
    params.finish()?;
    Ok(state.find::<Invoice>(id)?.render(state))
}

pub(super) fn list(state: &mut State, _: &str, params: &mut Params) -> Answer {
    let customer = params.nonempty("customer");
    let subscription = params.nonempty("subscription");
    let status = params.choice(
        "status",
        &[
            ("draft", InvoiceStatus::Draft),
            ("open", InvoiceStatus::Open),
            ("paid", InvoiceStatus::Paid),
            ("uncollectible", InvoiceStatus::Uncollectible),
            ("void", InvoiceStatus::Void),
        ],
    )?;
    let window = Window::take(params)?;
    params.finish()?;
    window.cut::<Invoice>(state, "/v1/invoices", |it| {
        customer.as_ref().is_none_or(|wanted| *wanted == it.customer)
            && subscription.as_ref().is_none_or(|wanted| it.subscription.as_ref() == Some(wanted))
            && status.is_none_or(|wanted| wanted == it.status)
    })
}

pub(super) fn void(state: &mut State, id: &str, params: &mut Params) -> Answer {
    let invoice = state.find::<Invoice>(id)?;
    params.finish()?;
    if invoice.status != InvoiceStatus::Open {
        return Err(Refusal::invalid("You can only void open invoices."));
    }
    billing::void(state, id);
    Ok(state.show::<Invoice>(id))
}

pub(super) fn pay(state: &mut State, id: &str, params: &mut Params) -> Answer {
    let invoice = state.find::<Invoice>(id)?;
    params.finish()?;
    match invoice.status {
        InvoiceStatus::Draft => billing::finalize(state, id),
        InvoiceStatus::Open | InvoiceStatus::Uncollectible => {}
        InvoiceStatus::Paid => return Err(Refusal::invalid("Invoice is already paid")),
        InvoiceStatus::Void => return Err(Refusal::invalid("A void invoice cannot be paid.")),
    }
    if billing::collect(state, id, None, Attempt::ByHand) {
        Ok(state.show::<Invoice>(id))
    } else {
        let card = state.customers.get(&invoice.customer).and_then(|it| it.card);
        Err(match card.is_some_and(Card::must_confirm) {
            true => Refusal::must_confirm("invoice_payment_intent_requires_action"),
            false => Refusal::card_declined(),
        })
    }
}
