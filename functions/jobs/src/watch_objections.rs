//! Every hour: looks how long objections of creators have been waiting for the operator.

use vidintel::{
    app::App,
    error::Error,
    jobs::{Report, Run, serve},
    objections::watch,
    program::Ended,
};

/// Carries out the runs.
pub fn main() -> Ended {
    serve("watch-objections", |app, run| Box::pin(run_once(app, run)))
}

async fn run_once(app: &App, run: Run) -> Result<Report, Error> {
    watch(&app.store, run.time).await?.report()
}
