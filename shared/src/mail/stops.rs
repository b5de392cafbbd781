//! Addresses that refuse mail: there is no such mailbox, or its reader has called a mail of ours spam.
//!
//! Of each a keyed hash is kept for a while (`sessions`, `hash`); an account says so of itself besides, so that
//! nothing has to be looked up before a mail to it. Whoever confirms the address again ends it.

use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use utoipa::ToSchema;

use super::{Delivery, Kind, Mail, not_sent};
use crate::{
    accounts::EmailAddress,
    app::App,
    error::Error,
    inventory::{self, Table},
    secrets::{Pepper, Peppers},
    store::{Conditional, Store, conditional, n, s, unavailable},
};

/// A token is mailed to an address that refuses mail no more often: it may be right again, and who keeps on
/// writing to dead ones has all mail refused.
const TOKEN_EVERY: Duration = Duration::DAY;

/// Why an address is not written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Why {
    /// A mail came back for good: there is no such mailbox.
    Bounce,
    /// The reader has called a mail spam.
    Complaint,
}

impl Why {
    fn name(self) -> &'static str {
        match self {
            Self::Bounce => "bounce",
            Self::Complaint => "complaint",
        }
    }
}

/// That an account's address refuses mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailStop {
    /// Why.
    pub why: Why,
    /// When the mail was sent that came back, or complained about (epoch seconds).
    pub at: i64,
}

/// Notes that `email` refuses mail.
pub(super) async fn put(
    store: &Store,
    pepper: &Pepper,
    email: &EmailAddress,
    stop: MailStop,
    now: OffsetDateTime,
) -> Result<(), Error> {
    let hash = email.stop_hash(pepper);
    let expiry = inventory::MAIL_STOPS.expiry(now, &hash);
    // When a token was last tried stays.
    let update = store
        .client()
        .update_item()
        .table_name(store.name(Table::Sessions))
        .key("hash", s(hash))
        .update_expression("SET why = :why, #at = :at, expires_at = :until, expires_on = :on")
        .expression_attribute_names("#at", "at")
        .expression_attribute_values(":why", s(stop.why.name()))
        .expression_attribute_values(":at", n(stop.at))
        .expression_attribute_values(":until", n(expiry.at))
        .expression_attribute_values(":on", s(expiry.on));
    update.send().await.map(drop).map_err(unavailable)
}

/// The address takes mail: a token that was mailed there has come back.
pub async fn lift(store: &Store, peppers: &Peppers, email: &EmailAddress) -> Result<(), Error> {
    for pepper in peppers.all() {
        let delete = store
            .client()
            .delete_item()
            .table_name(store.name(Table::Sessions))
            .key("hash", s(email.stop_hash(pepper)));
        delete.send().await.map_err(unavailable)?;
    }
    Ok(())
}

/// Where it is noted when a token of this kind was last tried. Each has its own: what strangers ask for in the one form
/// must not use up what the holder asks for in the other.
fn tried(kind: Kind) -> &'static str {
    match kind {
        Kind::Objection => "objection_tried_at",
        _ => "tried_at",
    }
}

/// Mails a token to `to`. To an address that refuses mail one of each kind a day, because the token is what ends that.
/// A try that failed is none.
pub async fn send_token(
    app: &App,
    peppers: &Peppers,
    to: &EmailAddress,
    kind: Kind,
    mail: Mail,
    now: OffsetDateTime,
) -> Result<Delivery, Error> {
    let mut taken = Vec::new();
    let sent = try_token(app, peppers, to, (kind, mail), &mut taken, now).await;
    if !matches!(sent, Ok(Delivery::Sent)) {
        for hash in taken {
            if let Err(error) = give_back(&app.store, &hash, kind, now).await {
                tracing::warn!(error = %error, "a token's try was not given back");
            }
        }
    }
    sent
}

/// Mails the token, if the day's try is left; `taken` are the hashes under which it was noted as tried.
async fn try_token(
    app: &App,
    peppers: &Peppers,
    to: &EmailAddress,
    (kind, mail): (Kind, Mail),
    taken: &mut Vec<String>,
    now: OffsetDateTime,
) -> Result<Delivery, Error> {
    let mut may_send = true;
    // The same work for every address.
    for pepper in peppers.all() {
        let hash = to.stop_hash(pepper);
        match take(&app.store, &hash, kind, now).await? {
            Try::Free => {}
            Try::Taken => taken.push(hash),
            Try::Over => may_send = false,
        }
    }
    if !may_send {
        not_sent(now);
        return Ok(Delivery::NotSent);
    }
    app.mailer.send(to, (kind, None), mail).await?;
    Ok(Delivery::Sent)
}

/// Whether a token may be tried.
enum Try {
    /// The address takes mail, as far as is known.
    Free,
    /// It does not, and this is the day's try.
    Taken,
    /// It does not, and the day's try is over.
    Over,
}

/// Takes the day's try of a token of this kind, if the address refuses mail.
async fn take(store: &Store, hash: &str, kind: Kind, now: OffsetDateTime) -> Result<Try, Error> {
    let update = store
        .client()
        .update_item()
        .table_name(store.name(Table::Sessions))
        .key("hash", s(hash))
        .update_expression("SET #tried = :now")
        .condition_expression(
            "attribute_exists(#hash) AND expires_at > :now AND \
             (attribute_not_exists(#tried) OR #tried <= :before)",
        )
        .expression_attribute_names("#hash", "hash")
        .expression_attribute_names("#tried", tried(kind))
        .expression_attribute_values(":now", n(now.unix_timestamp()))
        .expression_attribute_values(":before", n((now - TOKEN_EVERY).unix_timestamp()))
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
    match conditional(update.send().await)? {
        Conditional::Done(_) => Ok(Try::Taken),
        Conditional::Refused(found) => {
            let until = found.and_then(|it| crate::store::number(&it, "expires_at"));
            let is_over = until.is_some_and(|until| until > now.unix_timestamp());
            Ok(if is_over { Try::Over } else { Try::Free })
        }
    }
}

/// Gives the try that was taken at `now` back, if it is still that one.
async fn give_back(
    store: &Store,
    hash: &str,
    kind: Kind,
    now: OffsetDateTime,
) -> Result<(), Error> {
    let update = store
        .client()
        .update_item()
        .table_name(store.name(Table::Sessions))
        .key("hash", s(hash))
        .update_expression("REMOVE #tried")
        .condition_expression("#tried = :now")
        .expression_attribute_names("#tried", tried(kind))
        .expression_attribute_values(":now", n(now.unix_timestamp()));
    conditional(update.send().await).map(drop)
}
