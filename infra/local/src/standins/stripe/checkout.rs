//! Checkout sessions.

use super::{
    api::Answer,
    billing::{self, Attempt},
    catalogue, customers,
    list::Window,
    model::{
        BillingReason, Card, Customer, Invoice, Metadata, MissingPaymentMethod, Session,
        SessionStatus, Subscription, SubscriptionStatus,
    },
    months::period_end,
    params::Params,
    refusal::Refusal,
    state::{Object, State},
    table::Row,
};

const DAY: i64 = 86_400;
/// How long a session is open, seconds.
const OPEN_FOR: i64 = DAY;
/// The least that may be asked for.
const OPEN_AT_LEAST: i64 = 30 * 60;

pub(super) fn create(state: &mut State, _: &str, params: &mut Params) -> Answer {
    let wanted = params.choice("mode", &[("subscription", ())])?;
    wanted.ok_or_else(|| Refusal::parameter_missing("mode"))?;
    let price = params.required("line_items[0][price]")?;
    let quantity = params.number("line_items[0][quantity]")?;
    let success_url = params.required("success_url")?;
    let cancel_url = params.nonempty("cancel_url");
    let customer = params.nonempty("customer");
    let customer_email = params.nonempty("customer_email");
    let client_reference_id = params.nonempty("client_reference_id");
    let metadata = params.metadata("metadata", &Metadata::new())?;
    let subscription_metadata = params.metadata("subscription_data[metadata]", &Metadata::new())?;
    let trial_days = params.number("subscription_data[trial_period_days]")?;
    let missing_payment_method = params.choice(
        "subscription_data[trial_settings][end_behavior][missing_payment_method]",
        &[
            ("cancel", MissingPaymentMethod::Cancel),
            ("create_invoice", MissingPaymentMethod::CreateInvoice),
            ("pause", MissingPaymentMethod::Pause),
        ],
    )?;
    let mode = [("classic", true), ("flexible", false)];
    let is_classic = params.choice("subscription_data[billing_mode][type]", &mode)?;
    let expires_at = params.number("expires_at")?;
    // Say nothing that is played otherwise.
    params.text("locale");
    // Version 2026-09-30 took `payment_method_types` away.
    let only_cards = params.choice("allowed_payment_method_types[0]", &[("card", ())])?.is_some();
    let taxes = Taxes::take(params)?;
    params.finish()?;
    let sold = catalogue::sold_at(state, &price, "line_items[0][price]")?;
    taxes.check(state, customer.as_deref(), sold.is_exclusive)?;
    if let Some(customer) = &customer {
        customers::referred(state, customer)?;
        if customer_email.is_some() {
            let message = "You may only specify one of these parameters: customer, customer_email.";
            return Err(Refusal::invalid(message));
        }
    }
    let quantity = quantity.ok_or_else(|| Refusal::parameter_missing("line_items[0][quantity]"))?;
    if quantity < 1 {
        return Err(Refusal::parameter_invalid("line_items[0][quantity]", "1 or more"));
    }
    // By default it is the other one, in which the portal and `cancel_at_period_end` act otherwise.
    if is_classic != Some(true) {
        let message = "Only subscriptions of the classic billing mode are played here.";
        return Err(Refusal::invalid(message).param("subscription_data[billing_mode][type]"));
    }
    if trial_days.is_some_and(|it| !(1..=730).contains(&it)) {
        let name = "subscription_data[trial_period_days]";
        return Err(Refusal::parameter_invalid(name, "between 1 and 730"));
    }
    for (name, url) in [("success_url", Some(&success_url)), ("cancel_url", cancel_url.as_ref())] {
        if url.is_some_and(|it| !it.starts_with("http://") && !it.starts_with("https://")) {
            return Err(Refusal::invalid("Not a valid URL.").code("url_invalid").param(name));
        }
    }
    let expires_at = expires_at.unwrap_or(state.now + OPEN_FOR);
    if !(state.now + OPEN_AT_LEAST..=state.now + OPEN_FOR).contains(&expires_at) {
        let wanted = "between 30 minutes and 24 hours from now";
        return Err(Refusal::parameter_invalid("expires_at", wanted));
    }
    let id = state.id(Session::PREFIX);
    let created = state.now;
    state.add(Session {
        id: id.clone(),
        created,
        expires_at,
        status: SessionStatus::Open,
        customer,
        customer_email,
        price,
        quantity,
        success_url,
        cancel_url,
        client_reference_id,
        metadata,
        subscription_metadata,
        trial_days,
        is_taxed: taxes.computes,
        only_cards,
        missing_payment_method: missing_payment_method.unwrap_or_default(),
        subscription: None,
        invoice: None,
    });
    Ok(state.show::<Session>(&id))
}

