//! Sessions of the customer portal.

use super::{
    api::Answer, customers, model::PortalSession, params::Params, state::State, table::Row,
};

pub(super) fn create(state: &mut State, _: &str, params: &mut Params) -> Answer {
    let customer = params.required("customer")?;
    let return_url = params.nonempty("return_url");
    params.finish()?;
    customers::referred(state, &customer)?;
    let id = state.id(PortalSession::PREFIX);
    let created = state.now;
    state.add(PortalSession { id: id.clone(), created, customer, return_url });
    Ok(state.show::<PortalSession>(&id))
}
