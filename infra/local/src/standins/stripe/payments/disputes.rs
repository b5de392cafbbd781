//! Disputes.

use super::super::{
    api::Answer,
    list::Window,
    model::{Charge, Dispute, DisputeStatus},
    params::Params,
    refusal::Refusal,
    state::{Object, State},
    table::Row,
};

pub(in super::super) fn retrieve(state: &mut State, id: &str, params: &mut Params) -> Answer {
    params.finish()?;
    Ok(state.find::<Dispute>(id)?.render(state))
}

pub(in super::super) fn list(state: &mut State, _: &str, params: &mut Params) -> Answer {
    let charge = params.nonempty("charge");
    let intent = params.nonempty("payment_intent");
    let window = Window::take(params)?;
    params.finish()?;
    window.cut::<Dispute>(state, "/v1/disputes", |it| {
        charge.as_ref().is_none_or(|wanted| *wanted == it.charge)
            && intent.as_ref().is_none_or(|wanted| *wanted == it.payment_intent)
    })
}

/// The bank takes a charge back for the time being (`NeedsResponse`), or asks about it first (`Inquiry`): the
/// dispute's id.
pub(in super::super) fn open(
    state: &mut State,
    charge: &str,
    status: DisputeStatus,
) -> Result<String, Refusal> {
    let charge = state.find::<Charge>(charge)?;
    if !charge.is_paid || charge.is_disputed {
        return Err(Refusal::invalid("Only a paid charge without a dispute can be disputed."));
    }
    let id = state.id(Dispute::PREFIX);
    state.update::<Charge>(&charge.id, |it| it.is_disputed = true);
    let dispute = Dispute {
        id: id.clone(),
        created: state.now,
        amount: charge.amount - charge.amount_refunded,
        charge: charge.id,
        payment_intent: charge.payment_intent,
        currency: charge.currency,
        status,
    };
    state.announce(dispute, "charge.dispute.created");
    Ok(id)
}

/// The bank decides.
pub(in super::super) fn close(state: &mut State, id: &str, is_won: bool) -> Result<(), Refusal> {
    let status = match (state.find::<Dispute>(id)?.status, is_won) {
        (DisputeStatus::NeedsResponse, true) => DisputeStatus::Won,
        (DisputeStatus::NeedsResponse, false) => DisputeStatus::Lost,
        (DisputeStatus::Inquiry, true) => DisputeStatus::InquiryClosed,
        _ => return Err(Refusal::invalid("This dispute cannot be closed so.")),
    };
    let closed = Some("charge.dispute.closed");
    state.update_as::<Dispute>(id, closed, |it| it.status = status);
    Ok(())
}
