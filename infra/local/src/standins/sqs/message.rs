//! A message: what it holds, where it stands, and the form a function gets it in.

use std::{collections::BTreeMap, time::Instant};

use base64::{Engine, engine::general_purpose::STANDARD};
use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::{OffsetDateTime, serde::timestamp::milliseconds};

use crate::standins::REGION;

/// One message.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Message {
    /// Its id.
    pub id: String,
    /// Its text.
    pub body: String,
    /// Its attributes by name.
    pub attributes: BTreeMap<String, Attribute>,
    /// Access key id of who sent it.
    pub sender: String,
    /// When it was sent, by the cloud's clock.
    #[serde(with = "milliseconds")]
    pub sent_at: OffsetDateTime,
    /// How often it has been received.
    pub receive_count: u32,
    /// When it was first received.
    #[serde(with = "milliseconds::option")]
    pub first_received_at: Option<OffsetDateTime>,
    /// ARN of the queue that it could not be worked off in.
    pub dead_from: Option<String>,
    /// Of the last time it was received.
    #[serde(skip)]
    pub(super) receipt: String,
    #[serde(skip)]
    pub(super) place: Place,
    /// Made to be delivered once too often: it goes with that delivery, whatever comes of it.
    #[serde(skip)]
    pub(super) is_copy: bool,
}

/// One attribute of a message, as it was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Attribute {
    /// `String`, `Number` or `Binary`, perhaps with a label of its own.
    pub data_type: String,
    /// The value of all but binary ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub string_value: Option<String>,
    /// The value of binary ones, in base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub binary_value: Option<String>,
}

/// Where a message stands.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Place {
    /// Anybody can receive it. A message that is read back from a file is here.
    #[default]
    Waiting,
    /// Sent, to be seen later.
    Delayed(OffsetDateTime),
    /// Received, and hidden until the cloud's clock comes to `until`, or the machine's to `retry`.
    Hidden { until: OffsetDateTime, retry: Option<Instant> },
    /// A function is working on it.
    Working,
}

impl Message {
    pub(super) fn is_visible(&self, now: OffsetDateTime) -> bool {
        match self.place {
            Place::Waiting => true,
            Place::Delayed(until) => until <= now,
            Place::Hidden { until, retry } => {
                until <= now || retry.is_some_and(|at| at <= Instant::now())
            }
            Place::Working => false,
        }
    }

    /// Received and not back yet.
    pub(super) fn is_in_flight(&self, now: OffsetDateTime) -> bool {
        matches!(self.place, Place::Hidden { .. } | Place::Working) && !self.is_visible(now)
    }

    /// Bytes that count towards SQS's limit.
    pub(super) fn size(&self) -> usize {
        let attributes = self.attributes.iter().map(|(name, it)| {
            let value = it.value().map_or(0, |value| value.len());
            name.len() + it.data_type.len() + value
        });
        self.body.len() + attributes.sum::<usize>()
    }

    /// The system's attributes, except for those of queues that keep an order.
    pub(super) fn system_attributes(&self) -> BTreeMap<&'static str, String> {
        let milliseconds = |at: OffsetDateTime| (at.unix_timestamp_nanos() / 1_000_000).to_string();
        let mut all = BTreeMap::from([
            ("ApproximateReceiveCount", self.receive_count.to_string()),
            ("SentTimestamp", milliseconds(self.sent_at)),
            ("SenderId", self.sender.clone()),
        ]);
        if let Some(at) = self.first_received_at {
            all.insert("ApproximateFirstReceiveTimestamp", milliseconds(at));
        }
        if let Some(queue) = &self.dead_from {
            all.insert("DeadLetterQueueSourceArn", queue.clone());
        }
        all
    }

    /// One of the records in a function's event.
    pub(super) fn record(&self, queue_arn: &str) -> Value {
        let attributes = self.attributes.iter().map(|(name, it)| {
            let value = json!({
                "dataType": it.data_type,
                "stringValue": it.string_value,
                "binaryValue": it.binary_value,
                "stringListValues": [],
                "binaryListValues": [],
            });
            (name.clone(), value)
        });
        let mut record = json!({
            "messageId": self.id,
            "receiptHandle": self.receipt,
            "body": self.body,
            "attributes": self.system_attributes(),
            "messageAttributes": attributes.collect::<serde_json::Map<_, _>>(),
            "md5OfBody": md5(self.body.as_bytes()),
            "eventSource": "aws:sqs",
            "eventSourceARN": queue_arn,
            "awsRegion": REGION,
        });
        if let Some(sum) = self.md5_of_attributes() {
            record["md5OfMessageAttributes"] = sum.into();
        }
        record
    }

    /// The checksum as SQS makes it: names, types and values in the names' order, each after its length.
    pub(super) fn md5_of_attributes(&self) -> Option<String> {
        if self.attributes.is_empty() {
            return None;
        }
        let mut bytes = Vec::new();
        let mut part = |kind: &[u8], value: &[u8]| {
            bytes.extend_from_slice(kind);
            // SQS takes no message of more than 1 MiB.
            bytes.extend_from_slice(&u32::try_from(value.len()).unwrap_or(u32::MAX).to_be_bytes());
            bytes.extend_from_slice(value);
        };
        for (name, it) in &self.attributes {
            part(&[], name.as_bytes());
            part(&[], it.data_type.as_bytes());
            let kind = if it.data_type.starts_with("Binary") { 2 } else { 1 };
            part(&[kind], &it.value().unwrap_or_default());
        }
        Some(md5(&bytes))
    }
}

impl Attribute {
    /// The value; none where it does not fit the type, or is empty.
    pub(super) fn value(&self) -> Option<Vec<u8>> {
        let value = match self.data_type.split('.').next() {
            Some("String" | "Number") => self.string_value.clone()?.into_bytes(),
            Some("Binary") => STANDARD.decode(self.binary_value.as_deref()?).ok()?,
            _ => return None,
        };
        (!value.is_empty()).then_some(value)
    }
}

pub(super) fn md5(bytes: &[u8]) -> String {
    Md5::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
