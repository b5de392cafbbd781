//! What tests do at Stripe without its API: as a person at its pages, as its dashboard, as a bank.

use anyhow::{Result, anyhow};
use serde_json::Value;

use super::{
    Stripe, billing, checkout, credit_notes,
    credit_notes::CreditTo,
    customers,
    model::{
        Card, Charge, Customer, DisputeStatus, Interval, Invoice, Line, Metadata, PauseBehavior,
        Price, Session, SessionStatus, Subscription,
    },
    pages,
    payments::{disputes, refunds},
    refusal::Refusal,
    state::State,
    subscriptions,
    table::Row,
};

/// A subscription, in short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionView {
    /// Its id.
    pub id: String,
    /// Its status, in Stripe's word.
    pub status: String,
    /// The price that it is at.
    pub price: String,
    /// Beginning of the period, Unix seconds.
    pub period_start: i64,
    /// Its end.
    pub period_end: i64,
    /// Whether it ends with the period.
    pub cancel_at_period_end: bool,
}

/// An invoice, in short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvoiceView {
    /// Its id.
    pub id: String,
    /// Its number, once it is finalized.
    pub number: Option<String>,
    /// Its status, in Stripe's word.
    pub status: String,
    /// Of all lines together.
    pub total: i64,
    /// What is or was to be paid.
    pub amount_due: i64,
    /// What has been paid.
    pub amount_paid: i64,
    /// When it was made, Unix seconds.
    pub created: i64,
    /// When it is tried next, or finalized.
    pub next_payment_attempt: Option<i64>,
}

/// A charge, in short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChargeView {
    /// Its id.
    pub id: String,
    /// In cents.
    pub amount: i64,
    /// How much of it was given back.
    pub amount_refunded: i64,
    /// Whether it succeeded.
    pub paid: bool,
    /// Whether there is or was a dispute of it.
    pub disputed: bool,
    /// When it was tried, Unix seconds.
    pub created: i64,
}

/// A refund, in short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundView {
    /// Its id.
    pub id: String,
    /// The charge of which it gives back.
    pub charge: String,
    /// In cents.
    pub amount: i64,
    /// When it was made, Unix seconds.
    pub created: i64,
    /// Whether the bank has sent it back.
    pub has_failed: bool,
}

/// Money of one customer, in cents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Of all charges that succeeded.
    pub charged: i64,
    /// Of all refunds that have not failed.
    pub refunded: i64,
}

impl Stripe {
    /// Pays at the checkout page: the address to which the person is sent back.
    pub fn pay(&self, session: &str, card: Card) -> Result<String> {
        self.act(|state| checkout::complete(state, session, card))
    }

    /// Lets an open session run out now.
    pub fn abandon(&self, session: &str) -> Result<()> {
        self.act(|state| {
            let found = state.find::<Session>(session)?;
            if found.status != SessionStatus::Open {
                return Err(Refusal::invalid("The session is not open."));
            }
            checkout::run_out(state, session);
            Ok(())
        })
    }

    /// Makes `card` the one that the customer pays with from now on, bad ones too.
    pub fn set_card(&self, customer: &str, card: Card) -> Result<()> {
        self.act(|state| {
            customers::existing(state, customer)?;
            checkout::attach(state, customer, card);
            Ok(())
        })
    }

    /// Takes the customer's card away.
    pub fn remove_card(&self, customer: &str) -> Result<()> {
        self.act(|state| {
            customers::existing(state, customer)?;
            state.update::<Customer>(customer, |it| {
                it.card = None;
                it.payment_method = None;
            });
            Ok(())
        })
    }

    /// Lets the customer's running subscriptions end with their periods, as the portal does.
    pub fn cancel_at_period_end(&self, customer: &str) -> Result<()> {
        self.act(|state| portal_mark(state, customer, true))
    }

    /// Takes that back.
    pub fn keep_after_period_end(&self, customer: &str) -> Result<()> {
        self.act(|state| portal_mark(state, customer, false))
    }

    /// Ends a subscription now, from the dashboard.
    pub fn cancel(&self, subscription: &str) -> Result<()> {
        self.act(|state| {
            state.find::<Subscription>(subscription)?;
            subscriptions::end(state, subscription, Some("cancellation_requested"));
            Ok(())
        })
    }

    /// Stops a subscription: its status is `paused`.
    pub fn pause(&self, subscription: &str) -> Result<()> {
        self.act(|state| {
            state.find::<Subscription>(subscription)?;
            subscriptions::pause(state, subscription);
            Ok(())
        })
    }

