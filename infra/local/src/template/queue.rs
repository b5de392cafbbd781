//! Queues, and the functions that are fed from them.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::Template;
use crate::standins::{ACCOUNT, REGION};

/// One SQS queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Its logical id, for example `EventsQueue`.
    pub id: String,
    /// Its physical name, for example `local-events`.
    pub name: String,
    /// How long a message that has been received is hidden from others.
    pub visibility: Duration,
    /// How long a message is kept.
    pub retention: Duration,
    /// How long a message is hidden after it was sent.
    pub delay: Duration,
    /// Where messages go that are received too often.
    pub dead_letters: Option<DeadLetters>,
}

/// A queue's `RedrivePolicy`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetters {
    /// ARN of the queue that takes them.
    pub target: String,
    /// How often a message is received before it goes there.
    pub max_receives: u32,
}

/// A queue that a function is fed from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueSource {
    /// Logical id of the function.
    pub function: String,
    /// ARN of the queue.
    pub queue: String,
    /// Most messages of one event.
    pub batch_size: usize,
    /// Longest time for which messages are gathered.
    pub window: Duration,
    /// Whether the function says which messages of a batch have failed.
    pub reports_failures: bool,
    /// How many events may be worked on at once, where that is limited.
    pub max_concurrency: Option<usize>,
}

impl Queue {
    pub(super) fn from_resource(id: &str, name: String, properties: &Value) -> Result<Self> {
        let is_fifo = properties.get("FifoQueue").is_some_and(|it| *it != Value::Bool(false));
        ensure!(!is_fifo, "queues that keep an order are not supported by the local cloud");
        let seconds = |name, default, from, to| {
            number(properties, name, default, from, to).map(Duration::from_secs)
        };
        let dead_letters = match properties.get("RedrivePolicy") {
            None => None,
            Some(policy) => {
                let target = policy.get("deadLetterTargetArn").and_then(Value::as_str);
                let target = target.context("RedrivePolicy names no deadLetterTargetArn")?;
                ensure!(
                    policy.get("maxReceiveCount").is_some(),
                    "RedrivePolicy names no maxReceiveCount"
                );
                let max = number(policy, "maxReceiveCount", 1, 1, 1000)?.try_into()?;
                Some(DeadLetters { target: target.to_owned(), max_receives: max })
            }
        };
        Ok(Self {
            id: id.to_owned(),
            name,
            visibility: seconds("VisibilityTimeout", 30, 0, 43_200)?,
            retention: seconds("MessageRetentionPeriod", 345_600, 60, 1_209_600)?,
            delay: seconds("DelaySeconds", 0, 0, 900)?,
            dead_letters,
        })
    }

    /// Its ARN.
    pub fn arn(&self) -> String {
        queue_arn(&self.name)
    }

    /// Its URL, which is what `!Ref` gives. Nothing is there: calls go to the service's endpoint.
    pub fn url(&self) -> String {
        queue_url(&self.name)
    }
}

impl QueueSource {
    pub(super) fn from_event(function: &str, event: &Value) -> Result<Self> {
        let properties = event.get("Properties").unwrap_or(&Value::Null);
        let queue = properties.get("Queue").and_then(Value::as_str).context("Queue is missing")?;
        let window = number(properties, "MaximumBatchingWindowInSeconds", 0, 0, 300)?;
        let batch_size = number(properties, "BatchSize", 10, 1, 10_000)?;
        ensure!(
            batch_size <= 10 || window > 0,
            "a BatchSize above 10 needs a MaximumBatchingWindowInSeconds"
        );
        let reports = match properties.get("FunctionResponseTypes").map(Value::as_array) {
            None => false,
            Some(Some(kinds)) if kinds.iter().all(|it| it == "ReportBatchItemFailures") => {
                !kinds.is_empty()
            }
            Some(_) => anyhow::bail!("FunctionResponseTypes takes [ReportBatchItemFailures]"),
        };
        let max_concurrency = match properties.get("ScalingConfig") {
            None => None,
            Some(scaling) => Some(number(scaling, "MaximumConcurrency", 1000, 2, 1000)?),
        };
        Ok(Self {
            function: function.to_owned(),
            queue: queue.to_owned(),
            batch_size: batch_size.try_into()?,
            window: Duration::from_secs(window),
            reports_failures: reports,
            max_concurrency: max_concurrency.map(TryInto::try_into).transpose()?,
        })
    }
}

/// What Lambda and SQS refuse because of what stands elsewhere in the template.
pub(super) fn check(template: &Template) -> Result<()> {
    let find = |arn: &str| template.queues.iter().find(|it| it.arn() == arn);
    for queue in &template.queues {
        if let Some(policy) = &queue.dead_letters {
            find(&policy.target)
                .with_context(|| format!("in {}: no queue is {}", queue.id, policy.target))?;
        }
    }
    for function in &template.functions {
        for source in &function.queues {
            let queue = find(&source.queue)
                .with_context(|| format!("in {}: no queue is {}", function.id, source.queue))?;
            ensure!(
                queue.visibility >= function.timeout,
                "in {}: the VisibilityTimeout of {} is shorter than the function's Timeout",
                function.id,
                queue.id
            );
        }
    }
    Ok(())
}

/// ARN of the queue of this name.
pub fn queue_arn(name: &str) -> String {
    format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{name}")
}

/// URL of the queue of this name.
pub fn queue_url(name: &str) -> String {
    format!("https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{name}")
}

fn number(properties: &Value, name: &str, default: u64, from: u64, to: u64) -> Result<u64> {
    let Some(value) = properties.get(name) else { return Ok(default) };
    // A number from a parameter is text.
    let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
    number
        .filter(|it| (from..=to).contains(it))
        .with_context(|| format!("{name} is not a number from {from} to {to}"))
}
