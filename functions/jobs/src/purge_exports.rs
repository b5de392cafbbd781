//! Hourly: deletes exports, each with its file, before they are older than 7 days.

use vidintel::program::Ended;

/// Carries out the runs.
pub fn main() -> Ended {
    vidintel::privacy::serve_purge()
}
