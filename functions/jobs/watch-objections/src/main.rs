//! Every hour: looks how long objections of creators have been waiting for the operator.

use vidintel::{
    app::App,
    error::Error,
    jobs::{Report, Run, serve},
    objections::watch,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    serve("watch-objections", |app, run| Box::pin(run_once(app, run))).await
}

async fn run_once(app: &App, run: Run) -> Result<Report, Error> {
    watch(&app.store, run.time).await?.report()
}