/// What a session says of taxes.
#[derive(Clone, Copy, Debug)]
struct Taxes {
    computes: bool,
    collects_id: bool,
    /// What is typed in goes to the customer.
    keeps_address: bool,
    keeps_name: bool,
}

impl Taxes {
    fn take(params: &mut Params) -> Result<Self, Refusal> {
        let auto = [("auto", true), ("never", false)];
        // Says nothing that is played otherwise: what taxes need is asked for in any case.
        params.choice("billing_address_collection", &[("auto", ()), ("required", ())])?;
        Ok(Self {
            computes: params.flag("automatic_tax[enabled]")?.unwrap_or(false),
            collects_id: params.flag("tax_id_collection[enabled]")?.unwrap_or(false),
            keeps_address: params.choice("customer_update[address]", &auto)?.unwrap_or(false),
            keeps_name: params.choice("customer_update[name]", &auto)?.unwrap_or(false),
        })
    }

    fn check(
        self,
        state: &State,
        customer: Option<&str>,
        is_exclusive: Option<bool>,
    ) -> Result<(), Refusal> {
        let keeps = self.keeps_address || self.keeps_name;
        if keeps && customer.is_none() {
            let message = "`customer_update` can only be used with `customer`.";
            return Err(Refusal::invalid(message).param("customer_update"));
        }
        if self.computes && is_exclusive.is_none() {
            let message = "A price that is taxed automatically must have a tax behavior.";
            return Err(Refusal::invalid(message).param("line_items[0][price]"));
        }
        let has_address = |id| state.customers.get(id).is_some_and(|it| it.country.is_some());
        if self.computes && !self.keeps_address && customer.is_some_and(|id| !has_address(id)) {
            let message = "Automatic tax calculation in Checkout requires a valid address on the \
                           Customer: set `customer_update[address]` to 'auto'.";
            return Err(Refusal::invalid(message).code("customer_tax_location_invalid"));
        }
        if self.collects_id && !self.keeps_name && customer.is_some() {
            let message = "Tax ID collection for an existing customer needs `customer_update[name]` \
                           set to `auto`.";
            return Err(Refusal::invalid(message).param("tax_id_collection"));
        }
        Ok(())
    }
}

pub(super) fn retrieve(state: &mut State, id: &str, params: &mut Params) -> Answer {
    params.finish()?;
    Ok(state.find::<Session>(id)?.render(state))
}

pub(super) fn list(state: &mut State, _: &str, params: &mut Params) -> Answer {
    let customer = params.nonempty("customer");
    let subscription = params.nonempty("subscription");
    let status = params.choice(
        "status",
        &[
            ("open", SessionStatus::Open),
            ("complete", SessionStatus::Complete),
            ("expired", SessionStatus::Expired),
        ],
    )?;
    let window = Window::take(params)?;
    params.finish()?;
    customers::listed(state, customer.as_deref())?;
    window.cut::<Session>(state, "/v1/checkout/sessions", |it| {
        customer.as_ref().is_none_or(|wanted| it.customer.as_ref() == Some(wanted))
            && subscription.as_ref().is_none_or(|wanted| it.subscription.as_ref() == Some(wanted))
            && status.is_none_or(|wanted| wanted == it.status)
    })
}

