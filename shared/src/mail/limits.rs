//! How many mails strangers can cause: nobody is to be flooded through a form that asks for an address.

use std::net::IpAddr;

use time::OffsetDateTime;

use super::Mailer;
use crate::{
    accounts::EmailAddress,
    app::App,
    error::Error,
    inventory::{self, CACHE_SECONDS},
    redis::{Redis, RedisError},
    secrets::Pepper,
    store::count,
};

/// Mails that one mailbox can be sent in an hour because of one sender, because of all of them, mails that
/// one sender can cause, and mails that all of them can.
///
/// The first two apart, so that what a stranger asks for does not use up what the owner may ask for. The last
/// one keeps who has many networks from getting the service's mail refused everywhere, receipts and all.
const MAILS_TO_MAILBOX_BY_SENDER: u64 = 3;
const MAILS_TO_MAILBOX: u64 = 10;
const MAILS_BY_SENDER: u64 = 20;
const MAILS_IN_ALL: u64 = 1_000;

const ALL: &str = "mails:all";

impl Mailer {
    /// Whether one more mail may go to `to`. Both addresses are only counted, under keyed hashes, for
    /// an hour. Only who asks too often themselves is told: that somebody else has just had a mail is
    /// nobody's business, so with `false` the answer must be the usual one.
    pub async fn may_send(
        app: &App,
        pepper: &Pepper,
        to: &EmailAddress,
        source_ip: &str,
        now: OffsetDateTime,
    ) -> Result<bool, Error> {
        let mut counts = Counts { app, pepper, now, is_redis_away: false };
        let sender = pepper.hash("network address", &sender(source_ip));
        if counts.add(&format!("mails:from:{sender}")).await? > MAILS_BY_SENDER {
            return Err(Error::TooManyMails);
        }
        // Looked at before anything that depends on the address, so that the answer tells nothing of it.
        if counts.read(ALL).await? >= MAILS_IN_ALL {
            tracing::error!(limit = MAILS_IN_ALL, "no more mails are sent to strangers this hour");
            return Err(Error::MailsPaused);
        }
        let to = to.mailbox_hash(pepper);
        // What is not sent for one reason does not count for the next.
        let may_send = counts.add(&format!("mails:to:{to}:{sender}")).await?
            <= MAILS_TO_MAILBOX_BY_SENDER
            && counts.add(&format!("mails:to:{to}")).await? <= MAILS_TO_MAILBOX;
        if may_send {
            counts.add(ALL).await?;
        }
        Ok(may_send)
    }
}

/// Who counts as one sender: an address of IPv4; of IPv6 a /64, which is one connection's to choose from.
fn sender(source_ip: &str) -> String {
    match source_ip.parse::<IpAddr>().map(|ip| ip.to_canonical()) {
        Ok(IpAddr::V6(ip)) => {
            let [a, b, c, d, ..] = ip.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
        Ok(ip) => ip.to_string(),
        Err(_) => source_ip.to_owned(),
    }
}

/// What is counted for one mail: in Redis, or in DynamoDB where Redis cannot count. The two do not know of each other,
/// so a limit may be used once more where Redis goes or comes back within the hour.
struct Counts<'a> {
    app: &'a App,
    pepper: &'a Pepper,
    now: OffsetDateTime,
    /// Whether Redis has failed for this mail. One that takes no writes still answers what it has from before.
    is_redis_away: bool,
}

impl Counts<'_> {
    /// Counts one more mail under `name`; how many there are by now.
    async fn add(&mut self, name: &str) -> Result<u64, Error> {
        self.count(name, 1).await
    }

    /// What is counted under `name` by now.
    async fn read(&mut self, name: &str) -> Result<u64, Error> {
        self.count(name, 0).await
    }

    async fn count(&mut self, name: &str, more: u64) -> Result<u64, Error> {
        if !self.is_redis_away {
            match count_in_redis(&self.app.redis, name, more).await {
                Ok(count) => return Ok(count),
                Err(error) => {
                    tracing::warn!(error = %error, "mails are counted in DynamoDB");
                    self.is_redis_away = true;
                }
            }
        }
        // Another hour is another item: a count ends by itself.
        let hour = self.now.unix_timestamp().div_euclid(CACHE_SECONDS);
        let hash = self.pepper.hash("mails of an hour", &format!("{name} {hour}"));
        let store = &self.app.store;
        let count = count(store, &inventory::MAIL_COUNTS, hash, more, self.now).await?;
        Ok(count.unsigned_abs())
    }
}

async fn count_in_redis(redis: &Redis, key: &str, more: u64) -> Result<u64, RedisError> {
    let mut pipeline = ::redis::pipe();
    if more == 0 {
        pipeline.cmd("GET").arg(key);
        return Ok(redis.query::<(Option<u64>,)>(pipeline).await?.0.unwrap_or_default());
    }
    pipeline.cmd("INCRBY").arg(key).arg(more);
    pipeline.cmd("EXPIRE").arg(key).arg(CACHE_SECONDS).arg("NX").ignore();
    Ok(redis.query::<(u64,)>(pipeline.atomic().clone()).await?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_connection_is_one_sender() {
        for (ip, expected) in [
            ("192.0.2.10", "192.0.2.10"),
            ("::ffff:192.0.2.10", "192.0.2.10"),
            ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
            ("2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"),
            ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
            ("", ""),
        ] {
            assert_eq!(sender(ip), expected, "{ip}");
        }
    }
}
