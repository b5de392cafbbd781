//! Runs an operator's function: invoked by hand through IAM, never by a route or a schedule.

use std::time::Instant;

use futures_util::future::BoxFuture;
use lambda_runtime::{LambdaEvent, run, service_fn};
use serde::de::DeserializeOwned;
use serde_json::Value;
use time::OffsetDateTime;

use crate::{
    app::App,
    error::Error,
    jobs::{event_time, stop_before},
    telemetry,
};

/// What the operator asks for.
#[derive(Debug)]
pub struct Order {
    /// The time it is, from the event as for every other rule.
    pub time: OffsetDateTime,
    /// When to stop in good order.
    pub deadline: Instant,
    event: Value,
}

impl Order {
    /// The event's other fields.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Error> {
        T::deserialize(&self.event)
            // The message names fields and types; the operator wrote the values.
            .map_err(|error| Error::internal(format!("the event is not valid: {error}")))
    }
}

/// Carries out `work` (`|app, order| Box::pin(work(app, order))`) for each event.
pub async fn serve(
    work: impl for<'a> Fn(&'a App, Order) -> BoxFuture<'a, Result<Value, Error>>,
) -> Result<(), lambda_runtime::Error> {
    telemetry::init();
    let (app, work) = (&App::from_env()?, &work);
    run(service_fn(move |event: LambdaEvent<Value>| async move {
        let time = event_time(&event.payload)?;
        let deadline = stop_before(event.context.deadline());
        work(app, Order { time, deadline, event: event.payload }).await
    }))
    .await
}
