//! Loads an account into the gate together with a fresh lease. The gate script chooses one request
//! at a time to do it; the token it was chosen with becomes the lease's id.

use ::redis::pipe;
use time::{Duration, OffsetDateTime};

use super::{Gate, HOLD, INSTALL, RELEASE, epoch_ms, gate_key, lease, reply::Seen};
use crate::{
    accounts::{self, Account, Status},
    error::Error,
    ids::AccountId,
    keys::{self, KeyItem},
    plans::Period,
    redis::{RedisError, is_no_script},
};

/// The account is loaded anew after this long, whatever happens…
pub(super) const RELOAD_AFTER: Duration = Duration::minutes(45);
/// …one whose period is used up sooner: a request may be given back to it at any time.
const LOOK_AGAIN: Duration = Duration::minutes(1);
/// The former is before Redis forgets it, so that no lease is lost by an account that is in use.
const TTL_MS: &str = "3000000";

/// Sorted set of the accounts that hold a lease, by when it was installed (ms): what the sweep looks
/// through.
pub(super) const LEASES_KEY: &str = "leases";

impl Gate {
    /// Loads `account`, with a lease for `cost` requests at least if that many are left. Says no when there
    /// is no such account, or none with a key of one of the `hashes`: then nothing has changed. Errors of
    /// Redis are left to the next attempt.
    pub(super) async fn refill(
        &self,
        account: &AccountId,
        hashes: &[String],
        token: &str,
        seen: &Seen,
        cost: u64,
        now: OffsetDateTime,
    ) -> Result<bool, Error> {
        self.check_restored().await?;
        // A version that is too old when it arrives is read again; the lease stays.
        for _ in 0..4 {
            // The account before its keys: whoever changes the keys in between has this version
            // refused or replaced. The other way round, old keys could come in under a new version,
            // and a revoked one would live on.
            let Some(item) = accounts::get(&self.store, account).await? else {
                return self.release(account, token).await;
            };
            if item.status == Status::Erasing {
                // Nothing of it may come back into Redis or the quotas.
                return self.release(account, token).await;
            }
            let (plan, period) = (item.plan_at(now), item.period(now));
            let limit = item.quota_at(now);
            let (keys, mut before) = tokio::try_join!(
                keys::list(&self.store, account),
                lease::read(&self.store, account, &period)
            )?;
            // Who only knows which accounts there are has none of them take a lease.
            if !keys.iter().any(|key| hashes.contains(&key.hash)) {
                if before.lease.as_deref() == Some(token) {
                    // Taken in the round before, under a key that was revoked since: it never was in the gate.
                    let unserved = (token, before.lease_size);
                    lease::credit(&self.store, account, &period, unserved, &[]).await?;
                }
                return self.release(account, token).await;
            }
            self.end_other_period(&item, seen, &period).await?;
            let step = loop {
                if before.lease.as_deref() == Some(token) {
                    // Taken in the round before.
                    break lease::Step { size: before.lease_size, after: before };
                }
                let step = lease::step(&before, seen, token, (plan, limit), cost);
                if step.after == before {
                    break step;
                }
                // Between reading and writing: whoever takes over after this changes what the write
                // insists on, and who has taken over before must not lose its lease to this one.
                match self.hold(account, token, now).await {
                    Ok(true) => {}
                    Ok(false) => return Ok(true),
                    Err(error) => {
                        tracing::warn!(error = %error, "the gate could not be loaded");
                        return Ok(true);
                    }
                }
                if lease::replace(&self.store, account, &period, &before, &step.after).await? {
                    break step;
                }
                before = lease::read(&self.store, account, &period).await?;
            };
            match self.install(&item, &keys, token, &step, now).await {
                Ok(outcome) if outcome == "STALE" => continue,
                Ok(outcome) if outcome == "LOST" => {
                    // The lease was never in the gate and never will be.
                    let unserved = (token, step.size);
                    lease::credit(&self.store, account, &period, unserved, &[]).await?;
                    return Ok(true);
                }
                Ok(_) => return Ok(true),
                Err(error) => {
                    tracing::warn!(error = %error, "the gate could not be loaded");
                    return Ok(true);
                }
            }
        }
        Ok(true)
    }

