//! What a request does, in the terms of IAM.

use serde_json::Value;

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
    fn malformed_bodies_are_left_to_the_engine() {
        for body in [json!(null), json!([]), json!({ "TransactItems": 1, "RequestItems": [] })] {
            for operation in ["TransactWriteItems", "BatchGetItem", "PutItem"] {
                let _ = calls(operation, &body);
            }
        }
        let units_of = |it| units(&json!({ "ConsumedCapacity": it }));
        assert_eq!(units_of(json!({ "CapacityUnits": 1.5 })), 1.5);
        assert_eq!(units_of(json!([{ "CapacityUnits": 1.0 }, { "CapacityUnits": 2.0 }])), 3.0);
        assert_eq!(units_of(json!("x")), 0.0);
    }
}
