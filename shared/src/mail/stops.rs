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

/// Mails a token to `to`. To an address that refuses mail once a day, because the token is what ends that.
pub async fn send_token(
    app: &App,
    peppers: &Peppers,
    to: &EmailAddress,
    kind: Kind,
    mail: Mail,
    now: OffsetDateTime,
) -> Result<Delivery, Error> {
    // The same work for every address.
    for pepper in peppers.all() {
        if !may_try(&app.store, pepper, to, now).await? {
            not_sent(now);
            return Ok(Delivery::NotSent);
        }
    }
    app.mailer.send(to, (kind, None), mail).await?;
    Ok(Delivery::Sent)
}

/// Whether `to` takes mail, as far as is known, or a token has not been tried for long enough.
async fn may_try(
    store: &Store,
    pepper: &Pepper,
    to: &EmailAddress,
    now: OffsetDateTime,
) -> Result<bool, Error> {
    let update = store
        .client()
        .update_item()
        .table_name(store.name(Table::Sessions))
        .key("hash", s(to.stop_hash(pepper)))
        .update_expression("SET tried_at = :now")
        .condition_expression(
            "attribute_exists(#hash) AND expires_at > :now AND \
             (attribute_not_exists(tried_at) OR tried_at <= :before)",
        )
        .expression_attribute_names("#hash", "hash")
        .expression_attribute_values(":now", n(now.unix_timestamp()))
        .expression_attribute_values(":before", n((now - TOKEN_EVERY).unix_timestamp()))
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
    match conditional(update.send().await)? {
        Conditional::Done(_) => Ok(true),
        Conditional::Refused(found) => {
            let until = found.and_then(|it| crate::store::number(&it, "expires_at"));
            Ok(until.is_none_or(|until| until <= now.unix_timestamp()))
        }
    }
}
