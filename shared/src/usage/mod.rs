//! Usage: each metered request becomes a log entry, which travels through a Redis stream into packs
//! in `api-logs`, into the day's statistics, and settles the quota.

mod days;
mod entry;
mod histogram;
mod packs;
mod refusals;
mod roll_up;
mod stream;
mod waiting;

pub(crate) use self::packs::unpack;
pub use self::{
    days::{DayUsage, Latency, days},
    entry::{Agent, Entry},
    histogram::Histogram,
    packs::{append, day_key, read_pack},
    roll_up::{RolledUp, roll_up},
    stream::{Log, is_waiting},
};
