//! Takes out of the queue what SES tells of mails that came back, or were called spam.

use vidintel::{mail::handle, program::Ended, queue::serve};

/// Handles the messages.
pub fn main() -> Ended {
    serve(|app, events, now| Box::pin(handle(app, events, now)))
}
