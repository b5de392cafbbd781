//! What an account has in one category, item by item, as an export writes it.

use std::{collections::VecDeque, vec};

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Map, Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::super::{erasable::Subject, request::of_account};
use crate::{
    accounts::Account,
    error::Error,
    inventory::{Field, Kind, PLAN, Table},
    store::{Item, Store, from_item, number, s, unavailable},
    usage::{Histogram, unpack},
};

/// Goes through an account's items in one table, a page in memory at a time.
pub(super) struct Items<'a> {
    store: &'a Store,
    table: Table,
    subject: &'a Subject,
    fields: &'static [Field],
    now: OffsetDateTime,
    partitions: VecDeque<String>,
    page: vec::IntoIter<Item>,
    /// Where the next page of the first partition starts.
    start: Option<Item>,
}

impl<'a> Items<'a> {
    pub(super) fn new(
        store: &'a Store,
        table: Table,
        subject: &'a Subject,
        fields: &'static [Field],
        now: OffsetDateTime,
    ) -> Self {
        let partitions = subject.partitions(table).into();
        let page = Vec::new().into_iter();
        Self { store, table, subject, fields, now, partitions, page, start: None }
    }

    /// What the next stored item holds: itself, or the entries of a pack. `None`: that was all.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<Map<String, Value>>>, Error> {
        loop {
            if let Some(item) = self.page.next() {
                // DynamoDB deletes expired items when it gets to it.
                if number(&item, "expires_at").is_none_or(|at| at > self.now.unix_timestamp()) {
                    let more = worked_out(self.table, &item, self.now)?;
                    let held = contents(self.table, item)?;
                    let whole = |it| {
                        let mut object = exported(self.fields, it);
                        object.extend(more.clone());
                        object
                    };
                    return Ok(Some(held.iter().map(whole).collect()));
                }
            } else if !self.turn().await? {
                return Ok(None);
            }
        }
    }

    /// Reads the next page. `false`: there is none.
    async fn turn(&mut self) -> Result<bool, Error> {
        let Some(partition) = self.partitions.front() else { return Ok(false) };
        let (page, start) = match self.table {
            // Beside the account lie the markers of addresses.
            table @ Table::Accounts => {
                let account = self.store.get(table, [("id", self.subject.account.to_string())]);
                (account.await?.into_iter().collect(), None)
            }
            // Legal holds, which are the operator's, lie beside the requests.
            Table::PrivacyRequests => {
                let own = of_account(self.store, &self.subject.account).await?;
                (own.iter().map(crate::store::to_item).collect::<Result<_, _>>()?, None)
            }
            table => self.query(table, partition).await?,
        };
        if start.is_none() {
            self.partitions.pop_front();
        }
        self.page = page.into_iter();
        self.start = start;
        Ok(true)
    }

    async fn query(
        &self,
        table: Table,
        partition: &str,
    ) -> Result<(Vec<Item>, Option<Item>), Error> {
        let answer = self
            .store
            .client()
            .query()
            .table_name(self.store.name(table))
            .consistent_read(true)
            .key_condition_expression("#key = :partition")
            .expression_attribute_names("#key", table.key()[0])
            .expression_attribute_values(":partition", s(partition))
            .set_exclusive_start_key(self.start.clone())
            .send()
            .await
            .map_err(unavailable)?;
        Ok((answer.items.unwrap_or_default(), answer.last_evaluated_key))
    }
}

/// The fields of [`worked_out`].
pub(super) fn worked_out_fields(table: Table) -> &'static [Field] {
    match table {
        Table::Accounts => &[PLAN],
        _ => &[],
    }
}

/// What an export says of an item at `now` besides what is stored.
fn worked_out(table: Table, item: &Item, now: OffsetDateTime) -> Result<Map<String, Value>, Error> {
    let mut object = Map::new();
    if table == Table::Accounts {
        let account: Account = from_item(item.clone())?;
        object.insert(PLAN.exported_as(), account.plan_at(now).name().into());
    }
    Ok(object)
}

/// What is in a stored item: itself, or each entry of a pack with what stands beside it.
fn contents(table: Table, mut item: Item) -> Result<Vec<Value>, Error> {
    if table != Table::ApiLogs {
        return Ok(vec![from_item(item)?]);
    }
    let entries: Vec<Value> = unpack(&item)?;
    item.retain(|_, value| !matches!(value, AttributeValue::B(_)));
    let beside: Value = from_item(item)?;
    let with = |entry| {
        let mut whole = beside.clone();
        whole["entries"] = entry;
        whole
    };
    Ok(entries.into_iter().map(with).collect())
}

/// `item` as an export writes it: every field, null where there is nothing.
pub(super) fn exported(fields: &[Field], item: &Value) -> Map<String, Value> {
    let mut object = Map::new();
    for field in fields {
        if let Some(start) = field.name.strip_suffix('*') {
            let all = item.as_object().into_iter().flatten();
            let own = all.filter_map(|(name, value)| {
                Some((name.strip_prefix(start)?.parse().ok()?, value.as_u64()?))
            });
            object.insert(field.exported_as(), steps(own.collect()));
        } else {
            let mut steps = field.name.split('.');
            let value = steps.try_fold(item, |value, step| value.get(step));
            let nothing = if field.kind == Kind::Count { json!(0) } else { Value::Null };
            let value = value.map_or(nothing, |it| written(field.kind, it));
            object.insert(field.exported_as(), value);
        }
    }
    object
}

