//! The gate: is the key live, may the account go on this minute, is there quota left this period?
//!
//! Redis answers all three in one script run, sent in one write together with the look-up of the
//! cached answer. Quota comes in leases: a conditional update in DynamoDB grants a number of
//! requests, Redis counts them down. What is granted is never more than the limit, so whatever dies,
//! a quota is never over-served; docs/ARCHITECTURE.md shows why and what a failure can cost.

mod direct;
mod fence;
mod late;
mod lease;
mod minute;
mod probe;
mod refill;
mod reply;
mod single;
mod standing;
mod sweep;
mod window;

use std::{sync::LazyLock, time::Duration};

use redis::Value;
use time::OffsetDateTime;
use tokio::time::{Instant, sleep};

pub(crate) use self::lease::settled_key;
use self::{fence::Fence, late::LateAnswers, reply::Reply};
pub use self::{
    lease::{Quota, read as read_quota},
    probe::probe,
    single::give_back_direct,
    standing::Standing,
    sweep::{Swept, sweep},
    window::{Asked, Class, Ring, ask_ring, ring_key},
};
use crate::{
    accounts,
    error::{AuthError, Error},
    ids::{AccountId, KeyId},
    keys::{ApiKey, Environment},
    plans::{Period, Plan},
    privacy::RestoreGate,
    redis::{Redis, RedisError, Script, is_no_script},
    secrets::Peppers,
    store::Store,
    video::Calls,
};

static GATE: LazyLock<Script> =
    LazyLock::new(|| Script::new(concat!(include_str!("ring.lua"), include_str!("gate.lua"))));
static INSTALL: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("install.lua")));
static HOLD: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("hold.lua")));
static INVALIDATE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("invalidate.lua")));
static GIVE_BACK: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("give_back.lua")));
static RELEASE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("release.lua")));
static SWEEP: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("sweep.lua")));
static CREDITED: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("credited.lua")));
static FENCE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("fence.lua")));

/// How long a request waits for another one that is taking a lease for the same account.
const PATIENCE: Duration = Duration::from_secs(1);

/// The gate hash of an account. The braces make it one Redis slot.
pub fn gate_key(account: &AccountId) -> String {
    format!("{{{}}}:g", account.tag())
}

/// Why the gate said no. A denial costs nothing.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum Denial {
    /// Too many requests in the last minute.
    #[error("the plan allows {} requests in any minute", limits.minute.limit)]
    Rate {
        /// Wait this long before the next request.
        retry_after: Duration,
        /// Where the account stands.
        limits: Limits,
        /// The key that was used.
        key_id: KeyId,
    },
    /// The period's quota is used up, or has less left than was asked for.
    #[error(
        "of the plan's {} requests of this period {} are left, which is less than this asks for",
        limits.period.limit,
        limits.period.remaining
    )]
    Quota {
        /// Where the account stands.
        limits: Limits,
        /// The key that was used.
        key_id: KeyId,
    },
    /// More at once than any minute allows.
    #[error(
        "this asks for {asked} at once, and the plan allows {allowed} in any minute: ask for fewer \
         at a time"
    )]
    TooMany {
        /// Requests that it counts as.
        asked: u64,
        /// Requests that the plan allows in any minute.
        allowed: u64,
    },
    /// Too many requests in the last minute to endpoints that are not metered.
    #[error(
        "{} requests in any minute are answered here for each account: {}",
        window.limit,
        class.about()
    )]
    Unmetered {
        /// Which of those endpoints.
        class: Class,
        /// Wait this long before the next request.
        retry_after: Duration,
        /// Where their limit stands.
        window: Window,
    },
    /// The account exists but may not be served.
    #[error("the account is {}", if .0 == "erasing" { "being deleted" } else { .0 })]
    Inactive(String),
    /// What is asked for needs the country, which the plan does not include.
    #[error(
        "a condition on `region` tells the country, which your plan, `{}`, does not include: leave it out, or \
         move to a plan that includes the country (`GET /v1/plans`) at `POST /v1/billing/plan`",
        .0.name()
    )]
    LacksCountry(Plan),
}

/// One limit and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Requests allowed in it.
    pub limit: u64,
    /// Requests left in it.
    pub remaining: u64,
    /// Seconds until more are left, or as many as were asked for; then there really are.
    pub reset_seconds: u64,
}

impl Window {
    fn new(limit: u64, remaining: u64, wait: Duration) -> Self {
        Self { limit, remaining, reset_seconds: wait.as_millis().div_ceil(1000) as u64 }
    }
}

/// Both limits of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// In any minute.
    pub minute: Window,
    /// In the quota period.
    pub period: Window,
    /// Length of the period in seconds.
    pub period_seconds: u64,
}

/// What a request was paid with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// The `seq`-th request of a lease.
    Leased {
        /// Id of the lease.
        lease: String,
        /// From 1 on; of several requests the last one's.
        seq: u64,
    },
    /// Written to DynamoDB on its own.
    Direct,
    /// The sandbox costs nothing.
    Sandbox,
}

