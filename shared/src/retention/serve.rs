//! The `main` of each retention job, in one call.

use serde_json::json;

use super::{Attached, Purge, verify};
use crate::{
    app::App,
    audit,
    error::Error,
    inventory::Table,
    jobs::{self, Report, Run},
    program::Ended,
    telemetry::{self, Metric},
};

/// Chain and name of the daily proof.
const VERIFICATION: &str = "verify-retention";

/// Deletes what is due in `table` for each event of the schedule.
pub fn serve(table: Table) -> Ended {
    serve_purge(table, None)
}

/// As [`serve`], for a table whose items have something `attached` that goes first.
pub fn serve_with(table: Table, attached: Attached) -> Ended {
    serve_purge(table, Some(attached))
}

fn serve_purge(table: Table, attached: Option<Attached>) -> Ended {
    let Some(purge) = Purge::of(table).map(|it| Purge { attached, ..it }) else {
        return Err(format!("nothing expires in {}", table.name()).into());
    };
    jobs::serve(purge.job.name, move |app, run| Box::pin(run_purge(app, run, purge)))
}

async fn run_purge(app: &App, run: Run, purge: Purge) -> Result<Report, Error> {
    let purged = purge.run(app, run.time, run.deadline).await?;
    let left = u64::from(!purged.complete);
    let metrics = vec![
        Metric::count("RetentionDue", purged.due),
        Metric::count("RetentionDeleted", purged.deleted),
        Metric::count("RetentionHeld", purged.held),
        Metric::count("RetentionOverdue", purged.overdue),
        Metric::count("RetentionIncomplete", left),
    ];
    if purged.due > 0 || !purged.complete {
        let details = serde_json::to_value(purged).map_err(Error::internal)?;
        let link = audit::append(&app.store, purge.job.name, run.time, "purged", &details).await;
        if let Err(error) = link {
            // The figures would be lost with the error: the next run finds nothing due.
            telemetry::metrics(run.time.unix_timestamp() * 1000, purge.job.name, &metrics);
            tracing::error!(error = %error, figures = %details, "not in the audit trail");
            return Err(error);
        }
    }
    Report::new(&purged, metrics)
}

/// Looks for what the jobs have missed, for each event of the schedule.
pub fn serve_verification() -> Ended {
    jobs::serve(VERIFICATION, |app, run| Box::pin(run_verification(app, run)))
}

async fn run_verification(app: &App, run: Run) -> Result<Report, Error> {
    let found = verify(&app.store, run.time, run.deadline).await?;
    let overdue = found.iter().map(|it| it.overdue).sum();
    for table in found.iter().filter(|it| it.overdue > 0) {
        tracing::error!(table = table.table, overdue = table.overdue, "kept beyond its period");
    }
    let details = json!({ "tables": found, "overdue": overdue });
    audit::append(&app.store, VERIFICATION, run.time, "verified", &details).await?;
    if found.iter().any(|it| !it.complete) {
        return Err(Error::internal("there was no time to look at every table"));
    }
    Report::new(&details, vec![Metric::count("RetentionOverdue", overdue)])
}
