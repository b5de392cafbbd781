//! One shared connection to Redis with a short patience: an answer later than the time limit counts
//! as none, and after one such failure a breaker keeps the next requests from waiting too.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use ::redis::{
    AsyncConnectionConfig, Client, ConnectionInfo, ErrorKind, FromRedisValue, IntoConnectionInfo,
    Pipeline, RedisResult, Value, aio::MultiplexedConnection,
};
use futures_util::FutureExt;
use secrecy::ExposeSecret;
use tokio::{sync::Mutex, task::JoinHandle, time::timeout};

use crate::{config::RedisConfig, secrets::Secrets};

/// Redis gave no usable answer. Says nothing about whether the commands ran.
#[derive(Debug, thiserror::Error)]
pub enum RedisError {
    /// The breaker is open after an earlier failure: nothing was sent.
    #[error("Redis is being left alone after a failure")]
    Open,
    /// No answer, or no connection, in time.
    #[error("Redis did not answer in time")]
    Timeout,
    /// Its password could not be read.
    #[error("the password of Redis could not be read: {0}")]
    Secret(String),
    /// It is one that cannot be used.
    #[error(
        "Redis runs in cluster mode, which is not supported: take one with cluster mode off \
         (docs/OPERATIONS.md)"
    )]
    Cluster,
    /// The connection failed or an answer was an error.
    #[error("Redis failed: {0}")]
    Failed(#[from] ::redis::RedisError),
}

/// How long the breaker stays open.
const OPEN_FOR: Duration = Duration::from_secs(1);

/// How long one that cannot be used is left alone.
const REFUSED_FOR: Duration = Duration::from_secs(30);

/// How long those wait who cannot do without Redis: scheduled jobs, and changes that the gate must
/// know. They pay no attention to the breaker.
const PATIENCE: Duration = Duration::from_secs(3);

/// Who asks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Patience {
    Short,
    Long,
}

/// The shared connection. Connects on first use; clones share it.
#[derive(Clone)]
pub struct Redis(Arc<Inner>);

struct Inner {
    server: ConnectionInfo,
    /// Where the password is, if there is one.
    secrets: Option<Arc<Secrets>>,
    response_timeout: Duration,
    connect_timeout: Duration,
    connection: Mutex<Option<MultiplexedConnection>>,
    started: Instant,
    /// Milliseconds after `started` until which the breaker is open; 0 = closed.
    open_until: AtomicU64,
    /// Whether it is open because the server cannot be used.
    is_refused: AtomicBool,
}

impl std::fmt::Debug for Redis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The client's own form would show the password.
        f.debug_struct("Redis").finish_non_exhaustive()
    }
}

/// A pipeline whose answer was not awaited to its end.
pub type Late = JoinHandle<RedisResult<Value>>;

impl Redis {
    /// Prepares the connection; does not connect. Fails on a URL that Redis clients do not accept.
    pub fn new(config: &RedisConfig) -> RedisResult<Self> {
        Self::prepare(config, None)
    }

    /// As [`Redis::new`], with the credentials of the secret, if it has some. They are looked for at each
    /// connection, so that a new password is used once the secret is read again.
    pub fn with_secrets(config: &RedisConfig, secrets: Arc<Secrets>) -> RedisResult<Self> {
        Self::prepare(config, Some(secrets))
    }

    fn prepare(config: &RedisConfig, secrets: Option<Arc<Secrets>>) -> RedisResult<Self> {
        let server = config.url.expose_secret().into_connection_info()?;
        // The library's name helps nobody, and telling it costs each cold start a round trip.
        let settings = server.redis_settings().clone().set_skip_set_lib_name();
        Ok(Self(Arc::new(Inner {
            server: server.set_redis_settings(settings),
            secrets,
            response_timeout: config.response_timeout,
            connect_timeout: config.connect_timeout,
            connection: Mutex::new(None),
            started: Instant::now(),
            open_until: AtomicU64::new(0),
            is_refused: AtomicBool::new(false),
        })))
    }

    /// Connects ahead of the first query.
    pub async fn connect(&self) -> Result<(), RedisError> {
        // The first request would wait as long.
        let wait = self.0.connect_timeout.max(self.0.response_timeout);
        self.connection(wait, Patience::Long).await.map(drop)
    }

    /// Sends `pipeline` in one write and reads its answers.
    pub async fn query<T: FromRedisValue>(&self, pipeline: Pipeline) -> Result<T, RedisError> {
        self.query_for(pipeline, Patience::Short).await
    }

    /// As [`Redis::query`], for those who cannot do without: waits for up to three seconds, and asks once
    /// more over a new connection if the old one has failed.
    pub async fn query_patiently<T: FromRedisValue>(
        &self,
        pipeline: Pipeline,
    ) -> Result<T, RedisError> {
        self.query_for(pipeline, Patience::Long).await
    }

