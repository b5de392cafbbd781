//! Takes Stripe's events out of the queue: reads back the state of the customers that they are about, and
//! writes down what follows.

use vidintel::{billing::events::handle, program::Ended, queue::serve};

/// Handles the messages.
pub fn main() -> Ended {
    serve(|app, events, now| Box::pin(handle(app, events, now)))
}
