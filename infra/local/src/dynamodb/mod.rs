//! DynamoDB: `dynoxide` embedded (or another server, if `VIDINTEL_DYNAMODB_URL` names one), behind
//! a front that checks permissions, counts calls and can fail.

mod backups;
mod calls;
mod engine;
mod front;
mod in_flight;
#[cfg(test)]
mod tests;
mod trouble;

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, bail};
use axum::http::Method;
use serde_json::{Value, json};
use tokio::task::AbortHandle;

pub use self::trouble::{Trouble, Which};
use self::{
    backups::Backups,
    engine::Engine,
    front::Front,
    in_flight::InFlight,
    trouble::{Shape, Troubles},
};
use crate::{
    access::{Access, OPERATOR_KEY},
    clock::Clock,
    http::Client,
    standins::REGION,
    template::Table,
};

/// Names another DynamoDB (DynamoDB Local, say) to be used in place of the embedded one.
pub const OTHER_SERVER: &str = "VIDINTEL_DYNAMODB_URL";

/// Marks the calls of the harness itself: see [`DynamoDb::call`].
const HARNESS: &str = "x-local-harness";

/// What is wrong with DynamoDB, for functions and the library; the operator's calls always get through.
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
    /// What the names of tables end with that a deployment has put in place of others.
    suffixes: Mutex<BTreeMap<String, String>>,
    clock: Clock,
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
    troubles: Mutex<Troubles>,
    backups: Mutex<Backups>,
    counts: Mutex<Counts>,
    in_flight: InFlight,
    transaction_time: Mutex<Duration>,
    /// Calls refused because a transaction was in the way, or a transaction because of them.
    conflicts: AtomicU64,
}

impl Shared {
    fn transaction_time(&self) -> Duration {
        *self.transaction_time.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_conflict(&self) {
        self.conflicts.fetch_add(1, Ordering::Relaxed);
    }

    fn troubles(&self) -> MutexGuard<'_, Troubles> {
        self.troubles.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn backups(&self) -> MutexGuard<'_, Backups> {
        self.backups.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn meet(&self, operation: &str, body: &Value) -> Option<(Trouble, String)> {
        self.troubles().meet(&calls::tables(operation, body), Shape::of(operation))
    }
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
        tables.iter().for_each(|it| shared.in_flight.learn(&it.create));
        let front = Front::new(upstream, access.clone(), Arc::clone(&shared));
        let (endpoint, listener) = front.listen().await?;
        let client = Client::new(&endpoint);
        let prefix = prefix.to_owned();
        let (suffixes, clock) = (Mutex::default(), clock.clone());
        let inner = Inner { endpoint, prefix, suffixes, clock, client, shared, engine, listener };
        let dynamodb = Self(Arc::new(inner));
        for table in tables {
            match dynamodb.create(table).await {
                // It is kept between starts.
                Err(error) if error.to_string().contains("ResourceInUseException") => {
                    dynamodb.note_backups(table);
                }
                created => created.with_context(|| format!("table {}", table.name))?,
            }
        }
        Ok(dynamodb)
    }

    /// Puts the tables of a new deployment in place of those `before`: as CloudFormation, it makes those that were
    /// not in the stack, which fails where one of that name is there; what leaves the stack stays. `suffixes` (by
    /// name without prefix) are what the functions go by from now on.
    pub async fn deploy(
        &self,
        before: &[Table],
        tables: &[Table],
        suffixes: BTreeMap<String, String>,
    ) -> Result<()> {
        for table in tables.iter().filter(|it| before.iter().all(|old| old.name != it.name)) {
            self.0.shared.in_flight.learn(&table.create);
            self.create(table).await.with_context(|| format!("table {}", table.name))?;
        }
        *self.0.suffixes.lock().unwrap_or_else(PoisonError::into_inner) = suffixes;
        Ok(())
    }

    fn note_backups(&self, table: &Table) {
        if table.has_backups {
            self.0.shared.backups().switch_on(&table.name);
        }
    }

    async fn create(&self, table: &Table) -> Result<()> {
        self.call("CreateTable", &table.create).await?;
        self.note_backups(table);
        // A server that was given goes by the machine's clock: it would sweep what the cloud's own clock has
        // not let expire.
        if let Some(attribute) = &table.ttl_attribute
            && self.0.engine.is_some()
        {
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
        let suffixes = self.0.suffixes.lock().unwrap_or_else(PoisonError::into_inner);
        format!("{}{name}{}", self.0.prefix, suffixes.get(name).map_or("", String::as_str))
    }

    /// What every table's name begins with.
    pub fn prefix(&self) -> String {
        self.0.prefix.clone()
    }

    /// What their names end with, in the form of `TABLE_SUFFIXES`.
    pub fn suffixes(&self) -> String {
        let suffixes = self.0.suffixes.lock().unwrap_or_else(PoisonError::into_inner);
        suffixes.iter().map(|it| format!("{}={}", it.0, it.1)).collect::<Vec<_>>().join(",")
    }

    /// Makes the present a point in time to which every table with continuous backups can be restored.
    /// (DynamoDB keeps every second; here a test says which it will want.)
    pub async fn remember(&self) -> Result<()> {
        let names = self.0.shared.backups().tables();
        let mut contents = BTreeMap::new();
        for name in names {
            let mut request = json!({ "TableName": name, "ConsistentRead": true });
            contents.insert(name, self.scan(&mut request).await?);
        }
        self.0.shared.backups().remember(self.0.clock.now(), contents);
        Ok(())
    }

    /// Any operation, as the operator: `body` and answer in DynamoDB's own JSON. It meets no conflict and is
    /// in the way of nothing.
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
            .header(HARNESS, "1")
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
        self.scan(&mut request).await
    }

    async fn scan(&self, request: &mut Value) -> Result<Vec<Value>> {
        let mut items = Vec::new();
        loop {
            let mut page = self.call("Scan", request).await?;
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

    /// Lets calls on `table` (its name without prefix) meet `trouble` from now on, besides what they meet
    /// already; not the operator's.
    pub fn trouble(&self, table: &str, trouble: Trouble, which: Which) {
        self.0.shared.troubles().add(self.table(table), trouble, which);
    }

    /// How many calls have met something since the start.
    pub fn troubles_met(&self) -> u64 {
        self.0.shared.troubles().met
    }

    /// Ends all of that; how many calls have met something since the start.
    pub fn end_troubles(&self) -> u64 {
        let mut troubles = self.0.shared.troubles();
        troubles.clear();
        troubles.met
    }

    /// How much longer a transaction takes from now on: so long, its items are in the way of other calls.
    pub fn slow_transactions(&self, by: Duration) {
        *self.0.shared.transaction_time.lock().unwrap_or_else(PoisonError::into_inner) = by;
    }

    /// How many calls a conflict has refused so far, without those that were told to meet one.
    pub fn conflicts(&self) -> u64 {
        self.0.shared.conflicts.load(Ordering::Relaxed)
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