/// The gate said yes, and what was asked for has been taken from the quota.
#[derive(Clone, Debug)]
pub struct Admission {
    /// The account.
    pub account: AccountId,
    /// The key that was used.
    pub key_id: KeyId,
    /// The account's plan.
    pub plan: Plan,
    /// The quota period that pays.
    pub period: Period,
    /// Where the account stands after this request.
    pub limits: Limits,
    /// What it was paid with.
    pub token: Token,
    /// Requests that were taken: the items of a batch, else one; none in the sandbox.
    pub cost: u64,
    /// What serving it costs of a source's allowance.
    pub calls: Calls,
}

/// Values of the cache, in the order of their keys; `None` for those that it does not have.
pub type Values = Vec<Option<Vec<u8>>>;

/// The gate of every account. Cheap to clone; clones share what they have seen.
#[derive(Clone, Debug)]
pub struct Gate {
    redis: Redis,
    store: Store,
    fence: Fence,
    restore: RestoreGate,
    late: LateAnswers,
    windows: window::Windows,
}

impl Gate {
    /// A gate over Redis and DynamoDB.
    pub fn new(redis: Redis, store: Store) -> Self {
        Self {
            redis,
            store,
            fence: Fence::default(),
            restore: RestoreGate::default(),
            late: LateAnswers::default(),
            windows: window::Windows::default(),
        }
    }

    /// Asks for `count` requests, all or none, and for the values at `cache_keys` in the same write. With
    /// a key of the sandbox they count against the minute only.
    pub async fn admit(
        &self,
        key: &ApiKey,
        peppers: &Peppers,
        count: u64,
        cache_keys: &[String],
        now: OffsetDateTime,
    ) -> Result<(Admission, Values), Error> {
        let hashes = key.hashes(peppers);
        // The script looks for two at a time. There are more only while the pepper is being rotated.
        let (mut sought, mut others) = hashes.split_at(hashes.len().min(2));
        let is_sandbox = key.environment() == Environment::Test;
        let cost = if is_sandbox { 0 } else { count };
        let ring = if is_sandbox { Ring::Sandbox } else { Ring::Live };
        let ring_key = ring_key(key.account(), ring);
        let last = if is_sandbox { "tl" } else { "ml" };
        let (now_ms, counts, costs) =
            (epoch_ms(now).to_string(), count.to_string(), cost.to_string());
        let loaded_for = refill::RELOAD_AFTER.whole_milliseconds().to_string();
        let started = Instant::now();
        let mut pause = Duration::from_millis(4);
        while started.elapsed() < PATIENCE {
            let token = lease::new_id(now);
            let args = [
                sought[0].as_str(),
                sought.get(1).map_or("", String::as_str),
                &now_ms,
                &counts,
                &token,
                &costs,
                last,
                &loaded_for,
                window::LIFE_MS,
            ];
            let asked = self.ask((key.account(), &ring_key), &args, cost, cache_keys, now).await;
            let (reply, cached) = match asked {
                Ok(answer) => answer,
                Err(error) => {
                    tracing::warn!(error = %error, "the gate goes on without Redis");
                    break;
                }
            };
            match reply {
                Reply::Ok(mut admission) => {
                    if is_sandbox {
                        admission.token = Token::Sandbox;
                    }
                    if let Token::Leased { lease, seq } = &admission.token
                        && !self.fence.passes(key.account(), lease, *seq)
                    {
                        self.end_stale_lease(key.account(), lease).await;
                        break;
                    }
                    return Ok((*admission, cached));
                }
                Reply::Denied(Denial::Rate { limits, .. }) if count > limits.minute.limit => {
                    let allowed = limits.minute.limit;
                    return Err(Denial::TooMany { asked: count, allowed }.into());
                }
                Reply::Denied(denial) => return Err(denial.into()),
                Reply::UnknownKey if others.is_empty() => return Err(AuthError::Unknown.into()),
                Reply::UnknownKey => (sought, others) = (others, &others[..0]),
                Reply::Wait => {
                    sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_millis(40));
                }
                Reply::Load(seen) => {
                    if !self.refill(key.account(), &hashes, &token, &seen, cost, now).await? {
                        return Err(AuthError::Unknown.into());
                    }
                }
            }
        }
        let admission = self.admit_directly(key, &hashes, (count, cost), now).await?;
        Ok((admission, vec![None; cache_keys.len()]))
    }

    /// Fails while the service is closed after a restore from a backup: nothing may be read from the
    /// tables before what was erased since then has been erased again.
    pub async fn check_restored(&self) -> Result<(), Error> {
        self.restore.check(&self.store).await
    }

    /// Returns `count` requests that could not be served. `request_id` makes it happen once.
    pub async fn give_back(
        &self,
        admission: &Admission,
        count: u64,
        request_id: &str,
    ) -> Result<(), Error> {
        if count == 0 {
            return Ok(());
        }
        if let Token::Leased { lease, .. } = &admission.token {
            match self.return_to_lease(admission, lease, count, request_id).await {
                Ok(true) => return Ok(()),
                Ok(false) | Err(RedisError::Open) => {}
                // It may have been returned: returning it again would give one away.
                Err(error) => return Err(Error::unavailable("Redis", &error)),
            }
        }
        let (account, period) = (&admission.account, &admission.period);
        give_back_direct(&self.store, account, period, count, request_id).await
    }

    /// Makes the account's next request see what has changed in DynamoDB: keys, plan, status.
    /// `version` is the account's gate version after the change.
    pub async fn invalidate(&self, account: &AccountId, version: u64) -> Result<(), Error> {
        let version = version.to_string();
        match INVALIDATE.run_patiently::<u8>(&self.redis, &gate_key(account), &[&version]).await {
            Ok(_) => Ok(()),
            Err(error) => Err(Error::unavailable("Redis", &error)),
        }
    }

    /// As [`Gate::invalidate`], at the account's version as it is now: somebody else may have changed it
    /// meanwhile, and an older state must not be taken for that one. One that is gone is past any version.
    pub async fn invalidate_now(&self, account: &AccountId) -> Result<(), Error> {
        let found = accounts::get(&self.store, account).await?;
        self.invalidate(account, found.map_or(u64::MAX, |it| it.gate_version)).await
    }

    async fn ask(
        &self,
        (account, ring): (&AccountId, &str),
        args: &[&str],
        cost: u64,
        cache_keys: &[String],
        now: OffsetDateTime,
    ) -> Result<(Reply, Values), RedisError> {
        for _ in 0..2 {
            let mut pipeline = redis::pipe();
            GATE.add_with(&mut pipeline, &[&gate_key(account), ring], args);
            for key in cache_keys {
                // One command each: they lie in different slots.
                pipeline.cmd("GET").arg(key);
            }
            let value = match self.redis.query_raw(pipeline.ignore_errors().clone()).await {
                Ok(value) => value,
                Err((error, late)) => {
                    if let Some(late) = late {
                        let (account, token) = (account.clone(), args[4].to_owned());
                        self.undo_when_late(late::Asked { account, token, cost, now }, late);
                    }
                    return Err(error);
                }
            };
            let (gate, cached) = first(value)?;
            match gate {
                Value::ServerError(error) => {
                    let error = redis::RedisError::from(error);
                    if !is_no_script(&error) {
                        return Err(error.into());
                    }
                    GATE.load(&self.redis).await?;
                }
                gate => {
                    let reply = Reply::parse(account, gate, cost, now)?;
                    // The cache is a help, never a condition: an error there is a miss.
                    let looked = cached.map(|it| redis::from_redis_value(it).unwrap_or_default());
                    return Ok((reply, looked.collect()));
                }
            }
        }
        Err(RedisError::Timeout)
    }

    async fn end_stale_lease(&self, account: &AccountId, lease: &str) {
        // Not whose: function logs name nobody.
        tracing::error!("a lease ran backwards: Redis has lost writes; the lease is ended");
        if let Err(error) = FENCE.run::<u8>(&self.redis, &gate_key(account), &[lease]).await {
            tracing::warn!(error = %error, "the stale lease could not be ended");
        }
    }
}

