//! How many mails strangers can cause: nobody is to be flooded through a form that asks for an address.

use std::net::IpAddr;

use super::Mailer;
use crate::{
    accounts::EmailAddress, error::Error, inventory::CACHE_SECONDS, redis::Redis, secrets::Pepper,
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
        redis: &Redis,
        pepper: &Pepper,
        to: &EmailAddress,
        source_ip: &str,
    ) -> Result<bool, Error> {
        let sender = pepper.hash("network address", &sender(source_ip));
        if count(redis, &format!("mails:from:{sender}")).await > MAILS_BY_SENDER {
            return Err(Error::TooManyMails);
        }
        // Looked at before anything that depends on the address, so that the answer tells nothing of it.
        if counted(redis, ALL).await >= MAILS_IN_ALL {
            tracing::error!(limit = MAILS_IN_ALL, "no more mails are sent to strangers this hour");
            return Err(Error::MailsPaused);
        }
        let to = to.mailbox_hash(pepper);
        // What is not sent for one reason does not count for the next.
        let may_send = count(redis, &format!("mails:to:{to}:{sender}")).await
            <= MAILS_TO_MAILBOX_BY_SENDER
            && count(redis, &format!("mails:to:{to}")).await <= MAILS_TO_MAILBOX;
        if may_send {
            count(redis, ALL).await;
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

/// What is counted under `key` by now.
async fn counted(redis: &Redis, key: &str) -> u64 {
    let mut pipeline = ::redis::pipe();
    pipeline.cmd("GET").arg(key);
    let count = redis.query::<(Option<u64>,)>(pipeline).await;
    count.map_or(0, |(count,)| count.unwrap_or_default())
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
