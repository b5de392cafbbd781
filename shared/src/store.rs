//! DynamoDB: one client, physical table names, and what every domain's storage needs.

mod count;
mod retry;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use aws_sdk_dynamodb::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    operation::{
        put_item::PutItemError, transact_write_items::TransactWriteItemsError,
        update_item::UpdateItemError,
    },
    types::{
        AttributeValue, CancellationReason, KeysAndAttributes, TransactWriteItem,
        builders::{DeleteBuilder, PutBuilder, UpdateBuilder},
    },
};

pub(crate) use self::{
    count::count,
    retry::{pause, retrying},
};
use crate::{aws::Lazy, error::Error, inventory::Table};

/// Keys that one call reads at most: DynamoDB's own limit.
pub const KEYS_AT_ONCE: usize = 100;

/// How often keys are asked for that DynamoDB has not come to, which is over about half a second, and a whole one at
/// most.
const TRIES: u32 = 6;

/// The tables. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    client: Lazy<Client>,
    names: TableNames,
}

/// The tables' physical names: a prefix, the name in the inventory, and the end that a restored table has.
#[derive(Clone, Debug, Default)]
pub struct TableNames {
    prefix: String,
    suffixes: Arc<BTreeMap<Table, String>>,
}

impl TableNames {
    /// Names of this prefix; `suffixes` is `accounts=-r1,api-keys=`, one for each table that has one. `None`: it is
    /// not of this form, or names no table.
    pub fn new(prefix: String, suffixes: &str) -> Option<Self> {
        let mut ends = BTreeMap::new();
        for entry in suffixes.split(',').filter(|it| !it.is_empty()) {
            let (name, end) = entry.split_once('=')?;
            let table = Table::ALL.into_iter().find(|it| it.name() == name)?;
            ends.insert(table, end.to_owned());
        }
        Some(Self { prefix, suffixes: Arc::new(ends) })
    }

    /// Physical name of `table`.
    pub fn of(&self, table: Table) -> String {
        let end = self.suffixes.get(&table).map_or("", String::as_str);
        format!("{}{}{end}", self.prefix, table.name())
    }
}

impl From<String> for TableNames {
    /// Names of this prefix, and no more.
    fn from(prefix: String) -> Self {
        Self { prefix, suffixes: Arc::default() }
    }
}

/// A stored item.
pub type Item = std::collections::HashMap<String, AttributeValue>;

impl Store {
    /// Tables of these names.
    pub fn new(client: Lazy<Client>, names: impl Into<TableNames>) -> Self {
        Self { client, names: names.into() }
    }

    /// The SDK's client.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Physical name of `table`.
    pub fn name(&self, table: Table) -> String {
        self.names.of(table)
    }

    /// One item by its whole key, strongly consistent.
    pub async fn get(
        &self,
        table: Table,
        key: impl IntoIterator<Item = (&'static str, String)>,
    ) -> Result<Option<Item>, Error> {
        let request = self.client.get_item().table_name(self.name(table)).consistent_read(true);
        let request =
            key.into_iter().fold(request, |request, (name, value)| request.key(name, s(value)));
        Ok(request.send().await.map_err(unavailable)?.item)
    }
}

/// Items that [`Store::page`] reads.
const PAGE: i32 = 100;

impl Store {
    /// The next items of `table`, whose key is one text, after the one of the key `after`, strongly consistent;
    /// and after which to go on.
    pub async fn page(
        &self,
        table: Table,
        after: Option<&str>,
    ) -> Result<(Vec<Item>, Option<String>), Error> {
        let key = table.key()[0];
        let scan = self
            .client
            .scan()
            .table_name(self.name(table))
            .consistent_read(true)
            .limit(PAGE)
            .set_exclusive_start_key(after.map(|it| [(key.to_owned(), s(it))].into()));
        let answer = scan.send().await.map_err(unavailable)?;
        let last = answer.last_evaluated_key.and_then(|it| text(&it, key).map(str::to_owned));
        Ok((answer.items.unwrap_or_default(), last))
    }

