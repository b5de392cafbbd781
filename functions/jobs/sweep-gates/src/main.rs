//! Every minute: takes leases back from accounts that have gone quiet, whatever the logs do.

use vidintel::{
    app::App,
    error::Error,
    gate,
    jobs::{Report, Run, serve},
    telemetry::Metric,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    serve("sweep-gates", |app, run| Box::pin(sweep(app, run))).await
}

async fn sweep(app: &App, run: Run) -> Result<Report, Error> {
    let swept = gate::sweep(&app.redis, &app.store, run.time, run.deadline).await?;
    let metrics = vec![
        Metric::count("GatesCorrected", swept.corrected as u64),
        Metric::count("GatesNotSwept", (swept.failed + swept.left) as u64),
    ];
    Report::new(&swept, metrics)
}
