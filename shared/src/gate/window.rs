//! Minutes that are counted exactly, by a ring of instants in Redis (`ring.lua`): those of the gate, and
//! those of endpoints that are not metered.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, LazyLock, Mutex, PoisonError},
    time::Duration,
};

use time::OffsetDateTime;

use super::{Denial, Gate, Window, epoch_ms};
use crate::{
    ids::AccountId,
    redis::{Redis, RedisError, Script},
};

static WINDOW: LazyLock<Script> =
    LazyLock::new(|| Script::new(concat!(include_str!("ring.lua"), include_str!("window.lua"))));

/// How long a ring lives after its last request (ms): longer than its instants matter, because the server's
/// clock is not the events'.
pub(super) const LIFE_MS: &str = "300000";

const MINUTE_MS: i64 = 60_000;

/// Windows that one environment counts at most while Redis is away; the memory is emptied when full.
const CAPACITY: usize = 1024;

/// What is counted by itself in any minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ring {
    /// Metered requests.
    Live,
    /// Requests of the sandbox: they hold up nobody else.
    Sandbox,
    /// Requests to endpoints that are not metered.
    Unmetered(Class),
}

impl Ring {
    /// Every ring of an account.
    pub const ALL: [Self; 4] = [
        Self::Live,
        Self::Sandbox,
        Self::Unmetered(Class::Account),
        Self::Unmetered(Class::Payment),
    ];
}

/// Which limit an endpoint has that is not metered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// What this service answers by itself.
    Account,
    /// What asks Stripe, whose own limit is one for all customers together.
    Payment,
}

impl Class {
    /// Requests of one account in any minute.
    pub fn requests_per_minute(self) -> u64 {
        match self {
            Self::Account => 60,
            Self::Payment => 6,
        }
    }

    /// Name of the limit in `RateLimit` and in problems.
    pub fn name(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Payment => "payment",
        }
    }

    pub(super) fn about(self) -> &'static str {
        match self {
            Self::Account => "they are not metered, and counted together",
            Self::Payment => {
                "each of them asks the payment provider, and they are counted together"
            }
        }
    }
}

/// The key of an account's ring, in the slot of its gate.
pub fn ring_key(account: &AccountId, ring: Ring) -> String {
    let name = match ring {
        Ring::Live => "live",
        Ring::Sandbox => "test",
        Ring::Unmetered(class) => class.name(),
    };
    format!("{{{}}}:w:{name}", account.tag())
}

/// What a window says to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Whether it is let in, and counted.
    pub is_let_in: bool,
    /// How many more would be let in now.
    pub free: u64,
    /// Until one more would be; for a request that was not let in, until it would be.
    pub wait: Duration,
}

/// Asks the ring at `key` for `count` requests at once, of `limit` in any minute.
pub async fn ask_ring(
    redis: &Redis,
    key: &str,
    (count, limit): (u64, u64),
    now: OffsetDateTime,
) -> Result<Asked, RedisError> {
    let args = [epoch_ms(now).to_string(), count.to_string(), limit.to_string()];
    let args = [&args[0], &args[1], &args[2], LIFE_MS];
    let (is_let_in, free, wait): (u8, u64, u64) = WINDOW.run(redis, key, &args).await?;
    Ok(Asked { is_let_in: is_let_in == 1, free, wait: Duration::from_millis(wait) })
}

/// What one environment has let in while Redis was away.
#[derive(Clone, Debug, Default)]
pub(super) struct Windows(Arc<Mutex<Instants>>);

/// When each account's last requests came (ms), by class.
type Instants = HashMap<(AccountId, Class), VecDeque<i64>>;

impl Windows {
    fn ask(&self, account: &AccountId, class: Class, now: OffsetDateTime) -> Asked {
        let (now, limit) = (epoch_ms(now), class.requests_per_minute() as usize);
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if windows.len() >= CAPACITY && !windows.contains_key(&(account.clone(), class)) {
            windows.clear();
        }
        let instants = windows.entry((account.clone(), class)).or_default();
        instants.retain(|at| (now - MINUTE_MS + 1..=now + MINUTE_MS).contains(at));
        let is_let_in = instants.len() < limit;
        if is_let_in {
            instants.push_back(now);
        }
        let first = instants.iter().min().copied().unwrap_or(now);
        let wait = Duration::from_millis((first + MINUTE_MS - now).unsigned_abs());
        Asked { is_let_in, free: (limit - instants.len()) as u64, wait }
    }
}

impl Gate {
    /// Counts a request of `account` to an endpoint that is not metered; where that limit stands after it.
    ///
    /// Without Redis each environment counts by itself: a limit that protects and earns nothing is not
    /// worth a write to DynamoDB, and one environment serves one request at a time, so that what asks
    /// Stripe stays far below Stripe's own limit.
    pub async fn admit_unmetered(
        &self,
        account: &AccountId,
        class: Class,
        now: OffsetDateTime,
    ) -> Result<Window, Denial> {
        let (key, limit) = (ring_key(account, Ring::Unmetered(class)), class.requests_per_minute());
        let asked = match ask_ring(&self.redis, &key, (1, limit), now).await {
            Ok(asked) => asked,
            Err(error) => {
                tracing::warn!(error = %error, "requests that are not metered are counted here");
                self.windows.ask(account, class, now)
            }
        };
        let window = Window::new(limit, asked.free, asked.wait);
        if asked.is_let_in {
            Ok(window)
        } else {
            Err(Denial::Unmetered { class, retry_after: asked.wait, window })
        }
    }
}

#[cfg(test)]
mod tests {
    use time::{Duration, macros::datetime};

    use super::*;

    #[test]
    fn without_redis_an_environment_counts_exactly_and_each_account_by_itself() {
        let (windows, ada, bob) = (Windows::default(), AccountId::random(), AccountId::random());
        let noon = datetime!(2026-11-24 12:00 UTC);
        for left in (0..6).rev() {
            let asked = windows.ask(&ada, Class::Payment, noon + Duration::seconds(5 - left));
            assert!(asked.is_let_in);
            assert_eq!(asked.free, left.unsigned_abs());
        }
        let refused = windows.ask(&ada, Class::Payment, noon + Duration::seconds(59));
        assert_eq!((refused.is_let_in, refused.wait.as_secs()), (false, 1));
        assert!(windows.ask(&ada, Class::Account, noon).is_let_in);
        assert!(windows.ask(&bob, Class::Payment, noon).is_let_in);
        let minute = noon + Duration::seconds(60);
        assert!(windows.ask(&ada, Class::Payment, minute).is_let_in);
        assert!(!windows.ask(&ada, Class::Payment, minute).is_let_in);
    }
}
