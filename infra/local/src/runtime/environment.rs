//! One execution environment: a process, and where it stands between two events.

use std::{
    collections::BTreeMap,
    io,
    process::Stdio,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::body::Bytes;
use tokio::{
    process::{Child, Command},
    sync::{Notify, oneshot, watch},
    time::timeout,
};

use super::{InvokeError, Logs, Spec};

/// An event on its way to the process.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub request_id: String,
    pub payload: Bytes,
    /// Milliseconds since 1970 by the machine's clock, as the runtime inside compares it to that.
    pub deadline_ms: u128,
    pub trace_id: String,
}

impl Event {
    pub(super) fn new(payload: Bytes, time_limit: Duration) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            request_id: uuid::Uuid::new_v4().to_string(),
            payload,
            deadline_ms: (now + time_limit).as_millis(),
            trace_id: trace_id(now),
        }
    }
}

/// An X-Ray trace header's value, not sampled.
pub(crate) fn trace_id(now: Duration) -> String {
    let (random, parent) = uuid::Uuid::new_v4().as_u64_pair();
    let random = (u128::from(random) << 32) | u128::from(parent >> 32);
    format!("Root=1-{:08x}-{:024x};Parent={parent:016x};Sampled=0", now.as_secs(), random)
}

/// Where an environment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Initialising, or working: on an event, or after its answer.
    Busy,
    /// The runtime and every extension have asked for their next event.
    Idle,
    /// The process is gone.
    Gone,
}

#[derive(Debug)]
pub(super) struct Environment {
    pub id: String,
    process_id: AtomicU32,
    state: Mutex<State>,
    phase: watch::Sender<Phase>,
    stop: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// The runtime's open request for its next event.
    runtime: Option<oneshot::Sender<Event>>,
    /// Whether the runtime has asked for an event at all: extensions register before that.
    is_initialised: bool,
    extensions: BTreeMap<String, Extension>,
    /// The event at work, until its answer.
    current: Option<(String, oneshot::Sender<Result<Bytes, InvokeError>>)>,
    /// Why the environment ends, once it does.
    end: Option<InvokeError>,
    is_gone: bool,
}

#[derive(Debug)]
struct Extension {
    wants_events: bool,
    /// Its open request for its next event.
    waiting: Option<oneshot::Sender<Event>>,
}

impl Environment {
    /// Starts the process of a [`new`](Self::new) environment. `api` is the address it will talk
    /// to, without its own part of the path; that must be served already.
    pub(super) fn start(self: &Arc<Self>, spec: &Spec, api: &str, logs: &Logs) -> io::Result<()> {
        let id = &self.id;
        let child = Command::new(&spec.program)
            // The program may be that of all functions.
            .arg0(&spec.function.binary)
            .env_clear()
            .envs(&spec.environment)
            .env("AWS_LAMBDA_RUNTIME_API", format!("{api}/{id}"))
            .env("AWS_LAMBDA_LOG_STREAM_NAME", format!("local/[$LATEST]{id}"))
            .stdin(Stdio::null())
            .stdout(logs.stream()?)
            .stderr(logs.stream()?)
            // Ctrl-C reaches the local cloud alone, which then ends the functions in order. Should
            // it be killed itself, they end when their connection to it breaks.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        self.process_id.store(child.id().unwrap_or_default(), Ordering::Relaxed);
        tokio::spawn(Arc::clone(self).watch_over(child));
        Ok(())
    }

    /// One whose process has yet to be started.
    pub(super) fn new() -> Self {
        Self {
            id: uuid::Uuid::new_v4().simple().to_string(),
            process_id: AtomicU32::new(0),
            state: Mutex::default(),
            phase: watch::Sender::new(Phase::Busy),
            stop: Notify::new(),
        }
    }

    /// The process; 0 before it is started.
    pub(super) fn process_id(&self) -> u32 {
        self.process_id.load(Ordering::Relaxed)
    }

    async fn watch_over(self: Arc<Self>, mut child: Child) {
        let ended = tokio::select! {
            status = child.wait() => match status {
                Ok(status) => status.to_string(),
                Err(error) => error.to_string(),
            },
            () = self.stop.notified() => {
                // Fails only where the process is gone already.
                let _ = child.kill().await;
                "signal: killed".to_owned()
            }
        };
        self.change(|state| {
            let error = InvokeError::new("Runtime.ExitError", format!("Runtime exited: {ended}"));
            state.end.get_or_insert(error);
            state.is_gone = true;
            state.runtime = None;
            state.extensions.clear();
            // Whoever waits for the answer now sees that none will come.
            state.current = None;
        });
    }

