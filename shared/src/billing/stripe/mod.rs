//! Stripe, through async-stripe. Reads are tried again; each change carries an idempotency key, so that
//! doing it again does nothing, and its caller tries again.

mod changes;
mod objects;
mod permissions;
mod preview;
mod redaction;
mod wire;

use std::time::Duration;

use secrecy::ExposeSecret;
use stripe::{ApiErrorsCode, Client, ClientBuilder, RequestStrategy, StripeError};
use stripe_client_core::{RequestBuilder, StripeMethod};

use self::preview::Preview;
use self::wire::{
    ChargeWire, CreditNoteWire, CustomerWire, DisputeWire, InvoiceWire, Listed, RefundWire,
    SubscriptionWire, ask, read,
};
pub use self::{
    changes::{CheckoutOrder, Failed, OpenCheckout, PriceChange, Session},
    objects::{
        ACCOUNT, Bought, Charge, CreditNote, Customer, Dispute, Invoice, InvoiceStatus, KEEP_PLAN,
        KEEP_PRICE, KEEP_UNTIL, LAST_CHANGE, Line, Paid, Refund,
    },
    redaction::{MOST_OBJECTS, Redaction, RedactionState},
    wire::Read,
};
use super::BillingError;
use crate::{error::Error, secrets::StripeCredentials};

/// Longest wait for one answer.
const TIMEOUT: Duration = Duration::from_secs(6);

/// A client of Stripe. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Stripe {
    client: Client,
    preview: Preview,
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
        Ok(Self { client, preview: Preview::new(credentials, url)? })
    }

    /// The customer; `None` if there is none, or none any more.
    pub async fn customer(&self, id: &str) -> Result<Option<Customer>, Error> {
        let Some(found) = missing(ask(self, get(&format!("/customers/{id}"))).await)? else {
            return Ok(None);
        };
        let found: CustomerWire = read(found)?;
        Ok((found.deleted != Some(true)).then(|| found.into()))
    }

    /// Whether there was such a customer and it has been deleted.
    pub async fn is_deleted(&self, id: &str) -> Result<bool, Error> {
        let found = missing(ask(self, get(&format!("/customers/{id}"))).await)?;
        let found: Option<CustomerWire> = found.map(read).transpose()?;
        Ok(found.is_some_and(|it| it.deleted == Some(true)))
    }

    /// Every subscription that the customer ever had.
    pub async fn subscriptions(&self, customer: &str) -> Result<Vec<Bought>, Error> {
        self.read_subscriptions(customer).await?.whole()
    }

    /// As [`Self::subscriptions`], without those that were not understood.
    pub async fn read_subscriptions(&self, customer: &str) -> Result<Read<Bought>, Error> {
        let listed = Listed { customer: Some(customer), status: Some("all"), ..Listed::default() };
        let found = self.list::<SubscriptionWire>("/subscriptions", listed).await;
        found.map(|it| it.each(Into::into)).map_err(failed)
    }

    /// Every invoice of the customer, with its lines and payments.
    pub async fn invoices(&self, customer: &str) -> Result<Vec<Invoice>, Error> {
        Ok(self.read_invoices(customer).await?.all)
    }

    /// As [`Self::invoices`]; says too which were not understood.
    pub async fn read_invoices(&self, customer: &str) -> Result<Read<Invoice>, Error> {
        let expand = &["data.payments"];
        let listed = Listed { customer: Some(customer), expand, ..Listed::default() };
        let found = self.list::<InvoiceWire>("/invoices", listed).await.map_err(failed)?;
        self.with_lines(found).await
    }

    /// One invoice.
    pub async fn invoice(&self, id: &str) -> Result<Option<Invoice>, Error> {
        let shown = Listed { expand: &["payments"], ..Listed::default() };
        let request = get(&format!("/invoices/{id}")).query(&shown);
        let Some(found) = missing(ask(self, request).await)? else { return Ok(None) };
        let found = Read { all: vec![read::<InvoiceWire>(found)?], unreadable: Vec::new() };
        Ok(self.with_lines(found).await?.whole()?.pop())
    }

    /// Every payment of the customer, tried or done.
    pub async fn charges(&self, customer: &str) -> Result<Vec<Charge>, Error> {
        Ok(self.read_charges(customer).await?.all)
    }

    /// As [`Self::charges`]; says too which were not understood.
    pub async fn read_charges(&self, customer: &str) -> Result<Read<Charge>, Error> {
        let expand = &["data.refunds"];
        let listed = Listed { customer: Some(customer), expand, ..Listed::default() };
        let found = self.list::<ChargeWire>("/charges", listed).await;
        found.map(|it| it.each(Into::into)).map_err(failed)
    }

    /// Every credit note of the customer; says too which were not understood.
    pub async fn read_credit_notes(&self, customer: &str) -> Result<Read<CreditNote>, Error> {
        let listed = Listed { customer: Some(customer), ..Listed::default() };
        let found = self.list::<CreditNoteWire>("/credit_notes", listed).await;
        found.map(|it| it.each(Into::into)).map_err(failed)
    }

    /// Whose payment it is (`cus_…`), if anybody's.
    pub async fn payer(&self, charge: &str) -> Result<Option<String>, Error> {
        let found = missing(ask(self, get(&format!("/charges/{charge}"))).await)?;
        Ok(found.map(read::<ChargeWire>).transpose()?.and_then(ChargeWire::customer))
    }

    /// What was given back of a payment.
    pub async fn refunds(&self, charge: &str) -> Result<Vec<Refund>, Error> {
        self.read_refunds(charge).await?.whole()
    }

    /// As [`Self::refunds`]; says too which were not understood.
    pub async fn read_refunds(&self, charge: &str) -> Result<Read<Refund>, Error> {
        let listed = Listed { charge: Some(charge), ..Listed::default() };
        let found = self.list::<RefundWire>("/refunds", listed).await;
        found.map(|it| it.each(Into::into)).map_err(failed)
    }

    /// Disputes about a payment.
    pub async fn disputes(&self, charge: &str) -> Result<Vec<Dispute>, Error> {
        self.read_disputes(charge).await?.whole()
    }

    /// As [`Self::disputes`]; says too which were not understood.
    pub async fn read_disputes(&self, charge: &str) -> Result<Read<Dispute>, Error> {
        let listed = Listed { charge: Some(charge), ..Listed::default() };
        let found = self.list::<DisputeWire>("/disputes", listed).await;
        found.map(|it| it.each(Into::into)).map_err(failed)
    }
}

