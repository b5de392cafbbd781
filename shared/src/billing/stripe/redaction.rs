//! Redaction: takes what is personal out of a customer's payments at Stripe. A preview, so async-stripe does
//! not have it (docs.stripe.com/api/privacy/redaction-job).

use serde::Serialize;
use stripe::{IdempotencyKey, RequestStrategy};
use stripe_client_core::{RequestBuilder, StripeMethod};

use super::{Stripe, failed, missing};
use crate::error::Error;

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
}

#[derive(miniserde::Deserialize)]
struct Job {
    id: String,
    status: String,
}

impl From<Job> for Redaction {
    fn from(it: Job) -> Self {
        let state = match it.status.as_str() {
            "ready" => RedactionState::Ready,
            "succeeded" => RedactionState::Done,
            "failed" | "canceled" | "canceling" => RedactionState::Refused,
            _ => RedactionState::Working,
        };
        Self { id: it.id, state }
    }
}

#[derive(Serialize)]
struct Objects<'a> {
    objects: Customers<'a>,
    validation_behavior: &'static str,
}

#[derive(Serialize)]
struct Customers<'a> {
    customers: &'a [String],
}

impl Stripe {
    /// Has Stripe look whether these customers can be redacted. `key` makes it one look.
    pub async fn create_redaction(
        &self,
        customers: &[String],
        key: &str,
    ) -> Result<Redaction, Error> {
        let form = Objects { objects: Customers { customers }, validation_behavior: "fix" };
        let request =
            RequestBuilder::new(StripeMethod::Post, "/privacy/redaction_jobs").form(&form);
        let key = IdempotencyKey::new(key).map_err(Error::internal)?;
        let request = request.customize::<Job>().request_strategy(RequestStrategy::Idempotent(key));
        request.send(&self.client).await.map(Into::into).map_err(failed)
    }

    /// Where a redaction stands; `None` if there is no such one.
    pub async fn redaction(&self, id: &str) -> Result<Option<Redaction>, Error> {
        let path = format!("/privacy/redaction_jobs/{id}");
        let request = RequestBuilder::new(StripeMethod::Get, path).customize::<Job>();
        missing(request.send(&self.client).await).map(|job| job.map(Into::into))
    }

    /// Starts a redaction that is ready. It cannot be undone.
    pub async fn run_redaction(&self, id: &str) -> Result<(), Error> {
        let path = format!("/privacy/redaction_jobs/{id}/run");
        let key = IdempotencyKey::new(format!("run {id}")).map_err(Error::internal)?;
        let request = RequestBuilder::new(StripeMethod::Post, path).customize::<Job>();
        let request = request.request_strategy(RequestStrategy::Idempotent(key));
        request.send(&self.client).await.map(drop).map_err(failed)
    }
}
