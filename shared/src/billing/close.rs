//! What ends with an account.

use time::OffsetDateTime;

use super::stripe::{Bought, InvoiceStatus, Stripe};
use crate::error::Error;

/// Ends whatever `customer` could still be charged for: open checkouts, subscriptions, open invoices.
/// Nothing is given back by it. Doing it again does nothing.
pub async fn stop(stripe: &Stripe, customer: &str) -> Result<(), Error> {
    // First, so that no subscription begins behind the ones that are ended.
    stripe.expire_checkouts(customer).await?;
    for bought in stripe.subscriptions(customer).await?.iter().filter(|it| it.is_open()) {
        stripe.cancel(&bought.id).await?;
    }
    for invoice in stripe.invoices(customer).await? {
        if invoice.status == InvoiceStatus::Open {
            stripe.void(&invoice.id).await?;
        }
    }
    Ok(())
}

/// Closes what `customer` could still pay on a page: open checkouts, and larger plans that wait for a payment to be
/// confirmed. What it has bought so far.
pub async fn stop_open(stripe: &Stripe, customer: &str) -> Result<Vec<Bought>, Error> {
    stripe.expire_checkouts(customer).await?;
    let bought = stripe.subscriptions(customer).await?;
    for bought in bought.iter().filter(|it| it.pending.is_some()) {
        if let Some(invoice) = &bought.latest_invoice {
            stripe.void(invoice).await?;
        }
    }
    Ok(bought)
}

/// Lets whatever would renew end with its period, so that `customer` is charged for no further one.
pub async fn stop_renewals(
    stripe: &Stripe,
    customer: &str,
    now: OffsetDateTime,
) -> Result<(), Error> {
    let bought = stop_open(stripe, customer).await?;
    for renewing in bought.iter().filter(|it| it.is_open() && it.cancel_at.is_none()) {
        // Another one each time: to set it again does nothing, and a failure would be remembered with it.
        let key = format!("no renewal {} {}", renewing.id, now.unix_timestamp());
        stripe.cancel_at_period_end(&renewing.id, true, &key).await?;
    }
    Ok(())
}

/// When `customer` last paid or tried to, or was given something back (epoch seconds).
pub async fn last_payment(stripe: &Stripe, customer: &str) -> Result<Option<i64>, Error> {
    let mut last = None;
    for charge in stripe.charges(customer).await? {
        last = last.max(Some(charge.created));
        if charge.has_refunds {
            let refunds = stripe.refunds(&charge.id).await?;
            last = last.max(refunds.iter().map(|it| it.created).max());
        }
    }
    Ok(last)
}
