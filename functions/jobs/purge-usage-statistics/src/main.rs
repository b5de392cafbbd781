//! Daily: deletes usage statistics before they are older than 12 months.

use vidintel::{inventory::Table, retention};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    retention::serve(Table::UsageStats).await
}
