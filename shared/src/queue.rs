//! SQS: a queue that is written to, and functions that are fed from one.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use aws_sdk_sqs::Client;
use futures_util::future::BoxFuture;
use lambda_runtime::{LambdaEvent, run, service_fn};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use time::OffsetDateTime;

use crate::{
    app::App,
    aws::{sqs, unavailable},
    config::AwsConfig,
    error::Error,
    program::{Ended, drive},
    telemetry,
};

/// A queue that is written to. Cheap to clone; the client is built when it is first used.
#[derive(Clone)]
pub struct Queue {
    config: AwsConfig,
    url: Option<String>,
    client: Arc<OnceLock<Client>>,
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("url", &self.url).finish_non_exhaustive()
    }
}

impl Queue {
    /// The queue at `url`, if this function has one.
    pub fn new(config: AwsConfig, url: Option<String>) -> Self {
        Self { config, url, client: Arc::default() }
    }

    /// Puts `message` into the queue. Returns once it is there.
    pub async fn send(&self, message: &impl Serialize) -> Result<(), Error> {
        let url = self.url.as_ref().ok_or_else(|| Error::internal("this function has no queue"))?;
        let body = serde_json::to_string(message).map_err(Error::internal)?;
        let client = self.client.get_or_init(|| sqs(&self.config));
        let sent = client.send_message().queue_url(url).message_body(body).send().await;
        sent.map(drop).map_err(|error| unavailable("SQS", &error))
    }
}

/// What SQS hands over.
#[derive(Deserialize)]
struct Batch {
    #[serde(rename = "Records")]
    records: Vec<Message>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    message_id: String,
    body: String,
    attributes: Attributes,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attributes {
    /// Epoch milliseconds, as text.
    sent_timestamp: String,
}

/// What did not succeed and comes again.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    batch_item_failures: Vec<Failure>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Failure {
    item_identifier: String,
}

/// Handles the messages of each batch with `work` (`|app, messages, now| Box::pin(handle(…))`) until Lambda
/// ends the environment. It returns the places of those that are to come again. One that cannot be read
/// comes again too, until it lies in the dead-letter queue for the operator.
pub fn serve<T: DeserializeOwned>(
    work: impl for<'a> Fn(&'a App, Vec<T>, OffsetDateTime) -> BoxFuture<'a, Vec<usize>>,
) -> Ended {
    telemetry::init();
    drive(serve_messages(&work))
}

type Work<'w, T> =
    dyn for<'a> Fn(&'a App, Vec<T>, OffsetDateTime) -> BoxFuture<'a, Vec<usize>> + 'w;

async fn serve_messages<T: DeserializeOwned>(work: &Work<'_, T>) -> Ended {
    let app = &App::from_env()?;
    run(service_fn(move |event: LambdaEvent<Batch>| async move {
        let (mut ids, mut messages, mut answer) = (Vec::new(), Vec::new(), Answer::default());
        let mut now = OffsetDateTime::UNIX_EPOCH;
        for message in event.payload.records {
            // The time of the event, as for every other rule: when the last of them was sent.
            now = now.max(sent_at(&message)?);
            match serde_json::from_str(&message.body) {
                Ok(read) => {
                    ids.push(message.message_id);
                    messages.push(read);
                }
                Err(_) => {
                    tracing::error!("a message cannot be read");
                    answer.batch_item_failures.push(failure(message.message_id));
                }
            }
        }
        for place in work(app, messages, now).await {
            answer.batch_item_failures.extend(ids.get(place).cloned().map(failure));
        }
        Ok::<_, Error>(answer)
    }))
    .await
}

fn failure(item_identifier: String) -> Failure {
    Failure { item_identifier }
}

fn sent_at(message: &Message) -> Result<OffsetDateTime, Error> {
    let ms: i128 = message.attributes.sent_timestamp.parse().map_err(Error::internal)?;
    OffsetDateTime::from_unix_timestamp_nanos(ms * 1_000_000).map_err(Error::internal)
}
