//! Invoices: shown, paid, voided.

use super::{
    api::Answer,
    billing::{self, Attempt},
    customers,
    list::Window,
    model::{Invoice, InvoiceStatus},
    params::Params,
    refusal::Refusal,
    render, render_billing,
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
    customers::listed(state, customer.as_deref())?;
    window.cut::<Invoice>(state, "/v1/invoices", |it| {
        customer.as_ref().is_none_or(|wanted| *wanted == it.customer)
            && subscription.as_ref().is_none_or(|wanted| it.subscription.as_ref() == Some(wanted))
            && status.is_none_or(|wanted| wanted == it.status)
    })
}

/// An invoice's lines, page by page: the invoice itself shows the first ten.
pub(super) fn lines(state: &mut State, id: &str, params: &mut Params) -> Answer {
    let invoice = state.find::<Invoice>(id)?;
    let limit = params.number("limit")?.unwrap_or(10);
    let limit = usize::try_from(limit).ok().filter(|it| (1..=100).contains(it));
    let limit = limit.ok_or_else(|| Refusal::parameter_invalid("limit", "between 1 and 100"))?;
    let after = params.nonempty("starting_after");
    params.finish()?;
    let start = match &after {
        None => 0,
        Some(after) => {
            let at = invoice.lines.iter().position(|line| line.id == *after);
            1 + at
                .ok_or_else(|| Refusal::missing_reference("line_item", after, "starting_after"))?
        }
    };
    let rest = &invoice.lines[start..];
    let shown = rest.iter().take(limit).map(|it| render_billing::line(it, &invoice, state));
    let url = format!("/v1/invoices/{id}/lines");
    Ok(render::list(shown.collect(), &url, rest.len() > limit))
}

/// Stripe makes ten new invoices of a subscription in a minute, and twenty in a day (docs.stripe.com/rate-limits).
pub(super) fn may_have_another(state: &State, subscription: &str) -> Result<(), Refusal> {
    let own = state.invoices.iter().filter(|it| it.subscription.as_deref() == Some(subscription));
    let times: Vec<i64> = own.map(|it| it.created).collect();
    let within = |seconds| times.iter().filter(|at| state.now < **at + seconds).count();
    match within(60) >= 10 || within(86_400) >= 20 {
        true => Err(Refusal::too_many_invoices()),
        false => Ok(()),
    }
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
        let intent = state.find::<Invoice>(id)?.payment_intent.unwrap_or_default();
        let code = "invoice_payment_intent_requires_action";
        Err(billing::unpaid(state, &invoice.customer, &intent, code))
    }
}
