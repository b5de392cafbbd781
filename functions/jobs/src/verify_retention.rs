//! Daily: looks in every table for anything that is past its period. The proof that the jobs work.

use vidintel::{program::Ended, retention};

/// Carries out the runs.
pub fn main() -> Ended {
    retention::serve_verification()
}
