//! Subscriptions: shown, changed, ended.

use super::{
    api::Answer,
    billing::{self, Attempt},
    catalogue, customers, invoices,
    list::Window,
    model::{
        BillingReason, Customer, Invoice, InvoiceStatus, Line, PauseBehavior, Subscription,
        SubscriptionStatus,
    },
    months::period_end,
    params::Params,
    pending, proration,
    refusal::Refusal,
    state::{Object, State},
    table::Row,
};

pub(super) fn retrieve(state: &mut State, id: &str, params: &mut Params) -> Answer {
    params.finish()?;
    Ok(state.find::<Subscription>(id)?.render(state))
}

pub(super) fn list(state: &mut State, _: &str, params: &mut Params) -> Answer {
    let customer = params.nonempty("customer");
    let price = params.nonempty("price");
    let status = params.nonempty("status");
    let window = Window::take(params)?;
    params.finish()?;
    const KNOWN: [&str; 10] = [
        "active",
        "all",
        "canceled",
        "ended",
        "incomplete",
        "incomplete_expired",
        "past_due",
        "paused",
        "trialing",
        "unpaid",
    ];
    if let Some(status) = status.as_deref().filter(|it| !KNOWN.contains(it)) {
        return Err(Refusal::invalid(format!("Invalid status: {status}")).param("status"));
    }
    customers::listed(state, customer.as_deref())?;
    window.cut::<Subscription>(state, "/v1/subscriptions", |it| {
        customer.as_ref().is_none_or(|wanted| *wanted == it.customer)
            && price.as_ref().is_none_or(|wanted| *wanted == it.price)
            && match status.as_deref() {
                None => !it.is_over(),
                Some("all") => true,
                Some("ended") => it.is_over(),
                Some(status) => it.status.name() == status,
            }
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Prorates {
    CreateProrations,
    AlwaysInvoice,
    No,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WhenUnpaid {
    Allow,
    Error,
    Wait,
}

pub(super) fn update(state: &mut State, id: &str, params: &mut Params) -> Answer {
    let old = state.find::<Subscription>(id)?;
    let when_unpaid = params
        .choice(
            "payment_behavior",
            &[
                ("allow_incomplete", WhenUnpaid::Allow),
                ("error_if_incomplete", WhenUnpaid::Error),
                ("pending_if_incomplete", WhenUnpaid::Wait),
            ],
        )?
        .unwrap_or(WhenUnpaid::Allow);
    if when_unpaid == WhenUnpaid::Wait
        && let Some(other) = params.other_than(&pending::PARAMETERS)
    {
        let message = format!(
            "You can only pass parameters supported by pending updates when `payment_behavior` is \
             `pending_if_incomplete`: {other} is none."
        );
        return Err(Refusal::invalid(message).param(other));
    }
    let item = params.nonempty("items[0][id]");
    let price = params.nonempty("items[0][price]");
    let quantity = params.number("items[0][quantity]")?;
    let prorates = params
        .choice(
            "proration_behavior",
            &[
                ("create_prorations", Prorates::CreateProrations),
                ("always_invoice", Prorates::AlwaysInvoice),
                ("none", Prorates::No),
            ],
        )?
        .unwrap_or(Prorates::CreateProrations);
    let anchors = [("now", true), ("unchanged", false)];
    let anchor = params.choice("billing_cycle_anchor[type]", &anchors)?.unwrap_or(false);
    let cancels = params.flag("cancel_at_period_end")?;
    let pause = pause_collection(params)?;
    let metadata = params.metadata("metadata", &old.metadata)?;
    params.finish()?;
    if old.is_over() {
        let message =
            "A canceled subscription can only update its cancellation_details and metadata.";
        return Err(Refusal::invalid(message));
    }
    let has_item = item.is_some() || price.is_some() || quantity.is_some();
    match item {
        Some(item) if item != old.item => {
            let missing = Refusal::missing_reference("subscription_item", &item, "items[0][id]");
            return Err(missing);
        }
        None if has_item => {
            // The real one would add an item, at a second price.
            return Err(Refusal::parameter_missing("items[0][id]"));
        }
        Some(_) | None => {}
    }
    if quantity.is_some_and(|it| it < 1) {
        return Err(Refusal::parameter_invalid("items[0][quantity]", "1 or more"));
    }
    let mut new = old.clone();
    if let Some(price) = price {
        new.price = catalogue::sold_at(state, &price, "items[0][price]")?.id;
    }
    new.quantity = quantity.unwrap_or(old.quantity);
    new.metadata = metadata;
    if let Some(pause) = pause {
        new.pause_collection = pause;
    }
    if let Some(cancels) = cancels {
        mark(&mut new, cancels, state.now);
    }
    let is_free = old.status == SubscriptionStatus::Trialing;
    if is_free && anchor {
        let message = "The billing cycle of a trial ends with the trial.";
        return Err(Refusal::invalid(message).param("billing_cycle_anchor"));
    }
    if has_item || anchor {
        // Of two changes that cost something the later one counts.
        pending::cancel(state, id);
        new.pending_update = None;
        new.latest_invoice = state.subscriptions.get(id).and_then(|it| it.latest_invoice.clone());
    }
    change(state, &old, new, (prorates, anchor), when_unpaid)?;
    Ok(state.show::<Subscription>(id))
}

/// Makes `new` of `old`, with what that costs; `anchor`: its cycle begins with now.
fn change(
    state: &mut State,
    old: &Subscription,
    mut new: Subscription,
    (prorates, anchor): (Prorates, bool),
    when_unpaid: WhenUnpaid,
) -> Result<(), Refusal> {
    let is_changed = (&new.price, new.quantity) != (&old.price, old.quantity);
    let is_free = old.status == SubscriptionStatus::Trialing;
    let interval = billing::interval_of(state, &new.price);
    // A year in place of a month begins now, too.
    let begins = !is_free && (anchor || interval != billing::interval_of(state, &old.price));
    let mut lines = Vec::new();
    if (is_changed || begins) && !is_free && prorates != Prorates::No {
        lines.push(proration::credit(state, old));
    }
    if begins {
        new.anchor = state.now;
        new.period_start = state.now;
        new.period_end = period_end(state.now, state.now, interval.months());
        let period = (new.period_start, new.period_end);
        lines.push(billing::period_line(state, &new, period, false));
    } else if !lines.is_empty() {
        lines.push(proration::rest(state, &new));
    }
    if !begins && (prorates != Prorates::AlwaysInvoice || lines.is_empty()) {
        state.edit::<Customer>(&old.customer, |it| it.pending.extend(lines));
        state.update::<Subscription>(&old.id, |it| *it = new);
        return Ok(());
    }
    invoices::may_have_another(state, &old.id)?;
    match when_unpaid {
        WhenUnpaid::Error | WhenUnpaid::Wait if can_pay(state, &old.customer, &lines) => {
            invoice_now(state, new, lines);
        }
        WhenUnpaid::Error => {
            let code = "subscription_payment_intent_requires_action";
            let total = lines.iter().map(Line::gross).sum();
            let intent = billing::intent(state, &old.customer, (total, "usd"));
            return Err(billing::unpaid(state, &old.customer, &intent, code));
        }
        WhenUnpaid::Wait => pending::wait(state, &new, lines),
        WhenUnpaid::Allow => invoice_now(state, new, lines),
    }
    Ok(())
}

/// As the dashboard does it: another price from now on, whose lines wait for the next invoice unless its
/// cycle begins now.
pub(super) fn move_to(state: &mut State, id: &str, price: &str) -> Result<(), Refusal> {
    let old = state.find::<Subscription>(id)?;
    let new = Subscription { price: price.to_owned(), ..old.clone() };
    change(state, &old, new, (Prorates::No, false), WhenUnpaid::Allow)
}

/// `Some(None)`: payments are collected again.
fn pause_collection(params: &mut Params) -> Result<Option<Option<PauseBehavior>>, Refusal> {
    let behaviors = [
        ("keep_as_draft", PauseBehavior::KeepAsDraft),
        ("mark_uncollectible", PauseBehavior::MarkUncollectible),
        ("void", PauseBehavior::Void),
    ];
    match params.text("pause_collection") {
        Some(text) if text.is_empty() => Ok(Some(None)),
        Some(_) => Err(Refusal::parameter_invalid("pause_collection", "an object")),
        None => Ok(params.choice("pause_collection[behavior]", &behaviors)?.map(Some)),
    }
}

/// Notes that a subscription ends with its period, or goes on.
pub(super) fn mark(it: &mut Subscription, cancels: bool, now: i64) {
    if it.cancel_at_period_end != cancels {
        it.cancel_at_period_end = cancels;
        it.canceled_at = cancels.then_some(now);
        it.cancel_reason = cancels.then(|| "cancellation_requested".to_owned());
    }
}

/// Whether the customer's card would pay an invoice of `lines` and of what waits.
fn can_pay(state: &State, customer: &str, lines: &[Line]) -> bool {
    state.customers.get(customer).is_some_and(|it| {
        let total = it.pending.iter().chain(lines).map(Line::gross).sum();
        billing::due(total, it.balance).0 == 0 || it.card.is_some_and(|card| card.pays())
    })
}

/// Makes `new` of its subscription, and sends and collects an invoice of `lines` at once.
fn invoice_now(state: &mut State, new: Subscription, lines: Vec<Line>) {
    let (id, now) = (new.id.clone(), state.now);
    let invoice = billing::prepare(state, &new, BillingReason::Update, lines, (now, now));
    state.update::<Subscription>(&id, |it| {
        *it = new;
        it.latest_invoice = Some(invoice.clone());
    });
    state.tell::<Invoice>(&invoice, "invoice.created");
    billing::finalize(state, &invoice);
    billing::collect(state, &invoice, None, Attempt::Scheduled);
}

pub(super) fn cancel(state: &mut State, id: &str, params: &mut Params) -> Answer {
    let old = state.find::<Subscription>(id)?;
    let invoices = params.flag("invoice_now")?.unwrap_or(false);
    let prorates = params.flag("prorate")?.unwrap_or(false);
    params.finish()?;
    if old.is_over() {
        return Err(Refusal::missing(Subscription::NAME, id));
    }
    if prorates && old.status != SubscriptionStatus::Trialing {
        let line = proration::credit(state, &old);
        state.edit::<Customer>(&old.customer, |it| it.pending.push(line));
    }
    end(state, id, Some("cancellation_requested"));
    let waits = state.customers.get(&old.customer).is_some_and(|it| !it.pending.is_empty());
    if invoices && waits {
        let period = (old.period_start, state.now);
        let invoice = billing::prepare(state, &old, BillingReason::Manual, Vec::new(), period);
        state.edit::<Subscription>(id, |it| it.latest_invoice = Some(invoice.clone()));
        state.tell::<Invoice>(&invoice, "invoice.created");
        billing::finalize(state, &invoice);
        billing::collect(state, &invoice, None, Attempt::Scheduled);
    }
    Ok(state.show::<Subscription>(id))
}

/// Ends a subscription now. Its open invoices stay, and are no longer collected.
pub(super) fn end(state: &mut State, id: &str, reason: Option<&str>) {
    let now = state.now;
    state.edit::<Subscription>(id, |it| {
        it.status = SubscriptionStatus::Canceled;
        it.canceled_at = it.canceled_at.or(Some(now));
        it.ended_at = Some(now);
        it.cancel_reason = it.cancel_reason.take().or(reason.map(str::to_owned));
    });
    state.tell::<Subscription>(id, "customer.subscription.deleted");
    pending::cancel(state, id);
    let of_it = |it: &&Invoice| it.subscription.as_deref() == Some(id);
    let is_going = |it: &&Invoice| matches!(it.status, InvoiceStatus::Draft | InvoiceStatus::Open);
    let invoices = state.invoices.iter().filter(of_it).filter(is_going);
    let invoices: Vec<_> = invoices.map(|it| it.id.clone()).collect();
    for invoice in invoices {
        state.update::<Invoice>(&invoice, |it| {
            it.finalizes_at = None;
            it.next_payment_attempt = None;
        });
    }
}

/// Stops a subscription: no periods, no invoices until it is resumed.
pub(super) fn pause(state: &mut State, id: &str) {
    state.update::<Subscription>(id, |it| it.status = SubscriptionStatus::Paused);
    state.tell::<Subscription>(id, "customer.subscription.paused");
}

pub(super) fn resume(state: &mut State, id: &str, params: &mut Params) -> Answer {
    let old = state.find::<Subscription>(id)?;
    params.choice("billing_cycle_anchor[type]", &[("now", ())])?;
    params.finish()?;
    if old.status != SubscriptionStatus::Paused {
        return Err(Refusal::invalid("Only paused subscriptions can be resumed."));
    }
    go_on(state, old);
    Ok(state.show::<Subscription>(id))
}

/// Begins a new cycle of a paused subscription, which is active as soon as that is paid.
pub(super) fn go_on(state: &mut State, mut it: Subscription) {
    let (id, now) = (it.id.clone(), state.now);
    it.anchor = now;
    it.period_start = now;
    it.period_end = period_end(now, now, billing::interval_of(state, &it.price).months());
    let line = billing::period_line(state, &it, (now, it.period_end), false);
    invoice_now(state, it, vec![line]);
    let latest = state.subscriptions.get(&id).and_then(|it| it.latest_invoice.as_ref());
    let is_paid = latest
        .and_then(|it| state.invoices.get(it))
        .is_some_and(|it| it.status == InvoiceStatus::Paid);
    if is_paid {
        state.update::<Subscription>(&id, |it| it.status = SubscriptionStatus::Active);
        state.tell::<Subscription>(&id, "customer.subscription.resumed");
    }
}
