//! What an erasure does at the payment processor, before anything is deleted here: as long as Stripe does
//! not answer, the erasure does not go on, so that nobody is charged for an account that is gone. Who never
//! was a customer there costs no call, and needs no Stripe.

use std::time::Duration as Wait;

use time::{Duration, OffsetDateTime};
use tokio::time::timeout;

use super::request::{Request, load, put_new, save};
use crate::{
    accounts::{self, Account},
    app::App,
    billing::{
        self, Stripe,
        record::{self, RecordKind},
    },
    error::Error,
    ids::{AccountId, RequestId},
    store::Store,
};

/// How long after the last payment it is redacted. Stripe takes it from 90 days on; a payment that is redacted is
/// lost in a dispute, and banks take disputes for 120 days (docs.stripe.com/privacy/redaction).
pub(super) const REDACTED_AFTER: Duration = Duration::days(120);

/// How long the request of a deletion waits for Stripe: the function has ten seconds.
const CLOSING: Wait = Wait::from_secs(4);

/// Closes the pages on which `account` could still buy something. As long as Stripe does not answer, the deletion
/// is asked for all the same, and the erasure closes them.
pub(super) async fn close_pages(app: &App, account: &Account) {
    let Some(customer) = &account.customer else { return };
    let closed = async { billing::stop_open(&app.stripe().await?, customer).await.map(drop) };
    match timeout(CLOSING, closed).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::warn!(error = %error, "pages to pay on stay open until the deletion begins");
        }
        Err(_) => tracing::warn!("pages to pay on stay open: Stripe does not answer"),
    }
}

/// Ends what could still be charged, and writes down what follows.
pub(super) async fn stop(app: &App, account: &AccountId, now: OffsetDateTime) -> Result<(), Error> {
    let Some(customer) = customer(&app.store, account).await? else { return Ok(()) };
    let stripe = app.stripe().await?;
    if stripe.customer(&customer).await?.is_some() {
        billing::stop(&stripe, &customer).await?;
    }
    billing::sync_account(app, account, &customer, now).await.map(drop)
}

/// While a legal hold keeps the account: whoever has asked to go is charged for no further period.
pub(super) async fn stop_renewals(
    app: &App,
    account: &AccountId,
    now: OffsetDateTime,
) -> Result<(), Error> {
    let Some(customer) = customer(&app.store, account).await? else { return Ok(()) };
    billing::stop_renewals(&app.stripe().await?, &customer, now).await
}

/// Deletes the customer with cards and address, after what was paid has been written down, and opens the
/// request for what Stripe keeps for now.
pub(super) async fn delete_customer(
    app: &App,
    erasure: &mut Request,
    now: OffsetDateTime,
) -> Result<(), Error> {
    let (customers, present) = match accounts::get(&app.store, &erasure.account).await? {
        Some(account) => {
            let past = account.past_customers.into_iter();
            (past.chain(account.customer.clone()).collect(), account.customer)
        }
        // It lost its item in a restore; the request knows whom it is about.
        None => (erasure.customers.clone(), erasure.customers.last().cloned()),
    };
    if customers.is_empty() {
        return Ok(());
    }
    let stripe = app.stripe().await?;
    let mut left = None;
    if let Some(customer) = present
        && stripe.customer(&customer).await?.is_some()
    {
        // A checkout that was being paid while the others were closed has become a subscription.
        billing::stop(&stripe, &customer).await?;
        billing::sync_account(app, &erasure.account, &customer, now).await?;
        left = Some(customer);
    }
    open_remainder(app, &stripe, erasure, customers, now).await?;
    match left {
        Some(customer) => stripe.delete_customer(&customer).await,
        None => Ok(()),
    }
}

/// The request for what Stripe keeps for now, if the erasure has opened one.
pub(super) async fn remainder(store: &Store, erasure: &Request) -> Result<Option<Request>, Error> {
    match &erasure.remainder {
        Some(id) => load(store, id).await,
        None => Ok(None),
    }
}

/// Its id is stored with the erasure first, so that it is opened once.
async fn open_remainder(
    app: &App,
    stripe: &Stripe,
    erasure: &mut Request,
    customers: Vec<String>,
    now: OffsetDateTime,
) -> Result<(), Error> {
    let id = match &erasure.remainder {
        Some(id) => id.clone(),
        None => {
            let id = RequestId::random();
            erasure.remainder = Some(id.clone());
            save(&app.store, erasure).await?;
            id
        }
    };
    let mut last = None;
    for customer in &customers {
        last = last.max(billing::last_payment(stripe, customer).await?);
    }
    // Of a customer that was deleted there, Stripe may tell nothing any more; our own records do. They name its
    // invoices and payments, by which these can be redacted if not by the customer.
    let records = record::of_account(&app.store, &erasure.account).await?;
    let paid = records.iter().filter(|it| it.kind.money(1) != 0);
    last = last.max(paid.map(|it| it.issued_at).max());
    let mut objects: Vec<String> = records
        .iter()
        .flat_map(|it| match it.kind {
            RecordKind::Invoice => Some(it.source.clone()),
            _ => it.payment_intent.clone(),
        })
        .collect();
    objects.sort_unstable();
    objects.dedup();
    let last = last.and_then(|at| OffsetDateTime::from_unix_timestamp(at).ok()).unwrap_or(now);
    // Not before the customer is deleted.
    let run = (last + REDACTED_AFTER).max(now + Duration::DAY);
    let whom = (customers, objects);
    put_new(&app.store, &Request::redaction(id, erasure, whom, run, now)).await
}

async fn customer(store: &Store, account: &AccountId) -> Result<Option<String>, Error> {
    Ok(accounts::get(store, account).await?.and_then(|it| it.customer))
}
