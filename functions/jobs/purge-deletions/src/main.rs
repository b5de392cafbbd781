//! Daily: deletes entries of the erasure ledger before they are older than 24 months.

use vidintel::{inventory::Table, retention};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    retention::serve(Table::Deletions).await
}
