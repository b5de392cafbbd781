//! SQS: standard queues over AWS JSON 1.0, and the pollers that feed functions from them.
//!
//! What a call has received is hidden until the cloud's clock has moved on by the visibility
//! timeout. What a function has failed on comes back much sooner, after [`Sqs::retry_after`] of real
//! time, because tests do not wait for half a minute.

mod batch;
mod calls;
mod message;
mod poller;
mod protocol;
mod state;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result};
use time::OffsetDateTime;
use tokio::{
    sync::watch,
    task::AbortHandle,
    time::{sleep, timeout},
};

pub use self::message::{Attribute, Message};
use self::{
    poller::Poller,
    state::{Letter, State},
};
use super::Fault;
use crate::{
    access::{Access, OPERATOR_KEY},
    clock::Clock,
    runtime::Runtime,
    template::{Queue, QueueSource},
};

/// How long the clock waits for what lies in the queues before it moves on.
const DRAIN_LIMIT: Duration = Duration::from_secs(60);

/// The stand-in. Clones share the queues. A queue is named by its logical id, name, URL or ARN.
#[derive(Clone, Debug)]
pub struct Sqs(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: Clock,
    access: Access,
    state: Mutex<State>,
    /// Something may be received that could not be before.
    changes: watch::Sender<()>,
}

impl Sqs {
    /// Empty queues.
    pub fn new(clock: Clock, access: Access, queues: &[Queue]) -> Self {
        let (state, changes) = (Mutex::new(State::new(queues)), watch::Sender::new(()));
        Self(Arc::new(Inner { clock, access, state, changes }))
    }

    /// Puts a message into a queue, past access and limits; its id.
    pub fn send(&self, queue: &str, body: &str) -> Result<String> {
        let id = self.with(queue, |state, at, now| {
            let sender = OPERATOR_KEY.to_owned();
            let letter = Letter { body: body.to_owned(), sender, ..Letter::default() };
            let message = state.message(at, letter, now);
            let id = message.id.clone();
            state.queues[at].messages.push(message);
            id
        })?;
        self.announce();
        Ok(id)
    }

    /// Everything in a queue, visible or not, oldest first.
    pub fn messages(&self, queue: &str) -> Result<Vec<Message>> {
        self.with(queue, |state, at, _| state.queues[at].messages.clone())
    }

    /// How many messages of a queue can be received, and how many have been and are not back yet.
    pub fn depth(&self, queue: &str) -> Result<(usize, usize)> {
        self.with(queue, |state, at, now| state.depth(at, now))
    }

    /// What lies in the queue that takes the dead letters of `queue`.
    pub fn dead(&self, queue: &str) -> Result<Vec<String>> {
        let policy =
            self.with(queue, |state, at, _| state.queues[at].queue.dead_letters.clone())?;
        let policy = policy.with_context(|| format!("{queue} has no RedrivePolicy"))?;
        Ok(self.messages(&policy.target)?.into_iter().map(|it| it.body).collect())
    }

    /// Moves dead letters back to the queues they were sent to, as a message move task does; how many.
    pub fn redrive(&self, dead_letters: &str) -> Result<usize> {
        let moved = self.with(dead_letters, |state, at, _| state.redrive(at))?;
        self.announce();
        Ok(moved)
    }

    /// Waits until no function works on a message any more, and none is going to be given one before
    /// the clock moves. Never comes where a function fails for ever and no `RedrivePolicy` ends it.
    /// While paused, messages that wait are not waited for.
    pub async fn settled(&self) {
        while self.state().is_pending(self.0.clock.now()) {
            sleep(Duration::from_millis(1)).await;
        }
    }

    /// As [`Sqs::settled`], within a minute.
    pub(crate) async fn drain(&self) -> Result<()> {
        let settled = timeout(DRAIN_LIMIT, self.settled()).await;
        settled.context("a function does not come to an end with the messages of its queue")
    }

    /// Gives functions nothing more; what they work on, they finish.
    pub fn pause(&self) {
        self.state().is_paused = true;
    }

    /// Ends a pause.
    pub fn resume(&self) {
        self.state().is_paused = false;
        self.announce();
    }

    /// How much real time passes before what a function has failed on is delivered again; 50 ms in the
    /// beginning.
    pub fn retry_after(&self, time: Duration) {
        self.state().retry_after = time;
    }

    /// Delivers each of the next `count` messages for functions once more: delivery is at least once.
    pub fn duplicates(&self, count: usize) {
        self.state().duplicates = count;
    }

    /// Delivers messages in an order drawn by this seed, or (`None`) in that of their sending.
    pub fn reorder(&self, seed: impl Into<Option<u64>>) {
        self.state().random = seed.into();
    }

    /// Makes every call from now on fail, or none. Functions are fed all the same.
    pub fn fault(&self, fault: Fault) {
        self.state().fault = fault;
    }

    /// Feeds functions from queues until the tasks are aborted.
    pub(crate) fn feed<'a>(
        &self,
        runtime: &Runtime,
        sources: impl IntoIterator<Item = &'a QueueSource>,
    ) -> Result<Vec<AbortHandle>> {
        let pollers = sources.into_iter().map(|source| {
            let at = self.with(&source.queue, |state, at, _| {
                state.queues[at].is_fed = true;
                at
            })?;
            let poller = Poller::new(self.clone(), runtime.clone(), source.clone(), at);
            Ok(tokio::spawn(poller.run()).abort_handle())
        });
        pollers.collect()
    }

    /// Writes every message to `file`.
    pub fn save(&self, file: &Path) -> Result<()> {
        let kept = {
            let state = self.state();
            let lines = state.queues.iter().map(|it| (&it.queue.name, &it.messages));
            serde_json::to_vec(&lines.collect::<BTreeMap<_, _>>())?
        };
        std::fs::write(file, kept).with_context(|| format!("{} not written", file.display()))
    }

    /// Reads what [`Sqs::save`] wrote. All of it can be received; what was for a queue that is gone is
    /// left out.
    pub fn load(&self, file: &Path) -> Result<()> {
        let damaged = || format!("{} is damaged", file.display());
        let kept = std::fs::read(file).with_context(|| format!("{} not read", file.display()))?;
        let kept: BTreeMap<String, Vec<Message>> =
            serde_json::from_slice(&kept).with_context(damaged)?;
        let mut state = self.state();
        for (name, messages) in kept {
            if let Some(at) = state.find(&name) {
                state.queues[at].messages.extend(messages);
            }
        }
        drop(state);
        self.announce();
        Ok(())
    }

    /// Looks at, or changes, one queue.
    fn with<T>(
        &self,
        queue: &str,
        work: impl FnOnce(&mut State, usize, OffsetDateTime) -> T,
    ) -> Result<T> {
        let now = self.0.clock.now();
        let mut state = self.state();
        let at = state.find(queue).with_context(|| format!("there is no queue {queue}"))?;
        state.forget_old(now);
        Ok(work(&mut state, at, now))
    }

    /// Wakes whoever waits for messages.
    fn announce(&self) {
        self.0.changes.send_replace(());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
