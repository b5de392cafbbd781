//! DynamoDB: `dynoxide` embedded (or another server, if `VIDINTEL_DYNAMODB_URL` names one), behind
//! a front that checks permissions, counts calls and can fail.

mod calls;
mod engine;
mod front;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use axum::http::Method;
use serde_json::{Value, json};
use tokio::task::AbortHandle;

use self::{engine::Engine, front::Front};
use crate::{
    access::{Access, OPERATOR_KEY},
    clock::Clock,
    http::Client,
    standins::REGION,
    template::Table,
};

/// Names another DynamoDB (DynamoDB Local, say) to be used in place of the embedded one.
pub const OTHER_SERVER: &str = "VIDINTEL_DYNAMODB_URL";

/// What is wrong with DynamoDB, for functions; the operator's calls always get through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// Connections are closed without an answer.
    Down,
    /// Every call exceeds the throughput.
    Throttle,
    /// Every call takes so much longer.
    Slow(Duration),
    /// So many calls fail without being done; then nothing is wrong any more.
    FailNext(u32),
    /// So many calls are done, but their answers are lost; then nothing is wrong any more.
    LoseNext(u32),
}

/// How often something was called, and what it would have cost.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Count {
    /// Requests.
    pub requests: u64,
    /// Capacity units as the engine reports them.
    pub units: f64,
}

/// Counts by caller (a function's logical id, or `OPERATOR`) and operation (`GetItem`, …).
pub type Counts = BTreeMap<(String, String), Count>;

/// The service. Clones share it; with the last one it ends.
#[derive(Clone, Debug)]
pub struct DynamoDb(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    endpoint: String,
    prefix: String,
    client: Client,
    shared: Arc<Shared>,
    /// Absent where another server is used.
    engine: Option<Engine>,
    listener: AbortHandle,
}

/// What every connection of the front looks at.
#[derive(Debug, Default)]
struct Shared {
    fault: Mutex<Fault>,
    counts: Mutex<Counts>,
}

impl DynamoDb {
    /// Starts it with what `saved` holds, if that is a file, and the tables that are missing.
    pub async fn start(
        clock: &Clock,
        access: &Access,
        prefix: &str,
        tables: &[Table],
        saved: Option<&Path>,
    ) -> Result<Self> {
        let (engine, upstream) = match std::env::var(OTHER_SERVER) {
            Ok(url) if !url.is_empty() => (None, url.trim_end_matches('/').to_owned()),
            _ => {
                let engine = Engine::start(clock.clone(), saved.filter(|it| it.is_file()))?;
                let url = engine.url.clone();
                (Some(engine), url)
            }
        };
        let shared = Arc::<Shared>::default();
        let front = Front::new(upstream, access.clone(), Arc::clone(&shared));
        let (endpoint, listener) = front.listen().await?;
        let client = Client::new(&endpoint);
        let prefix = prefix.to_owned();
        let dynamodb = Self(Arc::new(Inner { endpoint, prefix, client, shared, engine, listener }));
        for table in tables {
            dynamodb.create(table).await.with_context(|| format!("table {}", table.name))?;
        }
        Ok(dynamodb)
    }

    async fn create(&self, table: &Table) -> Result<()> {
        match self.call("CreateTable", &table.create).await {
            Err(error) if error.to_string().contains("ResourceInUseException") => return Ok(()),
            created => created?,
        };
        if let Some(attribute) = &table.ttl_attribute {
            let specification = json!({ "AttributeName": attribute, "Enabled": true });
            let update =
                json!({ "TableName": table.name, "TimeToLiveSpecification": specification });
            self.call("UpdateTimeToLive", &update).await?;
        }
        Ok(())
    }

    /// Base URL, for `AWS_ENDPOINT_URL_DYNAMODB` and for SDKs. Credentials' access key id says who
    /// calls: see [`crate::access`].
    pub fn endpoint(&self) -> &str {
        &self.0.endpoint
    }

    /// Physical name of a table.
    pub fn table(&self, name: &str) -> String {
        format!("{}{name}", self.0.prefix)
    }

    /// Any operation, as the operator: `body` and answer in DynamoDB's own JSON.
    pub async fn call(&self, operation: &str, body: &Value) -> Result<Value> {
        let scope = format!("20261124/{REGION}/dynamodb/aws4_request");
        let credential = format!(
            "AWS4-HMAC-SHA256 Credential={OPERATOR_KEY}/{scope}, SignedHeaders=host;x-amz-date, \
             Signature=0"
        );
        let response = self
            .0
            .client
            .request(Method::POST, "/")
            .header("x-amz-target", &format!("DynamoDB_20120810.{operation}"))
            .header("x-amz-date", "20261124T120000Z")
            .header("authorization", &credential)
            .body("application/x-amz-json-1.0", body.to_string())
            .send()
            .await?;
        if !response.status.is_success() {
            bail!("{operation}: {}", response.text());
        }
        Ok(response.json())
    }

    /// Every item of a table (by its name without prefix), in DynamoDB's own JSON.
    pub async fn items(&self, table: &str) -> Result<Vec<Value>> {
        let mut request = json!({ "TableName": self.table(table), "ConsistentRead": true });
        let mut items = Vec::new();
        loop {
            let mut page = self.call("Scan", &request).await?;
            if let Some(Value::Array(found)) = page.get_mut("Items").map(Value::take) {
                items.extend(found);
            }
            match page.get("LastEvaluatedKey") {
                Some(key) if !key.is_null() => request["ExclusiveStartKey"] = key.clone(),
                _ => return Ok(items),
            }
        }
    }

    /// Puts items (in DynamoDB's own JSON) into a table, by its name without prefix: many, quickly,
    /// and uncounted. Only the embedded engine can.
    pub async fn import(&self, table: &str, items: Vec<Value>) -> Result<()> {
        match &self.0.engine {
            Some(engine) => engine.import(self.table(table), items).await,
            None => bail!("only the embedded DynamoDB can import"),
        }
    }

    /// Lets the functions' calls fail from now on.
    pub fn fault(&self, fault: Fault) {
        *self.0.shared.fault.lock().unwrap_or_else(PoisonError::into_inner) = fault;
    }

    /// All counts since the start or the last reset.
    pub fn counts(&self) -> Counts {
        self.0.shared.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many requests the functions (not the operator) have made since then.
    pub fn requests(&self) -> u64 {
        let functions = self.counts().into_iter().filter(|it| it.0.0 != OPERATOR_KEY);
        functions.map(|it| it.1.requests).sum()
    }

    /// Counts from zero again.
    pub fn reset_counts(&self) {
        self.0.shared.counts.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Deletes what native expiry would delete by now, and says how much. Nothing where another
    /// server is used: that one goes by its own clock.
    pub async fn sweep(&self) -> Result<usize> {
        match &self.0.engine {
            Some(engine) => engine.sweep().await,
            None => Ok(0),
        }
    }

    /// Writes everything to `file`.
    pub async fn save(&self, file: &Path) -> Result<()> {
        match &self.0.engine {
            Some(engine) => engine.save(file.to_owned()).await,
            None => Ok(()),
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.listener.abort();
    }
}