pub(super) fn expire(state: &mut State, id: &str, params: &mut Params) -> Answer {
    let session = state.find::<Session>(id)?;
    params.finish()?;
    if session.status != SessionStatus::Open {
        let message = "Only Checkout Sessions with a status in [\"open\"] can be expired.";
        return Err(Refusal::invalid(message));
    }
    run_out(state, id);
    Ok(state.show::<Session>(id))
}

/// Ends an open session.
pub(super) fn run_out(state: &mut State, id: &str) {
    state.edit::<Session>(id, |it| it.status = SessionStatus::Expired);
    state.tell::<Session>(id, "checkout.session.expired");
}

/// What a person does on the page: pays with `card`. Gives the address to go to.
pub(super) fn complete(state: &mut State, id: &str, card: Card) -> Result<String, Refusal> {
    let session = state.find::<Session>(id)?;
    if session.status != SessionStatus::Open {
        return Err(Refusal::invalid("This Checkout Session is no longer open."));
    }
    if let Some(customer) = &session.customer {
        customers::referred(state, customer)?;
    }
    if !card.can_be_attached() {
        return Err(Refusal::card_declined());
    }
    if card == Card::BankDebit && session.only_cards {
        return Err(Refusal::invalid("Only cards are taken here."));
    }
    let customer = match session.customer {
        Some(customer) => customer,
        None => {
            let email = session.customer_email.clone();
            customers::make(state, email, None, Metadata::new())
        }
    };
    attach(state, &customer, card);
    if session.is_taxed {
        // Typed in on the page.
        state.update::<Customer>(&customer, |it| it.country = Some("DE".to_owned()));
    }
    let now = state.now;
    let trial_end = session.trial_days.map(|days| now + days * DAY);
    let anchor = trial_end.unwrap_or(now);
    let months = billing::interval_of(state, &session.price).months();
    let new = Subscription {
        id: state.id(Subscription::PREFIX),
        created: now,
        customer: customer.clone(),
        status: match trial_end {
            Some(_) => SubscriptionStatus::Trialing,
            None => SubscriptionStatus::Active,
        },
        item: state.id("si_"),
        price: session.price,
        quantity: session.quantity,
        anchor,
        period_start: now,
        period_end: trial_end.unwrap_or_else(|| period_end(anchor, now, months)),
        cancel_at_period_end: false,
        canceled_at: None,
        ended_at: None,
        cancel_reason: None,
        metadata: session.subscription_metadata,
        latest_invoice: None,
        trial_start: trial_end.map(|_| now),
        trial_end,
        missing_payment_method: session.missing_payment_method,
        is_trial_end_announced: false,
        pause_collection: None,
        pending_update: None,
        is_taxed: session.is_taxed,
    };
    let (subscription, invoice) = begin(state, new, card);
    state.edit::<Session>(id, |it| {
        it.status = SessionStatus::Complete;
        it.customer = Some(customer);
        it.subscription = Some(subscription);
        it.invoice = Some(invoice);
    });
    state.tell::<Session>(id, "checkout.session.completed");
    Ok(session.success_url.replace("{CHECKOUT_SESSION_ID}", id))
}

/// Adds a subscription and collects its first invoice: both ids.
fn begin(state: &mut State, mut new: Subscription, card: Card) -> (String, String) {
    let (id, now, period) = (new.id.clone(), state.now, (new.period_start, new.period_end));
    let line = billing::period_line(state, &new, period, new.trial_end.is_some());
    let invoice = billing::prepare(state, &new, BillingReason::Create, vec![line], (now, now));
    new.latest_invoice = Some(invoice.clone());
    state.announce(new, "customer.subscription.created");
    state.tell::<Invoice>(&invoice, "invoice.created");
    billing::finalize(state, &invoice);
    // Every card that can be attached pays here; what is debited from a bank comes days later, or does not.
    if card != Card::BankDebit {
        billing::collect(state, &invoice, Some((card, true)), Attempt::Scheduled);
    }
    (id, invoice)
}

/// Makes `card` the one that a customer pays with.
pub(super) fn attach(state: &mut State, customer: &str, card: Card) {
    let method = state.id("pm_");
    state.update::<Customer>(customer, |it| {
        it.card = Some(card);
        it.payment_method = Some(method);
    });
}
