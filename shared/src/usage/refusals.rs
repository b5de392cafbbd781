//! How many refusals are worth an entry. A program that runs into its limit may ask thousands of times
//! a minute: the first ones tell all there is to tell, and logging each would cost more than serving.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use super::Entry;
use crate::ids::AccountId;

/// Refusals logged of one account in one minute, by each environment.
const LOGGED: u32 = 60;
/// Accounts remembered at most; the memory is emptied when full.
const CAPACITY: usize = 1024;

/// Refusals of the current minute, by account. Clones share one memory.
#[derive(Clone, Debug, Default)]
pub(super) struct Refusals(Arc<Mutex<HashMap<AccountId, (i64, u32)>>>);

impl Refusals {
    /// Whether `entry` is to be logged: always, unless it is one refusal (429) too many.
    pub(super) fn lets_through(&self, entry: &Entry) -> bool {
        if entry.status != 429 {
            return true;
        }
        let minute = entry.at_ms.div_euclid(60_000);
        let mut seen = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if seen.len() >= CAPACITY && !seen.contains_key(&entry.account) {
            seen.clear();
        }
        let (last, count) = seen.entry(entry.account.clone()).or_default();
        if *last != minute {
            (*last, *count) = (minute, 0);
        }
        *count += 1;
        *count <= LOGGED
    }
}
