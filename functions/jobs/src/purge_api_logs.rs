//! Hourly: deletes API logs before they are older than 30 days.

use vidintel::{inventory::Table, program::Ended, retention};

/// Carries out the runs.
pub fn main() -> Ended {
    retention::serve(Table::ApiLogs)
}
