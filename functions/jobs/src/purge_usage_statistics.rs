//! Daily: deletes usage statistics before they are older than 12 months.

use vidintel::{inventory::Table, program::Ended, retention};

/// Carries out the runs.
pub fn main() -> Ended {
    retention::serve(Table::UsageStats)
}
