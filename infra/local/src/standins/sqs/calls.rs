//! The service's operations.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    response::Response,
    routing::post,
};
use http::HeaderMap;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

use super::{
    Sqs,
    message::{Attribute, Message, Place, md5},
    protocol::{Refusal, parse, respond},
    state::{Letter, Receiver},
};
use crate::{
    access::access_key,
    standins::Fault,
    template::{DeadLetters, Queue},
};

/// Largest message, and largest batch.
pub(super) const MAX_MESSAGE: usize = 1024 * 1024;

/// Largest request: a text of which much is escaped.
const MAX_REQUEST: usize = 4 * MAX_MESSAGE;

/// Most messages of one call.
pub(super) const MAX_ENTRIES: usize = 10;
const MAX_ATTRIBUTES: usize = 10;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Target {
    queue_url: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Named {
    queue_name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Send {
    message_body: String,
    delay_seconds: Option<u64>,
    #[serde(default)]
    message_attributes: BTreeMap<String, Attribute>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Receive {
    max_number_of_messages: Option<usize>,
    visibility_timeout: Option<u64>,
    wait_time_seconds: Option<u64>,
    #[serde(default)]
    attribute_names: BTreeSet<String>,
    #[serde(default)]
    message_system_attribute_names: BTreeSet<String>,
    #[serde(default)]
    message_attribute_names: BTreeSet<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Receipt {
    receipt_handle: String,
    visibility_timeout: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attributes {
    #[serde(default)]
    attribute_names: BTreeSet<String>,
}

impl Sqs {
    /// The service's one endpoint.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/", post(answer))
            .layer(DefaultBodyLimit::max(MAX_REQUEST))
            .with_state(self.clone())
    }

    async fn call(&self, headers: &HeaderMap, body: &[u8]) -> Result<Value, Refusal> {
        let fault = self.state().fault;
        match fault {
            Fault::None => {}
            Fault::Throttle => return Err(Refusal::throttled()),
            Fault::Down => return Err(Refusal::down()),
        }
        let target = headers.get("x-amz-target").and_then(|value| value.to_str().ok());
        let operation = target.and_then(|it| it.strip_prefix("AmazonSQS.")).unwrap_or_default();
        let (action, url) = match operation {
            "GetQueueUrl" => (operation, parse::<Named>(body)?.queue_name),
            "SendMessageBatch" => ("SendMessage", parse::<Target>(body)?.queue_url),
            "DeleteMessageBatch" => ("DeleteMessage", parse::<Target>(body)?.queue_url),
            "SendMessage"
            | "ReceiveMessage"
            | "DeleteMessage"
            | "ChangeMessageVisibility"
            | "GetQueueAttributes"
            | "PurgeQueue" => (operation, parse::<Target>(body)?.queue_url),
            _ => {
                let kind = "com.amazon.coral.service#UnknownOperationException";
                return Err(Refusal::new(kind, "InvalidAction", "There is no such operation."));
            }
        };
        // IAM has its say before SQS looks for the queue.
        let name = url.rsplit('/').next().unwrap_or(&url);
        let arn = crate::template::queue_arn(name);
        self.0
            .access
            .check(headers, &format!("sqs:{action}"), &arn)
            .map_err(|denied| Refusal::denied(denied.0))?;
        let by_name = |it: &super::state::Line| it.queue.name == name;
        let at = self.state().queues.iter().position(by_name).ok_or_else(Refusal::no_queue)?;
        let sender = access_key(headers).unwrap_or_default();
        match operation {
            "SendMessage" => self.put(at, sender, parse(body)?),
            "SendMessageBatch" => self.batch(body, |entry| self.put(at, sender, parse(entry)?)),
            "ReceiveMessage" => self.receive(at, parse(body)?).await,
            "DeleteMessage" => self.delete(at, &parse(body)?),
            "DeleteMessageBatch" => self.batch(body, |entry| self.delete(at, &parse(entry)?)),
            "ChangeMessageVisibility" => self.hide(at, &parse(body)?),
            "GetQueueAttributes" => self.attributes(at, &parse(body)?),
            "PurgeQueue" => {
                self.state().queues[at].messages.clear();
                Ok(json!({}))
            }
            // `GetQueueUrl`: no other is left.
            _ => Ok(json!({ "QueueUrl": crate::template::queue_url(name) })),
        }
    }

    fn put(&self, at: usize, sender: &str, send: Send) -> Result<Value, Refusal> {
        if send.message_body.is_empty() {
            return Err(Refusal::missing("MessageBody"));
        }
        let is_allowed =
            |it: char| !it.is_control() || matches!(it, '\t' | '\n' | '\r' | '\u{7f}'..);
        if send.message_body.contains(|it| !is_allowed(it) || matches!(it, '\u{fffe}' | '\u{ffff}'))
        {
            return Err(Refusal::new(
                "com.amazonaws.sqs#InvalidMessageContents",
                "InvalidMessageContents",
                "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to \
                 #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF",
            ));
        }
        if send.message_attributes.len() > MAX_ATTRIBUTES {
            return Err(Refusal::invalid(
                "Number of message attributes exceeds the allowed maximum.",
            ));
        }
        if let Some((name, _)) = send.message_attributes.iter().find(|it| it.1.value().is_none()) {
            return Err(Refusal::invalid(&format!(
                "The message attribute '{name}' must contain a non-empty value of its type."
            )));
        }
        let delay = within("DelaySeconds", send.delay_seconds, 900)?;
        let letter = Letter {
            body: send.message_body,
            attributes: send.message_attributes,
            sender: sender.to_owned(),
            delay,
        };
        let now = self.0.clock.now();
        let mut state = self.state();
        let message = state.message(at, letter, now);
        if message.size() > MAX_MESSAGE {
            return Err(Refusal::invalid(&format!(
                "Message must be shorter than {MAX_MESSAGE} bytes."
            )));
        }
        let mut answer = json!({
            "MessageId": message.id,
            "MD5OfMessageBody": md5(message.body.as_bytes()),
        });
        if let Some(sum) = message.md5_of_attributes() {
            answer["MD5OfMessageAttributes"] = sum.into();
        }
        state.queues[at].messages.push(message);
        drop(state);
        self.announce();
        Ok(answer)
    }

    async fn receive(&self, at: usize, receive: Receive) -> Result<Value, Refusal> {
        let max = receive.max_number_of_messages.unwrap_or(1);
        if !(1..=MAX_ENTRIES).contains(&max) {
            return Err(Refusal::invalid("MaxNumberOfMessages must be between 1 and 10."));
        }
        let hidden = within("VisibilityTimeout", receive.visibility_timeout, 43_200)?;
        let hidden = hidden.unwrap_or_else(|| self.state().queues[at].queue.visibility);
        let wait = within("WaitTimeSeconds", receive.wait_time_seconds, 20)?.unwrap_or_default();
        let end = Instant::now() + wait;
        let mut changes = self.0.changes.subscribe();
        let messages = loop {
            let now = self.0.clock.now();
            let (messages, has_moved) = self.state().receive(at, max, Receiver::Call(hidden), now);
            if has_moved {
                self.announce();
            }
            let has_ended = !messages.is_empty() || Instant::now() >= end;
            if has_ended || timeout_at(end, changes.changed()).await.is_err() {
                break messages;
            }
        };
        if messages.is_empty() {
            return Ok(json!({}));
        }
        let messages: Vec<Value> = messages.iter().map(|it| received(it, &receive)).collect();
        Ok(json!({ "Messages": messages }))
    }

    fn delete(&self, at: usize, receipt: &Receipt) -> Result<Value, Refusal> {
        check(receipt)?;
        // What is gone, or has been received by another since, is nothing to complain about.
        self.state().queues[at].messages.retain(|it| it.receipt != receipt.receipt_handle);
        Ok(json!({}))
    }

    fn hide(&self, at: usize, receipt: &Receipt) -> Result<Value, Refusal> {
        check(receipt)?;
        let hidden = within("VisibilityTimeout", receipt.visibility_timeout, 43_200)?
            .ok_or_else(|| Refusal::missing("VisibilityTimeout"))?;
        let now = self.0.clock.now();
        let mut state = self.state();
        let mut messages = state.queues[at].messages.iter_mut();
        let found = messages.find(|it| it.receipt == receipt.receipt_handle);
        match found.filter(|it| it.is_in_flight(now)) {
            // A function's message comes back when the function is done with it.
            Some(Message { place: Place::Working, .. }) => {}
            Some(message) => message.place = Place::Hidden { until: now + hidden, retry: None },
            None => {
                return Err(Refusal::new(
                    "com.amazonaws.sqs#MessageNotInflight",
                    "AWS.SimpleQueueService.MessageNotInflight",
                    "The message is not in flight.",
                ));
            }
        }
        drop(state);
        self.announce();
        Ok(json!({}))
    }

    fn attributes(&self, at: usize, wanted: &Attributes) -> Result<Value, Refusal> {
        let now = self.0.clock.now();
        let mut state = self.state();
        state.forget_old(now);
        let (visible, in_flight) = state.depth(at, now);
        let line = &state.queues[at];
        let delayed = line.messages.len() - visible - in_flight;
        let mut all = described(&line.queue);
        all.extend([
            ("ApproximateNumberOfMessages", visible.to_string()),
            ("ApproximateNumberOfMessagesNotVisible", in_flight.to_string()),
            ("ApproximateNumberOfMessagesDelayed", delayed.to_string()),
        ]);
        let names = &wanted.attribute_names;
        // `RedrivePolicy` is known to queues that have none.
        let is_known = |it: &str| it == "All" || it == "RedrivePolicy" || all.contains_key(it);
        if let Some(unknown) = names.iter().find(|it| !is_known(it)) {
            return Err(Refusal::new(
                "com.amazonaws.sqs#InvalidAttributeName",
                "InvalidAttributeName",
                format!("Unknown Attribute {unknown}."),
            ));
        }
        all.retain(|name, _| names.contains("All") || names.contains(*name));
        Ok(if all.is_empty() { json!({}) } else { json!({ "Attributes": all }) })
    }
}

async fn answer(State(sqs): State<Sqs>, headers: HeaderMap, body: Bytes) -> Response {
    respond(sqs.call(&headers, &body).await)
}

/// What the template says about a queue.
fn described(queue: &Queue) -> BTreeMap<&'static str, String> {
    let mut all = BTreeMap::from([
        ("QueueArn", queue.arn()),
        ("VisibilityTimeout", queue.visibility.as_secs().to_string()),
        ("MessageRetentionPeriod", queue.retention.as_secs().to_string()),
        ("DelaySeconds", queue.delay.as_secs().to_string()),
        ("MaximumMessageSize", MAX_MESSAGE.to_string()),
        ("ReceiveMessageWaitTimeSeconds", "0".to_owned()),
    ]);
    if let Some(DeadLetters { target, max_receives }) = &queue.dead_letters {
        let policy = json!({ "deadLetterTargetArn": target, "maxReceiveCount": max_receives });
        all.insert("RedrivePolicy", policy.to_string());
    }
    all
}

/// A message as who receives it has asked for it.
fn received(message: &Message, receive: &Receive) -> Value {
    let mut answer = json!({
        "MessageId": message.id,
        "ReceiptHandle": message.receipt,
        "MD5OfBody": md5(message.body.as_bytes()),
        "Body": message.body,
    });
    let names = [&receive.attribute_names, &receive.message_system_attribute_names];
    let mut system = message.system_attributes();
    system.retain(|name, _| names.iter().any(|it| it.contains("All") || it.contains(*name)));
    if !system.is_empty() {
        answer["Attributes"] = json!(system);
    }
    let names = &receive.message_attribute_names;
    let is_wanted = |name: &str| {
        names.iter().any(|it| match it.strip_suffix(".*") {
            Some(prefix) => name.starts_with(prefix),
            None => it == "All" || it == name,
        })
    };
    let mut wanted = message.clone();
    wanted.attributes.retain(|name, _| is_wanted(name));
    if let Some(sum) = wanted.md5_of_attributes() {
        answer["MD5OfMessageAttributes"] = sum.into();
        answer["MessageAttributes"] = json!(wanted.attributes);
    }
    answer
}

/// A receipt handle is two ids.
fn check(receipt: &Receipt) -> Result<(), Refusal> {
    let is_id = |it: &str| uuid::Uuid::try_parse(it).is_ok();
    match receipt.receipt_handle.split_once('.') {
        Some((message, time)) if is_id(message) && is_id(time) => Ok(()),
        _ => Err(Refusal::new(
            "com.amazonaws.sqs#ReceiptHandleIsInvalid",
            "ReceiptHandleIsInvalid",
            "The input receipt handle is invalid.",
        )),
    }
}

fn within(name: &str, seconds: Option<u64>, max: u64) -> Result<Option<Duration>, Refusal> {
    match seconds {
        Some(seconds) if seconds > max => {
            Err(Refusal::invalid(&format!("{name} must be between 0 and {max}, if provided.")))
        }
        seconds => Ok(seconds.map(Duration::from_secs)),
    }
}
