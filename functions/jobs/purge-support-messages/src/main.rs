//! Daily: deletes support messages before they are older than 2 years.

use vidintel::{inventory::Table, retention};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    retention::serve(Table::SupportMessages).await
}
