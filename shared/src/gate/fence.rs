//! What one environment remembers of the leases it has used, to see a Redis that runs backwards.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex},
};

use crate::ids::AccountId;

/// Accounts remembered at most; the memory is emptied when full.
const CAPACITY: usize = 1024;

/// Leases remembered of each account.
const LEASES: usize = 4;

/// The last leases seen of each account, newest last, and the highest number seen of each. A number
/// that comes again, or a lease that comes again after a newer one, means that Redis has lost writes:
/// a replica that lagged behind has taken over.
#[derive(Clone, Debug, Default)]
pub(super) struct Fence(Arc<Mutex<HashMap<AccountId, Leases>>>);

type Leases = VecDeque<(String, u64)>;

impl Fence {
    /// Whether the `seq`-th request of `lease` has not been seen here before.
    pub(super) fn passes(&self, account: &AccountId, lease: &str, seq: u64) -> bool {
        let mut seen = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if seen.len() >= CAPACITY && !seen.contains_key(account) {
            seen.clear();
        }
        let leases = seen.entry(account.clone()).or_default();
        if let Some((newest, highest)) = leases.back_mut()
            && newest == lease
        {
            let passes = seq > *highest;
            *highest = seq.max(*highest);
            return passes;
        }
        if leases.iter().any(|(older, _)| older == lease) {
            return false;
        }
        if leases.len() == LEASES {
            leases.pop_front();
        }
        leases.push_back((lease.to_owned(), seq));
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
        assert!(!fence.passes(&account, "a", 5), "an older lease");
        assert!(fence.passes(&account, "b", 2));
    }
}
