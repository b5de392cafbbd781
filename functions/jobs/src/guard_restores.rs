//! Every minute: closes the service when a table has been restored to a point before an erasure.

use vidintel::{
    app::App,
    error::Error,
    jobs::{Report, Run, serve},
    privacy::guard,
    program::Ended,
    telemetry::Metric,
};

/// Carries out the runs.
pub fn main() -> Ended {
    serve("guard-restores", |app, run| Box::pin(run_once(app, run)))
}

async fn run_once(app: &App, run: Run) -> Result<Report, Error> {
    let guarded = guard(app, run.time).await?;
    Report::new(&guarded, vec![Metric::count("ServiceClosed", u64::from(guarded.closed))])
}
