//! Every minute: drains the log streams into the table, settles quotas, takes back idle leases.

use time::OffsetDateTime;
use vidintel::{
    app::App,
    error::Error,
    jobs::{Report, Run, serve},
    telemetry::Metric,
    usage,
    video::Spent,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    serve("roll-up-usage", |app, run| Box::pin(roll_up(app, run))).await
}

/// What the day's Research allowance has been spent of, where Research is on.
async fn spent(app: &App, now: OffsetDateTime) -> Result<Option<Spent>, Error> {
    app.sources().await?.spent(now).await
}

async fn roll_up(app: &App, run: Run) -> Result<Report, Error> {
    let done = usage::roll_up(app, run.time).await?;
    let mut metrics = vec![
        Metric::seconds("UsageLogAgeSeconds", done.oldest_seconds),
        Metric::count("UsageEntriesUnreadable", done.unreadable as u64),
        Metric::count("GatesCorrected", done.leases.corrected as u64),
    ];
    match spent(app, run.time).await {
        Ok(Some(spent)) => {
            metrics.push(Metric::count("ResearchCallsLeft", spent.calls_left()));
            metrics.push(Metric::count("ResearchRecordsLeft", spent.records_left()));
        }
        Ok(None) => {}
        // The logs are what this job is for.
        Err(error) => tracing::warn!(error = %error, "the Research allowance cannot be told"),
    }
    Report::new(&done, metrics)
}
