//! Takes Stripe's events out of the queue: reads back the state of the customers that they are about, and
//! writes down what follows.

use vidintel::{billing::events::handle, queue::serve};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    serve(|app, events, now| Box::pin(handle(app, events, now))).await
}
