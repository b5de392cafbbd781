//! How many accounts are opened from one network or for one mailbox: many are a sign for the operator to look
//! at, and stop nobody.

use std::net::IpAddr;

use time::{OffsetDateTime, UtcOffset};

use super::Account;
use crate::{
    app::App,
    billing::task::{OPERATOR, Sign, Task, Work},
    error::Error,
    inventory,
    secrets::Pepper,
    store::count,
};

/// Accounts that a network may open on one day (UTC) before the operator is told of each further one.
const INCONSPICUOUS: i64 = 5;

/// Accounts that one mailbox may open in a month (UTC) under addresses with a tag before the operator is told
/// of each further one.
const INCONSPICUOUS_TAGS: i64 = 2;

/// Counts the account that was just opened from `source_ip`. What fails here fails no sign-up.
pub(super) async fn note_sign_up(
    app: &App,
    pepper: &Pepper,
    account: &Account,
    source_ip: &str,
    now: OffsetDateTime,
) {
    if let Err(error) = count_and_flag(app, pepper, account, source_ip, now).await {
        tracing::warn!(error = %error, "sign-ups are not being counted");
    }
}

async fn count_and_flag(
    app: &App,
    pepper: &Pepper,
    account: &Account,
    source_ip: &str,
    now: OffsetDateTime,
) -> Result<(), Error> {
    // Another day or month is another item: a count ends by itself.
    let day = now.to_offset(UtcOffset::UTC).date();
    let mut signs = Vec::new();
    if let Some(network) = network(source_ip) {
        let hash = pepper.hash("network", &format!("{network} {day}"));
        let count = count(&app.store, &inventory::NETWORK_COUNTS, hash, 1, now).await?;
        if count > INCONSPICUOUS {
            signs.push(count.to_string());
        }
    }
    if account.email.has_free_tag() {
        let mailbox = account.email.mailbox_hash(pepper);
        let month = (day.year(), u8::from(day.month()));
        let hash = pepper.hash("sign-ups of a mailbox", &format!("{mailbox} {month:?}"));
        let count = count(&app.store, &inventory::MAILBOX_COUNTS, hash, 1, now).await?;
        if count > INCONSPICUOUS_TAGS {
            signs.push(format!("{count} with a tag"));
        }
    }
    if signs.is_empty() {
        return Ok(());
    }
    let work = Work::Flag { sign: Sign::ManySignUps, detail: signs.join(", ") };
    let task = Task::new(&account.id, "flag#many-sign-ups".to_owned(), work, OPERATOR, now);
    task.store_new(&app.store).await.map(drop)
}

/// What of an address one customer of a network provider usually has: 256 addresses, or a /48.
fn network(source_ip: &str) -> Option<String> {
    match source_ip.parse::<IpAddr>().ok()?.to_canonical() {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            Some(format!("{a}.{b}.{c}.0/24"))
        }
        IpAddr::V6(ip) => {
            let [a, b, c, ..] = ip.segments();
            Some(format!("{a:x}:{b:x}:{c:x}::/48"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_network_count_together() {
        for (ip, expected) in [
            ("192.0.2.10", Some("192.0.2.0/24")),
            ("192.0.2.255", Some("192.0.2.0/24")),
            ("192.0.3.1", Some("192.0.3.0/24")),
            ("::ffff:192.0.2.10", Some("192.0.2.0/24")),
            ("2001:db8:1:2::1", Some("2001:db8:1::/48")),
            ("2001:db8:1:3::9", Some("2001:db8:1::/48")),
            ("2001:db8:2::1", Some("2001:db8:2::/48")),
            ("", None),
            ("not an address", None),
        ] {
            assert_eq!(network(ip).as_deref(), expected, "{ip}");
        }
    }
}