    /// Begins a new cycle of a paused subscription.
    pub fn resume(&self, subscription: &str) -> Result<()> {
        self.act(|state| {
            let it = state.find::<Subscription>(subscription)?;
            subscriptions::go_on(state, it);
            Ok(())
        })
    }

    /// Voids an open invoice, from the dashboard.
    pub fn void(&self, invoice: &str) -> Result<()> {
        self.act(|state| {
            state.find::<Invoice>(invoice)?;
            billing::void(state, invoice);
            Ok(())
        })
    }

    /// The card's holder confirms the payment of an open invoice, on its page.
    pub fn confirm(&self, invoice: &str) -> Result<()> {
        self.act(|state| pages::invoice::confirm(state, invoice))
    }

    /// Stops collecting the subscription's payments, or collects them again, from the dashboard.
    pub fn pause_collection(
        &self,
        subscription: &str,
        behavior: Option<PauseBehavior>,
    ) -> Result<()> {
        self.act(|state| {
            state.find::<Subscription>(subscription)?;
            state.update::<Subscription>(subscription, |it| it.pause_collection = behavior);
            Ok(())
        })
    }

    /// Moves a subscription to a new price of its product, from the dashboard: one of a year begins now and
    /// is charged at once, one of a month counts from the next invoice on. The price's id.
    pub fn move_to_price(
        &self,
        subscription: &str,
        unit_amount: i64,
        is_yearly: bool,
    ) -> Result<String> {
        self.act(|state| {
            let old = state.find::<Subscription>(subscription)?;
            let price = state.find::<Price>(&old.price)?;
            let id = state.id(Price::PREFIX);
            let interval = if is_yearly { Interval::Year } else { Interval::Month };
            let (created, new) = (state.now, id.clone());
            let price = Price { id, created, unit_amount, interval, lookup_key: None, ..price };
            state.announce(price, "price.created");
            subscriptions::move_to(state, subscription, &new)?;
            Ok(new)
        })
    }

    /// The cardholder's bank disputes a charge: the dispute's id.
    pub fn dispute(&self, charge: &str) -> Result<String> {
        self.act(|state| disputes::open(state, charge, DisputeStatus::NeedsResponse))
    }

    /// The cardholder's bank asks about a charge, and takes nothing: the dispute's id.
    pub fn inquire(&self, charge: &str) -> Result<String> {
        self.act(|state| disputes::open(state, charge, DisputeStatus::Inquiry))
    }

    /// The bank decides a dispute. An inquiry can only be closed for us.
    pub fn close_dispute(&self, dispute: &str, is_won: bool) -> Result<()> {
        self.act(|state| disputes::close(state, dispute, is_won))
    }

    /// Gives a part of a charge back, from the dashboard: the refund's id.
    pub fn refund_from_dashboard(&self, charge: &str, amount: i64) -> Result<String> {
        self.act(|state| {
            let charge = state.find::<Charge>(charge)?;
            refunds::give_back(state, &charge, Some(amount), None, Metadata::new())
        })
    }

    /// The bank of the customer sends a refund back.
    pub fn fail_refund(&self, refund: &str) -> Result<()> {
        self.act(|state| refunds::fail(state, refund))
    }

    /// Credits a part of an invoice, from the dashboard: the credit note's id.
    pub fn credit(&self, invoice: &str, amount: i64, to: CreditTo) -> Result<String> {
        self.act(|state| credit_notes::issue(state, invoice, amount, to))
    }

    /// Sets a customer's balance, from the dashboard: below zero it pays the next invoices.
    pub fn set_balance(&self, customer: &str, cents: i64) -> Result<()> {
        self.act(|state| {
            customers::existing(state, customer)?;
            state.update::<Customer>(customer, |it| it.balance = cents);
            Ok(())
        })
    }

    /// Adds an item to the customer's next invoice, from the dashboard.
    pub fn add_item(&self, customer: &str, description: &str, amount: i64) -> Result<()> {
        self.act(|state| {
            customers::existing(state, customer)?;
            let (start, end) = (state.now, state.now);
            let own =
                state.subscriptions.iter().find(|it| it.customer == customer && !it.is_over());
            let (subscription, subscription_item) =
                own.map(|it| (it.id.clone(), it.item.clone())).unwrap_or_default();
            let line = Line {
                id: state.id("il_"),
                amount,
                tax: 0,
                description: description.to_owned(),
                start,
                end,
                price: String::new(),
                quantity: 1,
                subscription,
                subscription_item,
                invoice_item: Some(state.id("ii_")),
            };
            state.edit::<Customer>(customer, |it| it.pending.push(line));
            Ok(())
        })
    }

