//! Accounts in DynamoDB: table `accounts`, key `id`. An item `email#<hash>` marks an address as
//! taken, which makes it unique in one transaction.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{AttributeValue, Update, builders::UpdateBuilder};
use futures_util::future::try_join_all;
use time::OffsetDateTime;

use super::{Account, EmailAddress, Status};
use crate::{
    error::Error,
    ids::AccountId,
    inventory::Table,
    mail::MailStop,
    privacy::{Act, noting},
    secrets::Pepper,
    store::{
        Item, KEYS_AT_ONCE, Store, conditional, from_item, n, s, text, to_value, transact,
        updating, write,
    },
};

/// The account, strongly consistent.
pub async fn get(store: &Store, id: &AccountId) -> Result<Option<Account>, Error> {
    store.get(Table::Accounts, [("id", id.to_string())]).await?.map(from_item).transpose()
}

/// Those of `ids` that are there, strongly consistent. One that cannot be read is an error of its own.
pub async fn get_many(
    store: &Store,
    ids: &[AccountId],
) -> Result<HashMap<AccountId, Result<Account, Error>>, Error> {
    let mut found = HashMap::new();
    for some in ids.chunks(KEYS_AT_ONCE) {
        let key = |id: &AccountId| Item::from([("id".to_owned(), s(id.to_string()))]);
        let keys = some.iter().map(|id| (Table::Accounts, key(id))).collect();
        for (_, item) in store.get_many(keys).await? {
            if let Some(id) = text(&item, "id").and_then(|it| it.parse().ok()) {
                found.insert(id, from_item(item));
            }
        }
    }
    Ok(found)
}

/// Key of the marker of an address.
pub fn marker(email_hash: &str) -> String {
    format!("email#{email_hash}")
}

/// Key of the marker of the account's address, if it is this account's.
pub async fn own_marker(store: &Store, account: &Account) -> Result<Option<String>, Error> {
    let id = marker(&account.email_hash);
    let item = store.get(Table::Accounts, [("id", id.clone())]).await?;
    let own = account.id.to_string();
    Ok(item.filter(|it| text(it, "account") == Some(own.as_str())).map(|_| id))
}

/// Whether an account has this address, hashed with one of `peppers`.
pub(super) async fn is_taken<'a>(
    store: &Store,
    email: &EmailAddress,
    peppers: impl Iterator<Item = &'a Pepper>,
) -> Result<bool, Error> {
    Ok(owner(store, email, peppers).await?.is_some())
}

/// The account that has this address, hashed with one of `peppers`. It takes as many calls whether or not
/// there is one.
pub(crate) async fn owner<'a>(
    store: &Store,
    email: &EmailAddress,
    peppers: impl Iterator<Item = &'a Pepper>,
) -> Result<Option<AccountId>, Error> {
    let all: Vec<_> = peppers.map(|pepper| email.hashes(pepper)).collect();
    // As it was written first: of two accounts from before, each is found by its own spelling.
    let hashes: Vec<&String> =
        (0..2).flat_map(|n| all.iter().filter_map(move |it| it.get(n))).collect();
    let markers = hashes.iter().map(|hash| store.get(Table::Accounts, [("id", marker(hash))]));
    let found = try_join_all(markers).await?.into_iter().flatten().next();
    let id = found.map(|it| text(&it, "account").unwrap_or_default().parse());
    id.transpose().map_err(Error::internal)
}

/// Suspends an account, or lets it go on; whether that is a change. A change is to be told the customer:
/// the account says so until [`note_told`]. It is noted where no backup can undo it.
pub(super) async fn set_status(
    store: &Store,
    id: &AccountId,
    status: Status,
    now: OffsetDateTime,
) -> Result<bool, Error> {
    for _ in 0..TRIES {
        let update = status_update(store, id, status)
            .update_expression(
                "SET #status = :status, status_untold = :untold ADD gate_version :one",
            )
            .expression_attribute_values(":untold", AttributeValue::Bool(true));
        let items = vec![updating(update)?, noting(store, id, Act::StatusSet { status }, now)?];
        if transact(store, items).await?.is_none() {
            return Ok(true);
        }
        match get(store, id).await?.ok_or(Error::NotFound("account"))?.status {
            Status::Erasing => return Err(Error::Conflict("the account is being deleted")),
            found if found == status => return Ok(false),
            // It was another one a moment ago.
            _ => {}
        }
    }
    Err(Error::Unavailable {
        dependency: "DynamoDB",
        detail: "the status kept changing".to_owned(),
    })
}

/// Gives an account the status once more that a backup has taken from it; whether it had. The customer knows.
pub(crate) async fn set_status_again(
    store: &Store,
    id: &AccountId,
    status: Status,
) -> Result<bool, Error> {
    let update = status_update(store, id, status)
        .update_expression("SET #status = :status ADD gate_version :one");
    write(store, updating(update)?).await
}

/// A change of the account's status to another one, unless it is being deleted; what it sets is still to be said.
fn status_update(store: &Store, id: &AccountId, status: Status) -> UpdateBuilder {
    Update::builder()
        .table_name(store.name(Table::Accounts))
        .key("id", s(id.to_string()))
        .condition_expression("attribute_exists(id) AND #status <> :status AND #status <> :erasing")
        .expression_attribute_names("#status", "status")
        .expression_attribute_values(":status", s(status.name()))
        .expression_attribute_values(":erasing", s(Status::Erasing.name()))
        .expression_attribute_values(":one", n(1))
}

/// How often a change starts over because somebody else has changed the account meanwhile.
const TRIES: u32 = 8;

