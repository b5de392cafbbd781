//! Stripe: customers, prices, the checkout, subscriptions with their renewals and prorations, invoices,
//! charges, refunds, disputes and redaction; the pages that a person clicks through; events, and the
//! webhooks that tell of them.
//!
//! It lives by the cloud's clock: what is due happens in [`Stripe::run_due`], or else before the next
//! thing that is asked of it, in either case as at the instant at which it was due. It answers in the forms of one API version and refuses what the real one refuses. What
//! it does not know of the real one (coupons, several items in a subscription, …) is refused as
//! an unknown parameter.

mod api;
mod billing;
mod catalogue;
mod checkout;
mod controls;
mod credit_notes;
mod customers;
mod delivery;
mod events;
mod expand;
mod fault;
mod invoices;
mod lifecycle;
mod list;
mod model;
mod months;
mod pages;
mod params;
mod payments;
mod pending;
mod portal;
mod proration;
mod redaction;
mod refusal;
mod render;
mod render_billing;
mod state;
mod subscriptions;
mod table;
mod tax;
#[cfg(test)]
mod tests;

use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard},
};

use anyhow::{Context, Result};
use axum::{
    Router,
    routing::{any, get, post},
};
use time::OffsetDateTime;

pub use self::{
    controls::{ChargeView, InvoiceView, RefundView, SubscriptionView, Totals},
    credit_notes::CreditTo,
    delivery::{ENDPOINT_EVENTS, EventView, Webhooks},
    events::{API_VERSION, PREVIEW_VERSION},
    fault::Fault,
    model::{AfterRetries, Card, PauseBehavior},
};
use self::{delivery::Office, fault::Faults, state::State};
use crate::clock::Clock;

/// The key that the API takes.
pub const SECRET_KEY: &str = "sk_test_local";
/// What webhooks are signed with.
pub const WEBHOOK_SECRET: &str = "whsec_local";

/// The stand-in. Clones share one state.
#[derive(Clone, Debug)]
pub struct Stripe(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: Clock,
    state: Mutex<State>,
    /// When something is due next, Unix seconds.
    next_due: Mutex<Option<i64>>,
    faults: Mutex<Faults>,
    office: Office,
}

impl Stripe {
    /// An empty account that lives by `clock`.
    pub fn new(clock: Clock) -> Self {
        Self(Arc::new(Inner {
            clock,
            state: Mutex::default(),
            next_due: Mutex::default(),
            faults: Mutex::default(),
            office: Office::default(),
        }))
    }

    /// Says where [`Self::router`] is served, for the addresses of the pages.
    pub fn set_url(&self, url: &str) {
        url.trim_end_matches('/').clone_into(&mut self.state().url);
    }

    /// The API under `/v1`, the pages under `/pages`.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/v1/{*path}", any(api::answer))
            .route("/pages/checkout/{id}", get(pages::checkout::show).post(pages::checkout::pay))
            .route("/pages/portal/{id}", get(pages::portal::show))
            .route("/pages/portal/{id}/{action}", post(pages::portal::act))
            .route("/pages/invoices/{id}", get(pages::invoice::show).post(pages::invoice::pay))
            .route("/pages/invoices/{id}/pdf", get(pages::invoice::pdf))
            .with_state(self.clone())
    }

    /// What becomes of subscriptions whose payment has failed to the last.
    pub fn set_after_retries(&self, after: AfterRetries) {
        self.with(|state| state.after_retries = after);
    }

    /// The instant of the next thing that happens by itself, if any is to come.
    pub fn next_due(&self) -> Option<OffsetDateTime> {
        let at = *self.0.next_due.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        at.and_then(|at| OffsetDateTime::from_unix_timestamp(at).ok())
    }

    /// Does everything that is due up to `now`, in order, each thing as at its own instant.
    pub fn run_due(&self, now: OffsetDateTime) {
        self.with(|state| lifecycle::run(state, now.unix_timestamp()));
    }

    /// Writes everything down.
    pub fn save(&self, file: &Path) -> Result<()> {
        let text = serde_json::to_vec(&*self.state())?;
        // Written beside it first: a start in between finds the old file or the new one.
        let beside = file.with_extension("new");
        std::fs::write(&beside, text)
            .and_then(|()| std::fs::rename(&beside, file))
            .with_context(|| format!("{} cannot be written", file.display()))
    }

    /// Takes up what [`Self::save`] has written, where it has.
    pub fn load(&self, file: &Path) -> Result<()> {
        if !file.is_file() {
            return Ok(());
        }
        let mut saved: State = serde_json::from_slice(&std::fs::read(file)?)
            .with_context(|| format!("{} is damaged", file.display()))?;
        self.with(|state| {
            saved.url = std::mem::take(&mut state.url);
            // Whoever was to be told of these may not have been.
            saved.news =
                saved.events.iter().filter(|it| it.is_pending).map(|it| it.id.clone()).collect();
            *state = saved;
        });
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Does something at the present time, after what was due before, and hands on what has happened.
    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state();
        let now = self.0.clock.now().unix_timestamp();
        if self.next_due().is_some_and(|at| at.unix_timestamp() <= now) {
            lifecycle::run(&mut state, now);
        }
        state.now = now;
        let outcome = act(&mut state);
        let next = lifecycle::next(&state).map(|(at, _)| at);
        *self.0.next_due.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = next;
        let news = std::mem::take(&mut state.news);
        // Under the lock of the state: events are delivered in the order of their making.
        self.0.office.take_in(news);
        outcome
    }
}
