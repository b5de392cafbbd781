//! The gate: is the key live, may the account go on this minute, is there quota left this period?
//!
//! Redis answers all three in one script run, sent in one write together with the look-up of the
//! cached answer. Quota comes in leases: a conditional update in DynamoDB grants a number of
//! requests, Redis counts them down. What is granted is never more than the limit, so whatever dies,
//! a quota is never over-served; docs/ARCHITECTURE.md shows why and what a failure can cost.

mod direct;
mod fence;
mod lease;
mod refill;
mod reply;
mod standing;
mod sweep;

use std::{sync::LazyLock, time::Duration};

use redis::Value;
use time::OffsetDateTime;
use tokio::time::{Instant, sleep};

use self::{fence::Fence, reply::Reply};
pub use self::{
    lease::{Quota, give_back_direct, read as read_quota},
    standing::Standing,
    sweep::{Swept, sweep},
};
use crate::{
    error::{AuthError, Error},
    ids::{AccountId, KeyId},
    keys::ApiKey,
    plans::{Period, Plan},
    privacy::RestoreGate,
    redis::{Redis, RedisError, Script, is_no_script},
    secrets::Peppers,
    store::Store,
};

static GATE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("gate.lua")));
static INSTALL: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("install.lua")));
static HOLD: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("hold.lua")));
static INVALIDATE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("invalidate.lua")));
static GIVE_BACK: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("give_back.lua")));
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
    /// The period's quota is used up.
    #[error("the plan's {} requests of this period are used up", limits.period.limit)]
    Quota {
        /// Where the account stands.
        limits: Limits,
        /// The key that was used.
        key_id: KeyId,
    },
    /// The account exists but may not be served.
    #[error("the account is {0}; contact support")]
    Inactive(String),
}

/// One limit and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Requests allowed in it.
    pub limit: u64,
    /// Requests left in it.
    pub remaining: u64,
    /// Seconds until more are left.
    pub reset_seconds: u64,
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
        /// From 1 on, without gaps.
        seq: u64,
    },
    /// Written to DynamoDB on its own.
    Direct,
}

/// The gate said yes, and one request has been taken from the quota.
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
}

/// The gate of every account. Cheap to clone; clones share what they have seen.
#[derive(Clone, Debug)]
pub struct Gate {
    redis: Redis,
    store: Store,
    fence: Fence,
    restore: RestoreGate,
}

impl Gate {
    /// A gate over Redis and DynamoDB.
    pub fn new(redis: Redis, store: Store) -> Self {
        Self { redis, store, fence: Fence::default(), restore: RestoreGate::default() }
    }