    /// Ends the refill that was chosen with `token`, so that nobody waits for it. Always says no.
    async fn release(&self, account: &AccountId, token: &str) -> Result<bool, Error> {
        if let Err(error) = RELEASE.run::<u8>(&self.redis, &gate_key(account), &[token]).await {
            tracing::warn!(error = %error, "a refill that has ended is waited for");
        }
        Ok(false)
    }

    /// The gate is about to forget another period's lease (the month has changed): it is ended there,
    /// and what was put aside of it credited. Without that it would look lost.
    async fn end_other_period(
        &self,
        account: &Account,
        seen: &Seen,
        period: &Period,
    ) -> Result<(), Error> {
        let Some(start) = seen.period_start.filter(|start| *start != period.start) else {
            return Ok(());
        };
        let (aside, rest) = (seen.aside.0.as_str(), seen.aside.1);
        // With nothing put aside, the lease was used to its end.
        let ended = if aside.is_empty() { (seen.lease.as_str(), 0) } else { (aside, rest) };
        lease::credit(&self.store, &account.id, &account.period(start), ended, &[]).await.map(drop)
    }

    /// Whether the refill is still the one chosen with `token`. From here on the sweep knows of it.
    async fn hold(
        &self,
        account: &AccountId,
        token: &str,
        now: OffsetDateTime,
    ) -> Result<bool, RedisError> {
        let mut pipeline = pipe();
        pipeline.cmd("ZADD").arg(LEASES_KEY).arg(epoch_ms(now)).arg(account.tag()).ignore();
        pipeline.cmd("EXPIRE").arg(LEASES_KEY).arg(3600).ignore();
        let (key, args) = (gate_key(account), [token, TTL_MS]);
        let known = self.redis.query::<()>(pipeline);
        let ((), held) = tokio::try_join!(known, HOLD.run::<bool>(&self.redis, &key, &args))?;
        Ok(held)
    }

    async fn install(
        &self,
        account: &Account,
        keys: &[KeyItem],
        token: &str,
        step: &lease::Step,
        now: OffsetDateTime,
    ) -> Result<String, RedisError> {
        let period = account.period(now);
        let start = epoch_ms(period.start).to_string();
        let plan = account.plan_at(now);
        let limit = account.quota_at(now);
        let mut args = vec![token.to_owned(), account.gate_version.to_string(), TTL_MS.to_owned()];
        let mut set = |name: &str, value: String| args.extend([name.to_owned(), value]);
        set("st", account.status.name().to_owned());
        set("pl", plan.name().to_owned());
        set("rp", plan.requests_per_minute().to_string());
        set("lm", limit.to_string());
        set("pe", epoch_ms(period.end).to_string());
        let reload = if step.size > 0 { RELOAD_AFTER } else { LOOK_AGAIN };
        set("xp", epoch_ms(now + reload).to_string());
        set("lid", if step.size > 0 { token.to_owned() } else { String::new() });
        set("rem", step.size.to_string());
        set("seq", "0".to_owned());
        set("out", limit.saturating_sub(step.after.granted).to_string());
        if step.size == 0 {
            set("ex", start.clone());
        }
        set("ps", start);
        for key in keys {
            set(&format!("k:{}", key.hash), key.key_id.to_string());
        }
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        for _ in 0..2 {
            let mut pipeline = pipe();
            INSTALL.add_to(&mut pipeline, &gate_key(&account.id), &args);
            match self.redis.query::<(String,)>(pipeline).await {
                Err(RedisError::Failed(error)) if is_no_script(&error) => {
                    INSTALL.load(&self.redis).await?;
                }
                answer => return answer.map(|it| it.0),
            }
        }
        Err(RedisError::Timeout)
    }
}
