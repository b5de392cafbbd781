//! What happens by itself as time passes.

use super::{
    billing::{self, Attempt},
    checkout,
    model::{
        BillingReason, Invoice, InvoiceStatus, MissingPaymentMethod, PauseBehavior, SessionStatus,
        Subscription, SubscriptionStatus,
    },
    months::period_end,
    pending, redaction,
    state::State,
    subscriptions,
};

/// How long a renewal's invoice stays a draft, seconds.
const DRAFT_FOR: i64 = 3_600;
/// How long the endpoint's answer to `invoice.created` is waited for, before that, seconds
/// (docs.stripe.com/invoicing/integration/workflow-transitions).
const ANSWER_WITHIN: i64 = 72 * 3_600;
/// How long before its end a trial's end is announced, seconds.
const TRIAL_NOTICE: i64 = 3 * 86_400;

/// Something that is due, by the id of what it happens to.
#[derive(Clone, Debug)]
pub(super) enum Due {
    SessionExpires(String),
    TrialEndsSoon(String),
    PendingUpdateRunsOut(String),
    PeriodEnds(String),
    InvoiceIsFinalized(String),
    PaymentIsRetried(String),
    RedactionGoesOn(String),
}

/// The first thing that is due, and when.
pub(super) fn next(state: &State) -> Option<(i64, Due)> {
    let sessions = state.sessions.iter().filter(|it| it.status == SessionStatus::Open);
    let sessions = sessions.map(|it| (it.expires_at, Due::SessionExpires(it.id.clone())));
    let is_running = |it: &&Subscription| !it.is_over() && it.status != SubscriptionStatus::Paused;
    let subscriptions = state.subscriptions.iter().filter(is_running).map(|it| {
        match it.trial_end.filter(|_| !it.is_trial_end_announced) {
            Some(end) => (end - TRIAL_NOTICE, Due::TrialEndsSoon(it.id.clone())),
            None => (it.period_end, Due::PeriodEnds(it.id.clone())),
        }
    });
    let invoices = state.invoices.iter().filter_map(|it| match it.status {
        InvoiceStatus::Draft => Some((it.finalizes_at?, Due::InvoiceIsFinalized(it.id.clone()))),
        InvoiceStatus::Open => {
            Some((it.next_payment_attempt?, Due::PaymentIsRetried(it.id.clone())))
        }
        InvoiceStatus::Paid | InvoiceStatus::Void | InvoiceStatus::Uncollectible => None,
    });
    let jobs = state
        .redaction_jobs
        .iter()
        .filter_map(|it| Some((it.goes_on_at()?, Due::RedactionGoesOn(it.id.clone()))));
    let pending = state.subscriptions.iter().filter_map(|it| {
        let at = it.pending_update.as_ref()?.expires_at;
        Some((at, Due::PendingUpdateRunsOut(it.id.clone())))
    });
    // Before the period that ends at the same moment.
    sessions
        .chain(pending)
        .chain(subscriptions)
        .chain(invoices)
        .chain(jobs)
        .min_by_key(|(at, _)| *at)
}

/// Does everything that is due up to `now`, each thing as at its own instant.
pub(super) fn run(state: &mut State, now: i64) {
    while let Some((at, due)) = next(state)
        && at <= now
    {
        state.now = at;
        match due {
            Due::SessionExpires(id) => checkout::run_out(state, &id),
            Due::TrialEndsSoon(id) => {
                state.edit::<Subscription>(&id, |it| it.is_trial_end_announced = true);
                state.tell::<Subscription>(&id, "customer.subscription.trial_will_end");
            }
            Due::PendingUpdateRunsOut(id) => pending::run_out(state, &id),
            Due::PeriodEnds(id) => end_period(state, &id),
            Due::InvoiceIsFinalized(id) => {
                billing::finalize(state, &id);
                billing::collect(state, &id, None, Attempt::Scheduled);
            }
            Due::PaymentIsRetried(id) => {
                billing::collect(state, &id, None, Attempt::Scheduled);
            }
            Due::RedactionGoesOn(id) => redaction::go_on(state, &id),
        }
    }
    state.now = now;
}

/// The endpoint has taken the event of this draft: an hour later it is finalized.
pub(super) fn draft_is_heard_of(state: &mut State, invoice: &str) {
    let at = state.now + DRAFT_FOR;
    state.edit::<Invoice>(invoice, |it| {
        it.finalizes_at = it.finalizes_at.map(|waits_until| waits_until.min(at));
    });
}

fn end_period(state: &mut State, id: &str) {
    let Some(it) = state.subscriptions.get(id).cloned() else { return };
    let has_card = state.customers.get(&it.customer).is_some_and(|it| it.card.is_some());
    if it.cancel_at_period_end {
        return subscriptions::end(state, id, None);
    }
    if it.status == SubscriptionStatus::Trialing && !has_card {
        match it.missing_payment_method {
            MissingPaymentMethod::CreateInvoice => {}
            MissingPaymentMethod::Cancel => return subscriptions::end(state, id, None),
            MissingPaymentMethod::Pause => return subscriptions::pause(state, id),
        }
    }
    renew(state, &it);
}

/// Begins the next period with a draft of its invoice.
fn renew(state: &mut State, it: &Subscription) {
    let months = billing::interval_of(state, &it.price).months();
    let (start, end) = (it.period_end, period_end(it.anchor, it.period_end, months));
    let line = billing::period_line(state, it, (start, end), false);
    // An invoice's own period is the one that is over; its lines say what is paid for.
    let past = (it.period_start, it.period_end);
    let invoice = billing::prepare(state, it, BillingReason::Cycle, vec![line], past);
    let is_unpaid = it.status == SubscriptionStatus::Unpaid;
    if it.pause_collection.is_none() && !is_unpaid {
        let wait = if state.hears_of_drafts { ANSWER_WITHIN } else { DRAFT_FOR };
        state.edit::<Invoice>(&invoice, |it| it.finalizes_at = Some(start + wait));
    }
    state.update::<Subscription>(&it.id, |it| {
        it.period_start = start;
        it.period_end = end;
        it.latest_invoice = Some(invoice.clone());
        if it.status == SubscriptionStatus::Trialing {
            it.status = SubscriptionStatus::Active;
        }
    });
    state.tell::<Invoice>(&invoice, "invoice.created");
    match it.pause_collection {
        None | Some(PauseBehavior::KeepAsDraft) => {}
        Some(behavior) => {
            billing::finalize(state, &invoice);
            let is_open =
                state.invoices.get(&invoice).is_some_and(|it| it.status == InvoiceStatus::Open);
            match behavior {
                PauseBehavior::Void if is_open => billing::void(state, &invoice),
                PauseBehavior::MarkUncollectible if is_open => {
                    billing::mark_uncollectible(state, &invoice);
                }
                _ => {}
            }
        }
    }
}
