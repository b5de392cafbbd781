//! Daily: deletes closed tasks about billing that are older than 24 months.

use vidintel::{inventory::Table, program::Ended, retention};

/// Carries out the runs.
pub fn main() -> Ended {
    retention::serve(Table::BillingTasks)
}
