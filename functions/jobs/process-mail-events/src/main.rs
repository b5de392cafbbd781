//! Takes out of the queue what SES tells of mails that came back, or were called spam.

use vidintel::{mail::handle, queue::serve};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    serve(|app, events, now| Box::pin(handle(app, events, now))).await
}
