//! What Stripe answers, as far as it is read. async-stripe's own types insist on every field of an object: one
//! that is missing, and that nothing here goes by, would make the whole answer useless after its change was made.
//! Here a field that is not read does not matter, and an object that cannot be read spoils no other.

mod bought;
mod money;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use stripe_client_core::{RequestBuilder, StripeMethod, StripeRequest};

use self::money::LineWire;
pub(super) use self::{
    bought::{CustomerWire, PriceWire, SessionWire, SubscriptionWire},
    money::{ChargeWire, CreditNoteWire, DisputeWire, InvoiceWire, RefundWire},
};
use super::{
    Stripe, StripeError, failed, is_unknown_customer,
    objects::{Invoice, Line},
};
use crate::error::Error;

/// Objects on a page: the most that Stripe gives.
const PAGE: u8 = 100;

/// Conditions of a list, and what its objects show besides.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Listed<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) customer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) charge: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(super) expand: &'a [&'a str],
}

#[derive(Serialize)]
struct Asked<'a> {
    #[serde(flatten)]
    listed: Listed<'a>,
    limit: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    starting_after: Option<String>,
}

/// What was read of a list.
#[derive(Clone, Debug)]
pub struct Read<T> {
    /// What was understood.
    pub all: Vec<T>,
    /// Ids of what was not.
    pub unreadable: Vec<String>,
}

impl<T> Read<T> {
    /// All of it, understood.
    pub fn of(all: Vec<T>) -> Self {
        Self { all, unreadable: Vec::new() }
    }

    /// All of it, or an error where something was not understood.
    pub(super) fn whole(self) -> Result<Vec<T>, Error> {
        match self.unreadable.is_empty() {
            true => Ok(self.all),
            false => Err(Error::internal("an object of Stripe's was not understood")),
        }
    }

    pub(super) fn each<U>(self, read: impl Fn(T) -> U) -> Read<U> {
        Read { all: self.all.into_iter().map(read).collect(), unreadable: self.unreadable }
    }
}

/// A list in an answer.
#[derive(Deserialize)]
pub(super) struct List<T> {
    data: Vec<T>,
    has_more: Option<bool>,
}

/// A field that holds an id or the object itself.
#[derive(Deserialize)]
#[serde(untagged)]
enum Ref {
    Id(String),
    Object { id: String },
}

impl Ref {
    fn id(self) -> String {
        match self {
            Self::Id(id) | Self::Object { id } => id,
        }
    }
}

/// Sends `request` and gives its answer as it is.
pub(super) async fn ask(stripe: &Stripe, request: RequestBuilder) -> Result<Value, StripeError> {
    let request = request.customize::<miniserde::json::Value>();
    request.send(&stripe.client).await.and_then(plain)
}

/// As [`ask`], sent once under an idempotency key, or without one where doing it again does nothing.
pub(super) async fn change(
    stripe: &Stripe,
    request: &impl StripeRequest,
    strategy: stripe::RequestStrategy,
) -> Result<Value, StripeError> {
    let request = request.build().customize::<miniserde::json::Value>();
    request.request_strategy(strategy).send(&stripe.client).await.and_then(plain)
}

/// miniserde's value as serde's: async-stripe decodes with the one, and only the other has defaults.
fn plain(it: miniserde::json::Value) -> Result<Value, StripeError> {
    serde_json::from_str(&miniserde::json::to_string(&it))
        .map_err(|_| StripeError::JSONDeserialize("an answer is not JSON".to_owned()))
}

/// What is read of one object. The error does not say what was there: it may be personal.
pub(super) fn read<T: DeserializeOwned>(it: Value) -> Result<T, Error> {
    serde_json::from_value(it)
        .map_err(|_| Error::internal("an object of Stripe's was not understood"))
}

impl Stripe {
    /// Everything on a list, page by page.
    pub(super) async fn list<T: DeserializeOwned>(
        &self,
        path: &str,
        listed: Listed<'_>,
    ) -> Result<Read<T>, StripeError> {
        let mut found = Read { all: Vec::new(), unreadable: Vec::new() };
        let mut starting_after = None;
        loop {
            let asked = Asked { listed: listed.clone(), limit: PAGE, starting_after };
            let request = RequestBuilder::new(StripeMethod::Get, path).query(&asked);
            let answer = match ask(self, request).await {
                // Of a customer that was deleted nothing more may be told, and nothing runs.
                Err(error) if is_unknown_customer(&error) => return Ok(found),
                answer => answer?,
            };
            let page: List<Value> = serde_json::from_value(answer).map_err(|_| {
                StripeError::JSONDeserialize("a list was not understood".to_owned())
            })?;
            let last = page.data.last().and_then(id_of);
            for object in page.data {
                let id = id_of(&object).unwrap_or_default();
                match serde_json::from_value(object) {
                    Ok(it) => found.all.push(it),
                    Err(_) => {
                        tracing::error!(path, id, "an object of Stripe's was not understood");
                        found.unreadable.push(id);
                    }
                }
            }
            match last {
                Some(last) if page.has_more == Some(true) => starting_after = Some(last),
                _ => return Ok(found),
            }
        }
    }

    /// The lines of an invoice.
    async fn lines(&self, invoice: &str) -> Result<Read<Line>, Error> {
        let path = format!("/invoices/{invoice}/lines");
        let lines = self.list::<LineWire>(&path, Listed::default()).await.map_err(failed)?;
        Ok(lines.each(Into::into))
    }

    /// The invoices of `read`, with all of their lines. One of which a line was not understood was not either.
    pub(super) async fn with_lines(&self, read: Read<InvoiceWire>) -> Result<Read<Invoice>, Error> {
        let mut found = Read { all: Vec::new(), unreadable: read.unreadable };
        for it in read.all {
            let (id, has_more) = (it.id.clone(), it.has_more_lines());
            let Some(mut invoice) = it.read() else {
                found.unreadable.push(id);
                continue;
            };
            if has_more {
                // What is written down is written once.
                let lines = self.lines(&invoice.id).await?;
                if !lines.unreadable.is_empty() {
                    found.unreadable.push(invoice.id);
                    continue;
                }
                invoice.lines = lines.all;
            }
            found.all.push(invoice);
        }
        Ok(found)
    }
}

fn id_of(object: &Value) -> Option<String> {
    object["id"].as_str().map(str::to_owned)
}
