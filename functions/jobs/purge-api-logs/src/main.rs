//! Hourly: deletes API logs before they are older than 30 days.

use vidintel::{inventory::Table, retention};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    retention::serve(Table::ApiLogs).await
}
