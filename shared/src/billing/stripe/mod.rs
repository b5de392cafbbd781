//! Stripe, through async-stripe. Reads are tried again; each change carries an idempotency key, so that
//! doing it again does nothing, and its caller tries again.

mod changes;
mod objects;
mod redaction;

use std::time::Duration;

use futures_util::TryStreamExt;
use secrecy::ExposeSecret;
use stripe::{ApiErrorsCode, Client, ClientBuilder, RequestStrategy, StripeError};
use stripe_billing::{
    invoice::{ListInvoice, RetrieveInvoice},
    subscription::{ListSubscription, ListSubscriptionStatus},
};
use stripe_core::{
    charge::{ListCharge, RetrieveCharge},
    customer::{RetrieveCustomer, RetrieveCustomerReturned},
    dispute::ListDispute,
    refund::ListRefund,
};

pub use self::{
    changes::{CheckoutOrder, OpenCheckout, PriceChange, Session},
    objects::{
        ACCOUNT, Bought, Charge, Customer, Dispute, Invoice, InvoiceStatus, KEEP_PLAN, KEEP_PRICE,
        KEEP_UNTIL, LAST_CHANGE, Line, Refund,
    },
    redaction::{Redaction, RedactionState},
};
use super::BillingError;
use crate::{error::Error, secrets::StripeCredentials};

/// Everything on a list, page by page: each page is asked for with the list's own conditions.
macro_rules! all {
    ($stripe:expr, $list:expr) => {
        $list.paginate().stream(&$stripe.client).try_collect::<Vec<_>>().await.map_err(failed)
    };
}
use all;

/// Longest wait for one answer.
const TIMEOUT: Duration = Duration::from_secs(6);

/// A client of Stripe. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Stripe {
    client: Client,
}

impl Stripe {
    /// A client with these credentials; `url` is another address than Stripe's, with a final slash.
    pub fn new(credentials: &StripeCredentials, url: Option<&str>) -> Result<Self, Error> {
        let builder = ClientBuilder::new(credentials.secret_key.expose_secret())
            .timeout(TIMEOUT)
            .request_strategy(RequestStrategy::ExponentialBackoff(3));
        let builder = match url {
            Some(url) => builder.url(url),
            None => builder,
        };
        // The error could repeat the key.
        let client = builder
            .build()
            .map_err(|_| Error::internal("the secret's Stripe key cannot be used"))?;
        Ok(Self { client })
    }

    /// The customer; `None` if there is none, or none any more.
    pub async fn customer(&self, id: &str) -> Result<Option<Customer>, Error> {
        match missing(RetrieveCustomer::new(id).send(&self.client).await)? {
            Some(RetrieveCustomerReturned::Customer(it)) => Ok(Some(it.into())),
            Some(RetrieveCustomerReturned::DeletedCustomer(_)) | None => Ok(None),
        }
    }

    /// Every subscription that the customer ever had.
    pub async fn subscriptions(&self, customer: &str) -> Result<Vec<Bought>, Error> {
        let list = ListSubscription::new().customer(customer).status(ListSubscriptionStatus::All);
        all!(self, list.limit(100)).map(|all| all.into_iter().map(Into::into).collect())
    }

    /// Every invoice of the customer, with its payments.
    pub async fn invoices(&self, customer: &str) -> Result<Vec<Invoice>, Error> {
        let list = ListInvoice::new().customer(customer).expand(["data.payments".to_owned()]);
        let all = all!(self, list.limit(100))?;
        Ok(all.into_iter().filter_map(Invoice::read).collect())
    }

    /// One invoice.
    pub async fn invoice(&self, id: &str) -> Result<Option<Invoice>, Error> {
        let expand = ["payments".to_owned()];
        let found = missing(RetrieveInvoice::new(id).expand(expand).send(&self.client).await)?;
        Ok(found.and_then(Invoice::read))
    }

    /// Every payment of the customer, tried or done.
    pub async fn charges(&self, customer: &str) -> Result<Vec<Charge>, Error> {
        let list = ListCharge::new().customer(customer).expand(["data.refunds".to_owned()]);
        let all = all!(self, list.limit(100))?;
        Ok(all.into_iter().map(Into::into).collect())
    }

    /// Whose payment it is (`cus_…`), if anybody's.
    pub async fn payer(&self, charge: &str) -> Result<Option<String>, Error> {
        let found = missing(RetrieveCharge::new(charge).send(&self.client).await)?;
        Ok(found.and_then(|it| it.customer).map(|it| it.into_id().to_string()))
    }

    /// What was given back of a payment.
    pub async fn refunds(&self, charge: &str) -> Result<Vec<Refund>, Error> {
        let all = all!(self, ListRefund::new().charge(charge).limit(100))?;
        Ok(all.into_iter().map(Into::into).collect())
    }

    /// Disputes about a payment.
    pub async fn disputes(&self, charge: &str) -> Result<Vec<Dispute>, Error> {
        let all = all!(self, ListDispute::new().charge(charge).limit(100))?;
        Ok(all.into_iter().map(Into::into).collect())
    }
}

/// What was asked for; `None` where Stripe has no such thing.
fn missing<T>(answer: Result<T, StripeError>) -> Result<Option<T>, Error> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(StripeError::Stripe(_, 404)) => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

/// Whether no card helps: the holder of this one has to confirm the payment with the bank.
fn must_confirm(error: &stripe_shared::ApiErrors) -> bool {
    let code = error.code.as_ref().map(ApiErrorsCode::as_str);
    code.is_some_and(|it| it.ends_with("payment_intent_requires_action"))
}

/// Stripe's refusals as ours. Its own messages may quote what was sent, so they stay out of the log.
fn failed(error: StripeError) -> Error {
    match error {
        StripeError::Stripe(error, 402) if must_confirm(&error) => BillingError::MustConfirm.into(),
        StripeError::Stripe(error, 402) => {
            tracing::info!(code = ?error.code, "a card was declined");
            BillingError::CardDeclined.into()
        }
        StripeError::Stripe(error, status) => {
            let detail = format!("{status} {:?} {:?}", error.type_, error.code);
            match status {
                409 | 429 | 500.. => Error::Unavailable { dependency: "Stripe", detail },
                _ => Error::internal(format!("Stripe refused: {detail}")),
            }
        }
        StripeError::Timeout => {
            Error::Unavailable { dependency: "Stripe", detail: "no answer in time".to_owned() }
        }
        StripeError::ClientError(detail) => Error::Unavailable { dependency: "Stripe", detail },
        other => Error::internal(format!("Stripe was not understood: {other}")),
    }
}