fn written(kind: Kind, value: &Value) -> Value {
    match kind {
        Kind::Instant => instant(value, 1_000_000_000),
        Kind::Milliseconds => instant(value, 1_000_000),
        Kind::Instants => {
            let all = value.as_object().into_iter().flatten();
            all.map(|(name, at)| (name.clone(), instant(at, 1_000_000_000))).collect()
        }
        Kind::Rows => value.as_array().into_iter().flatten().map(row).collect(),
        Kind::Text
        | Kind::Texts
        | Kind::Number
        | Kind::Count
        | Kind::Histogram
        | Kind::Flag
        | Kind::Counts
        | Kind::Pairs => value.clone(),
    }
}

/// A row with its times as times.
fn row(row: &Value) -> Value {
    let mut row = row.clone();
    for name in ["from", "to"] {
        if let Some(at) = row.get_mut(name) {
            *at = instant(at, 1_000_000_000);
        }
    }
    row
}

/// The steps of a scale that anything was counted in, in order. The last one has no end.
fn steps(mut counts: Vec<(u32, u64)>) -> Value {
    counts.sort_unstable();
    let step = |(bucket, answers): (u32, u64)| {
        let (from, to) = Histogram::bounds(bucket);
        json!({ "from_ms": from, "to_ms": to, "answers": answers })
    };
    counts.into_iter().map(step).collect()
}

/// RFC 3339 of a number of so many nanoseconds; as it is where it is none, so that nothing is lost.
fn instant(value: &Value, unit: i128) -> Value {
    let nanoseconds = value.as_i64().map(|it| i128::from(it) * unit);
    nanoseconds
        .and_then(|it| OffsetDateTime::from_unix_timestamp_nanos(it).ok())
        .and_then(|it| it.format(&Rfc3339).ok())
        .map_or_else(|| value.clone(), |it| json!(it))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ids::{AccountId, KeyId},
        inventory::{API_LOGS, BILLING_RECORDS, Export, USAGE_STATISTICS},
        usage::{Agent, Entry},
    };

    fn fields(export: Export) -> &'static [Field] {
        let Export::Items { fields, .. } = export else { panic!("it is exported") };
        fields
    }

    #[test]
    fn what_is_not_there_is_null_and_times_are_readable() {
        let item = json!({
            "entries": { "ip": "192.0.2.1", "at_ms": 1_795_000_000_123_i64, "agent": { "text": "x" } },
            "expires_at": 1_795_000_000,
        });
        let out = exported(fields(API_LOGS.export), &item);
        assert_eq!(out["ip"], "192.0.2.1");
        assert_eq!(out["agent_text"], "x");
        assert_eq!(out["at"], "2026-11-18T11:06:40.123Z");
        assert_eq!(out["expires_at"], "2026-11-18T11:06:40Z");
        assert_eq!(out["country"], Value::Null);
    }

    #[test]
    fn every_field_of_a_log_entry_is_exported_or_internal() {
        let Export::Items { fields, internal } = API_LOGS.export else { panic!("it is exported") };
        // Written out in full, so that a new field does not build before it stands here.
        let entry = Entry {
            request_id: "1".to_owned(),
            at_ms: 0,
            account: AccountId::random(),
            key_id: KeyId::random(),
            endpoint: String::new(),
            parameters: Vec::new(),
            status: 200,
            latency_ms: 1,
            cached: false,
            charged: 1,
            period: String::new(),
            lease: Some((String::new(), 1)),
            ip: String::new(),
            country: Some(String::new()),
            agent: Some(Agent {
                text: String::new(),
                browser: Some(String::new()),
                version: Some(String::new()),
                system: Some(String::new()),
                device: Some(String::new()),
            }),
            referrer: Some(String::new()),
        };
        let entry = serde_json::to_value(entry).expect("JSON");
        let mut paths = Vec::new();
        for (name, value) in entry.as_object().expect("an object") {
            match value.as_object() {
                Some(inner) => paths.extend(inner.keys().map(|it| format!("entries.{name}.{it}"))),
                None => paths.push(format!("entries.{name}")),
            }
        }
        assert_eq!(paths.len(), 20);
        for path in paths {
            let is_exported = fields.iter().any(|it| it.name == path);
            assert!(is_exported != internal.contains(&path.as_str()), "{path}");
        }
    }

    #[test]
    fn answers_by_how_long_they_took_are_steps_with_bounds() {
        let item = json!({ "latency_41": 2, "latency_8": 5, "latency_112": 1, "hash": "x" });
        let out = exported(fields(USAGE_STATISTICS.export), &item);
        let step = |from: u64, to: Value, answers: u64| json!({ "from_ms": from, "to_ms": to, "answers": answers });
        let expected =
            json!([step(2, json!(2), 5), step(46, json!(49), 2), step(39_318, Value::Null, 1)]);
        assert_eq!(out["latency"], expected);
        assert!(!out.keys().any(|it| it.contains("latency_")) && !out.contains_key("hash"));
        assert_eq!(exported(fields(USAGE_STATISTICS.export), &json!({}))["latency"], json!([]));
    }

    #[test]
    fn what_counts_is_zero_where_nothing_was_counted() {
        let out = exported(fields(USAGE_STATISTICS.export), &json!({ "requests": 3 }));
        assert_eq!((&out["requests"], &out["server_errors"]), (&json!(3), &json!(0)));
    }

    #[test]
    fn the_lines_of_an_invoice_have_times() {
        let lines =
            json!([{ "description": "Pro", "cents": 2000, "from": 1_795_000_000, "to": 0 }]);
        let out = exported(fields(BILLING_RECORDS.export), &json!({ "lines": lines }));
        let line = &out["lines"][0];
        assert_eq!((&line["from"], &line["cents"]), (&json!("2026-11-18T11:06:40Z"), &json!(2000)));
        assert_eq!(line["to"], "1970-01-01T00:00:00Z");
    }
}