/// Deletes everything that Redis holds of `account` for the gate: it is being erased.
pub async fn forget(redis: &Redis, account: &AccountId) -> Result<(), Error> {
    let mut pipeline = redis::pipe();
    pipeline.cmd("DEL").arg(gate_key(account)).ignore();
    pipeline.cmd("DEL").arg(&Ring::ALL.map(|ring| ring_key(account, ring))).ignore();
    pipeline.cmd("ZREM").arg(refill::LEASES_KEY).arg(account.tag()).ignore();
    let answer = redis.query_patiently::<()>(pipeline).await;
    answer.map_err(|error| Error::unavailable("Redis", &error))
}

/// Deletes every account's copy, so that each is loaded anew. What was left of their leases is lost; what
/// their minutes hold stays.
pub async fn forget_all(redis: &Redis) -> Result<(), Error> {
    let failed = |error| Error::unavailable("Redis", &error);
    let mut cursor = 0;
    loop {
        let mut pipeline = redis::pipe();
        pipeline.cmd("SCAN").arg(cursor).arg("MATCH").arg("{*}:g").arg("COUNT").arg(1000);
        let ((next, keys),): ((u64, Vec<String>),) =
            redis.query_patiently(pipeline).await.map_err(failed)?;
        if !keys.is_empty() {
            // One command each: they lie in different slots.
            let mut pipeline = redis::pipe();
            for key in keys {
                pipeline.cmd("DEL").arg(key).ignore();
            }
            redis.query_patiently::<()>(pipeline).await.map_err(failed)?;
        }
        if next == 0 {
            return Ok(());
        }
        cursor = next;
    }
}

/// Milliseconds since 1970.
pub(crate) fn epoch_ms(at: OffsetDateTime) -> i64 {
    (at.unix_timestamp_nanos() / 1_000_000) as i64
}

/// The first of an answer's values, and the others.
fn first(value: Value) -> Result<(Value, std::vec::IntoIter<Value>), RedisError> {
    let Value::Array(values) = value else { return Err(reply::not_understood()) };
    let mut values = values.into_iter();
    let first = values.next().ok_or_else(reply::not_understood)?;
    Ok((first, values))
}
