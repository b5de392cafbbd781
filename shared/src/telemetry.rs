//! Logs and metrics of the functions: JSON lines on standard output. Nothing personal goes in.

use std::io::Write;

use serde_json::{Value, json};
use tracing::level_filters::LevelFilter;

/// CloudWatch namespace of our metrics.
pub const NAMESPACE: &str = "VideoIntelligence";

/// Starts logging at the level in `LOG_LEVEL` (`info` if unset or unknown).
pub fn init() {
    let level = std::env::var("LOG_LEVEL").ok().and_then(|it| it.parse::<LevelFilter>().ok());
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_target(false)
        // Lambda and CloudWatch stamp each line themselves.
        .without_time()
        .with_max_level(level.unwrap_or(LevelFilter::INFO))
        .init();
}

/// One figure.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    name: &'static str,
    value: u64,
    unit: &'static str,
}

impl Metric {
    /// A number of things.
    pub fn count(name: &'static str, value: u64) -> Self {
        Self { name, value, unit: "Count" }
    }

    /// A time in seconds.
    pub fn seconds(name: &'static str, value: u64) -> Self {
        Self { name, value, unit: "Seconds" }
    }
}

/// Writes metrics in CloudWatch's embedded metric format: no call, no client, one line. `at_ms` is
/// epoch milliseconds.
pub fn metrics(at_ms: i64, job: &str, metrics: &[Metric]) {
    let definitions: Vec<Value> =
        metrics.iter().map(|it| json!({ "Name": it.name, "Unit": it.unit })).collect();
    let mut line = json!({
        "_aws": {
            "Timestamp": at_ms,
            "CloudWatchMetrics": [{
                "Namespace": NAMESPACE,
                "Dimensions": [["job"]],
                "Metrics": definitions,
            }],
        },
        "job": job,
    });
    for metric in metrics {
        line[metric.name] = json!(metric.value);
    }
    // A metric that cannot be written is missing, which the alarms treat as a fault.
    let _ = writeln!(std::io::stdout(), "{line}");
}
