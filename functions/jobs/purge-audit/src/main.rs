//! Daily: deletes links of the audit trail before they are older than 7 years.

use vidintel::{inventory::Table, retention};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    retention::serve(Table::Audit).await
}
