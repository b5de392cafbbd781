//! Daily: deletes records of privacy requests 24 months after these were closed.

use vidintel::{inventory::Table, program::Ended, retention};

/// Carries out the runs.
pub fn main() -> Ended {
    retention::serve(Table::PrivacyRequests)
}
