//! Redaction: takes what is personal out of a customer's payments at Stripe. A preview, so async-stripe does
//! not have it (docs.stripe.com/api/privacy/redaction-job), and the version that it sends does not reach it.

use serde::Serialize;
use stripe::{IdempotencyKey, RequestStrategy};
use stripe_client_core::{RequestBuilder, StripeMethod};

use super::{Stripe, failed, get, is_unknown, missing, wire::ask};
use crate::error::Error;

/// Objects that one redaction takes (docs.stripe.com/privacy/redaction/example).
pub const MOST_OBJECTS: usize = 10;

/// Where a redaction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RedactionState {
    /// Stripe looks whether it can be done, or does it.
    Working,
    /// It can be done: it must be started.
    Ready,
    /// It cannot be done yet.
    Refused,
    /// Done.
    Done,
}

/// A redaction.
#[derive(Clone, Debug)]
pub struct Redaction {
    /// `prj_…`
    pub id: String,
    /// Where it stands.
    pub state: RedactionState,
    /// Stripe's codes for what is in the way.
    pub hindrances: Vec<String>,
}

#[derive(miniserde::Deserialize)]
struct Job {
    id: String,
    status: String,
    validation_errors: Option<Hindrances>,
}

/// The first ten of them.
#[derive(miniserde::Deserialize)]
struct Hindrances {
    data: Option<Vec<Hindrance>>,
}

#[derive(miniserde::Deserialize)]
struct Hindrance {
    code: Option<String>,
}

impl From<Job> for Redaction {
    fn from(it: Job) -> Self {
        let state = match it.status.as_str() {
            "ready" => RedactionState::Ready,
            "succeeded" => RedactionState::Done,
            "failed" | "canceled" | "canceling" => RedactionState::Refused,
            _ => RedactionState::Working,
        };
        let hindrances = it.validation_errors.and_then(|it| it.data).unwrap_or_default();
        // They go into the log: a code, and nothing else.
        let is_code = |it: &String| it.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        let codes = hindrances.into_iter().filter_map(|it| it.code).filter(is_code);
        Self { id: it.id, state, hindrances: codes.collect() }
    }
}

#[derive(Serialize)]
struct Objects<'a> {
    objects: Named<'a>,
    validation_behavior: &'static str,
}

#[derive(Serialize)]
struct Named<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    customers: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    invoices: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    payment_intents: Vec<&'a str>,
}

impl Stripe {
    /// Has Stripe look whether these objects (customers, invoices, payment intents, [`MOST_OBJECTS`] of them) can
    /// be redacted. `key` makes it one look. `None` where it knows nothing of one of them: a customer that was deleted,
    /// perhaps.
    pub async fn create_redaction(
        &self,
        objects: &[String],
        key: &str,
    ) -> Result<Option<Redaction>, Error> {
        let of = |prefix: &str| -> Vec<&str> {
            objects.iter().map(String::as_str).filter(|it| it.starts_with(prefix)).collect()
        };
        let objects =
            Named { customers: of("cus_"), invoices: of("in_"), payment_intents: of("pi_") };
        let form = Objects { objects, validation_behavior: "fix" };
        let request =
            RequestBuilder::new(StripeMethod::Post, "/privacy/redaction_jobs").form(&form);
        let key = IdempotencyKey::new(key).map_err(Error::internal)?;
        let request = request.customize::<Job>().request_strategy(RequestStrategy::Idempotent(key));
        match request.send(&self.preview).await {
            Ok(job) => Ok(Some(job.into())),
            Err(error) if is_unknown(&error, "objects[") => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }

    /// Whether there is such an invoice (`in_…`) or payment intent (`pi_…`).
    pub async fn knows(&self, id: &str) -> Result<bool, Error> {
        let kind = if id.starts_with("in_") { "invoices" } else { "payment_intents" };
        Ok(missing(ask(self, get(&format!("/{kind}/{id}"))).await)?.is_some())
    }

    /// Where a redaction stands; `None` if there is no such one.
    pub async fn redaction(&self, id: &str) -> Result<Option<Redaction>, Error> {
        let path = format!("/privacy/redaction_jobs/{id}");
        let request = RequestBuilder::new(StripeMethod::Get, path).customize::<Job>();
        missing(request.send(&self.preview).await).map(|job| job.map(Into::into))
    }

    /// Starts a redaction that is ready. It cannot be undone.
    pub async fn run_redaction(&self, id: &str) -> Result<(), Error> {
        let path = format!("/privacy/redaction_jobs/{id}/run");
        let request = RequestBuilder::new(StripeMethod::Post, path).customize::<Job>();
        // Without a key: running it again does nothing, and a failure would be remembered with it for a day.
        let request = request.request_strategy(RequestStrategy::Once);
        request.send(&self.preview).await.map(drop).map_err(failed)
    }
}