    /// Takes the ids of deleted customers in lists and redactions, or refuses them. Stripe's documents do not
    /// say what the real one does; at first they are refused.
    pub fn know_deleted(&self, knows: bool) {
        self.state().knows_deleted = knows;
    }

    /// What the API shows of an invoice.
    pub fn invoice(&self, id: &str) -> Value {
        self.state().show::<Invoice>(id)
    }

    /// What the API shows of a charge.
    pub fn charge(&self, id: &str) -> Value {
        self.state().show::<Charge>(id)
    }

    /// What the API shows of a subscription.
    pub fn subscription(&self, id: &str) -> Value {
        self.state().show::<Subscription>(id)
    }

    /// Deletes a customer, from the dashboard.
    pub fn delete_customer(&self, customer: &str) -> Result<()> {
        self.act(|state| {
            customers::existing(state, customer)?;
            customers::remove(state, customer);
            Ok(())
        })
    }

    /// The ids of all customers that are not deleted, oldest first.
    pub fn customers(&self) -> Vec<String> {
        let state = self.state();
        state.customers.iter().filter(|it| !it.is_deleted).map(|it| it.id.clone()).collect()
    }

    /// What the API shows of a customer.
    pub fn customer(&self, id: &str) -> Value {
        self.state().show::<Customer>(id)
    }

    /// A customer's subscriptions, ended ones too, oldest first.
    pub fn subscriptions(&self, customer: &str) -> Vec<SubscriptionView> {
        let state = self.state();
        let own = state.subscriptions.iter().filter(|it| it.customer == customer);
        own.map(|it| SubscriptionView {
            id: it.id.clone(),
            status: it.status.name().to_owned(),
            price: it.price.clone(),
            period_start: it.period_start,
            period_end: it.period_end,
            cancel_at_period_end: it.cancel_at_period_end,
        })
        .collect()
    }

    /// A customer's invoices, oldest first.
    pub fn invoices(&self, customer: &str) -> Vec<InvoiceView> {
        let state = self.state();
        let own = state.invoices.iter().filter(|it| it.customer == customer);
        own.map(|it| InvoiceView {
            id: it.id.clone(),
            number: it.number.clone(),
            status: it.status.name().to_owned(),
            total: it.total(),
            amount_due: it.amount_due,
            amount_paid: it.amount_paid,
            created: it.created,
            next_payment_attempt: it.next_payment_attempt.or(it.finalizes_at),
        })
        .collect()
    }

    /// A customer's charges, failed ones too, oldest first.
    pub fn charges(&self, customer: &str) -> Vec<ChargeView> {
        let state = self.state();
        let own = state.charges.iter().filter(|it| it.customer == customer);
        own.map(|it| ChargeView {
            id: it.id.clone(),
            amount: it.amount,
            amount_refunded: it.amount_refunded,
            paid: it.is_paid,
            disputed: it.is_disputed,
            created: it.created,
        })
        .collect()
    }

    /// A customer's refunds, oldest first.
    pub fn refunds(&self, customer: &str) -> Vec<RefundView> {
        let state = self.state();
        let is_own = |charge: &str| {
            state.charges.get(charge).is_some_and(|charge| charge.customer == customer)
        };
        let own = state.refunds.iter().filter(|it| is_own(&it.charge));
        own.map(|it| RefundView {
            id: it.id.clone(),
            charge: it.charge.clone(),
            amount: it.amount,
            created: it.created,
            has_failed: it.has_failed,
        })
        .collect()
    }

    /// What a customer has paid and got back.
    pub fn totals(&self, customer: &str) -> Totals {
        let charged = self.charges(customer).iter().filter(|it| it.paid).map(|it| it.amount).sum();
        let refunds = self.refunds(customer);
        let refunded = refunds.iter().filter(|it| !it.has_failed).map(|it| it.amount).sum();
        Totals { charged, refunded }
    }

    fn act<T>(&self, act: impl FnOnce(&mut State) -> Result<T, Refusal>) -> Result<T> {
        self.with(act).map_err(|refusal| anyhow!("Stripe refuses: {}", refusal.body()))
    }
}

/// Marks a customer's running subscriptions to end with their periods, or not to.
pub(super) fn portal_mark(state: &mut State, customer: &str, cancels: bool) -> Result<(), Refusal> {
    customers::existing(state, customer)?;
    let running = state.subscriptions.iter().filter(|it| it.customer == customer && !it.is_over());
    let running: Vec<_> = running.map(|it| it.id.clone()).collect();
    if running.is_empty() {
        return Err(Refusal::invalid("The customer has no running subscription."));
    }
    let now = state.now;
    for id in running {
        state.update::<Subscription>(&id, |it| subscriptions::mark(it, cancels, now));
    }
    Ok(())
}
