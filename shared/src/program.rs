//! A function's program, from its start to its end.

use tokio::runtime::Builder;

/// How a function's program ends: where Lambda ends its environment it does not come to that.
pub type Ended = Result<(), lambda_runtime::Error>;

/// A function's program: serves its events until Lambda ends the environment.
pub type Program = fn() -> Ended;

/// Drives `serving` on this thread. Where this is called the whole tree of futures below is compiled: in this crate, once
/// for all programs.
pub(crate) fn drive(serving: impl Future<Output = Ended>) -> Ended {
    Builder::new_current_thread().enable_all().build()?.block_on(serving)
}
