//! Every 5 minutes: takes each deletion whose grace period is over as far as it goes.

use vidintel::{
    app::App,
    error::Error,
    jobs::{Report, Run, serve},
    privacy::process,
    program::Ended,
};

/// Carries out the runs.
pub fn main() -> Ended {
    serve("process-deletions", |app, run| Box::pin(run_once(app, run)))
}

async fn run_once(app: &App, run: Run) -> Result<Report, Error> {
    process(app, run.time, run.deadline).await?.report()
}
