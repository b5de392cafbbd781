//! The life of an invoice: prepared, finalized, collected, settled or voided.

use super::{
    model::{
        AfterRetries, BillingReason, Card, Charge, Customer, Interval, Invoice, InvoiceStatus,
        Line, PaymentIntent, Subscription, SubscriptionStatus,
    },
    pending,
    refusal::Refusal,
    state::State,
    subscriptions,
    table::Row,
    tax,
};

/// Days from one failed attempt to collect to the next.
const RETRY_AFTER_DAYS: [i64; 3] = [3, 5, 7];

/// What is less is not charged but added to the customer's balance: Stripe's least amount in USD.
const LEAST_CHARGE: i64 = 50;

/// The line that sells a subscription's plan for a period; a trial costs nothing.
pub(super) fn period_line(
    state: &mut State,
    it: &Subscription,
    (start, end): (i64, i64),
    is_trial: bool,
) -> Line {
    let (name, unit_amount) = match state.prices.get(&it.price) {
        Some(price) => (product_name(state, &price.product), price.unit_amount),
        None => (String::new(), 0),
    };
    let (amount, description) = if is_trial {
        (0, format!("Trial period for {name}"))
    } else {
        let each = format!("${}.{:02}", unit_amount / 100, unit_amount % 100);
        let interval = interval_of(state, &it.price).name();
        (unit_amount * it.quantity, format!("{} × {name} (at {each} / {interval})", it.quantity))
    };
    Line {
        id: state.id("il_"),
        amount,
        tax: if it.is_taxed { tax::on(amount) } else { 0 },
        description,
        start,
        end,
        price: it.price.clone(),
        quantity: it.quantity,
        subscription: it.id.clone(),
        subscription_item: it.item.clone(),
        invoice_item: None,
    }
}

/// How often the price is paid.
pub(super) fn interval_of(state: &State, price: &str) -> Interval {
    state.prices.get(price).map(|it| it.interval).unwrap_or_default()
}

pub(super) fn product_name(state: &State, id: &str) -> String {
    state.products.get(id).map(|it| it.name.clone()).unwrap_or_default()
}

/// Makes a draft of `lines` and of what waits at the customer, without telling: its id.
pub(super) fn prepare(
    state: &mut State,
    subscription: &Subscription,
    reason: BillingReason,
    mut lines: Vec<Line>,
    (period_start, period_end): (i64, i64),
) -> String {
    let mut waiting = Vec::new();
    let (mut balance, mut email, mut name) = (0, None, None);
    state.edit::<Customer>(&subscription.customer, |it| {
        waiting = std::mem::take(&mut it.pending);
        (balance, email, name) = (it.balance, it.email.clone(), it.name.clone());
    });
    waiting.append(&mut lines);
    let currency = state.prices.get(&subscription.price).map(|it| it.currency.clone());
    let id = state.id(Invoice::PREFIX);
    let mut invoice = Invoice {
        id: id.clone(),
        created: state.now,
        number: None,
        customer: subscription.customer.clone(),
        customer_email: email,
        customer_name: name,
        subscription: Some(subscription.id.clone()),
        currency: currency.unwrap_or_else(|| "usd".to_owned()),
        status: InvoiceStatus::Draft,
        reason,
        period_start,
        period_end,
        lines: waiting,
        starting_balance: balance,
        ending_balance: None,
        amount_due: 0,
        amount_paid: 0,
        attempt_count: 0,
        retries: 0,
        next_payment_attempt: None,
        finalizes_at: None,
        finalized_at: None,
        paid_at: None,
        voided_at: None,
        uncollectible_at: None,
        payment: None,
        payment_intent: None,
    };
    invoice.amount_due = due(invoice.total(), balance).0;
    state.add(invoice);
    id
}

/// What is to be paid of `total` with this balance, and the balance afterwards.
pub(super) fn due(total: i64, balance: i64) -> (i64, i64) {
    let due = total + balance;
    if due < LEAST_CHARGE { (0, due) } else { (due, 0) }
}

