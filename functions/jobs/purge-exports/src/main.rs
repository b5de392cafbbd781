//! Hourly: deletes exports, each with its file, before they are older than 7 days.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    vidintel::privacy::serve_purge().await
}
