//! Daily: deletes entries of the erasure ledger before they are older than 24 months.

use vidintel::{inventory::Table, program::Ended, retention};

/// Carries out the runs.
pub fn main() -> Ended {
    retention::serve(Table::Deletions)
}
