//! What every scheduled job starts with.

use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::error::Error;

/// Time kept back for finishing in good order.
const MARGIN: Duration = Duration::from_secs(10);

/// The `time` of an EventBridge event: the job runs as of then, whenever it does run.
pub fn event_time(event: &Value) -> Result<OffsetDateTime, Error> {
    event["time"]
        .as_str()
        .and_then(|text| OffsetDateTime::parse(text, &Rfc3339).ok())
        .ok_or_else(|| Error::internal("the event has no `time`; send one of EventBridge's form"))
}

/// When to stop, given when Lambda will end the invocation.
pub fn stop_before(deadline: SystemTime) -> Instant {
    let left = deadline.duration_since(SystemTime::now()).unwrap_or_default();
    Instant::now() + left.saturating_sub(MARGIN)
}