/// Makes a draft an open invoice with a number; one with nothing to pay is settled at once.
pub(super) fn finalize(state: &mut State, id: &str) {
    let Some(invoice) = state.invoices.get(id).filter(|it| it.status == InvoiceStatus::Draft)
    else {
        return;
    };
    let (customer, total, now) = (invoice.customer.clone(), invoice.total(), state.now);
    let (mut balance, mut number) = (0, None);
    state.edit::<Customer>(&customer, |it| {
        balance = it.balance;
        number = Some(format!("{}-{:04}", it.invoice_prefix, it.next_invoice));
        it.next_invoice += 1;
    });
    let (amount_due, ending_balance) = due(total, balance);
    state.edit::<Invoice>(id, |it| {
        it.status = InvoiceStatus::Open;
        it.number = number;
        it.starting_balance = balance;
        it.ending_balance = Some(ending_balance);
        it.amount_due = amount_due;
        it.finalizes_at = None;
        it.finalized_at = Some(now);
    });
    state.tell::<Invoice>(id, "invoice.finalized");
    state.update::<Customer>(&customer, |it| it.balance = ending_balance);
    if amount_due == 0 {
        settle(state, id);
    }
}

/// Whether an attempt to collect is one of those that happen by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    Scheduled,
    ByHand,
}

/// Tries to charge an open invoice to `card`, which pays or does not, or else to the customer's:
/// whether it is paid then.
pub(super) fn collect(
    state: &mut State,
    id: &str,
    card: Option<(Card, bool)>,
    attempt: Attempt,
) -> bool {
    let Some(invoice) = state.invoices.get(id).cloned() else { return false };
    if invoice.status != InvoiceStatus::Open {
        return invoice.status == InvoiceStatus::Paid;
    }
    let own = state.customers.get(&invoice.customer).and_then(|it| it.card);
    let card = card.or(own.map(|it| (it, it.pays())));
    let intent = intent_of(state, &invoice);
    let is_paid = card.is_some_and(|it| it.1);
    let must_confirm = !is_paid && card.is_some_and(|it| it.0.must_confirm());
    state.edit::<PaymentIntent>(&intent, |it| it.must_confirm = must_confirm);
    if let Some((card, is_paid)) = card.filter(|_| !must_confirm) {
        charge(state, &invoice, &intent, card, is_paid);
    }
    if is_paid {
        state.edit::<Invoice>(id, |it| it.attempt_count += 1);
        settle(state, id);
    } else if must_confirm {
        state.tell::<PaymentIntent>(&intent, "payment_intent.requires_action");
        fail(state, &invoice, attempt);
        state.tell::<Invoice>(id, "invoice.payment_action_required");
    } else {
        state.tell::<PaymentIntent>(&intent, "payment_intent.payment_failed");
        fail(state, &invoice, attempt);
    }
    is_paid
}

/// Why the payment did not come; `code` where the card's holder has to confirm it.
pub(super) fn unpaid(state: &State, customer: &str, intent: &str, code: &'static str) -> Refusal {
    let card = state.customers.get(customer).and_then(|it| it.card);
    let refusal = match card.is_some_and(Card::must_confirm) {
        true => Refusal::must_confirm(code),
        false => Refusal::card_declined(),
    };
    refusal.about(state.show::<PaymentIntent>(intent))
}

/// A payment that is to come.
pub(super) fn intent(state: &mut State, customer: &str, sum: (i64, &str)) -> String {
    let (amount, currency) = sum;
    let card = state.customers.get(customer).and_then(|it| it.card);
    let intent = PaymentIntent {
        id: state.id(PaymentIntent::PREFIX),
        created: state.now,
        customer: customer.to_owned(),
        amount,
        currency: currency.to_owned(),
        is_paid: false,
        must_confirm: card.is_some_and(Card::must_confirm),
        latest_charge: None,
    };
    let id = intent.id.clone();
    state.add(intent);
    id
}

/// The payment intent of an invoice, made with the first attempt.
fn intent_of(state: &mut State, invoice: &Invoice) -> String {
    if let Some(intent) = &invoice.payment_intent {
        return intent.clone();
    }
    let sum = (invoice.remaining(), invoice.currency.as_str());
    let intent = intent(state, &invoice.customer, sum);
    let payment = state.id("inpay_");
    state.edit::<Invoice>(&invoice.id, |it| {
        it.payment = Some(payment);
        it.payment_intent = Some(intent.clone());
    });
    intent
}

fn charge(state: &mut State, invoice: &Invoice, intent: &str, card: Card, is_paid: bool) {
    let id = state.id(Charge::PREFIX);
    let charge = Charge {
        id: id.clone(),
        created: state.now,
        customer: invoice.customer.clone(),
        payment_intent: intent.to_owned(),
        amount: invoice.remaining(),
        amount_refunded: 0,
        currency: invoice.currency.clone(),
        is_paid,
        is_disputed: false,
        card,
        email: invoice.customer_email.clone(),
        name: invoice.customer_name.clone(),
    };
    state.announce(charge, if is_paid { "charge.succeeded" } else { "charge.failed" });
    state.edit::<PaymentIntent>(intent, |it| {
        it.is_paid = is_paid;
        it.latest_charge = Some(id);
    });
    if is_paid {
        state.tell::<PaymentIntent>(intent, "payment_intent.succeeded");
    }
}

