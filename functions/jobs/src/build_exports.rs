//! Every minute: makes the exports that were asked for.

use vidintel::{
    app::App,
    error::Error,
    jobs::{Report, Run, serve},
    privacy::build_exports,
    program::Ended,
};

/// Carries out the runs.
pub fn main() -> Ended {
    serve("build-exports", |app, run| Box::pin(run_once(app, run)))
}

async fn run_once(app: &App, run: Run) -> Result<Report, Error> {
    build_exports(app, run.time, run.deadline).await?.report()
}
