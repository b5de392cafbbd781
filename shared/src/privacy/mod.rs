//! Requests under privacy law, and what stands in their way.

mod holds;

pub use self::holds::{Hold, held_accounts, place_hold, release_hold};
