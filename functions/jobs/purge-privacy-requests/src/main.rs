//! Daily: deletes records of privacy requests 24 months after these were closed.

use vidintel::{inventory::Table, retention};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    retention::serve(Table::PrivacyRequests).await
}
