//! How many mails strangers can cause: nobody is to be flooded through a form that asks for an address.

use super::Mailer;
use crate::{
    accounts::EmailAddress, error::Error, inventory::CACHE_SECONDS, redis::Redis, secrets::Pepper,
};

/// Mails that one address can be sent in an hour, and that one network address can cause.
const MAILS_PER_ADDRESS: u64 = 3;
const MAILS_PER_SENDER: u64 = 20;

impl Mailer {
    /// Whether one more mail may go to `to`. Both addresses are only counted, under keyed hashes, for
    /// an hour. Only who asks too often themselves is told: that somebody else has just had a mail is
    /// nobody's business, so with `false` the answer must be the usual one.
    pub async fn may_send(
        redis: &Redis,
        pepper: &Pepper,
        to: &EmailAddress,
        source_ip: &str,
    ) -> Result<bool, Error> {
        let sender = pepper.hash("network address", source_ip);
        if count(redis, &format!("mails:from:{sender}")).await > MAILS_PER_SENDER {
            return Err(Error::TooManyMails);
        }
        let to = to.hash(pepper);
        Ok(count(redis, &format!("mails:to:{to}")).await <= MAILS_PER_ADDRESS)
    }
}

/// Counts one more mail under `key` for an hour. Redis away: no limit but API Gateway's own.
async fn count(redis: &Redis, key: &str) -> u64 {
    let mut pipeline = ::redis::pipe();
    pipeline.cmd("INCR").arg(key);
    pipeline.cmd("EXPIRE").arg(key).arg(CACHE_SECONDS).arg("NX").ignore();
    match redis.query::<(u64,)>(pipeline.atomic().clone()).await {
        Ok((count,)) => count,
        Err(error) => {
            tracing::warn!(error = %error, "mails are not being counted");
            0
        }
    }
}
