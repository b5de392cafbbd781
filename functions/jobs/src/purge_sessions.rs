//! Hourly: deletes sign-ups that were not confirmed within a day, and browsers that are no longer signed in.

use vidintel::{inventory::Table, program::Ended, retention};

/// Carries out the runs.
pub fn main() -> Ended {
    retention::serve(Table::Sessions)
}
