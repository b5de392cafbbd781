//! Daily: deletes support messages before they are older than 2 years.

use vidintel::{inventory::Table, program::Ended, retention};

/// Carries out the runs.
pub fn main() -> Ended {
    retention::serve(Table::SupportMessages)
}
