//! Changes of a subscription that wait for their payment (`payment_behavior=pending_if_incomplete`).

use super::{
    billing::{self, Attempt},
    model::{BillingReason, Invoice, InvoiceStatus, Line, PendingUpdate, Subscription},
    state::State,
};

/// How long a change waits at most, seconds.
const WAITS_FOR: i64 = 23 * 3_600;

/// The only parameters that a change may have which waits for its payment.
pub(super) const PARAMETERS: [&str; 8] = [
    "expand",
    "proration_behavior",
    "proration_date",
    "billing_cycle_anchor",
    "items",
    "trial_end",
    "trial_from_plan",
    "add_invoice_items",
];

/// Whether the change that waits at `it` is the one of `invoice`.
pub(super) fn is_of(it: &Subscription, invoice: &str) -> bool {
    it.pending_update.as_ref().is_some_and(|it| it.invoice == invoice)
}

/// Lets the change to `new` wait for the payment of `lines`: until then nothing else of the subscription
/// changes.
pub(super) fn wait(state: &mut State, new: &Subscription, lines: Vec<Line>) {
    let now = state.now;
    let invoice = billing::prepare(state, new, BillingReason::Update, lines, (now, now));
    state.update::<Subscription>(&new.id, |it| {
        it.pending_update = Some(PendingUpdate {
            invoice: invoice.clone(),
            expires_at: it.period_end.min(now + WAITS_FOR),
            price: new.price.clone(),
            quantity: new.quantity,
            anchor: (new.anchor != it.anchor).then_some(new.anchor),
            period: (new.period_start, new.period_end),
        });
        it.latest_invoice = Some(invoice.clone());
    });
    state.tell::<Invoice>(&invoice, "invoice.created");
    billing::finalize(state, &invoice);
    billing::collect(state, &invoice, None, Attempt::ByHand);
}

/// Makes the change that waited for `invoice`, if one did.
pub(super) fn apply(state: &mut State, invoice: &str) {
    let Some(id) = waiting(state, invoice) else { return };
    state.update::<Subscription>(&id, |it| {
        if let Some(pending) = it.pending_update.take() {
            (it.price, it.quantity) = (pending.price, pending.quantity);
            if let Some(anchor) = pending.anchor {
                it.anchor = anchor;
                (it.period_start, it.period_end) = pending.period;
            }
        }
    });
    state.tell::<Subscription>(&id, "customer.subscription.pending_update_applied");
}

/// Forgets the change that waited for `invoice`, if one did.
pub(super) fn discard(state: &mut State, invoice: &str) {
    let Some(id) = waiting(state, invoice) else { return };
    state.update::<Subscription>(&id, |it| it.pending_update = None);
}

/// Withdraws the invoice of the change that waits at the subscription, and with it the change.
pub(super) fn cancel(state: &mut State, id: &str) {
    let pending = state.subscriptions.get(id).and_then(|it| it.pending_update.clone());
    let Some(pending) = pending else { return };
    let is_open = |it: &Invoice| it.status == InvoiceStatus::Open;
    if state.invoices.get(&pending.invoice).is_some_and(is_open) {
        billing::void(state, &pending.invoice);
    }
    state.update::<Subscription>(id, |it| it.pending_update = None);
}

/// The time for its payment is over.
pub(super) fn run_out(state: &mut State, id: &str) {
    cancel(state, id);
    state.tell::<Subscription>(id, "customer.subscription.pending_update_expired");
}

fn waiting(state: &State, invoice: &str) -> Option<String> {
    state.subscriptions.iter().find(|it| is_of(it, invoice)).map(|it| it.id.clone())
}
