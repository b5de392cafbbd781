//! All environments of one function.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::body::Bytes;
use tokio::{sync::Notify, time::timeout};

use super::{
    InvokeError, Logs, MAX_PAYLOAD, Registry, Spec,
    environment::{Environment, Event},
};

/// How long Lambda lets a function initialise.
const INIT_LIMIT: Duration = Duration::from_secs(10);

/// How long an event waits for an environment that is about to be idle before another is started:
/// a client that sends one request after the other should not meet a cold start because the
/// function is still finishing up after its last answer.
const PATIENCE: Duration = Duration::from_millis(10);

#[derive(Clone, Debug)]
pub(super) struct Pool(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    spec: Mutex<Spec>,
    api: String,
    registry: Registry,
    logs: Logs,
    max: usize,
    members: Mutex<Members>,
    /// An environment has become idle, or there is room for another.
    freed: Notify,
    cold_starts: AtomicU64,
}

#[derive(Debug, Default)]
struct Members {
    all: Vec<Arc<Environment>>,
    /// The one used last is used first, as on Lambda.
    idle: Vec<Arc<Environment>>,
    /// Environments that have been promised but not started yet.
    starting: usize,
    /// Environments whose answer is out but which still work.
    finishing: usize,
    /// The cloud is being dropped: nothing is started any more.
    is_closed: bool,
}

impl Pool {
    pub(super) fn new(
        spec: Spec,
        api: SocketAddr,
        registry: Registry,
        logs: Logs,
        max: usize,
    ) -> Self {
        Self(Arc::new(Inner {
            spec: Mutex::new(spec),
            // The scheme is needed: without it, a client takes no path.
            api: format!("http://{api}"),
            registry,
            logs,
            max: max.max(1),
            members: Mutex::default(),
            freed: Notify::new(),
            cold_starts: AtomicU64::new(0),
        }))
    }

    fn spec(&self) -> Spec {
        self.0.spec.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What is started from now on is started so.
    pub(super) fn renew(&self, spec: Spec) {
        *self.0.spec.lock().unwrap_or_else(PoisonError::into_inner) = spec;
    }

    pub(super) async fn invoke(&self, payload: Bytes) -> Result<Bytes, InvokeError> {
        if payload.len() > MAX_PAYLOAD {
            let message = format!("Request must be smaller than {MAX_PAYLOAD} bytes");
            return Err(InvokeError::new("RequestEntityTooLarge", message));
        }
        let environment = self.acquire().await?;
        let time_limit = self.spec().function.timeout;
        let started = Instant::now();
        // A task of its own: a client that hangs up does not stop a function, nor may it leave an
        // environment that is neither idle nor busy.
        let pool = self.clone();
        let invocation = tokio::spawn(async move {
            let answer = environment.invoke(Event::new(payload, time_limit), time_limit).await;
            pool.lock().finishing += 1;
            let left = time_limit.saturating_sub(started.elapsed());
            tokio::spawn(async move { pool.take_back(environment, left).await });
            answer
        });
        match invocation.await {
            Ok(answer) => answer,
            Err(error) => Err(InvokeError::new("Sandbox.Failure", error.to_string())),
        }
    }

    /// An environment that nobody else uses now.
    async fn acquire(&self) -> Result<Arc<Environment>, InvokeError> {
        let mut waited = false;
        loop {
            let may_start = {
                let mut members = self.lock();
                while let Some(environment) = members.idle.pop() {
                    if environment.end().is_none() {
                        return Ok(environment);
                    }
                }
                let has_room = members.all.len() + members.starting < self.0.max;
                if has_room && (waited || members.finishing == 0) {
                    members.starting += 1;
                    break;
                }
                has_room
            };
            if may_start {
                waited = timeout(PATIENCE, self.0.freed.notified()).await.is_err();
            } else {
                self.0.freed.notified().await;
            }
        }
        let started = self.start().await;
        // Room again, where it failed.
        if started.is_err() {
            self.0.freed.notify_one();
        }
        started
    }

    /// A cold start, `starting` having been counted up.
    async fn start(&self) -> Result<Arc<Environment>, InvokeError> {
        self.0.cold_starts.fetch_add(1, Ordering::Relaxed);
        let environment = {
            let mut members = self.lock();
            members.starting -= 1;
            if members.is_closed {
                return Err(InvokeError::new("Sandbox.Failure", "the local cloud has ended"));
            }
            let environment = Arc::new(Environment::new());
            // A quick process asks for its first event before we are back from starting it.
            self.0.registry.add(&environment);
            let started = environment.start(&self.spec(), &self.0.api, &self.0.logs);
            if let Err(error) = started {
                self.0.registry.remove(&environment.id);
                let message = format!("{}: {error}", self.spec().program.display());
                return Err(InvokeError::new("Runtime.InvalidEntrypoint", message));
            }
            members.all.push(Arc::clone(&environment));
            environment
        };
        let (pool, it) = (self.clone(), Arc::clone(&environment));
        tokio::spawn(async move {
            it.gone().await;
            pool.forget(&it);
            pool.0.freed.notify_one();
        });
        if let Ok(true) = timeout(INIT_LIMIT, environment.idle()).await {
            return Ok(environment);
        }
        environment.stop(InvokeError::new(
            "Sandbox.Timedout",
            format!("initialisation took longer than {} s", INIT_LIMIT.as_secs()),
        ));
        environment.gone().await;
        Err(environment.end().unwrap_or_else(|| InvokeError::new("Runtime.ExitError", "ended")))
    }

    /// Waits for what the environment still does after its answer, within the function's time
    /// limit, and makes it idle.
    async fn take_back(&self, environment: Arc<Environment>, left: Duration) {
        let is_idle = match timeout(left, environment.idle()).await {
            Ok(is_idle) => is_idle,
            Err(_) => {
                let message = "an extension worked on beyond the function's time limit";
                environment.stop(InvokeError::new("Sandbox.Timedout", message));
                false
            }
        };
        let mut members = self.lock();
        members.finishing -= 1;
        if is_idle {
            members.idle.push(environment);
        }
        drop(members);
        self.0.freed.notify_one();
    }

    fn forget(&self, environment: &Arc<Environment>) {
        self.0.registry.remove(&environment.id);
        let mut members = self.lock();
        members.all.retain(|it| it.id != environment.id);
        members.idle.retain(|it| it.id != environment.id);
    }

    pub(super) async fn kill(&self) -> usize {
        let all = self.lock().all.clone();
        for environment in &all {
            environment.stop(InvokeError::new("Runtime.ExitError", "Runtime exited: killed"));
        }
        for environment in &all {
            environment.gone().await;
            // Before the task that does the same may have come to it.
            self.forget(environment);
        }
        all.len()
    }

    /// Kills every environment without waiting: the cloud is being dropped.
    pub(super) fn abandon(&self) {
        let mut members = self.lock();
        members.is_closed = true;
        for environment in &members.all {
            environment.stop(InvokeError::new("Runtime.ExitError", "the local cloud has ended"));
        }
    }

    pub(super) fn logs(&self) -> &Logs {
        &self.0.logs
    }

    /// Waits until no environment works any more, neither for an answer nor after one.
    pub(super) async fn settled(&self) {
        let works = || {
            let members = self.lock();
            members.starting + members.finishing > 0 || members.all.len() > members.idle.len()
        };
        while works() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    pub(super) fn cold_starts(&self) -> u64 {
        self.0.cold_starts.load(Ordering::Relaxed)
    }

    pub(super) fn process_ids(&self) -> Vec<u32> {
        self.lock().all.iter().map(|it| it.process_id()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Members> {
        self.0.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
