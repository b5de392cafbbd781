//! The log stream, and how an entry gets there after the answer has left.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use lambda_extension::{Extension, LambdaEvent, NextEvent, service_fn};
use tokio::sync::{Mutex, mpsc};

use super::{Entry, packs, refusals::Refusals};
use crate::{
    error::Error,
    inventory::CACHE_SECONDS,
    redis::{Redis, Script},
    store::Store,
};

static APPEND: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("append.lua")));

/// The streams: an account's entries are always in the same one.
pub(super) const STREAMS: u32 = 4;

/// Key of the `n`-th stream.
pub(super) fn stream_key(n: u32) -> String {
    format!("log:{n}")
}

/// Takes log entries. Clones share one queue.
#[derive(Clone, Debug)]
pub struct Log {
    redis: Redis,
    store: Store,
    later: Option<mpsc::UnboundedSender<Message>>,
    refusals: Refusals,
}

#[derive(Debug)]
enum Message {
    Entry(Box<Entry>),
    AnswerReady,
}

impl Log {
    /// A log whose entries are written at once, before the answer leaves.
    pub fn immediate(redis: Redis, store: Store) -> Self {
        Self { redis, store, later: None, refusals: Refusals::default() }
    }

    /// Registers with Lambda to go on working after each answer: an internal extension, which the
    /// caller does not wait for. Where that is not possible the log stays immediate.
    pub async fn defer(&mut self) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let receiver = Arc::new(Mutex::new(receiver));
        let log = self.clone();
        let on_event = service_fn(move |event: LambdaEvent| {
            let (log, receiver) = (log.clone(), receiver.clone());
            async move {
                if let NextEvent::Invoke(_) = event.next {
                    log.write_until_answered(&mut *receiver.lock().await).await;
                }
                Ok::<_, lambda_extension::Error>(())
            }
        });
        let extension = Extension::new()
            .with_extension_name("usage-log")
            .with_events(&["INVOKE"])
            .with_events_processor(on_event);
        match extension.register().await {
            Ok(extension) => {
                self.later = Some(sender);
                tokio::spawn(async move {
                    if let Err(error) = extension.run().await {
                        tracing::error!(error = %error, "the usage log's extension has ended");
                    }
                });
            }
            Err(error) => tracing::warn!(error = %error, "usage is logged before each answer"),
        }
    }

    /// Takes an entry. Of many refusals within a minute only the first are kept.
    pub async fn push(&self, entry: Entry) {
        if !self.refusals.lets_through(&entry) {
            return;
        }
        let message = Message::Entry(Box::new(entry));
        let unsent = match &self.later {
            Some(later) => later.send(message).err().map(|error| error.0),
            None => Some(message),
        };
        if let Some(Message::Entry(entry)) = unsent {
            self.write(&entry).await;
        }
    }

    /// Says that this invocation's answer is made: what was pushed may be written now.
    pub fn answer_ready(&self) {
        if let Some(later) = &self.later {
            // The extension has ended only if the environment has.
            let _ = later.send(Message::AnswerReady);
        }
    }

    async fn write_until_answered(&self, receiver: &mut mpsc::UnboundedReceiver<Message>) {
        let mut entries = Vec::new();
        while let Some(message) = receiver.recv().await {
            match message {
                Message::Entry(entry) => entries.push(entry),
                Message::AnswerReady => break,
            }
        }
        if !entries.is_empty() {
            // The answer goes first: it is on its way when this task runs again.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        for entry in entries {
            self.write(&entry).await;
        }
    }

    async fn write(&self, entry: &Entry) {
        if let Err(error) = self.try_write(entry).await {
            tracing::error!(error = %error, request_id = entry.request_id, "a usage entry is lost");
        }
    }

    async fn try_write(&self, entry: &Entry) -> Result<(), Error> {
        let json = serde_json::to_string(entry).map_err(Error::internal)?;
        let key = stream_key(crc32fast::hash(entry.account.tag().as_bytes()) % STREAMS);
        let life = CACHE_SECONDS.to_string();
        match APPEND.run::<u8>(&self.redis, &key, &[&json, &life]).await {
            Ok(_) => Ok(()),
            // Straight to the table. Should the stream have it too, the request id tells.
            Err(_) => packs::append(&self.store, std::slice::from_ref(entry)).await.map(drop),
        }
    }
}
