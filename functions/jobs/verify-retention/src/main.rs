//! Daily: looks in every table for anything that is past its period. The proof that the jobs work.

use vidintel::retention;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    retention::serve_verification().await
}
