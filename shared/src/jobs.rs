//! Runs a scheduled job: its `main` in one call.

use std::time::{Duration, Instant, SystemTime};

use futures_util::future::BoxFuture;
use lambda_runtime::{Diagnostic, LambdaEvent, run, service_fn};
use serde::Serialize;
use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    app::App,
    error::Error,
    program::{Ended, drive},
    telemetry::{self, Metric},
};

/// Time kept back for finishing in good order.
const MARGIN: Duration = Duration::from_secs(10);

/// One run of a job.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// The time it runs for: EventBridge's, whenever the run really happens.
    pub time: OffsetDateTime,
    /// When to stop in good order.
    pub deadline: Instant,
}

/// What a run came to: returned to whoever invoked it, and as metrics.
#[derive(Debug)]
pub struct Report {
    result: Value,
    metrics: Vec<Metric>,
}

impl Report {
    /// Returns `result` and publishes `metrics`.
    pub fn new(result: &impl Serialize, metrics: Vec<Metric>) -> Result<Self, Error> {
        Ok(Self { result: serde_json::to_value(result).map_err(Error::internal)?, metrics })
    }
}

/// Runs `job` (`|app, run| Box::pin(work(app, run))`) for each event of its schedule until Lambda ends
/// the environment. `name` is the metrics' dimension.
pub fn serve(
    name: &'static str,
    job: impl for<'a> Fn(&'a App, Run) -> BoxFuture<'a, Result<Report, Error>>,
) -> Ended {
    telemetry::init();
    drive(serve_job(name, &job))
}

type Job<'j> = dyn for<'a> Fn(&'a App, Run) -> BoxFuture<'a, Result<Report, Error>> + 'j;

async fn serve_job(name: &'static str, job: &Job<'_>) -> Ended {
    let app = &App::from_env()?;
    run(service_fn(move |event: LambdaEvent<Value>| async move {
        let time = event_time(&event.payload)?;
        let deadline = deadline(&event.payload, event.context.deadline());
        let report = job(app, Run { time, deadline }).await?;
        telemetry::metrics(time.unix_timestamp() * 1000, name, &report.metrics);
        Ok::<_, Error>(report.result)
    }))
    .await
}

impl From<Error> for Diagnostic {
    /// A stable type to tell a passing fault from one of ours by.
    fn from(error: Error) -> Self {
        let error_type = match &error {
            Error::Unavailable { .. } => "Unavailable",
            _ => "Fault",
        };
        Self { error_type: error_type.to_owned(), error_message: error.to_string() }
    }
}

/// The `time` of an EventBridge event.
pub(crate) fn event_time(event: &Value) -> Result<OffsetDateTime, Error> {
    event["time"]
        .as_str()
        .and_then(|text| OffsetDateTime::parse(text, &Rfc3339).ok())
        .ok_or_else(|| Error::internal("the event has no `time`; send one of EventBridge's form"))
}

/// When to stop, given when Lambda will end the invocation; sooner where the event has `seconds`, since an
/// operator who runs it by hand waits on a silent connection.
pub(crate) fn deadline(event: &Value, end: SystemTime) -> Instant {
    let left = end.duration_since(SystemTime::now()).unwrap_or_default().saturating_sub(MARGIN);
    let asked = event["seconds"].as_u64().map_or(left, Duration::from_secs);
    Instant::now() + left.min(asked)
}
