//! Every 5 minutes: works off what is to be done about billing, and looks what waits for the operator.

use vidintel::{
    app::App,
    billing::work,
    error::Error,
    jobs::{Report, Run, serve},
    program::Ended,
};

/// Carries out the runs.
pub fn main() -> Ended {
    serve("work-billing", |app, run| Box::pin(run_once(app, run)))
}

async fn run_once(app: &App, run: Run) -> Result<Report, Error> {
    work(app, run.time, run.deadline).await?.report()
}
