//! Hourly: deletes API logs before they are older than 30 days.

use vidintel::{
    app::App,
    error::Error,
    jobs::{Report, Run, serve},
    retention::API_LOGS,
    telemetry::Metric,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    serve("purge-api-logs", |app, run| Box::pin(purge(app, run))).await
}

async fn purge(app: &App, run: Run) -> Result<Report, Error> {
    let purged = API_LOGS.run(&app.store, run.time, run.deadline).await?;
    let metrics = vec![
        Metric::count("RetentionDue", purged.due),
        Metric::count("RetentionDeleted", purged.deleted),
        Metric::count("RetentionOverdue", purged.overdue),
        Metric::count("RetentionIncomplete", u64::from(!purged.complete)),
    ];
    Report::new(&purged, metrics)
}
