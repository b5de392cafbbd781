//! What one environment remembers of the leases it has used, to see a Redis that runs backwards.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use crate::ids::AccountId;

/// Accounts remembered at most; the memory is emptied when full.
const CAPACITY: usize = 1024;

/// The highest number seen of each account's live lease. A number that comes again means that
/// Redis has lost writes: a replica that lagged behind has taken over.
#[derive(Clone, Debug, Default)]
pub(super) struct Fence(Arc<Mutex<HashMap<AccountId, (String, u64)>>>);

impl Fence {
    /// Whether the `seq`-th request of `lease` has not been seen here before.
    pub(super) fn passes(&self, account: &AccountId, lease: &str, seq: u64) -> bool {
        let mut seen = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if seen.len() >= CAPACITY && !seen.contains_key(account) {
            seen.clear();
        }
        let entry = seen.entry(account.clone()).or_default();
        if entry.0 == lease && seq <= entry.1 {
            return false;
        }
        *entry = (lease.to_owned(), seq);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_number_that_comes_again_is_stopped() {
        let (fence, account) = (Fence::default(), AccountId::random());
        assert!(fence.passes(&account, "a", 1));
        assert!(fence.passes(&account, "a", 4));
        assert!(!fence.passes(&account, "a", 4));
        assert!(!fence.passes(&account, "a", 2));
        assert!(fence.passes(&account, "b", 1));
    }
}
