//! Every minute: drains the log streams into the table, settles quotas, takes back idle leases.

use vidintel::{
    app::App,
    error::Error,
    jobs::{Report, Run, serve},
    telemetry::Metric,
    usage,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    serve("roll-up-usage", |app, run| Box::pin(roll_up(app, run))).await
}

async fn roll_up(app: &App, run: Run) -> Result<Report, Error> {
    let done = usage::roll_up(app, run.time).await?;
    let metrics = vec![
        Metric::seconds("UsageLogAgeSeconds", done.oldest_seconds),
        Metric::count("UsageEntriesUnreadable", done.unreadable as u64),
        Metric::count("GatesCorrected", done.leases.corrected as u64),
    ];
    Report::new(&done, metrics)
}
