//! Takes leases back from accounts that have gone quiet, so that a Redis that is lost takes little
//! with it: only what was leased within the last minute.

use std::{collections::HashMap, time::Instant};

use ::redis::pipe;
use futures_util::{StreamExt, stream};
use time::{Duration, OffsetDateTime};

use super::{CREDITED, INVALIDATE, SWEEP, epoch_ms, gate_key, lease, refill::LEASES_KEY, reply};
use crate::{
    accounts::{self, Account},
    error::Error,
    ids::AccountId,
    patience::Patience,
    redis::{Redis, RedisError},
    store::{KEYS_AT_ONCE, Store},
};

/// An account without a request for this long is quiet.
const IDLE: Duration = Duration::seconds(10);

/// Accounts looked at at the same time.
const AT_ONCE: usize = 32;

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
    /// Accounts that could not be looked at. The next run tries again.
    pub failed: usize,
    /// Accounts that there was no time for. The next run begins with them.
    pub left: usize,
}

/// Looks through the accounts that hold a lease until `deadline`: first those that have waited longest, so
/// that runs that end there take turns over all of them. May be killed and run again at any point. One
/// account that cannot be looked at keeps no other from it.
pub async fn sweep(
    redis: &Redis,
    store: &Store,
    now: OffsetDateTime,
    deadline: Instant,
) -> Result<Swept, Error> {
    let mut pipeline = pipe();
    pipeline.cmd("ZRANGE").arg(LEASES_KEY).arg(0).arg(-1).arg("WITHSCORES");
    let (accounts,): (Vec<(String, f64)>,) =
        redis.query_patiently(pipeline).await.map_err(unavailable)?;
    let run = Run { redis, store, now, patience: Patience::until(deadline) };
    let mut swept = Swept::default();
    // As many as one call reads the accounts of.
    for some in accounts.chunks(KEYS_AT_ONCE) {
        if Instant::now() >= deadline {
            swept.left = accounts.len() - swept.looked_at;
            break;
        }
        run.sweep_some(some, &mut swept).await?;
    }
    Ok(swept)
}

/// What a run goes by.
struct Run<'r> {
    redis: &'r Redis,
    store: &'r Store,
    now: OffsetDateTime,
    patience: Patience,
}

/// What became of one account's lease.
enum Outcome {
    Ended {
        credited: u64,
    },
    Corrected,
    /// There was none.
    Forgotten,
    Left,
}

/// What the script says of an account's lease.
enum State {
    /// In use, in a gate of this version.
    Live { version: u64 },
    /// Taken back: it is to be credited.
    Back(Taken),
    /// A refill is under way, which will see to it.
    Busy,
    /// Nothing is left to look for.
    None,
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

impl Run<'_> {
    /// Looks at a few accounts, given by their tags and when each was last looked at.
    async fn sweep_some(&self, some: &[(String, f64)], swept: &mut Swept) -> Result<(), Error> {
        let known = some.iter().filter_map(|it| Some((it, AccountId::from_tag(&it.0).ok()?)));
        let asking = known.map(|(it, account)| async move {
            let state = self.patience.with(self.ask(&account)).await;
            (it, account, state)
        });
        let asking: Vec<_> = asking.collect();
        let asked: Vec<_> = stream::iter(asking).buffer_unordered(AT_ONCE).collect().await;
        // After the script: what it knew cannot be newer than this.
        let needed =
            asked.iter().filter(|it| matches!(it.2, Ok(State::Live { .. } | State::Back(_))));
        let needed: Vec<_> = needed.map(|it| it.1.clone()).collect();
        let items = self.patience.with(accounts::get_many(self.store, &needed)).await;
        let items = &items;
        let work = asked.into_iter().map(|(it, account, state)| async move {
            self.patience.with(self.finish(&account, it, state?, items)).await
        });
        let work: Vec<_> = work.collect();
        let mut outcomes = stream::iter(work).buffer_unordered(AT_ONCE);
        swept.looked_at += some.len();
        while let Some(outcome) = outcomes.next().await {
            match outcome {
                Ok(Outcome::Ended { credited }) => {
                    swept.ended += 1;
                    swept.credited += credited;
                }
                Ok(Outcome::Corrected) => swept.corrected += 1,
                Ok(Outcome::Forgotten | Outcome::Left) => {}
                Err(error) => {
                    // Not whose: function logs name nobody.
                    tracing::error!(error = %error, "an account's lease could not be looked at");
                    swept.failed += 1;
                }
            }
        }
        drop(outcomes);
        self.put_last(some).await
    }

