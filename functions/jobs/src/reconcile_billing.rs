//! Every night: compares accounts, subscriptions and billing records with Stripe, and mends what differs.

use vidintel::{
    app::App,
    billing::reconcile::reconcile,
    error::Error,
    jobs::{Report, Run, serve},
    program::Ended,
};

/// Carries out the runs.
pub fn main() -> Ended {
    serve("reconcile-billing", |app, run| Box::pin(run_once(app, run)))
}

async fn run_once(app: &App, run: Run) -> Result<Report, Error> {
    reconcile(app, run.time, run.deadline).await?.report()
}
