//! Runs an operator's function: invoked by hand through IAM, never by a route or a schedule.

use std::time::{Duration, Instant, SystemTime};

use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use futures_util::future::BoxFuture;
use lambda_runtime::{LambdaEvent, run, service_fn};
use serde::de::DeserializeOwned;
use serde_json::Value;
use time::OffsetDateTime;

use crate::{
    app::App,
    error::Error,
    inventory::Table,
    jobs::{deadline, event_time},
    program::{Ended, drive},
    store::{Store, n, s, unavailable},
    telemetry,
};

/// What the operator asks for.
#[derive(Debug)]
pub struct Order {
    /// The time it is, from the event as for every other rule.
    pub time: OffsetDateTime,
    /// When to stop in good order. `seconds` of the event make it sooner.
    pub deadline: Instant,
    /// How long it may take before Lambda ends it.
    longest: Duration,
    event: Value,
}

impl Order {
    /// The event's other fields.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Error> {
        T::deserialize(&self.event)
            // The message names fields and types; the operator wrote the values.
            .map_err(|error| Error::internal(format!("the event is not valid: {error}")))
    }

    /// Does `work`, unless an earlier order of this `name` is still at it: whoever hears nothing of a long run may
    /// start it again. One that was killed counts as running for as long as Lambda would have let it.
    pub async fn alone<T>(
        &self,
        store: &Store,
        name: &str,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let name = format!("order#{name}");
        let until = self.time + self.longest;
        let begun = store
            .client()
            .put_item()
            .table_name(store.name(Table::Jobs))
            .item("name", s(&name))
            .item("state", s("running"))
            .item("done_to", n(until.unix_timestamp()))
            .condition_expression("attribute_not_exists(done_to) OR done_to <= :now")
            .expression_attribute_values(":now", n(self.time.unix_timestamp()));
        match begun.send().await {
            Ok(_) => {}
            Err(error) if error.code() == Some("ConditionalCheckFailedException") => {
                return Err(Error::internal(
                    "an earlier run is still running, or was killed: look at its log, and try again in a \
                     quarter of an hour at the latest",
                ));
            }
            Err(error) => return Err(unavailable(error)),
        }
        let outcome = work.await;
        let ended = store
            .client()
            .delete_item()
            .table_name(store.name(Table::Jobs))
            .key("name", s(&name))
            // One that counts as killed may have been followed by another, which has not ended.
            .condition_expression("done_to = :until")
            .expression_attribute_values(":until", n(until.unix_timestamp()));
        match ended.send().await {
            Err(error) if error.code() != Some("ConditionalCheckFailedException") => {
                Err(unavailable(error))
            }
            _ => outcome,
        }
    }
}

/// Carries out `work` (`|app, order| Box::pin(work(app, order))`) for each event.
pub fn serve(
    work: impl for<'a> Fn(&'a App, Order) -> BoxFuture<'a, Result<Value, Error>>,
) -> Ended {
    telemetry::init();
    drive(serve_orders(&work))
}

type Work<'w> = dyn for<'a> Fn(&'a App, Order) -> BoxFuture<'a, Result<Value, Error>> + 'w;

async fn serve_orders(work: &Work<'_>) -> Ended {
    let app = &App::from_env()?;
    run(service_fn(move |event: LambdaEvent<Value>| async move {
        let time = event_time(&event.payload)?;
        let end = event.context.deadline();
        let longest = end.duration_since(SystemTime::now()).unwrap_or_default();
        let deadline = deadline(&event.payload, end);
        work(app, Order { time, deadline, longest, event: event.payload }).await
    }))
    .await
}