/// Notes that the customer knows of the status.
pub(super) async fn note_told(store: &Store, id: &AccountId, status: Status) -> Result<(), Error> {
    let update = store
        .client()
        .update_item()
        .table_name(store.name(Table::Accounts))
        .key("id", s(id.to_string()))
        .update_expression("REMOVE status_untold")
        .condition_expression("#status = :status")
        .expression_attribute_names("#status", "status")
        .expression_attribute_values(":status", s(status.name()));
    // Changed again meanwhile: that is told by whoever did it.
    conditional(update.send().await).map(drop)
}

/// Notes that the account's address refuses mail, unless it was confirmed since; whether it did. It is noted where no
/// backup can undo it, too.
pub(crate) async fn stop_mail(
    store: &Store,
    id: &AccountId,
    stop: MailStop,
    now: OffsetDateTime,
) -> Result<bool, Error> {
    let update = mail_update(store, id, stop.at)
        .update_expression("SET mail_stopped = :stop")
        .condition_expression(MAY_STOP)
        .expression_attribute_values(":stop", to_value(&stop)?);
    let act = noting(store, id, Act::MailStopped { mail_stop: stop }, now)?;
    Ok(transact(store, vec![updating(update)?, act]).await?.is_none())
}

/// As [`stop_mail`], where a backup has undone it; whether it had.
pub(crate) async fn stop_mail_again(
    store: &Store,
    id: &AccountId,
    stop: MailStop,
) -> Result<bool, Error> {
    let update = mail_update(store, id, stop.at)
        .update_expression("SET mail_stopped = :stop")
        .condition_expression(format!("{MAY_STOP} AND attribute_not_exists(mail_stopped)"))
        .expression_attribute_values(":stop", to_value(&stop)?);
    write(store, updating(update)?).await
}

/// What must be true of an account whose address has refused a mail of the time `:at`.
const MAY_STOP: &str = "attribute_exists(id) AND created_at <= :at AND \
                        (attribute_not_exists(mail_confirmed_at) OR mail_confirmed_at <= :at)";

/// Notes that the account's address has been confirmed again at `at`: it takes mail. What has come back since
/// stands. It is noted where no backup can undo it, too.
pub(super) async fn confirm_mail(
    store: &Store,
    id: &AccountId,
    at: OffsetDateTime,
) -> Result<(), Error> {
    let update = confirmation(store, id, at.unix_timestamp(), "");
    let act = noting(store, id, Act::MailConfirmed, at)?;
    transact(store, vec![updating(update)?, act]).await.map(drop)
}

/// As [`confirm_mail`], at `at` (epoch seconds), where a backup has undone it; whether it had.
pub(crate) async fn confirm_mail_again(
    store: &Store,
    id: &AccountId,
    at: i64,
) -> Result<bool, Error> {
    let undone = " AND (attribute_not_exists(mail_confirmed_at) OR mail_confirmed_at < :at)";
    let update = confirmation(store, id, at, undone);
    write(store, updating(update)?).await
}

fn confirmation(store: &Store, id: &AccountId, at: i64, and: &str) -> UpdateBuilder {
    let condition =
        "attribute_exists(id) AND (attribute_not_exists(mail_stopped) OR mail_stopped.#at <= :at)";
    mail_update(store, id, at)
        .update_expression("SET mail_confirmed_at = :at REMOVE mail_stopped")
        .condition_expression(format!("{condition}{and}"))
        .expression_attribute_names("#at", "at")
}

/// A change of whether the account takes mail, by what happened at `at` (epoch seconds).
fn mail_update(store: &Store, id: &AccountId, at: i64) -> UpdateBuilder {
    Update::builder()
        .table_name(store.name(Table::Accounts))
        .key("id", s(id.to_string()))
        .expression_attribute_values(":at", n(at))
}

/// Makes `customer` the account's customer of Stripe if it has none; the one that it has then. `None`: it
/// is to be deleted, or is not there. It is noted where no backup can undo it, too: what is bought is found by it.
pub async fn set_customer(
    store: &Store,
    id: &AccountId,
    customer: &str,
    now: OffsetDateTime,
) -> Result<Option<String>, Error> {
    let update = customer_update(store, id, customer)
        .condition_expression(
            "#status = :active AND attribute_not_exists(customer) AND attribute_not_exists(erasure)",
        )
        .expression_attribute_names("#status", "status")
        .expression_attribute_values(":active", s(Status::Active.name()));
    let act = noting(store, id, Act::CustomerMade { customer: customer.to_owned() }, now)?;
    if transact(store, vec![updating(update)?, act]).await?.is_none() {
        return Ok(Some(customer.to_owned()));
    }
    Ok(get(store, id).await?.and_then(|it| it.customer))
}

/// As [`set_customer`], where a backup has undone it; whether it had. Also of an account that is to be deleted: its
/// deletion ends what was bought.
pub(crate) async fn set_customer_again(
    store: &Store,
    id: &AccountId,
    customer: &str,
) -> Result<bool, Error> {
    let update = customer_update(store, id, customer).condition_expression(
        "attribute_exists(id) AND attribute_not_exists(customer) AND \
         NOT contains(past_customers, :customer)",
    );
    write(store, updating(update)?).await
}

fn customer_update(store: &Store, id: &AccountId, customer: &str) -> UpdateBuilder {
    Update::builder()
        .table_name(store.name(Table::Accounts))
        .key("id", s(id.to_string()))
        .update_expression("SET customer = :customer")
        .expression_attribute_values(":customer", s(customer))
}
