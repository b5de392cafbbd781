//! What is stored, in the form in which an export is compared with it.

use serde_json::{Map, Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use vidintel::{
    inventory::{Field, Kind, Table},
    usage::{Histogram, read_pack},
};

use super::World;
use crate::usage::packs;

/// The items of `account` in `table`, expired ones left out, as plain JSON; entries of packs one by one.
pub(crate) async fn stored(world: &World, table: Table, account: &str) -> Vec<Value> {
    let now = world.cloud.clock.now().unix_timestamp();
    if table == Table::ApiLogs {
        let mut all = Vec::new();
        for pack in packs(world).await {
            let expires_at: i64 =
                pack["expires_at"].as_n().expect("a number").parse().expect("one");
            for entry in read_pack(&pack).expect("a pack") {
                if entry.account.to_string() == account {
                    all.push(json!({ "entries": entry, "expires_at": expires_at }));
                }
            }
        }
        return all;
    }
    let items = world.cloud.dynamodb.items(table.name()).await.expect("the items");
    items
        .iter()
        .map(plain)
        .filter(|it| {
            // Beside the account lies the marker of its address.
            let keys: &[&str] =
                if table == Table::Accounts { &["id"] } else { &["account", "sender"] };
            let is_hold = it["kind"] == "legal-hold";
            !is_hold
                && keys.iter().any(|key| it[key] == account)
                && it["expires_at"].as_i64().is_none_or(|at| at > now)
        })
        .collect()
}

/// DynamoDB's JSON as plain JSON.
fn plain(item: &Value) -> Value {
    let all = item.as_object().expect("an object").iter();
    all.map(|(name, value)| (name.clone(), plain_value(value))).collect()
}

fn plain_value(value: &Value) -> Value {
    let (kind, value) = value.as_object().expect("a value").iter().next().expect("a type");
    match kind.as_str() {
        "N" => value.as_str().expect("a number").parse::<i64>().expect("a whole one").into(),
        "M" => plain(value),
        "L" => value.as_array().expect("a list").iter().map(plain_value).collect(),
        _ => value.clone(),
    }
}

/// What of a stored item belongs into an export.
pub(crate) fn reduced(fields: &[Field], item: &Value) -> Value {
    let mut out = Map::new();
    for field in fields {
        if let Some(start) = field.name.strip_suffix('*') {
            let all = item.as_object().expect("an object").iter();
            out.extend(
                all.filter(|it| it.0.starts_with(start)).map(|(k, v)| (k.clone(), v.clone())),
            );
        } else {
            let pointer = format!("/{}", field.name.replace('.', "/"));
            let value = item.pointer(&pointer).cloned().unwrap_or_default();
            let is_zero = field.kind == Kind::Count && value.is_null();
            let value = if is_zero { json!(0) } else { value };
            out.insert(field.exported_as(), value);
        }
    }
    out.into()
}

/// An exported item with its times as they are stored.
pub(crate) fn read_back(fields: &[Field], item: &Value) -> String {
    let mut item = item.clone();
    // What an export works out is not stored.
    let object = item.as_object_mut().expect("an object");
    object.retain(|name, _| fields.iter().any(|it| it.exported_as() == *name));
    let seconds = |value: &Value, unit: i128| {
        let at = OffsetDateTime::parse(value.as_str().expect("a text"), &Rfc3339).expect("a time");
        json!(i64::try_from(at.unix_timestamp_nanos() / unit).expect("in range"))
    };
    for field in fields {
        let Some(value) = item.get_mut(field.exported_as()) else { continue };
        match field.kind {
            _ if value.is_null() => {}
            Kind::Instant => *value = seconds(value, 1_000_000_000),
            Kind::Milliseconds => *value = seconds(value, 1_000_000),
            Kind::Rows => {
                for row in value.as_array_mut().expect("rows") {
                    for name in ["from", "to"] {
                        row[name] = seconds(&row[name], 1_000_000_000);
                    }
                }
            }
            Kind::Histogram => {
                let start = field.name.trim_end_matches('*');
                let steps = value.take();
                let object = item.as_object_mut().expect("an object");
                object.remove(&field.exported_as());
                for step in steps.as_array().expect("steps") {
                    let to = step["to_ms"]
                        .as_u64()
                        .map_or(u32::MAX, |it| u32::try_from(it).expect("in range"));
                    let bucket = Histogram::bucket(to);
                    object.insert(format!("{start}{bucket}"), step["answers"].clone());
                }
            }
            Kind::Instants => {
                let all = value.as_object_mut().expect("an object").values_mut();
                all.for_each(|it| *it = seconds(it, 1_000_000_000));
            }
            _ => {}
        }
    }
    item.to_string()
}

/// Every item of `table`, as plain JSON.
pub(crate) async fn all_of(world: &World, table: Table) -> Vec<Value> {
    let items = world.cloud.dynamodb.items(table.name()).await.expect("the items");
    items.iter().map(plain).collect()
}
