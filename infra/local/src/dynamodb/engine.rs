//! The embedded engine, in memory, on a thread of its own: it works synchronously, and would
//! otherwise hold up everybody else.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, Result};
use dynoxide::{Database, ImportOptions, Item, storage_backend};
use serde_json::Value;
use tokio::{runtime::Builder, sync::oneshot, task::spawn_blocking};

use crate::clock::Clock;

#[derive(Debug)]
pub(super) struct Engine {
    pub url: String,
    database: Handle,
    /// Its end stops the thread.
    _running: oneshot::Sender<()>,
}

/// For the sake of `Debug`, which the engine's own handle lacks.
#[derive(Clone)]
struct Handle(Database);

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").finish_non_exhaustive()
    }
}

impl storage_backend::Clock for Clock {
    fn now_unix_secs(&self) -> u64 {
        u64::try_from(self.now().unix_timestamp()).unwrap_or_default()
    }

    fn now_unix_secs_f64(&self) -> f64 {
        self.now().unix_timestamp_nanos() as f64 / 1e9
    }
}

impl Engine {
    /// Starts one that goes by `clock`, with what `saved` holds.
    pub(super) fn start(clock: Clock, saved: Option<&Path>) -> Result<Self> {
        let database = Database::memory_with_clock(Arc::new(clock)).context("no database")?;
        if let Some(saved) = saved {
            let path = saved.to_str().context("its path is not UTF-8")?;
            database.restore_from(path).with_context(|| format!("{path} cannot be used"))?;
        }
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        listener.set_nonblocking(true)?;
        let url = format!("http://{}", listener.local_addr()?);
        let (running, stopped) = oneshot::channel::<()>();
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let served = database.clone();
        std::thread::Builder::new().name("dynamodb".to_owned()).spawn(move || {
            runtime.block_on(async move {
                let stopped = async move { _ = stopped.await };
                let listener = tokio::net::TcpListener::from_std(listener);
                let listener = listener.map_err(|error| error.to_string());
                let serving = async {
                    dynoxide::server::serve_with_shutdown(listener?, served, stopped).await
                };
                if let Err(error) = serving.await {
                    tracing::error!(error, "DynamoDB has stopped");
                }
            });
        })?;
        Ok(Self { url, database: Handle(database), _running: running })
    }

    pub(super) async fn sweep(&self) -> Result<usize> {
        let database = self.database.clone();
        Ok(spawn_blocking(move || database.0.sweep_ttl()).await??)
    }

    pub(super) async fn import(&self, table: String, items: Vec<Value>) -> Result<()> {
        let database = self.database.clone();
        spawn_blocking(move || {
            let items = items.into_iter().map(serde_json::from_value);
            let items = items.collect::<Result<Vec<Item>, _>>().context("not an item")?;
            database.0.import_items(&table, items, ImportOptions::default())?;
            Ok(())
        })
        .await?
    }

    pub(super) async fn save(&self, file: PathBuf) -> Result<()> {
        let database = self.database.clone();
        spawn_blocking(move || {
            let fresh = file.with_extension("new");
            // Left over where a save was cut short.
            let _ = std::fs::remove_file(&fresh);
            database.0.vacuum_into(fresh.to_str().context("the path is not UTF-8")?)?;
            Ok(std::fs::rename(&fresh, &file)?)
        })
        .await?
    }
}
