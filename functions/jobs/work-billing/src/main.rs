//! Every 5 minutes: works off what is to be done about billing, and looks what waits for the operator.

use vidintel::{
    app::App,
    billing::work,
    error::Error,
    jobs::{Report, Run, serve},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    serve("work-billing", |app, run| Box::pin(run_once(app, run))).await
}

async fn run_once(app: &App, run: Run) -> Result<Report, Error> {
    work(app, run.time, run.deadline).await?.report()
}
