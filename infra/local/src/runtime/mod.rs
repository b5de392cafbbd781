//! AWS Lambda on one machine: every function is its real binary, started cold when it is first
//! needed, used again while it lives, and run several times at once under load.
//!
//! `environment` is one process and where it stands between two events; `api` is the HTTP
//! interface that the process talks to (Runtime API 2018-06-01 and Extensions API 2020-01-01);
//! `pool` decides which environment takes the next event, or starts another.

mod api;
mod environment;
mod logs;
mod pool;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use anyhow::{Context, Result};
use axum::body::Bytes;
use serde_json::{Value, json};
use tokio::task::AbortHandle;

pub(crate) use self::environment::trace_id;
pub use self::logs::Logs;
use self::{environment::Environment, pool::Pool};
use crate::{
    serve::{listen, serve},
    template::Function,
};

/// Largest event and largest answer of a synchronous invocation.
const MAX_PAYLOAD: usize = 6 * 1024 * 1024;

/// How a function is started.
#[derive(Clone, Debug)]
pub struct Spec {
    /// The function as the template declares it; its environment is replaced by the next but one.
    pub function: Function,
    /// The program.
    pub program: PathBuf,
    /// Its whole environment, except for what the runtime itself sets.
    pub environment: BTreeMap<String, String>,
}

/// An invocation that brought no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{error_type}: {message}")]
pub struct InvokeError {
    /// The function's own name for the error, or `Runtime.ExitError`, `Sandbox.Timedout` and the
    /// like where Lambda itself ended the invocation.
    pub error_type: String,
    /// What happened.
    pub message: String,
}

impl InvokeError {
    fn new(error_type: &str, message: impl Into<String>) -> Self {
        Self { error_type: error_type.to_owned(), message: message.into() }
    }

    /// Reads what a runtime posts about a failed invocation.
    fn from_report(report: &[u8]) -> Self {
        let report: Value = serde_json::from_slice(report).unwrap_or_default();
        let field = |name: &str, otherwise: &str| {
            report.get(name).and_then(Value::as_str).unwrap_or(otherwise).to_owned()
        };
        Self {
            error_type: field("errorType", "Runtime.Unknown"),
            message: field("errorMessage", "no message"),
        }
    }

    /// The answer that Lambda's own Invoke interface gives.
    pub fn to_json(&self) -> Value {
        json!({ "errorType": self.error_type, "errorMessage": self.message })
    }
}

/// All functions. Clones share them; with the last one every process ends.
#[derive(Clone, Debug)]
pub struct Runtime(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    pools: BTreeMap<String, Pool>,
    registry: Registry,
    api: AbortHandle,
}

/// What the environments' HTTP interface works with. Clones share it.
#[derive(Clone, Debug, Default)]
struct Registry(Arc<Mutex<Registered>>);

#[derive(Debug, Default)]
struct Registered {
    /// Living environments by their id, which is a part of the address that each talks to.
    environments: HashMap<String, Arc<Environment>>,
    last_answer: Option<SystemTime>,
}

impl Registry {
    fn lock(&self) -> MutexGuard<'_, Registered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, id: &str) -> Option<Arc<Environment>> {
        self.lock().environments.get(id).cloned()
    }

    fn add(&self, environment: &Arc<Environment>) {
        self.lock().environments.insert(environment.id.clone(), Arc::clone(environment));
    }

    fn remove(&self, id: &str) {
        self.lock().environments.remove(id);
    }

    fn note_answer(&self) {
        self.lock().last_answer = Some(SystemTime::now());
    }
}

impl Runtime {
    /// Prepares the functions; starts no process yet. At most `max_environments` of one function
    /// run at once, and further events wait.
    pub async fn start(specs: Vec<Spec>, max_environments: usize, echo: bool) -> Result<Self> {
        let registry = Registry::default();
        let (listener, address) = listen(None).await?;
        let api = serve(listener, api::router(registry.clone()));
        let pools = specs.into_iter().map(|spec| {
            let logs = Logs::new(echo.then(|| spec.function.binary.clone()));
            let id = spec.function.id.clone();
            (id, Pool::new(spec, address, registry.clone(), logs, max_environments))
        });
        Ok(Self(Arc::new(Inner { pools: pools.collect(), registry, api })))
    }

    /// Gives `event` to a function and waits for its answer.
    pub async fn invoke(&self, function: &str, event: Bytes) -> Result<Bytes, InvokeError> {
        match self.0.pools.get(function) {
            Some(pool) => pool.invoke(event).await,
            None => {
                let message = format!("Function not found: {function}");
                Err(InvokeError::new("ResourceNotFoundException", message))
            }
        }
    }

    /// Kills every environment of a function, busy ones too, and waits until they are gone. How
    /// many there were.
    pub async fn kill(&self, function: &str) -> Result<usize> {
        Ok(self.pool(function)?.kill().await)
    }

    /// Starts a function as `spec` says from now on; whoever is at work is killed.
    pub async fn renew(&self, spec: Spec) -> Result<()> {
        let pool = self.pool(&spec.function.id)?;
        pool.renew(spec);
        pool.kill().await;
        Ok(())
    }

    /// What a function has written to its standard streams lately.
    pub fn logs(&self, function: &str) -> Result<&Logs> {
        Ok(self.pool(function)?.logs())
    }

    /// Waits until no function works any more, also not after its answer.
    pub async fn settled(&self) {
        for pool in self.0.pools.values() {
            pool.settled().await;
        }
    }

    /// When a function last handed its answer over, by the machine's clock.
    pub fn last_answer(&self) -> Option<SystemTime> {
        self.0.registry.lock().last_answer
    }

    /// How many environments of a function have been started so far.
    pub fn cold_starts(&self, function: &str) -> Result<u64> {
        Ok(self.pool(function)?.cold_starts())
    }

    /// Process ids of a function's living environments.
    pub fn process_ids(&self, function: &str) -> Result<Vec<u32>> {
        Ok(self.pool(function)?.process_ids())
    }

    /// Ends every process and starts no other.
    pub fn shut_down(&self) {
        self.0.shut_down();
    }

    fn pool(&self, function: &str) -> Result<&Pool> {
        self.0.pools.get(function).with_context(|| format!("there is no function {function}"))
    }
}

impl Inner {
    fn shut_down(&self) {
        self.api.abort();
        self.pools.values().for_each(Pool::abandon);
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shut_down();
    }
}
