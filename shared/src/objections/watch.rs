//! What waits for the operator, and how long it has been waiting.

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use serde::Serialize;
use time::OffsetDateTime;

use super::{
    ALARM_AFTER, HONOURED_WITHIN, ObjectionKind,
    store::{QUEUE, confirmed},
};
use crate::{
    error::Error,
    inventory::Table,
    jobs::Report,
    privacy::instant,
    store::{Store, number, s, text, unavailable},
    telemetry::Metric,
};

/// An objection that waits for the operator.
#[derive(Debug, Serialize)]
pub struct QueuedObjection {
    /// Its id.
    pub id: String,
    /// What is asked for.
    pub kind: ObjectionKind,
    /// The profile to look at.
    pub username: String,
    /// What is to be found in its bio.
    pub code: String,
    /// When it was confirmed.
    pub since: String,
    /// Until when it is to be decided.
    pub due_at: String,
}

/// Every objection that waits for the operator, the oldest first.
pub async fn queued(store: &Store) -> Result<Vec<QueuedObjection>, Error> {
    let mut items = in_queue(store).into_paginator().items().send();
    let mut waiting = Vec::new();
    while let Some(item) = items.next().await {
        let item = item.map_err(unavailable)?;
        let Some(id) = text(&item, "id").and_then(|it| it.parse().ok()) else { continue };
        // Decided since the index was read: it names nobody any more.
        if let Some(objection) = confirmed(store, &id).await?
            && let (Some(username), Some(code)) = (objection.username, objection.code)
        {
            waiting.push(QueuedObjection {
                id: id.to_string(),
                kind: objection.kind,
                username: username.expose().to_owned(),
                code,
                since: instant(objection.confirmed_at),
                due_at: instant(objection.due_at),
            });
        }
    }
    Ok(waiting)
}

/// What one run of the job has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Watched {
    /// Objections that wait for the operator.
    pub queued: u64,
    /// Of them, those that have waited for [`ALARM_AFTER`] or longer.
    pub late: u64,
    /// Seconds until the first of them must be decided; negative when that has passed.
    pub seconds_left: Option<i64>,
}

impl Watched {
    fn add(&mut self, due_at: i64, now: OffsetDateTime) {
        let left = due_at - now.unix_timestamp();
        self.queued += 1;
        self.late += u64::from(left <= (HONOURED_WITHIN - ALARM_AFTER).whole_seconds());
        self.seconds_left = Some(self.seconds_left.map_or(left, |first| first.min(left)));
    }

    /// For the job's invoker and its alarm.
    pub fn report(&self) -> Result<Report, Error> {
        let mut metrics = vec![
            Metric::count("ObjectionsQueued", self.queued),
            Metric::count("ObjectionsLate", self.late),
        ];
        if let Some(left) = self.seconds_left {
            metrics.push(Metric::seconds("RequestSecondsLeft", left.max(0).unsigned_abs()));
        }
        Report::new(self, metrics)
    }
}

/// Looks how long objections have been waiting for the operator at `now`.
pub async fn watch(store: &Store, now: OffsetDateTime) -> Result<Watched, Error> {
    let mut items = in_queue(store).into_paginator().items().send();
    let mut watched = Watched::default();
    while let Some(item) = items.next().await {
        if let Some(due_at) = number(&item.map_err(unavailable)?, "next_at") {
            watched.add(due_at, now);
        }
    }
    Ok(watched)
}

/// The queue in the order in which it is due, which is the order in which it was confirmed.
fn in_queue(store: &Store) -> QueryFluentBuilder {
    store
        .client()
        .query()
        .table_name(store.name(Table::PrivacyRequests))
        .index_name("by-queue")
        .key_condition_expression("queue = :queue")
        .expression_attribute_values(":queue", s(QUEUE))
}

#[cfg(test)]
mod tests {
    use time::{Duration, macros::datetime};

    use super::*;

    #[test]
    fn an_objection_is_late_half_a_day_before_its_time_is_up() {
        let confirmed = datetime!(2026-11-24 12:00 UTC);
        let due_at = (confirmed + HONOURED_WITHIN).unix_timestamp();
        let after = |hours: i64, seconds: i64| {
            let mut watched = Watched::default();
            let now = confirmed + Duration::hours(hours) + Duration::seconds(seconds);
            watched.add(due_at, now);
            (watched.queued, watched.late, watched.seconds_left)
        };
        assert_eq!(after(0, 0), (1, 0, Some(48 * 3600)));
        assert_eq!(after(36, -1), (1, 0, Some(12 * 3600 + 1)));
        assert_eq!(after(36, 0), (1, 1, Some(12 * 3600)));
        assert_eq!(after(49, 0), (1, 1, Some(-3600)));
    }

    #[test]
    fn the_first_deadline_of_several_counts() {
        let now = datetime!(2026-11-24 12:00 UTC);
        let mut watched = Watched::default();
        for left in [3_000, 1_000, 2_000] {
            watched.add(now.unix_timestamp() + left, now);
        }
        assert_eq!((watched.queued, watched.seconds_left), (3, Some(1_000)));
    }
}
