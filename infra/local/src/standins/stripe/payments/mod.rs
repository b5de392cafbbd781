//! Money that came in and what became of it.

pub(super) mod charges;
pub(super) mod disputes;
pub(super) mod refunds;
