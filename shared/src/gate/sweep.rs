//! Takes leases back from accounts that have gone quiet, so that a Redis that is lost takes little
//! with it: only what was leased within the last minute.

use ::redis::pipe;
use futures_util::{StreamExt, stream};
use time::{Duration, OffsetDateTime};

use super::{CREDITED, INVALIDATE, SWEEP, epoch_ms, gate_key, lease, refill::LEASES_KEY, reply};
use crate::{
    accounts,
    error::Error,
    ids::AccountId,
    redis::{Redis, RedisError},
    store::Store,
};

/// An account without a request for this long is quiet.
const IDLE: Duration = Duration::seconds(10);

/// Accounts looked at at the same time.
const AT_ONCE: usize = 16;

/// What one sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Swept {
    /// Accounts that held a lease.
    pub looked_at: usize,
    /// Leases ended.
    pub ended: usize,
    /// Requests credited.
    pub credited: u64,
    /// Gates that were behind the account's true state (Redis had lost a write), now corrected.
    pub corrected: usize,
}

/// Looks through every account that holds a lease. May be killed and run again at any point. One
/// account that cannot be looked at keeps no other from it; its error is returned in the end.
pub async fn sweep(redis: &Redis, store: &Store, now: OffsetDateTime) -> Result<Swept, Error> {
    let mut pipeline = pipe();
    pipeline.cmd("ZRANGE").arg(LEASES_KEY).arg(0).arg(-1).arg("WITHSCORES");
    let (accounts,): (Vec<(String, i64)>,) =
        redis.query_patiently(pipeline).await.map_err(unavailable)?;
    let each =
        accounts.into_iter().map(|(tag, installed)| sweep_one(redis, store, tag, installed, now));
    let mut swept = Swept::default();
    let mut failed = None;
    let mut outcomes = stream::iter(each).buffer_unordered(AT_ONCE);
    while let Some(outcome) = outcomes.next().await {
        swept.looked_at += 1;
        match outcome {
            Ok(Outcome::Ended { credited }) => {
                swept.ended += 1;
                swept.credited += credited;
            }
            Ok(Outcome::Corrected) => swept.corrected += 1,
            Ok(Outcome::Left) => {}
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    failed.map_or(Ok(swept), Err)
}

/// What became of one account's lease.
enum Outcome {
    Ended { credited: u64 },
    Corrected,
    Left,
}

async fn sweep_one(
    redis: &Redis,
    store: &Store,
    tag: String,
    installed: i64,
    now: OffsetDateTime,
) -> Result<Outcome, Error> {
    let Ok(account) = AccountId::from_tag(&tag) else { return Ok(Outcome::Left) };
    let key = gate_key(&account);
    let args = [epoch_ms(now).to_string(), IDLE.whole_milliseconds().to_string()];
    type Fields = (String, u64, String, u64, String, String);
    let (state, version, lease, rest, period, abandoned): Fields =
        SWEEP.run_patiently(redis, &key, &[&args[0], &args[1]]).await.map_err(unavailable)?;
    match state.as_str() {
        "LIVE" => {
            // Without an account, any other version makes the gate forget it.
            let item = accounts::get(store, &account).await?;
            let true_version = item.map_or(version + 1, |it| it.gate_version);
            if version == true_version {
                return Ok(Outcome::Left);
            }
            let version = true_version.to_string();
            let told = INVALIDATE.run_patiently::<u8>(redis, &key, &[&version]).await;
            told.map_err(unavailable)?;
            Ok(Outcome::Corrected)
        }
        "BACK" => {
            let taken = Taken { lease, rest, period, abandoned };
            let credited = credit(store, &account, &taken).await?;
            let args = [&taken.lease, &taken.rest.to_string(), &taken.abandoned];
            let told = CREDITED.run_patiently::<u8>(redis, &key, &args.map(String::as_str)).await;
            told.map_err(unavailable)?;
            Ok(Outcome::Ended { credited })
        }
        // Nothing left to look for, unless a lease has been installed since.
        "NONE" => {
            forget(redis, &tag, installed).await.map_err(unavailable)?;
            Ok(Outcome::Left)
        }
        // "BUSY": the refill under way will see to it.
        _ => Ok(Outcome::Left),
    }
}

fn unavailable(error: RedisError) -> Error {
    Error::unavailable("Redis", &error)
}

/// What the script has taken back of one account.
struct Taken {
    lease: String,
    rest: u64,
    /// Start of the lease's period (ms), if there is one.
    period: String,
    /// Unfinished refills.
    abandoned: String,
}

/// Credits what was taken back, unless that has been done.
async fn credit(store: &Store, account: &AccountId, taken: &Taken) -> Result<u64, Error> {
    let Some(item) = accounts::get(store, account).await? else { return Ok(0) };
    let abandoned = reply::tokens(&taken.abandoned);
    // An unfinished refill took its lease in the period of its own request.
    let times = abandoned.iter().filter_map(|token| lease::taken_at(token));
    let times = times.chain(reply::instant(&taken.period));
    let mut periods: Vec<_> = times.map(|at| item.period(at)).collect();
    periods.sort_by_key(|period| period.start);
    periods.dedup();
    let mut credited = 0;
    for period in &periods {
        let rest = (taken.lease.as_str(), taken.rest);
        credited += lease::credit(store, account, period, rest, &abandoned).await?;
    }
    Ok(credited)
}

async fn forget(redis: &Redis, tag: &str, installed: i64) -> Result<(), RedisError> {
    static FORGET: std::sync::LazyLock<crate::redis::Script> = std::sync::LazyLock::new(|| {
        crate::redis::Script::new(
            "if tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or -1) == tonumber(ARGV[2]) then \
             return redis.call('ZREM', KEYS[1], ARGV[1]) end return 0",
        )
    });
    FORGET.run_patiently::<u8>(redis, LEASES_KEY, &[tag, &installed.to_string()]).await.map(drop)
}