pub(super) fn settle(state: &mut State, id: &str) {
    let now = state.now;
    state.update::<Invoice>(id, |it| {
        it.status = InvoiceStatus::Paid;
        it.amount_paid = it.amount_due;
        it.paid_at = Some(now);
        it.next_payment_attempt = None;
    });
    state.tell::<Invoice>(id, "invoice.paid");
    state.tell::<Invoice>(id, "invoice.payment_succeeded");
    pending::apply(state, id);
    revive(state, id);
}

fn fail(state: &mut State, invoice: &Invoice, attempt: Attempt) {
    let subscription =
        invoice.subscription.as_ref().and_then(|it| state.subscriptions.get(it)).cloned();
    // A change that waits for its payment is not tried again by itself, and nothing is owed for it.
    let waits = subscription.as_ref().is_some_and(|it| pending::is_of(it, &invoice.id));
    let is_running = subscription.as_ref().is_some_and(|it| !it.is_over()) && !waits;
    let days = RETRY_AFTER_DAYS.get(invoice.retries).filter(|_| is_running);
    let next = days.map(|days| state.now + days * 86_400);
    state.update::<Invoice>(&invoice.id, |it| {
        it.attempt_count += 1;
        if attempt == Attempt::Scheduled {
            it.retries += 1;
            it.next_payment_attempt = next;
        }
    });
    state.tell::<Invoice>(&invoice.id, "invoice.payment_failed");
    let Some(subscription) = subscription.filter(|_| is_running) else { return };
    if subscription.status == SubscriptionStatus::Active {
        let status = SubscriptionStatus::PastDue;
        state.update::<Subscription>(&subscription.id, |it| it.status = status);
    }
    if next.is_some() || attempt == Attempt::ByHand {
        return;
    }
    match state.after_retries {
        AfterRetries::LeavePastDue => {}
        AfterRetries::Cancel => subscriptions::end(state, &subscription.id, Some("payment_failed")),
        AfterRetries::MarkUnpaid => {
            let status = SubscriptionStatus::Unpaid;
            state.update::<Subscription>(&subscription.id, |it| it.status = status);
        }
    }
}

/// Makes the subscription of a settled invoice active again, if its latest one is not open.
fn revive(state: &mut State, invoice: &str) {
    let invoice = state.invoices.get(invoice);
    let Some(id) = invoice.and_then(|it| it.subscription.clone()) else { return };
    let of_it = |it: &&Invoice| it.subscription.as_ref() == Some(&id);
    let latest = state.invoices.iter().rev().filter(of_it).find(|it| it.finalized_at.is_some());
    if latest.is_some_and(|it| it.status == InvoiceStatus::Open) {
        return;
    }
    let is_behind = state.subscriptions.get(&id).is_some_and(|it| {
        matches!(it.status, SubscriptionStatus::PastDue | SubscriptionStatus::Unpaid)
    });
    if is_behind {
        state.update::<Subscription>(&id, |it| it.status = SubscriptionStatus::Active);
    }
}

/// Voids an open invoice; what it took of the balance is given back.
pub(super) fn void(state: &mut State, id: &str) {
    let Some(invoice) = state.invoices.get(id).cloned() else { return };
    let now = state.now;
    state.update::<Invoice>(id, |it| {
        it.status = InvoiceStatus::Void;
        it.voided_at = Some(now);
        it.next_payment_attempt = None;
    });
    state.tell::<Invoice>(id, "invoice.voided");
    pending::discard(state, id);
    let taken = invoice.starting_balance - invoice.ending_balance.unwrap_or_default();
    state.update::<Customer>(&invoice.customer, |it| it.balance += taken);
    revive(state, id);
}

/// Gives an open invoice up.
pub(super) fn mark_uncollectible(state: &mut State, id: &str) {
    let now = state.now;
    state.update::<Invoice>(id, |it| {
        it.status = InvoiceStatus::Uncollectible;
        it.uncollectible_at = Some(now);
        it.next_payment_attempt = None;
    });
    state.tell::<Invoice>(id, "invoice.marked_uncollectible");
    revive(state, id);
}