    /// Those items of at most [`KEYS_AT_ONCE`] keys that are there, each with its table, in no order. Strongly
    /// consistent.
    pub async fn get_many(&self, keys: Vec<(Table, Item)>) -> Result<Vec<(Table, Item)>, Error> {
        let mut by_table: BTreeMap<Table, Vec<Item>> = BTreeMap::new();
        for (table, key) in keys {
            by_table.entry(table).or_default().push(key);
        }
        let tables: HashMap<String, Table> =
            by_table.keys().map(|table| (self.name(*table), *table)).collect();
        let mut ask = HashMap::new();
        for (table, keys) in by_table {
            let keys = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true);
            ask.insert(self.name(table), keys.build().map_err(Error::internal)?);
        }
        let mut found = Vec::new();
        for attempt in 0..TRIES {
            if ask.is_empty() {
                return Ok(found);
            }
            if attempt > 0 {
                // It is throttled, or it would have come to them.
                pause(attempt + 1).await;
            }
            let answer = self.client.batch_get_item().set_request_items(Some(ask)).send().await;
            let answer = answer.map_err(unavailable)?;
            for (name, items) in answer.responses.unwrap_or_default() {
                let table = tables.get(&name).copied();
                found.extend(items.into_iter().filter_map(|item| Some((table?, item))));
            }
            ask = answer.unprocessed_keys.unwrap_or_default();
        }
        match ask.is_empty() {
            true => Ok(found),
            false => Err(Error::Unavailable {
                dependency: "DynamoDB",
                detail: "some keys were never processed".to_owned(),
            }),
        }
    }
}

/// All of `items` or none: `None` when done, else the code of each part by its position, of which one at
/// least is `ConditionalCheckFailed`. Sent again under the same token, which the SDK makes up, it is done once.
pub async fn transact(
    store: &Store,
    items: Vec<TransactWriteItem>,
) -> Result<Option<Vec<String>>, Error> {
    let request = store.client().transact_write_items().set_transact_items(Some(items));
    transacted(request.send().await)
}

/// A put or an update that was made as a part of a transaction, by itself, at half the price; whether its condition
/// held.
pub async fn write(store: &Store, part: TransactWriteItem) -> Result<bool, Error> {
    if let Some(put) = part.put {
        let request = store
            .client()
            .put_item()
            .table_name(put.table_name)
            .set_item(Some(put.item))
            .set_condition_expression(put.condition_expression)
            .set_expression_attribute_names(put.expression_attribute_names)
            .set_expression_attribute_values(put.expression_attribute_values);
        return stored(request.send().await);
    }
    let update = part.update.ok_or_else(|| Error::internal("neither a put nor an update"))?;
    let request = store
        .client()
        .update_item()
        .table_name(update.table_name)
        .set_key(Some(update.key))
        .update_expression(update.update_expression)
        .set_condition_expression(update.condition_expression)
        .set_expression_attribute_names(update.expression_attribute_names)
        .set_expression_attribute_values(update.expression_attribute_values);
    Ok(matches!(conditional(request.send().await)?, Conditional::Done(_)))
}

/// An update as a part of a transaction.
pub fn updating(update: UpdateBuilder) -> Result<TransactWriteItem, Error> {
    let update = update.build().map_err(Error::internal)?;
    Ok(TransactWriteItem::builder().update(update).build())
}

/// A put as a part of a transaction.
pub fn putting(put: PutBuilder) -> Result<TransactWriteItem, Error> {
    let put = put.build().map_err(Error::internal)?;
    Ok(TransactWriteItem::builder().put(put).build())
}

/// A deletion as a part of a transaction.
pub fn deleting(delete: DeleteBuilder) -> Result<TransactWriteItem, Error> {
    let delete = delete.build().map_err(Error::internal)?;
    Ok(TransactWriteItem::builder().delete(delete).build())
}

/// Whether a put whose condition may not hold was done.
pub fn stored<T, R>(answer: Result<T, SdkError<PutItemError, R>>) -> Result<bool, Error>
where
    R: std::fmt::Debug + 'static,
{
    match answer {
        Ok(_) => Ok(true),
        Err(SdkError::ServiceError(error))
            if error.err().is_conditional_check_failed_exception() =>
        {
            Ok(false)
        }
        Err(error) => Err(unavailable(error)),
    }
}