    /// Asks for one request, and for the value at `cache_key` in the same write.
    pub async fn admit(
        &self,
        key: &ApiKey,
        peppers: &Peppers,
        cache_key: &str,
        now: OffsetDateTime,
    ) -> Result<(Admission, Option<Vec<u8>>), Error> {
        let (hash, previous) = key.hashes(peppers);
        let hashes = [hash.as_str(), previous.as_deref().unwrap_or_default()];
        let now_ms = epoch_ms(now).to_string();
        let started = Instant::now();
        let mut pause = Duration::from_millis(4);
        while started.elapsed() < PATIENCE {
            let token = lease::new_id(now);
            let args = [hashes[0], hashes[1], &now_ms, "1", &token];
            let (reply, cached) = match self.ask(key.account(), &args, cache_key, now).await {
                Ok(answer) => answer,
                Err(error) => {
                    tracing::warn!(error = %error, "the gate goes on without Redis");
                    break;
                }
            };
            match reply {
                Reply::Ok(admission) => {
                    if let Token::Leased { lease, seq } = &admission.token
                        && !self.fence.passes(key.account(), lease, *seq)
                    {
                        self.end_stale_lease(key.account(), lease).await;
                        break;
                    }
                    return Ok((*admission, cached));
                }
                Reply::Denied(denial) => return Err(denial.into()),
                Reply::UnknownKey => return Err(AuthError::Unknown.into()),
                Reply::Wait => {
                    sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_millis(40));
                }
                Reply::Load(seen) => {
                    if !self.refill(key.account(), &token, &seen, now).await? {
                        return Err(AuthError::Unknown.into());
                    }
                }
            }
        }
        Ok((self.admit_directly(key, &hashes, now).await?, None))
    }

    /// Fails while the service is closed after a restore from a backup: nothing may be read from the
    /// tables before what was erased since then has been erased again.
    pub async fn check_restored(&self) -> Result<(), Error> {
        self.restore.check(&self.store).await
    }

    /// Returns a request that could not be served. `request_id` makes it happen once.
    pub async fn give_back(&self, admission: &Admission, request_id: &str) -> Result<(), Error> {
        if let Token::Leased { lease, .. } = &admission.token {
            let key = gate_key(&admission.account);
            match GIVE_BACK.run::<u8>(&self.redis, &key, &[lease, "1"]).await {
                Ok(1) => return Ok(()),
                Ok(_) | Err(RedisError::Open) => {}
                // It may have been returned: returning it again would give one away.
                Err(error) => return Err(Error::unavailable("Redis", &error)),
            }
        }
        give_back_direct(&self.store, &admission.account, &admission.period, request_id).await
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

    async fn ask(
        &self,
        account: &AccountId,
        args: &[&str],
        cache_key: &str,
        now: OffsetDateTime,
    ) -> Result<(Reply, Option<Vec<u8>>), RedisError> {
        for _ in 0..2 {
            let mut pipeline = redis::pipe();
            GATE.add_to(&mut pipeline, &gate_key(account), args);
            pipeline.cmd("GET").arg(cache_key);
            let value = match self.redis.query_raw(pipeline.ignore_errors().clone()).await {
                Ok(value) => value,
                Err((error, late)) => {
                    if let Some(late) = late {
                        self.undo_when_late(account.clone(), late, now);
                    }
                    return Err(error);
                }
            };
            let [gate, cached] = pair(value)?;
            match gate {
                Value::ServerError(error) => {
                    let error = redis::RedisError::from(error);
                    if !is_no_script(&error) {
                        return Err(error.into());
                    }
                    GATE.load(&self.redis).await?;
                }
                gate => {
                    let reply = Reply::parse(account, gate, now)?;
                    // The cache is a help, never a condition: an error there is a miss.
                    let cached = redis::from_redis_value(cached).unwrap_or_default();
                    return Ok((reply, cached));
                }
            }
        }
        Err(RedisError::Timeout)
    }

    /// An answer that came too late may have taken a request: it is returned.
    fn undo_when_late(&self, account: AccountId, late: crate::redis::Late, now: OffsetDateTime) {
        let gate = self.clone();
        tokio::spawn(async move {
            let Ok(Ok(value)) = late.await else { return };
            let Ok([reply, _]) = pair(value) else { return };
            let Ok(Reply::Ok(admission)) = Reply::parse(&account, reply, now) else { return };
            let Token::Leased { lease, seq } = &admission.token else { return };
            loop {
                match GIVE_BACK.run::<u8>(&gate.redis, &gate_key(&account), &[lease, "1"]).await {
                    // Nothing was sent: the late answer itself has opened the breaker.
                    Err(RedisError::Open) => sleep(Duration::from_millis(250)).await,
                    Err(error) => {
                        tracing::warn!(error = %error, "a late answer's request is not returned");
                        return;
                    }
                    Ok(1) => return,
                    // The lease has ended meanwhile.
                    Ok(_) => break,
                }
            }
            let (period, id) = (&admission.period, format!("late {lease} {seq}"));
            if let Err(error) = give_back_direct(&gate.store, &account, period, &id).await {
                tracing::warn!(error = %error, "a late answer's request is not returned");
            }
        });
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
    pipeline.cmd("ZREM").arg(refill::LEASES_KEY).arg(account.tag()).ignore();
    let answer = redis.query_patiently::<()>(pipeline).await;
    answer.map_err(|error| Error::unavailable("Redis", &error))
}

/// Deletes every account's copy, so that each is loaded anew. What was left of their leases is lost.
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

fn pair(value: Value) -> Result<[Value; 2], RedisError> {
    let Value::Array(values) = value else { return Err(reply::not_understood()) };
    values.try_into().map_err(|_| reply::not_understood())
}
