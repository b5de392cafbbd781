//! Every minute: moves the log streams into the table and settles quotas.

use futures_util::future::join;
use time::OffsetDateTime;
use vidintel::{
    app::App,
    error::Error,
    jobs::{Report, Run, serve},
    program::Ended,
    telemetry::Metric,
    usage,
    video::Spent,
};

/// Carries out the runs.
pub fn main() -> Ended {
    serve("roll-up-usage", |app, run| Box::pin(roll_up(app, run)))
}

/// What the day's Research allowance has been spent of, where Research is on.
async fn spent(app: &App, now: OffsetDateTime) -> Result<Option<Spent>, Error> {
    app.sources().await?.spent(now).await
}

async fn roll_up(app: &App, run: Run) -> Result<Report, Error> {
    // Side by side: the run may take all of its time.
    let (done, spent) =
        join(usage::roll_up(app, run.time, run.deadline), spent(app, run.time)).await;
    let done = done?;
    let mut metrics = vec![
        Metric::seconds("UsageLogAgeSeconds", done.oldest_seconds),
        Metric::count("UsageEntriesUnreadable", done.unreadable as u64),
        Metric::count("UsageAccountsFailing", done.failed as u64),
    ];
    match spent {
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
