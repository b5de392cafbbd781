//! Every minute: takes leases back from accounts that have gone quiet, whatever the logs do.

use vidintel::{
    app::App,
    error::Error,
    gate,
    jobs::{Report, Run, serve},
    program::Ended,
    telemetry::Metric,
};

/// Carries out the runs.
pub fn main() -> Ended {
    serve("sweep-gates", |app, run| Box::pin(sweep(app, run)))
}

async fn sweep(app: &App, run: Run) -> Result<Report, Error> {
    let swept = gate::sweep(&app.redis, &app.store, run.time, run.deadline).await?;
    // Every key here has an end, so with most policies any may go before it: leases, and the log.
    let may_evict = app.redis.may_evict().await.unwrap_or(false);
    let metrics = vec![
        Metric::count("RedisMayEvict", u64::from(may_evict)),
        Metric::count("GatesCorrected", swept.corrected as u64),
        Metric::count("GatesNotSwept", (swept.failed + swept.left) as u64),
    ];
    Report::new(&swept, metrics)
}