/// A string attribute.
pub fn s(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

/// A number attribute.
pub fn n(value: impl std::fmt::Display) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// The whole number in attribute `name`, if there is one.
pub fn number(item: &Item, name: &str) -> Option<i64> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

/// The text in attribute `name`, if there is one.
pub fn text<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name)?.as_s().ok().map(String::as_str)
}

/// An item of a known type as attributes.
pub fn to_item(value: impl serde::Serialize) -> Result<Item, Error> {
    serde_dynamo::to_item(value).map_err(Error::internal)
}

/// Any value as one attribute.
pub fn to_value(value: &impl serde::Serialize) -> Result<AttributeValue, Error> {
    serde_dynamo::to_attribute_value(value).map_err(Error::internal)
}

/// An item of a known type from attributes.
pub fn from_item<T: serde::de::DeserializeOwned>(item: Item) -> Result<T, Error> {
    serde_dynamo::from_item(item).map_err(Error::internal)
}

/// DynamoDB failed, after the SDK's own retries.
pub fn unavailable<E, R>(error: SdkError<E, R>) -> Error
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
    R: std::fmt::Debug + 'static,
{
    crate::aws::unavailable("DynamoDB", &error)
}

/// The outcome of a write that had a condition.
#[derive(Debug)]
pub enum Conditional<T> {
    /// The condition held.
    Done(T),
    /// It did not; the item as it is, where it was asked for and exists.
    Refused(Option<Item>),
}

/// Sorts an update's answer into done, refused and failed.
pub fn conditional<T, R>(
    answer: Result<T, SdkError<UpdateItemError, R>>,
) -> Result<Conditional<T>, Error>
where
    R: std::fmt::Debug + 'static,
{
    match answer {
        Ok(output) => Ok(Conditional::Done(output)),
        Err(SdkError::ServiceError(error))
            if error.err().is_conditional_check_failed_exception() =>
        {
            match error.into_err() {
                UpdateItemError::ConditionalCheckFailedException(refused) => {
                    Ok(Conditional::Refused(refused.item))
                }
                _ => Ok(Conditional::Refused(None)),
            }
        }
        Err(error) => Err(unavailable(error)),
    }
}

/// Sorts a transaction's answer: `None` when done, else the code of each part by its position, of which one at
/// least is `ConditionalCheckFailed`, and `"None"` stands for a part that was not at fault. Cancelled for
/// anything else, it has failed: see [`retry`].
fn transacted<T, R>(
    answer: Result<T, SdkError<TransactWriteItemsError, R>>,
) -> Result<Option<Vec<String>>, Error>
where
    R: std::fmt::Debug + 'static,
{
    match answer {
        Ok(_) => Ok(None),
        Err(SdkError::ServiceError(error)) => match error.into_err() {
            TransactWriteItemsError::TransactionCanceledException(cancelled) => {
                let reasons = cancelled.cancellation_reasons().iter();
                let code = |it: &CancellationReason| it.code().unwrap_or("None").to_owned();
                let codes: Vec<_> = reasons.map(code).collect();
                if codes.iter().any(|it| it == "ConditionalCheckFailed") {
                    return Ok(Some(codes));
                }
                Err(Error::Unavailable { dependency: "DynamoDB", detail: codes.join(", ") })
            }
            error => Err(Error::Unavailable {
                dependency: "DynamoDB",
                detail: error.code().unwrap_or("unknown").to_owned(),
            }),
        },
        Err(error) => Err(unavailable(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_of_which_a_suffix_is_given_has_it_at_the_end_of_its_name() {
        let names =
            TableNames::new("live-".to_owned(), "accounts=-r1,api-keys=,jobs=-2").expect("names");
        let of = |table| names.of(table);
        assert_eq!(of(Table::Accounts), "live-accounts-r1");
        assert_eq!(
            (of(Table::ApiKeys), of(Table::Jobs)),
            ("live-api-keys".into(), "live-jobs-2".into())
        );
        assert_eq!(of(Table::Audit), TableNames::from("live-".to_owned()).of(Table::Audit));
        for unusable in ["accounts", "account=-r1", "=-r1"] {
            assert!(TableNames::new("live-".to_owned(), unusable).is_none(), "{unusable}");
        }
    }
}
