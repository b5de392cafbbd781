//! Every 5 minutes: takes each deletion whose grace period is over as far as it goes.

use vidintel::{
    app::App,
    error::Error,
    jobs::{Report, Run, serve},
    privacy::process,
    telemetry::Metric,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    serve("process-deletions", |app, run| Box::pin(run_once(app, run))).await
}

async fn run_once(app: &App, run: Run) -> Result<Report, Error> {
    let processed = process(app, run.time, run.deadline).await?;
    let mut metrics = vec![
        Metric::count("ErasuresDone", processed.done),
        Metric::count("ErasuresFailed", processed.failed),
        Metric::count("ErasuresStuck", processed.stuck),
    ];
    if let Some(left) = processed.seconds_left {
        metrics.push(Metric::seconds("ErasureSecondsLeft", left.max(0).unsigned_abs()));
    }
    Report::new(&processed, metrics)
}