    /// As [`Redis::query`], raw. On a time-out the pipeline goes on, and its handle comes back with
    /// the error, so that what it may yet do can be undone.
    pub async fn query_raw(&self, pipeline: Pipeline) -> Result<Value, (RedisError, Option<Late>)> {
        self.query_or_late(pipeline, Patience::Short).await
    }

    /// Whether the server throws keys away when it is short of memory, as far as it says.
    pub async fn may_evict(&self) -> Result<bool, RedisError> {
        let mut pipeline = ::redis::pipe();
        pipeline.cmd("INFO").arg("memory");
        let (said,): (String,) = self.query(pipeline).await?;
        let policy = said.lines().find_map(|it| it.strip_prefix("maxmemory_policy:"));
        Ok(policy.is_some_and(|it| it.trim() != "noeviction"))
    }

    async fn query_for<T: FromRedisValue>(
        &self,
        pipeline: Pipeline,
        patience: Patience,
    ) -> Result<T, RedisError> {
        let mut asked = self.query_or_late(pipeline.clone(), patience).await;
        let is_broken =
            |error: &::redis::RedisError| error.is_unrecoverable_error() || error.is_io_error();
        if patience == Patience::Long
            && matches!(&asked, Err((RedisError::Failed(error), _)) if is_broken(error))
        {
            // A connection that has ended while nobody used it shows only now. Whoever is patient bears
            // being run twice.
            asked = self.query_or_late(pipeline, patience).await;
        }
        let value = asked.map_err(|it| it.0)?;
        Ok(::redis::from_redis_value(value).map_err(::redis::RedisError::from)?)
    }

    async fn query_or_late(
        &self,
        pipeline: Pipeline,
        patience: Patience,
    ) -> Result<Value, (RedisError, Option<Late>)> {
        let wait = match patience {
            Patience::Short if self.is_open() => {
                return Err((self.why_open(), None));
            }
            Patience::Short => self.0.response_timeout,
            Patience::Long => PATIENCE,
        };
        let connected = self.connection(wait, patience).await;
        let mut connection = connected.map_err(|error| (error, None))?;
        // A task of its own: cancelling the caller must not leave a half-read answer, and a late
        // answer must remain readable.
        let mut task =
            tokio::spawn(async move { pipeline.query_async::<Value>(&mut connection).await });
        match timeout(wait, &mut task).await {
            Err(_) => {
                self.fail().await;
                Err((RedisError::Timeout, Some(task)))
            }
            Ok(Ok(Ok(value))) => {
                self.0.open_until.store(0, Ordering::Relaxed);
                Ok(value)
            }
            Ok(Ok(Err(error))) => {
                // An error answer (a script's, say) is not a failure of the connection.
                if error.is_unrecoverable_error() || error.is_io_error() || error.is_timeout() {
                    self.fail().await;
                }
                Err((error.into(), None))
            }
            // The task panicked or the runtime is ending.
            Ok(Err(_)) => Err((RedisError::Timeout, None)),
        }
    }

    /// The connection; a new one must answer its first question within `wait`.
    async fn connection(
        &self,
        wait: Duration,
        patience: Patience,
    ) -> Result<MultiplexedConnection, RedisError> {
        let mut slot = self.0.connection.lock().await;
        if let Some(connection) = &*slot {
            return Ok(connection.clone());
        }
        // Another may have tried in vain just now, which takes seconds where it is the secret that is missing.
        if patience == Patience::Short && self.is_open() {
            return Err(self.why_open());
        }
        let connected = async { self.connect_to(self.server().await?, wait).await };
        // Boxed: the compiler would carry it through everything that asks Redis.
        match connected.boxed().await {
            Ok(connection) => Ok(slot.insert(connection).clone()),
            Err(error) => {
                let is_refused = matches!(error, RedisError::Cluster);
                self.0.is_refused.store(is_refused, Ordering::Relaxed);
                self.open(if is_refused { REFUSED_FOR } else { OPEN_FOR });
                Err(error)
            }
        }
    }

    /// Where it is, with its password.
    async fn server(&self) -> Result<ConnectionInfo, RedisError> {
        let server = self.0.server.clone();
        let Some(secrets) = &self.0.secrets else { return Ok(server) };
        let secret = secrets.get().await.map_err(|error| RedisError::Secret(error.to_string()))?;
        let Some(credentials) = secret.redis else { return Ok(server) };
        let settings = server.redis_settings().clone();
        let settings = settings.set_password(credentials.password.expose_secret());
        let settings = match credentials.username {
            Some(username) => settings.set_username(username),
            None => settings,
        };
        Ok(server.set_redis_settings(settings))
    }

