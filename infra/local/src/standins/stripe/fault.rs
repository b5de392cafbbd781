//! How often the API was asked, and what is wrong with it.

use std::{collections::BTreeMap, future::pending, time::Duration};

use super::{Stripe, refusal::Refusal};

/// What is wrong with the API at the moment. The pages and the webhooks are well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// Too many requests.
    RateLimited,
    /// Every call fails inside the service, before anything is done.
    Down,
    /// The right answer, after this time.
    Slow(Duration),
    /// No answer, ever, and nothing done.
    Hang,
    /// Some calls of one interface fail inside the service, before anything is done.
    DownOnce {
        /// As [`Stripe::counts`] names it.
        interface: &'static str,
        /// So many of its calls since the start go well…
        after: u64,
        /// …then so many fail.
        times: u64,
    },
    /// Of a thousand calls, about so many are refused before anything is done.
    Random {
        /// What decides which.
        seed: u64,
        /// As too many.
        per_mille_429: u32,
        /// As failed inside the service.
        per_mille_500: u32,
    },
}

#[derive(Debug, Default)]
pub(super) struct Faults {
    fault: Fault,
    random: Random,
    counts: BTreeMap<String, u64>,
}

/// A small generator (`SplitMix64`) that can be begun again.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Random(pub(super) u64);

impl Random {
    /// A number below `end`, which is not zero.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (bits ^ (bits >> 31)) % end.max(1)
    }
}

impl Stripe {
    /// Sets what is wrong with the API until it is set again.
    pub fn fault(&self, fault: Fault) {
        let mut faults = self.faults();
        faults.fault = fault;
        if let Fault::Random { seed, .. } = fault {
            faults.random = Random(seed);
        }
    }

    /// How often each interface was asked since the start, by method and pattern of the path, for
    /// example `GET /v1/customers/{id}`.
    pub fn counts(&self) -> BTreeMap<String, u64> {
        self.faults().counts.clone()
    }

    fn faults(&self) -> std::sync::MutexGuard<'_, Faults> {
        self.0.faults.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Counts the call and applies the fault.
    pub(super) async fn enter(&self, name: String) -> Result<(), Refusal> {
        let (fault, roll, count) = {
            let mut faults = self.faults();
            let count = faults.counts.entry(name.clone()).or_default();
            *count += 1;
            let count = *count;
            (faults.fault, faults.random.below(1_000), count)
        };
        match fault {
            Fault::None => Ok(()),
            Fault::RateLimited => Err(Refusal::rate_limited()),
            Fault::Down => Err(Refusal::down()),
            Fault::Slow(time) => {
                tokio::time::sleep(time).await;
                Ok(())
            }
            Fault::Hang => pending().await,
            Fault::DownOnce { interface, after, times }
                if interface == name && (after + 1..=after + times).contains(&count) =>
            {
                Err(Refusal::down())
            }
            Fault::DownOnce { .. } => Ok(()),
            Fault::Random { per_mille_429, per_mille_500, .. } => {
                let (limited, down) = (u64::from(per_mille_429), u64::from(per_mille_500));
                if roll < limited {
                    Err(Refusal::rate_limited())
                } else if roll < limited + down {
                    Err(Refusal::down())
                } else {
                    Ok(())
                }
            }
        }
    }
}
