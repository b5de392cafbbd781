//! Hourly: deletes sign-ups that were not confirmed within a day, and browsers that are no longer signed in.

use vidintel::{inventory::Table, retention};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    retention::serve(Table::Sessions).await
}
