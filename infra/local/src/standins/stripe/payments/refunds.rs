//! Refunds.

use super::super::{
    api::Answer,
    list::Window,
    model::{Charge, Dispute, DisputeStatus, Metadata, PaymentIntent, Refund},
    params::Params,
    refusal::Refusal,
    state::{Object, State},
    table::Row,
};

pub(in super::super) fn create(state: &mut State, _: &str, params: &mut Params) -> Answer {
    let charge = params.nonempty("charge");
    let intent = params.nonempty("payment_intent");
    let amount = params.number("amount")?;
    let reasons = ["duplicate", "fraudulent", "requested_by_customer"].map(|it| (it, it));
    let reason = params.choice("reason", &reasons)?;
    let metadata = params.metadata("metadata", &Metadata::new())?;
    params.finish()?;
    let charge = match (charge, intent) {
        (Some(id), _) => state.refer::<Charge>(&id, "charge")?,
        (None, Some(id)) => {
            let intent = state.refer::<PaymentIntent>(&id, "payment_intent")?;
            let latest = intent.latest_charge.filter(|_| intent.is_paid).ok_or_else(|| {
                Refusal::invalid("This PaymentIntent does not have a successful charge to refund.")
            })?;
            state.refer::<Charge>(&latest, "payment_intent")?
        }
        (None, None) => return Err(Refusal::parameter_missing("charge")),
    };
    let id = give_back(state, &charge, amount, reason, metadata)?;
    Ok(state.show::<Refund>(&id))
}

/// Gives back `amount` of a charge, or else all that is left of it: the refund's id.
pub(in super::super) fn give_back(
    state: &mut State,
    charge: &Charge,
    amount: Option<i64>,
    reason: Option<&str>,
    metadata: Metadata,
) -> Result<String, Refusal> {
    if !charge.is_paid {
        return Err(Refusal::invalid("This charge was not successful.").param("charge"));
    }
    let takes_money =
        |it: &Dispute| matches!(it.status, DisputeStatus::NeedsResponse | DisputeStatus::Lost);
    if state.disputes.iter().any(|it| it.charge == charge.id && takes_money(it)) {
        let message = format!("Charge {} has been charged back; cannot issue a refund.", charge.id);
        return Err(Refusal::invalid(message).code("charge_disputed"));
    }
    let rest = charge.amount - charge.amount_refunded;
    if rest == 0 {
        let message = format!("Charge {} has already been refunded.", charge.id);
        return Err(Refusal::invalid(message).code("charge_already_refunded"));
    }
    let amount = amount.unwrap_or(rest);
    if amount < 1 {
        return Err(Refusal::parameter_invalid("amount", "1 or more"));
    }
    if amount > rest {
        let message = format!("Refund amount ({amount}) is greater than what is left ({rest}).");
        return Err(Refusal::invalid(message).code("amount_too_large").param("amount"));
    }
    let id = state.id(Refund::PREFIX);
    let refund = Refund {
        id: id.clone(),
        created: state.now,
        charge: charge.id.clone(),
        payment_intent: charge.payment_intent.clone(),
        amount,
        currency: charge.currency.clone(),
        reason: reason.map(str::to_owned),
        metadata,
        has_failed: false,
    };
    state.announce(refund, "refund.created");
    let refunded = Some("charge.refunded");
    state.update_as::<Charge>(&charge.id, refunded, |it| it.amount_refunded += amount);
    Ok(id)
}

/// The bank sends the money back: it is the seller's again.
pub(in super::super) fn fail(state: &mut State, id: &str) -> Result<(), Refusal> {
    let refund = state.find::<Refund>(id)?;
    if refund.has_failed {
        return Err(Refusal::invalid("This refund has failed already."));
    }
    state.edit::<Charge>(&refund.charge, |it| it.amount_refunded -= refund.amount);
    state.update_as::<Refund>(id, Some("refund.failed"), |it| it.has_failed = true);
    Ok(())
}

pub(in super::super) fn retrieve(state: &mut State, id: &str, params: &mut Params) -> Answer {
    params.finish()?;
    Ok(state.find::<Refund>(id)?.render(state))
}

pub(in super::super) fn list(state: &mut State, _: &str, params: &mut Params) -> Answer {
    let charge = params.nonempty("charge");
    let intent = params.nonempty("payment_intent");
    let window = Window::take(params)?;
    params.finish()?;
    window.cut::<Refund>(state, "/v1/refunds", |it| {
        charge.as_ref().is_none_or(|wanted| *wanted == it.charge)
            && intent.as_ref().is_none_or(|wanted| *wanted == it.payment_intent)
    })
}
