//! Keys that were made or revoked gather in one task (`billing-tasks`) until a mail tells of them.

use aws_sdk_dynamodb::types::{AttributeValue, Delete, Put, TransactWriteItem, Update};
use time::OffsetDateTime;

use super::task::{Task, WORK, Work};
use crate::{
    error::Error,
    ids::AccountId,
    inventory::Table,
    store::{Store, deleting, n, putting, s, to_item, transact, updating},
};

/// The task in which an account's changes of keys gather until they are mailed.
pub(super) const KEYS: &str = "keys";

/// What has become of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyChange {
    /// It was made.
    Made,
    /// It was revoked.
    Revoked,
}

/// As a part of a transaction: the holder of `account` is to be told what has become of the key named `name`. What
/// happens before the mail is sent goes into the one mail, so that nobody can send many.
pub fn telling_of_key(
    store: &Store,
    account: &AccountId,
    (change, name): (KeyChange, &str),
    now: OffsetDateTime,
) -> Result<TransactWriteItem, Error> {
    let names =
        |of: KeyChange| AttributeValue::L(if of == change { vec![s(name)] } else { Vec::new() });
    let work = Work::KeysMail { made: Vec::new(), revoked: Vec::new() };
    let new = to_item(Task::new(account, KEYS.to_owned(), work, WORK, now))?;
    let kind = new.get("kind").cloned().ok_or_else(|| Error::internal("a task has a kind"))?;
    let update = Update::builder()
        .table_name(store.name(Table::BillingTasks))
        .key("account", s(account.to_string()))
        .key("task", s(KEYS))
        .update_expression(
            "SET kind = :kind, queue = :queue, next_at = if_not_exists(next_at, :now), \
             created_at = if_not_exists(created_at, :now), attempts = if_not_exists(attempts, :zero), \
             made = list_append(if_not_exists(made, :none), :made), \
             revoked = list_append(if_not_exists(revoked, :none), :revoked)",
        )
        .expression_attribute_values(":kind", kind)
        .expression_attribute_values(":queue", s(WORK))
        .expression_attribute_values(":now", n(now.unix_timestamp()))
        .expression_attribute_values(":zero", n(0))
        .expression_attribute_values(":none", AttributeValue::L(Vec::new()))
        .expression_attribute_values(":made", names(KeyChange::Made))
        .expression_attribute_values(":revoked", names(KeyChange::Revoked));
    updating(update)
}

fn list(names: &[String]) -> AttributeValue {
    AttributeValue::L(names.iter().map(s).collect())
}

/// Takes what has gathered in `task` for one mail: it is a task of its own then, to be sent by `until` at the latest,
/// and what happens from now on gathers anew. `None` where something has come to it meanwhile.
pub(super) async fn take_keys(
    store: &Store,
    task: &Task,
    until: i64,
    now: OffsetDateTime,
) -> Result<Option<Task>, Error> {
    let Work::KeysMail { made, revoked } = &task.work else { return Ok(None) };
    let gathered = Delete::builder()
        .table_name(store.name(Table::BillingTasks))
        .key("account", s(task.account.to_string()))
        .key("task", s(KEYS))
        .condition_expression("made = :made AND revoked = :revoked")
        .expression_attribute_values(":made", list(made))
        .expression_attribute_values(":revoked", list(revoked));
    let name = format!("mail#{KEYS}#{}", now.unix_timestamp());
    let mail = Task { task: name, next_at: Some(until), ..task.clone() };
    let put = Put::builder()
        .table_name(store.name(Table::BillingTasks))
        .set_item(Some(to_item(&mail)?))
        .condition_expression("attribute_not_exists(task)");
    let parts = vec![deleting(gathered)?, putting(put)?];
    Ok(transact(store, parts).await?.is_none().then_some(mail))
}
