//! The gate without Redis: slower, and still exact.

use time::OffsetDateTime;

use super::{
    Admission, Denial, Gate, Token, Window,
    lease::{self, Refusal},
    reply::limits,
};
use crate::{
    accounts::{self, Account},
    error::{AuthError, Error},
    ids::KeyId,
    keys::{self, ApiKey},
    secrets::Peppers,
};

impl Gate {
    pub(super) async fn admit_directly(
        &self,
        key: &ApiKey,
        hashes: &[&str; 2],
        (count, cost): (u64, u64),
        now: OffsetDateTime,
    ) -> Result<Admission, Error> {
        let account = key.account();
        let (item, key_id) = self.find(key, hashes).await.and_then(served)?;
        let (plan, limit, period) = (item.plan_at(now), item.quota_at(now), item.period(now));
        let rpm = plan.requests_per_minute();
        if count > rpm {
            return Err(Denial::TooMany { asked: count, allowed: rpm }.into());
        }
        let reset_seconds = (60 - now.unix_timestamp().rem_euclid(60)).unsigned_abs();
        let stands = |minute_left, left| {
            let minute = Window { limit: rpm, remaining: minute_left, reset_seconds };
            limits(minute, period, limit, left, now)
        };
        let allowed = (plan, limit);
        match lease::take(&self.store, account, allowed, &period, (count, cost), now).await? {
            Ok(left) => Ok(Admission {
                account: account.clone(),
                key_id,
                plan,
                period,
                // The minute's count is not asked back: what is certain is that this one was allowed.
                limits: stands(0, left),
                token: if cost == 0 { Token::Sandbox } else { Token::Direct },
                cost,
            }),
            Err(Refusal::Minute) => {
                let retry_after = std::time::Duration::from_secs(reset_seconds);
                let limits = stands(0, 0);
                Err(Denial::Rate { retry_after, limits, key_id }.into())
            }
            // Part of the quota may be in a lease that cannot be reached now: "used up" would be a
            // guess.
            Err(Refusal::Period(quota)) if quota.lease.is_some() => Err(Error::Unavailable {
                dependency: "Redis",
                detail: "the rest of the quota is in a lease there".to_owned(),
            }),
            Err(Refusal::Period(quota)) => {
                let left = limit.saturating_sub(quota.granted);
                Err(Denial::Quota { limits: stands(rpm, left), key_id }.into())
            }
        }
    }

    /// The account and key behind `key`, for endpoints that are not metered.
    pub async fn identify(
        &self,
        key: &ApiKey,
        peppers: &Peppers,
    ) -> Result<(Account, KeyId), Error> {
        self.identify_holder(key, peppers).await.and_then(served)
    }

    /// As [`Gate::identify`], also of an account that is not served: its holder keeps their rights under
    /// privacy law.
    pub async fn identify_holder(
        &self,
        key: &ApiKey,
        peppers: &Peppers,
    ) -> Result<(Account, KeyId), Error> {
        let (hash, previous) = key.hashes(peppers);
        self.find(key, &[&hash, previous.as_deref().unwrap_or_default()]).await
    }

    async fn find(&self, key: &ApiKey, hashes: &[&str; 2]) -> Result<(Account, KeyId), Error> {
        let ((), account, keys) = tokio::try_join!(
            self.check_restored(),
            accounts::get(&self.store, key.account()),
            keys::list(&self.store, key.account())
        )?;
        let live = keys.into_iter().find(|it| hashes.contains(&it.hash.as_str()));
        let (Some(account), Some(live)) = (account, live) else {
            return Err(AuthError::Unknown.into());
        };
        Ok((account, live.key_id))
    }
}

fn served((account, key_id): (Account, KeyId)) -> Result<(Account, KeyId), Error> {
    if !account.status.is_served() {
        return Err(Denial::Inactive(account.status.name().to_owned()).into());
    }
    Ok((account, key_id))
}
