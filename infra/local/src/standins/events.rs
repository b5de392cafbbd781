//! EventBridge's default bus: what AWS's services tell goes to the queues whose rules ask for it, at least once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;

use super::{ACCOUNT, REGION, sqs::Sqs};
use crate::{clock::Clock, template::EventRule};

/// The stand-in. Clones share the events.
#[derive(Clone, Debug)]
pub struct Bus(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: Clock,
    sqs: Sqs,
    rules: Vec<EventRule>,
    events: Mutex<Vec<Value>>,
}

impl Bus {
    /// Delivers to `sqs` what `rules` ask for.
    pub fn new(clock: Clock, sqs: Sqs, rules: Vec<EventRule>) -> Self {
        Self(Arc::new(Inner { clock, sqs, rules, events: Mutex::default() }))
    }

    /// Takes what a service tells of `resources`, and delivers it.
    pub(super) fn publish(&self, source: &str, kind: &str, resources: &[String], detail: Value) {
        let at = self.0.clock.now();
        let event = json!({
            "version": "0",
            "id": uuid::Uuid::new_v4().to_string(),
            "detail-type": kind,
            "source": source,
            "account": ACCOUNT,
            // Never fails: the year is one of four digits.
            "time": at.replace_nanosecond(0).unwrap_or(at).format(&Rfc3339).unwrap_or_default(),
            "region": REGION,
            "resources": resources,
            "detail": detail,
        });
        self.deliver(&event);
        self.events().push(event);
    }

    /// Every event so far, the oldest first.
    pub fn all(&self) -> Vec<Value> {
        self.events().clone()
    }

    /// Delivers an event, perhaps once more.
    pub fn deliver(&self, event: &Value) {
        for rule in self.0.rules.iter().filter(|it| is_matched(&it.pattern, event)) {
            for target in &rule.targets {
                // The template was read only if there is such a queue.
                let _ = self.0.sqs.send(target, &event.to_string());
            }
        }
    }

    fn events(&self) -> MutexGuard<'_, Vec<Value>> {
        self.0.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether `event` has each key of the pattern, with one of the values that it lists; of a list one item.
fn is_matched(pattern: &Value, event: &Value) -> bool {
    match (pattern, event) {
        (Value::Object(pattern), Value::Object(event)) => pattern
            .iter()
            .all(|(key, wanted)| event.get(key).is_some_and(|it| is_matched(wanted, it))),
        (Value::Array(wanted), Value::Array(items)) => items.iter().any(|it| wanted.contains(it)),
        (Value::Array(wanted), value) => wanted.contains(value),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_matched_by_each_key_and_one_of_its_values() {
        let event = json!({ "source": "aws.ses", "detail": { "tags": { "set": ["a", "b"] } } });
        for (pattern, expected) in [
            (json!({ "source": ["aws.ses"] }), true),
            (json!({ "source": ["aws.s3", "aws.ses"] }), true),
            (json!({ "source": ["aws.s3"] }), false),
            (json!({ "source": ["aws.ses"], "detail": { "tags": { "set": ["b"] } } }), true),
            (json!({ "source": ["aws.ses"], "detail": { "tags": { "set": ["c"] } } }), false),
            (json!({ "detail": { "tags": { "other": ["a"] } } }), false),
        ] {
            assert_eq!(is_matched(&pattern, &event), expected, "{pattern}");
        }
    }
}
