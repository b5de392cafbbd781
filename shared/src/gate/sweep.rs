//! Takes leases back from accounts that have gone quiet, so that a Redis that is lost takes little
//! with it: only what was leased within the last minute.

use ::redis::pipe;
use time::{Duration, OffsetDateTime};

use super::{CREDITED, SWEEP, epoch_ms, gate_key, lease, refill::LEASES_KEY};
use crate::{
    accounts,
    error::Error,
    ids::AccountId,
    plans::Period,
    redis::{Redis, RedisError},
    store::Store,
};

/// An account without a request for this long is quiet.
const IDLE: Duration = Duration::seconds(10);

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

/// Looks through every account that holds a lease. May be killed and run again at any point.
pub async fn sweep(redis: &Redis, store: &Store, now: OffsetDateTime) -> Result<Swept, Error> {
    let unavailable = |error: RedisError| Error::unavailable("Redis", &error);
    let mut pipeline = pipe();
    pipeline.cmd("ZRANGE").arg(LEASES_KEY).arg(0).arg(-1).arg("WITHSCORES");
    let (accounts,): (Vec<(String, i64)>,) =
        redis.query_patiently(pipeline).await.map_err(unavailable)?;
    let mut swept = Swept::default();
    let now_ms = epoch_ms(now).to_string();
    let idle_ms = IDLE.whole_milliseconds().to_string();
    for (tag, installed) in accounts {
        let Ok(account) = AccountId::from_tag(&tag) else { continue };
        swept.looked_at += 1;
        let (state, version, id, rest, start): (String, u64, String, u64, String) = SWEEP
            .run_patiently(redis, &gate_key(&account), &[&now_ms, &idle_ms])
            .await
            .map_err(unavailable)?;
        match state.as_str() {
            "LIVE" => {
                let true_version =
                    accounts::get(store, &account).await?.map_or(u64::MAX, |it| it.gate_version);
                if version != true_version {
                    let version = true_version.to_string();
                    super::INVALIDATE
                        .run_patiently::<u8>(redis, &gate_key(&account), &[&version])
                        .await
                        .map_err(unavailable)?;
                    swept.corrected += 1;
                }
            }
            "BACK" => {
                swept.credited += credit(store, &account, &start, &id, rest).await?;
                let rest = rest.to_string();
                CREDITED
                    .run_patiently::<u8>(redis, &gate_key(&account), &[&id, &rest])
                    .await
                    .map_err(unavailable)?;
                swept.ended += 1;
            }
            // "BUSY": the refill under way will see to it. "NONE": nothing left to look for, unless
            // a lease has been installed since.
            "NONE" => forget(redis, &tag, installed).await.map_err(unavailable)?,
            _ => {}
        }
    }
    Ok(swept)
}

/// Credits the rest of lease `id`, if it is still the live one; else it has been credited.
async fn credit(
    store: &Store,
    account: &AccountId,
    period_start: &str,
    id: &str,
    rest: u64,
) -> Result<u64, Error> {
    let start = period_start
        .parse()
        .ok()
        .and_then(|ms: i128| OffsetDateTime::from_unix_timestamp_nanos(ms * 1_000_000).ok());
    let (Some(start), Some(item)) = (start, accounts::get(store, account).await?) else {
        return Ok(0);
    };
    let period: Period = item.period(start);
    loop {
        let before = lease::read(store, account, &period).await?;
        if before.lease.as_deref() != Some(id) {
            return Ok(0);
        }
        let granted = before.granted.saturating_sub(rest);
        let after = lease::Quota { granted, lease: None, lease_size: 0, ..before.clone() };
        if lease::replace(store, account, &period, &before, &after).await? {
            return Ok(rest);
        }
    }
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
