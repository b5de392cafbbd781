//! Every 5 minutes: takes each deletion whose grace period is over as far as it goes.

use vidintel::{
    app::App,
    error::Error,
    jobs::{Report, Run, serve},
    privacy::process,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    serve("process-deletions", |app, run| Box::pin(run_once(app, run))).await
}

async fn run_once(app: &App, run: Run) -> Result<Report, Error> {
    process(app, run.time, run.deadline).await?.report()
}
