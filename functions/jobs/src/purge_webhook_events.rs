//! Daily: deletes numbers of Stripe's events that are older than 35 days.

use vidintel::{inventory::Table, program::Ended, retention};

/// Carries out the runs.
pub fn main() -> Ended {
    retention::serve(Table::WebhookEvents)
}
