//! Every night: compares accounts, subscriptions and billing records with Stripe, and mends what differs.

use vidintel::{
    app::App,
    billing::reconcile::reconcile,
    error::Error,
    jobs::{Report, Run, serve},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    serve("reconcile-billing", |app, run| Box::pin(run_once(app, run))).await
}

async fn run_once(app: &App, run: Run) -> Result<Report, Error> {
    reconcile(app, run.time, run.deadline).await?.report()
}
