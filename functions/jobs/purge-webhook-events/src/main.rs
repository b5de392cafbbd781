//! Daily: deletes numbers of Stripe's events that are older than 35 days.

use vidintel::{inventory::Table, retention};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    retention::serve(Table::WebhookEvents).await
}