    /// Hands the event over and waits for the answer; ends the environment where it takes too long.
    pub(super) async fn invoke(
        &self,
        event: Event,
        time_limit: Duration,
    ) -> Result<Bytes, InvokeError> {
        let request_id = event.request_id.clone();
        let (reply, answer) = oneshot::channel();
        self.change(|state| {
            state.current = Some((request_id.clone(), reply));
            for extension in state.extensions.values_mut().filter(|it| it.wants_events) {
                if let Some(waiting) = extension.waiting.take() {
                    // An extension that has hung up misses the event, as the runtime would.
                    let _ = waiting.send(event.clone());
                }
            }
            if state.runtime.take().is_none_or(|runtime| runtime.send(event).is_err()) {
                state.current = None;
            }
        });
        match timeout(time_limit, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => {
                self.stop(InvokeError::new("Runtime.ExitError", "Runtime hung up"));
                self.gone().await;
                let end = self.state().end.clone();
                Err(end.unwrap_or_else(|| InvokeError::new("Runtime.ExitError", "ended")))
            }
            Err(_) => {
                let limit = time_limit.as_secs_f32();
                let message = format!(
                    "RequestId: {request_id} Error: Task timed out after {limit:.2} seconds"
                );
                let error = InvokeError::new("Sandbox.Timedout", message);
                self.stop(error.clone());
                self.gone().await;
                Err(error)
            }
        }
    }

    /// Waits until the next event can be taken. `false`: it never will be.
    pub(super) async fn idle(&self) -> bool {
        let mut phase = self.phase.subscribe();
        // The sender lives as long as `self`.
        phase.wait_for(|it| *it != Phase::Busy).await.is_ok_and(|it| *it == Phase::Idle)
    }

    /// Kills the process, for this reason.
    pub(super) fn stop(&self, reason: InvokeError) {
        self.state().end.get_or_insert(reason);
        self.stop.notify_one();
    }

    /// Waits until the process is gone.
    pub(super) async fn gone(&self) {
        let _ = self.phase.subscribe().wait_for(|it| *it == Phase::Gone).await;
    }

    /// Why the environment has ended or is ending, if so.
    pub(super) fn end(&self) -> Option<InvokeError> {
        self.state().end.clone()
    }

    // --- What the process asks for, see `api` ---------------------------------------------------

    /// The runtime asks for its next event.
    pub(super) fn poll(&self) -> oneshot::Receiver<Event> {
        let (sender, receiver) = oneshot::channel();
        self.change(|state| {
            state.is_initialised = true;
            state.runtime = Some(sender);
        });
        receiver
    }

    /// The runtime answers. `false`: that event is not at work.
    pub(super) fn answer(&self, request_id: &str, answer: Result<Bytes, InvokeError>) -> bool {
        let mut is_known = false;
        self.change(|state| {
            if let Some((_, reply)) = state.current.take_if(|it| it.0 == request_id) {
                is_known = true;
                // Nobody waits any longer where the time limit has just passed.
                let _ = reply.send(answer);
            }
        });
        is_known
    }

    /// An extension registers; its identifier. `None`: too late, initialisation is over.
    pub(super) fn register(&self, wants_events: bool) -> Option<String> {
        let id = uuid::Uuid::new_v4().to_string();
        let mut is_open = false;
        self.change(|state| {
            is_open = !state.is_initialised;
            if is_open {
                state.extensions.insert(id.clone(), Extension { wants_events, waiting: None });
            }
        });
        is_open.then_some(id)
    }

    /// An extension asks for its next event. `None`: it has not registered.
    pub(super) fn poll_extension(&self, id: &str) -> Option<oneshot::Receiver<Event>> {
        let (sender, receiver) = oneshot::channel();
        let mut is_known = false;
        self.change(|state| {
            if let Some(extension) = state.extensions.get_mut(id) {
                is_known = true;
                extension.waiting = Some(sender);
            }
        });
        is_known.then_some(receiver)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state();
        change(&mut state);
        let phase = if state.is_gone {
            Phase::Gone
        } else if state.end.is_none()
            && state.current.is_none()
            && state.runtime.is_some()
            && state.extensions.values().all(|it| it.waiting.is_some())
        {
            Phase::Idle
        } else {
            Phase::Busy
        };
        self.phase.send_if_modified(|it| std::mem::replace(it, phase) != phase);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
