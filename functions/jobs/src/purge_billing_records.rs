//! Daily: deletes billing records before they are older than 7 years.

use vidintel::{inventory::Table, program::Ended, retention};

/// Carries out the runs.
pub fn main() -> Ended {
    retention::serve(Table::BillingRecords)
}