    async fn ask(&self, account: &AccountId) -> Result<State, Error> {
        let args = [epoch_ms(self.now).to_string(), IDLE.whole_milliseconds().to_string()];
        type Fields = (String, u64, String, u64, String, String);
        let (state, version, lease, rest, period, abandoned): Fields = SWEEP
            .run_patiently(self.redis, &gate_key(account), &[&args[0], &args[1]])
            .await
            .map_err(unavailable)?;
        Ok(match state.as_str() {
            "LIVE" => State::Live { version },
            "BACK" => State::Back(Taken { lease, rest, period, abandoned }),
            "NONE" => State::None,
            _ => State::Busy,
        })
    }

    async fn finish(
        &self,
        account: &AccountId,
        (tag, looked_at): &(String, f64),
        state: State,
        items: &Result<HashMap<AccountId, Result<Account, Error>>, Error>,
    ) -> Result<Outcome, Error> {
        let item = || {
            let found = items.as_ref().map(|items| items.get(account).map(Result::as_ref));
            found.and_then(Option::transpose).map_err(|error| Error::Unavailable {
                dependency: "DynamoDB",
                detail: error.to_string(),
            })
        };
        let key = gate_key(account);
        match state {
            State::Live { version } => {
                // Without an account, any other version makes the gate forget it.
                let true_version = item()?.map_or(version + 1, |it| it.gate_version);
                if version == true_version {
                    return Ok(Outcome::Left);
                }
                let version = true_version.to_string();
                let told = INVALIDATE.run_patiently::<u8>(self.redis, &key, &[&version]).await;
                told.map_err(unavailable)?;
                Ok(Outcome::Corrected)
            }
            State::Back(taken) => {
                let credited = match item()? {
                    Some(item) => credit(self.store, item, &taken).await?,
                    None => 0,
                };
                let args = [&taken.lease, &taken.rest.to_string(), &taken.abandoned];
                let args = args.map(String::as_str);
                let told = CREDITED.run_patiently::<u8>(self.redis, &key, &args).await;
                told.map_err(unavailable)?;
                Ok(Outcome::Ended { credited })
            }
            // Unless a lease has been installed since.
            State::None => {
                forget(self.redis, tag, *looked_at).await.map_err(unavailable)?;
                Ok(Outcome::Forgotten)
            }
            State::Busy => Ok(Outcome::Left),
        }
    }

    /// Has these accounts looked at last by the next run, as far as they are there still. The half keeps it
    /// from being the time at which a lease is installed.
    async fn put_last(&self, some: &[(String, f64)]) -> Result<(), Error> {
        let mut pipeline = pipe();
        let put = pipeline.cmd("ZADD").arg(LEASES_KEY).arg("XX").arg("GT");
        for (tag, _) in some {
            put.arg(epoch_ms(self.now) as f64 + 0.5).arg(tag);
        }
        put.ignore();
        self.redis.query_patiently::<()>(pipeline).await.map_err(unavailable)
    }
}

fn unavailable(error: RedisError) -> Error {
    Error::unavailable("Redis", &error)
}

/// Credits what was taken back, unless that has been done.
async fn credit(store: &Store, account: &Account, taken: &Taken) -> Result<u64, Error> {
    let abandoned = reply::tokens(&taken.abandoned);
    // An unfinished refill took its lease in the period of its own request.
    let times = abandoned.iter().filter_map(|token| lease::taken_at(token));
    let times = times.chain(reply::instant(&taken.period));
    let mut periods: Vec<_> = times.map(|at| account.period(at)).collect();
    periods.sort_by_key(|period| period.start);
    periods.dedup();
    let mut credited = 0;
    for period in &periods {
        let rest = (taken.lease.as_str(), taken.rest);
        credited += lease::credit(store, &account.id, period, rest, &abandoned).await?;
    }
    Ok(credited)
}

async fn forget(redis: &Redis, tag: &str, looked_at: f64) -> Result<(), RedisError> {
    static FORGET: std::sync::LazyLock<crate::redis::Script> = std::sync::LazyLock::new(|| {
        crate::redis::Script::new(
            "if tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or -1) == tonumber(ARGV[2]) then \
             return redis.call('ZREM', KEYS[1], ARGV[1]) end return 0",
        )
    });
    FORGET.run_patiently::<u8>(redis, LEASES_KEY, &[tag, &looked_at.to_string()]).await.map(drop)
}
