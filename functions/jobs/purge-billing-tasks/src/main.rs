//! Daily: deletes closed tasks about billing that are older than 24 months.

use vidintel::{inventory::Table, retention};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    retention::serve(Table::BillingTasks).await
}
