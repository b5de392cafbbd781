//! What a request does, in the terms of IAM.

use serde_json::{Map, Value};

use crate::standins::{ACCOUNT, REGION};

/// Actions and resources (ARNs) that the caller must be allowed. IAM looks inside transactions and
/// batches: each item counts as the action it would be on its own, or on its own table.
pub(super) fn calls(operation: &str, body: &Value) -> Vec<(String, String)> {
    match operation {
        "TransactWriteItems" | "TransactGetItems" => body
            .get("TransactItems")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_object)
            .flatten()
            .map(|(kind, item)| {
                let action = match kind.as_str() {
                    "Put" => "PutItem",
                    "Update" => "UpdateItem",
                    "Delete" => "DeleteItem",
                    "Get" => "GetItem",
                    _ => "ConditionCheckItem",
                };
                (format!("dynamodb:{action}"), resource(item))
            })
            .collect(),
        "BatchGetItem" | "BatchWriteItem" => body
            .get("RequestItems")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .map(|(table, _)| (format!("dynamodb:{operation}"), arn(table, None)))
            .collect(),
        _ => vec![(format!("dynamodb:{operation}"), resource(body))],
    }
}

/// The parts of an operation that write an item or check one, in its order: each one's table, and the
/// attributes that hold the item's key. A batch is none of parts: see [`withhold`].
pub(super) fn parts<'a>(
    operation: &str,
    body: &'a Value,
) -> Vec<(&'a str, Option<&'a Map<String, Value>>)> {
    let part = |it: &'a Value| {
        let table = it.get("TableName").and_then(Value::as_str).unwrap_or_default();
        (table, it.get("Key").or_else(|| it.get("Item")).and_then(Value::as_object))
    };
    match operation {
        "PutItem" | "UpdateItem" | "DeleteItem" => vec![part(body)],
        "TransactWriteItems" => {
            let items = body.get("TransactItems").and_then(Value::as_array).into_iter().flatten();
            items.filter_map(Value::as_object).flatten().map(|(_, item)| part(item)).collect()
        }
        _ => Vec::new(),
    }
}

/// The tables that an operation is about.
pub(super) fn tables<'a>(operation: &str, body: &'a Value) -> Vec<&'a str> {
    match operation {
        "TransactWriteItems" => parts(operation, body).into_iter().map(|it| it.0).collect(),
        "BatchGetItem" | "BatchWriteItem" => {
            let tables = body.get("RequestItems").and_then(Value::as_object).into_iter().flatten();
            tables.map(|it| it.0.as_str()).collect()
        }
        _ => body.get("TableName").and_then(Value::as_str).into_iter().collect(),
    }
}

/// Takes out of a batch's request what `is_withheld` (table, place and number in it, attributes with the
/// item's key) says, in the form in which an answer names what was not processed. `None` where nothing would be left.
pub(super) fn withhold(
    operation: &str,
    body: &mut Value,
    mut is_withheld: impl FnMut(&str, (usize, usize), Option<&Map<String, Value>>) -> bool,
) -> Option<Map<String, Value>> {
    let mut withheld = Map::new();
    let mut is_left = false;
    let tables = body.get_mut("RequestItems").and_then(Value::as_object_mut)?;
    for (table, asked) in tables.iter_mut() {
        let list = match operation {
            "BatchGetItem" => asked.get_mut("Keys"),
            _ => Some(&mut *asked),
        };
        let Some(list) = list.and_then(Value::as_array_mut) else { continue };
        let (mut kept, mut out) = (Vec::new(), Vec::new());
        let of = list.len();
        for (at, entry) in std::mem::take(list).into_iter().enumerate() {
            let key = match operation {
                "BatchGetItem" => Some(&entry),
                _ => entry
                    .pointer("/DeleteRequest/Key")
                    .or_else(|| entry.pointer("/PutRequest/Item")),
            };
            let is_out = is_withheld(table, (at, of), key.and_then(Value::as_object));
            if is_out { &mut out } else { &mut kept }.push(entry);
        }
        is_left |= !kept.is_empty();
        *list = kept;
        if !out.is_empty() {
            let mut unprocessed = asked.clone();
            match operation {
                "BatchGetItem" => unprocessed["Keys"] = out.into(),
                _ => unprocessed = out.into(),
            }
            withheld.insert(table.clone(), unprocessed);
        }
    }
    let is_empty = |_: &String, asked: &mut Value| {
        let list = if operation == "BatchGetItem" { &asked["Keys"] } else { &*asked };
        list.as_array().is_none_or(|it| !it.is_empty())
    };
    tables.retain(is_empty);
    is_left.then_some(withheld)
}

fn resource(body: &Value) -> String {
    let field = |name| body.get(name).and_then(Value::as_str);
    // Some operations, such as ListTables, have no table; IAM then wants `*`.
    field("TableName").map_or_else(|| "*".to_owned(), |table| arn(table, field("IndexName")))
}