    async fn connect_to(
        &self,
        server: ConnectionInfo,
        wait: Duration,
    ) -> Result<MultiplexedConnection, RedisError> {
        // Time limits are ours, so that late answers stay readable.
        let config = AsyncConnectionConfig::new()
            .set_response_timeout(None)
            .set_connection_timeout(Some(self.0.connect_timeout));
        let client = Client::open(server)?;
        let connecting = client.get_multiplexed_async_connection_with_config(&config);
        let mut made = match timeout(self.0.connect_timeout, connecting).await {
            Ok(made) => made.map_err(|error| self.refused(error))?,
            Err(_) => return Err(RedisError::Timeout),
        };
        let mut command = ::redis::cmd("INFO");
        let asking = command.arg("cluster").query_async::<String>(&mut made);
        match timeout(wait, asking).await.map_err(|_| RedisError::Timeout)? {
            // Half of the keys would be somewhere else, the log would pile up and end: as if there were no
            // Redis all is exact, and the log goes to the tables.
            Ok(said) if said.contains("cluster_enabled:1") => {
                tracing::error!("{}", RedisError::Cluster);
                Err(RedisError::Cluster)
            }
            Err(error) if error.is_io_error() || is_not_let_in(&error) => Err(self.refused(error)),
            // One that will not say is taken for one that is single.
            Ok(_) | Err(_) => Ok(made),
        }
    }

    /// Redis has not let the connection come about.
    fn refused(&self, error: ::redis::RedisError) -> RedisError {
        if let Some(secrets) = self.0.secrets.as_ref().filter(|_| is_not_let_in(&error)) {
            secrets.doubt();
        }
        error.into()
    }

    async fn fail(&self) {
        *self.0.connection.lock().await = None;
        self.0.is_refused.store(false, Ordering::Relaxed);
        self.open(OPEN_FOR);
    }

    fn open(&self, time: Duration) {
        let until = self.0.started.elapsed() + time;
        self.0.open_until.store(until.as_millis() as u64, Ordering::Relaxed);
    }

    fn why_open(&self) -> RedisError {
        let is_refused = self.0.is_refused.load(Ordering::Relaxed);
        if is_refused { RedisError::Cluster } else { RedisError::Open }
    }

    fn is_open(&self) -> bool {
        let now = self.0.started.elapsed().as_millis() as u64;
        now < self.0.open_until.load(Ordering::Relaxed)
    }
}

/// Whether Redis wants other credentials, or some.
fn is_not_let_in(error: &::redis::RedisError) -> bool {
    error.kind() == ErrorKind::AuthenticationFailed
        || matches!(error.code(), Some("NOAUTH" | "WRONGPASS"))
}

/// A Lua script that runs by its hash, and is sent whole only where the server does not know it.
#[derive(Debug)]
pub struct Script {
    hash: String,
    code: &'static str,
}

impl Script {
    /// Prepares `code`; nothing is sent.
    pub fn new(code: &'static str) -> Self {
        Self { hash: ::redis::Script::new(code).get_hash().to_owned(), code }
    }

    /// Adds `EVALSHA` to a pipeline: one key, then its arguments.
    pub fn add_to(&self, pipeline: &mut Pipeline, key: &str, args: &[&str]) {
        self.add_with(pipeline, &[key], args);
    }

    /// As [`Script::add_to`], with several keys of one slot: scripts never span slots.
    pub fn add_with(&self, pipeline: &mut Pipeline, keys: &[&str], args: &[&str]) {
        pipeline.cmd("EVALSHA").arg(&self.hash).arg(keys.len()).arg(keys).arg(args);
    }

    /// Runs the script alone, loading it where needed.
    pub async fn run<T: FromRedisValue>(
        &self,
        redis: &Redis,
        key: &str,
        args: &[&str],
    ) -> Result<T, RedisError> {
        self.run_for(redis, key, args, Patience::Short).await
    }

    /// As [`Script::run`], for those who cannot do without.
    pub async fn run_patiently<T: FromRedisValue>(
        &self,
        redis: &Redis,
        key: &str,
        args: &[&str],
    ) -> Result<T, RedisError> {
        self.run_for(redis, key, args, Patience::Long).await
    }

    async fn run_for<T: FromRedisValue>(
        &self,
        redis: &Redis,
        key: &str,
        args: &[&str],
        patience: Patience,
    ) -> Result<T, RedisError> {
        let mut pipeline = ::redis::pipe();
        self.add_to(&mut pipeline, key, args);
        match redis.query_for::<(T,)>(pipeline, patience).await {
            Err(RedisError::Failed(error)) if is_no_script(&error) => {
                let mut pipeline = ::redis::pipe();
                pipeline.cmd("EVAL").arg(self.code).arg(1).arg(key).arg(args);
                Ok(redis.query_for::<(T,)>(pipeline, patience).await?.0)
            }
            answer => Ok(answer?.0),
        }
    }

    /// Loads the script, for a pipeline that was answered with "no such script".
    pub async fn load(&self, redis: &Redis) -> Result<(), RedisError> {
        let mut pipeline = ::redis::pipe();
        pipeline.cmd("SCRIPT").arg("LOAD").arg(self.code);
        redis.query::<Value>(pipeline).await.map(drop)
    }
}

/// Whether the server does not know the script (it forgets all of them when restarted).
pub fn is_no_script(error: &::redis::RedisError) -> bool {
    error.code() == Some("NOSCRIPT")
}
