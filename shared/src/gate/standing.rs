//! Where an account stands in its period, for showing.

use ::redis::pipe;

use super::{Gate, gate_key, lease};
use crate::{error::Error, ids::AccountId, plans::Period};

/// Requests of a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Served and charged.
    pub used: u64,
    /// Still to be served.
    pub remaining: u64,
    /// Neither: in leases that were lost with Redis, so that they may have been served. They are not
    /// handed out again.
    pub withheld: u64,
}

impl Gate {
    /// Where `account` stands in `period`, which has `limit` requests.
    pub async fn standing(
        &self,
        account: &AccountId,
        limit: u64,
        period: &Period,
    ) -> Result<Standing, Error> {
        let quota = lease::read(&self.store, account, period).await?;
        let mut pipeline = pipe();
        pipeline.cmd("HMGET").arg(gate_key(account)).arg(&["lid", "rem", "bl", "bn"]);
        type Fields = (Option<String>, Option<u64>, Option<String>, Option<u64>);
        let unspent = match self.redis.query::<(Fields,)>(pipeline).await {
            Ok(((lease, left, aside, rest),)) => {
                let of = |id: Option<String>, count: Option<u64>| match id {
                    Some(id) if Some(&id) == quota.lease.as_ref() => count.unwrap_or_default(),
                    _ => 0,
                };
                of(lease, left) + of(aside, rest)
            }
            Err(error) => {
                tracing::warn!(error = %error, "the live lease is counted as used");
                0
            }
        };
        let withheld = quota.lost.min(quota.granted);
        let used = quota.granted.saturating_sub(unspent + withheld);
        Ok(Standing { used, remaining: limit.saturating_sub(used + withheld), withheld })
    }
}
