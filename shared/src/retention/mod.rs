//! Retention: deletes what is due, proves that nothing is left, and says what it did.
//!
//! [`Purge`] is the engine behind the scheduled jobs, one for each table in which something expires;
//! [`verify()`] looks for what they have missed. Both query by expiry, so that their cost grows with what
//! is due, never with what is kept.

mod delete;
mod purge;
mod serve;
mod verify;

pub(crate) use self::purge::forget_done_to;
pub use self::{
    delete::delete_items,
    purge::{Attached, Purge, Purged},
    serve::{serve, serve_verification, serve_with},
    verify::{Verified, verify},
};
