//! The gate without Redis: slower, and still exact.

use time::OffsetDateTime;

use super::{
    Admission, Denial, Gate, Token, Window,
    minute::Minute,
    reply::limits,
    single::{self, Refusal},
};
use crate::{
    accounts::{self, Account},
    error::{AuthError, Error},
    ids::KeyId,
    keys::{self, ApiKey},
    secrets::Peppers,
    video::Calls,
};

impl Gate {
    pub(super) async fn admit_directly(
        &self,
        key: &ApiKey,
        hashes: &[String],
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
        let before = item.period(period.start - time::Duration::MILLISECOND);
        // How the minute stands: until `asked` have room, or else one more.
        let stands = |minute: Option<&Minute>, asked: Option<u64>, left| {
            let (free, _) = Minute::outlook(minute, 0, rpm, now);
            let asked = asked.unwrap_or((free + 1).min(rpm));
            let (_, wait) = Minute::outlook(minute, asked, rpm, now);
            let minute = Window::new(rpm, free, wait);
            (limits(minute, period, limit, left, now), wait)
        };
        let (allowed, periods) = ((plan, limit), (&period, &before));
        match single::take(&self.store, account, allowed, periods, (count, cost), now).await? {
            Ok(taken) => Ok(Admission {
                account: account.clone(),
                key_id,
                plan,
                period,
                limits: stands(Some(&taken.minute), None, taken.left).0,
                token: if cost == 0 { Token::Sandbox } else { Token::Direct },
                cost,
                calls: Calls::default(),
            }),
            Err(Refusal::Minute(minute)) => {
                let (limits, retry_after) = stands(Some(&minute), Some(count), 0);
                Err(Denial::Rate { retry_after, limits, key_id }.into())
            }
            // Part of the quota may be in a lease that cannot be reached now: "used up" would be a
            // guess.
            Err(Refusal::Period(quota, _)) if quota.lease.is_some() => Err(Error::Unavailable {
                dependency: "Redis",
                detail: "the rest of the quota is in a lease there".to_owned(),
            }),
            Err(Refusal::Period(quota, minute)) => {
                let left = limit.saturating_sub(quota.granted);
                Err(Denial::Quota { limits: stands(minute.as_ref(), None, left).0, key_id }.into())
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
        self.find(key, &key.hashes(peppers)).await
    }

    async fn find(&self, key: &ApiKey, hashes: &[String]) -> Result<(Account, KeyId), Error> {
        let ((), account, keys) = tokio::try_join!(
            self.check_restored(),
            accounts::get(&self.store, key.account()),
            keys::list(&self.store, key.account())
        )?;
        let live = keys.into_iter().find(|it| hashes.contains(&it.hash));
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