fn get(path: &str) -> RequestBuilder {
    RequestBuilder::new(StripeMethod::Get, path)
}

/// Whether Stripe refuses because there is no such customer, or none any more.
fn is_unknown_customer(error: &StripeError) -> bool {
    is_unknown(error, "customer")
}

/// Whether Stripe refuses because there is nothing with the id in a parameter whose name begins so.
fn is_unknown(error: &StripeError, param: &str) -> bool {
    let StripeError::Stripe(error, 400) = error else { return false };
    let is_missing = error.code == Some(stripe::ApiErrorsCode::ResourceMissing);
    is_missing && error.param.as_deref().is_some_and(|it| it.starts_with(param))
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

/// Whether Stripe has answered, and will answer the same idempotency key so again: not where it had no time for the
/// request, or is at an earlier one of the same key.
fn is_final(error: &StripeError) -> bool {
    matches!(error, StripeError::Stripe(_, status) if !matches!(status, 409 | 429))
}

/// Stripe's refusals as ours. Its own messages may quote what was sent, so they stay out of the log.
fn failed(error: StripeError) -> Error {
    match error {
        StripeError::Stripe(error, 402) if must_confirm(&error) => BillingError::MustConfirm.into(),
        // The event of it takes the customer off the account.
        gone if is_unknown_customer(&gone) => Error::Unavailable {
            dependency: "Stripe",
            detail: "the customer was deleted there a moment ago".to_owned(),
        },
        StripeError::Stripe(error, 402) => {
            tracing::info!(code = ?error.code, "a card was declined");
            BillingError::CardDeclined.into()
        }
        StripeError::Stripe(error, status) => {
            let mut detail = format!("{status} {:?} {:?}", error.type_, error.code);
            // It names the permission that the key lacks, and no customer.
            if let (403, Some(message)) = (status, &error.message) {
                detail = format!("{detail} {message}");
            }
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
