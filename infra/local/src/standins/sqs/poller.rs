//! Lambda's side: takes messages off a queue, gives them to a function, and lets those go that it has
//! worked off.

use std::{collections::BTreeSet, time::Duration};

use axum::body::Bytes;
use serde::Deserialize;
use serde_json::json;
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{Sqs, message::Message, state::Receiver};
use crate::{runtime::Runtime, template::QueueSource};

/// Events at once where nothing else is said: what Lambda begins with.
const CONCURRENCY: usize = 5;

/// How often hidden messages are looked at: nothing tells when the clock has moved.
const TICK: Duration = Duration::from_millis(10);

/// How long a batch is gathered where it may be gathered at all, in place of seconds.
const GATHERING: Duration = Duration::from_millis(20);

/// Feeds one function from one queue.
#[derive(Clone, Debug)]
pub(super) struct Poller {
    sqs: Sqs,
    runtime: Runtime,
    source: QueueSource,
    /// The queue's place in the state.
    at: usize,
}

impl Poller {
    pub(super) fn new(sqs: Sqs, runtime: Runtime, source: QueueSource, at: usize) -> Self {
        Self { sqs, runtime, source, at }
    }

    /// Never ends. Dropped, it leaves what is being worked on as it is.
    pub(super) async fn run(self) {
        let most = self.source.max_concurrency.unwrap_or(CONCURRENCY);
        let mut working = JoinSet::new();
        loop {
            while working.try_join_next().is_some() {}
            if working.len() >= most {
                working.join_next().await;
            }
            let batch = self.batch().await;
            let poller = self.clone();
            working.spawn(async move { poller.deliver(batch).await });
        }
    }

    /// Waits until something can be received.
    async fn batch(&self) -> Vec<Message> {
        let mut changes = self.sqs.0.changes.subscribe();
        loop {
            let (ready, is_empty) = self.look();
            if ready == 0 {
                // The sender lives as long as `self`.
                if is_empty {
                    let _ = changes.changed().await;
                } else {
                    let _ = timeout(TICK, changes.changed()).await;
                }
                continue;
            }
            if ready < self.source.batch_size && !self.source.window.is_zero() {
                sleep(GATHERING).await;
            }
            let batch = self.take();
            if !batch.is_empty() {
                return batch;
            }
        }
    }

    /// How many messages the function could be given now, and whether the queue is empty.
    fn look(&self) -> (usize, bool) {
        let now = self.sqs.0.clock.now();
        let state = self.sqs.state();
        let ready = if state.is_paused { 0 } else { state.depth(self.at, now).0 };
        (ready, state.queues[self.at].messages.is_empty())
    }

    fn take(&self) -> Vec<Message> {
        let now = self.sqs.0.clock.now();
        let mut state = self.sqs.state();
        if state.is_paused {
            return Vec::new();
        }
        let (batch, has_moved) =
            state.receive(self.at, self.source.batch_size, Receiver::Function, now);
        drop(state);
        // The queue of dead letters may have a reader, too.
        if has_moved {
            self.sqs.announce();
        }
        batch
    }

    async fn deliver(&self, batch: Vec<Message>) {
        let records: Vec<_> = batch.iter().map(|it| it.record(&self.source.queue)).collect();
        let event = Bytes::from(json!({ "Records": records }).to_string());
        let ids = || batch.iter().map(|it| it.id.as_str());
        let failed = match self.runtime.invoke(&self.source.function, event).await {
            Ok(answer) if self.source.reports_failures => failures(&answer, ids()),
            Ok(_) => BTreeSet::new(),
            Err(error) => {
                tracing::warn!(function = self.source.function, %error, "a batch of messages failed");
                ids().map(str::to_owned).collect()
            }
        };
        let now = self.sqs.0.clock.now();
        let mut state = self.sqs.state();
        for message in &batch {
            state.finish(self.at, &message.receipt, failed.contains(&message.id), now);
        }
        drop(state);
        self.sqs.announce();
    }
}

#[derive(Default, Deserialize)]
struct Report {
    #[serde(rename = "batchItemFailures")]
    failures: Option<Vec<Failure>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Failure {
    item_identifier: String,
}

/// Which messages have failed by what the function answered. An answer that is not understood, or
/// names what was not in the batch, means all of them.
pub(super) fn failures<'a>(
    answer: &[u8],
    batch: impl Iterator<Item = &'a str>,
) -> BTreeSet<String> {
    let batch: BTreeSet<String> = batch.map(str::to_owned).collect();
    match serde_json::from_slice::<Option<Report>>(answer) {
        Ok(report) => {
            let failed = report.unwrap_or_default().failures.unwrap_or_default();
            let failed: BTreeSet<_> = failed.into_iter().map(|it| it.item_identifier).collect();
            if failed.is_subset(&batch) { failed } else { batch }
        }
        Err(_) => batch,
    }
}
