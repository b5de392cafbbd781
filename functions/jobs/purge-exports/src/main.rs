//! Hourly: deletes exports before they are older than 7 days.

use vidintel::{inventory::Table, retention};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    retention::serve(Table::Exports).await
}
