//! Continuous backups (point-in-time recovery), as strict as DynamoDB's: a backup is restored into a new table
//! only, and the new table has neither backups nor expiry until somebody switches them on.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::front::{Front, answer, error};

/// Items in one `BatchWriteItem`.
const BATCH: usize = 25;

/// Contents of tables at a point in time.
type Contents = BTreeMap<String, Vec<Value>>;

/// Which tables have backups, and what is remembered of them.
#[derive(Debug, Default)]
pub(super) struct Backups {
    on: BTreeSet<String>,
    /// By epoch second.
    points: BTreeMap<i64, Contents>,
}

impl Backups {
    pub(super) fn switch_on(&mut self, table: &str) {
        self.on.insert(table.to_owned());
    }

    pub(super) fn tables(&self) -> Vec<String> {
        self.on.iter().cloned().collect()
    }

    pub(super) fn remember(&mut self, now: OffsetDateTime, contents: Contents) {
        self.points.insert(now.unix_timestamp(), contents);
    }
}

impl Front {
    /// The answer to an operation about backups, if it is one.
    pub(super) async fn backups(
        &self,
        operation: &str,
        body: &Value,
    ) -> Result<Option<Response<Full<axum::body::Bytes>>>> {
        let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
        let answered = match operation {
            "DescribeContinuousBackups" => {
                answer(StatusCode::OK, &self.described(text("TableName")))
            }
            "UpdateContinuousBackups" => {
                let table = text("TableName");
                if self.ask("DescribeTable", &json!({ "TableName": table })).await.is_err() {
                    return Ok(Some(refused("TableNotFoundException", table)));
                }
                let wanted =
                    body.pointer("/PointInTimeRecoverySpecification/PointInTimeRecoveryEnabled");
                let mut backups = self.shared.backups();
                match wanted {
                    Some(Value::Bool(true)) => backups.switch_on(table),
                    Some(Value::Bool(false)) => drop(backups.on.remove(table)),
                    _ => return Ok(Some(refused("ValidationException", "enabled or not?"))),
                }
                drop(backups);
                answer(StatusCode::OK, &self.described(table))
            }
            "RestoreTableToPointInTime" => {
                let at = body.get("RestoreDateTime").and_then(Value::as_f64);
                self.restore(text("SourceTableName"), text("TargetTableName"), at).await?
            }
            _ => return Ok(None),
        };
        Ok(Some(answered))
    }

    fn described(&self, table: &str) -> Value {
        let is_on = self.shared.backups().on.contains(table);
        let status = if is_on { "ENABLED" } else { "DISABLED" };
        json!({ "ContinuousBackupsDescription": {
            "ContinuousBackupsStatus": "ENABLED",
            "PointInTimeRecoveryDescription": { "PointInTimeRecoveryStatus": status },
        } })
    }

    async fn restore(
        &self,
        source: &str,
        target: &str,
        at: Option<f64>,
    ) -> Result<Response<Full<axum::body::Bytes>>> {
        if self.ask("DescribeTable", &json!({ "TableName": target })).await.is_ok() {
            return Ok(refused("TableAlreadyExistsException", target));
        }
        let Ok(described) = self.ask("DescribeTable", &json!({ "TableName": source })).await else {
            return Ok(refused("TableNotFoundException", source));
        };
        let found = {
            let backups = self.shared.backups();
            if !backups.on.contains(source) {
                return Ok(refused("PointInTimeRecoveryUnavailableException", source));
            }
            let point = at.and_then(|it| backups.points.get(&(it as i64)));
            point.and_then(|it| it.get(source)).cloned()
        };
        let Some(items) = found else {
            return Ok(refused("InvalidRestoreTimeException", "nothing is remembered of then"));
        };
        let table = &described["Table"];
        let mut create = json!({
            "TableName": target,
            "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": table["KeySchema"],
            "AttributeDefinitions": table["AttributeDefinitions"],
        });
        if let Some(indexes) = table.get("GlobalSecondaryIndexes").and_then(Value::as_array) {
            let fields = ["IndexName", "KeySchema", "Projection"];
            let index = |it: &Value| -> Value {
                fields.iter().map(|name| ((*name).to_owned(), it[*name].clone())).collect()
            };
            create["GlobalSecondaryIndexes"] = indexes.iter().map(index).collect();
        }
        self.shared.in_flight.learn(&create);
        let created = self.ask("CreateTable", &create).await?;
        for batch in items.chunks(BATCH) {
            let puts: Vec<_> =
                batch.iter().map(|it| json!({ "PutRequest": { "Item": it } })).collect();
            self.ask("BatchWriteItem", &json!({ "RequestItems": { target: puts } })).await?;
        }
        Ok(answer(StatusCode::OK, &created))
    }

    /// Asks the engine itself.
    async fn ask(&self, operation: &str, body: &Value) -> Result<Value> {
        let credential = "AWS4-HMAC-SHA256 Credential=local/20261124/eu-west-1/dynamodb/aws4_request, \
                          SignedHeaders=host;x-amz-date, Signature=0";
        let target = format!("DynamoDB_20120810.{operation}");
        let headers = [
            ("x-amz-target", target.as_str()),
            ("x-amz-date", "20261124T120000Z"),
            ("authorization", credential),
            ("content-type", "application/x-amz-json-1.0"),
        ];
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(name, HeaderValue::from_str(value).context("a header")?);
        }
        let response = self.forward(map, body.to_string().into()).await?;
        let status = response.status();
        let bytes = response.into_body().collect().await?.to_bytes();
        if status != StatusCode::OK {
            bail!("{operation}: {}", String::from_utf8_lossy(&bytes));
        }
        Ok(serde_json::from_slice(&bytes)?)
    }
}

fn refused(kind: &str, message: &str) -> Response<Full<axum::body::Bytes>> {
    error(StatusCode::BAD_REQUEST, &format!("com.amazonaws.dynamodb.v20120810#{kind}"), message)
}