fn arn(table: &str, index: Option<&str>) -> String {
    let table = match table.starts_with("arn:") {
        true => table.to_owned(),
        false => format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{table}"),
    };
    match index {
        Some(index) => format!("{table}/index/{index}"),
        None => table,
    }
}

/// The sum of all `CapacityUnits` in an answer.
pub(super) fn units(answer: &Value) -> f64 {
    match answer.get("ConsumedCapacity") {
        Some(Value::Array(tables)) => tables.iter().filter_map(capacity).sum(),
        Some(table) => capacity(table).unwrap_or_default(),
        None => 0.0,
    }
}

fn capacity(table: &Value) -> Option<f64> {
    table.get("CapacityUnits")?.as_f64()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn named(operation: &str, body: Value) -> Vec<(String, String)> {
        let prefix = format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/");
        calls(operation, &body)
            .into_iter()
            .map(|(action, arn)| (action[9..].to_owned(), arn.replace(&prefix, "")))
            .collect()
    }

    #[test]
    fn transactions_are_the_actions_inside_them() {
        let body = json!({ "TransactItems": [
            { "Put": { "TableName": "a" } },
            { "ConditionCheck": { "TableName": "b" } },
            { "Update": { "TableName": "c" } },
            { "Delete": { "TableName": "d" } },
        ] });
        let names = [
            ("PutItem", "a"),
            ("ConditionCheckItem", "b"),
            ("UpdateItem", "c"),
            ("DeleteItem", "d"),
        ];
        let names = names.map(|(action, table)| (action.to_owned(), table.to_owned()));
        assert_eq!(named("TransactWriteItems", body), names);
    }

    #[test]
    fn indexes_and_batches_are_resources_of_their_own() {
        let body = json!({ "TableName": "a", "IndexName": "i" });
        assert_eq!(named("Query", body), [("Query".to_owned(), "a/index/i".to_owned())]);
        let body = json!({ "RequestItems": { "a": [], "b": [] } });
        let tables: Vec<_> = named("BatchWriteItem", body).into_iter().map(|it| it.1).collect();
        assert_eq!(tables, ["a", "b"]);
        assert_eq!(named("ListTables", json!({}))[0].1, "*");
    }

    #[test]
    fn what_is_withheld_of_a_batch_is_named_as_it_was_asked_for() {
        let delete = |id: &str| json!({ "DeleteRequest": { "Key": { "id": id } } });
        let mut body = json!({ "RequestItems": { "a": [delete("1"), delete("2")] } });
        let is_second = |_: &str, _: (usize, usize), key: Option<&Map<String, Value>>| {
            key.and_then(|it| it.get("id")).is_some_and(|it| it == "2")
        };
        let withheld = withhold("BatchWriteItem", &mut body, is_second).expect("some are left");
        assert_eq!(withheld["a"], json!([delete("2")]));
        assert_eq!(body["RequestItems"]["a"], json!([delete("1")]));
        let keys = json!({ "Keys": [{ "id": "2" }], "ConsistentRead": true });
        let mut body =
            json!({ "RequestItems": { "a": keys.clone(), "b": { "Keys": [{ "id": "1" }] } } });
        let withheld = withhold("BatchGetItem", &mut body, is_second).expect("some are left");
        assert_eq!((&withheld["a"], body["RequestItems"].get("a")), (&keys, None));
        assert!(withhold("BatchGetItem", &mut body, |_, _, _| true).is_none());
    }

    #[test]
    fn parts_are_in_their_order_with_what_has_their_key() {
        let body = json!({ "TransactItems": [
            { "Put": { "TableName": "a", "Item": { "id": 1 } } },
            { "ConditionCheck": { "TableName": "b", "Key": { "id": 2 } } },
        ] });
        let parts = parts("TransactWriteItems", &body);
        let ids: Vec<_> =
            parts.iter().map(|(table, key)| (*table, &key.expect("a key")["id"])).collect();
        assert_eq!(ids, [("a", &json!(1)), ("b", &json!(2))]);
        assert_eq!(tables("TransactWriteItems", &body), ["a", "b"]);
        assert_eq!(tables("Query", &json!({ "TableName": "c" })), ["c"]);
    }

    #[test]
    fn malformed_bodies_are_left_to_the_engine() {
        for body in [json!(null), json!([]), json!({ "TransactItems": 1, "RequestItems": [] })] {
            for operation in ["TransactWriteItems", "BatchGetItem", "PutItem"] {
                let _ = calls(operation, &body);
                let _ = (parts(operation, &body), tables(operation, &body));
                let _ = withhold(operation, &mut body.clone(), |_, _, _| true);
            }
        }
        let units_of = |it| units(&json!({ "ConsumedCapacity": it }));
        assert_eq!(units_of(json!({ "CapacityUnits": 1.5 })), 1.5);
        assert_eq!(units_of(json!([{ "CapacityUnits": 1.0 }, { "CapacityUnits": 2.0 }])), 3.0);
        assert_eq!(units_of(json!("x")), 0.0);
    }
}
