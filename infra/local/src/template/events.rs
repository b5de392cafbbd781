//! EventBridge rules on events of AWS's services, and which events SES publishes to them.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::{Template, one_or_many};
use crate::standins::{ACCOUNT, REGION};

/// A rule of the default event bus that writes events into queues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRule {
    /// Its physical name.
    pub name: String,
    /// What an event must be like: each key of it, and of a list one of its values.
    pub pattern: Value,
    /// ARNs of the queues.
    pub targets: Vec<String>,
}

/// Events of SES by the names that the template gives them.
const MAIL_EVENTS: [&str; 10] = [
    "bounce",
    "click",
    "complaint",
    "delivery",
    "deliveryDelay",
    "open",
    "reject",
    "renderingFailure",
    "send",
    "subscription",
];

/// Configuration sets of SES, and what of the mails that are sent with them goes to EventBridge.
pub type ConfigurationSets = BTreeMap<String, Vec<String>>;

impl EventRule {
    pub(super) fn from_resource(name: String, properties: &Value) -> Result<Self> {
        let object = properties.as_object().context("has no Properties")?;
        for property in object.keys() {
            ensure!(
                ["Name", "Description", "EventPattern", "Targets"].contains(&property.as_str()),
                "{property} of a rule is not known to the local cloud"
            );
        }
        let pattern = properties.get("EventPattern").context("EventPattern is missing")?;
        check_pattern(pattern)?;
        let mut targets = Vec::new();
        for target in properties.get("Targets").map(one_or_many).context("Targets is missing")? {
            let fields = target.as_object().context("a target is not a mapping")?;
            let text = |field: &str| fields.get(field).and_then(Value::as_str);
            let (Some(arn), Some(_), 2) = (text("Arn"), text("Id"), fields.len()) else {
                bail!("a target with more than Arn and Id is not known to the local cloud");
            };
            targets.push(arn.to_owned());
        }
        Ok(Self { name, pattern: pattern.clone(), targets })
    }

    /// Its ARN.
    pub fn arn(&self) -> String {
        rule_arn(&self.name)
    }
}

/// Only what compares whole values: a filter that is not evaluated would let too much through.
fn check_pattern(pattern: &Value) -> Result<()> {
    for (key, value) in pattern.as_object().context("EventPattern is not a mapping")? {
        match value {
            Value::Object(_) => check_pattern(value)?,
            Value::Array(all) if all.iter().all(|it| !it.is_object() && !it.is_array()) => {}
            _ => bail!("the filter of {key} in an EventPattern is not known to the local cloud"),
        }
    }
    Ok(())
}

/// Notes what an `AWS::SES::ConfigurationSetEventDestination` publishes.
pub(super) fn add_destination(sets: &mut ConfigurationSets, properties: &Value) -> Result<()> {
    let set = properties.get("ConfigurationSetName").and_then(Value::as_str);
    let set = set.context("ConfigurationSetName is missing")?;
    let destination = properties.get("EventDestination").context("EventDestination is missing")?;
    let bus = destination.pointer("/EventBridgeDestination/EventBusArn").and_then(Value::as_str);
    let bus = bus.context("only destinations of EventBridge are known to the local cloud")?;
    ensure!(
        bus == format!("arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default"),
        "SES publishes to the default event bus only, not to {bus}"
    );
    let kinds = destination.get("MatchingEventTypes").context("MatchingEventTypes is missing")?;
    // What is not said to be enabled is not.
    let is_enabled = destination.get("Enabled") == Some(&Value::Bool(true));
    let known = sets.entry(set.to_owned()).or_default();
    for kind in one_or_many(kinds) {
        let kind = kind.as_str().context("an event type is not text")?;
        ensure!(MAIL_EVENTS.contains(&kind), "{kind} is no event of SES");
        if is_enabled {
            known.push(kind.to_owned());
        }
    }
    Ok(())
}

/// A rule writes only into queues whose own policy lets it.
pub(super) fn check(template: &Template) -> Result<()> {
    for rule in &template.rules {
        for target in &rule.targets {
            let queue = template.queues.iter().find(|it| it.arn() == *target);
            let queue =
                queue.with_context(|| format!("rule {}: no queue is {target}", rule.name))?;
            let lets_in = template
                .of_kind("AWS::SQS::QueuePolicy")
                .map(|(_, it)| &it.properties)
                .filter(|it| names(&it["Queues"], &queue.url()))
                .flat_map(|it| one_or_many(&it["PolicyDocument"]["Statement"]))
                .any(|it| lets_write(it, target, &rule.arn()));
            ensure!(lets_in, "no AWS::SQS::QueuePolicy lets rule {} write to {target}", rule.name);
        }
    }
    Ok(())
}

fn lets_write(statement: &Value, queue: &str, rule: &str) -> bool {
    let source = &statement["Condition"]["ArnEquals"]["aws:SourceArn"];
    statement["Effect"] == "Allow"
        && names(&statement["Principal"]["Service"], "events.amazonaws.com")
        && names(&statement["Action"], "sqs:SendMessage")
        && names(&statement["Resource"], queue)
        && (statement.get("Condition").is_none() || names(source, rule))
}

fn names(value: &Value, wanted: &str) -> bool {
    one_or_many(value).iter().any(|it| it == wanted)
}

/// ARN of the rule of this name.
pub(super) fn rule_arn(name: &str) -> String {
    format!("arn:aws:events:{REGION}:{ACCOUNT}:rule/{name}")
}
