//! What waits for the operator: refunds to decide on, signs to look at.

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use serde::Serialize;
use time::{Duration, OffsetDateTime};

use super::{
    record,
    refund::{credited, returned},
    task::{self, OPERATOR, RefundRequest, RefundState, Sign, Work},
};
use crate::{
    accounts,
    app::App,
    error::Error,
    ids::AccountId,
    inventory::Table,
    privacy::instant,
    store::{Store, number, s, text, unavailable},
    telemetry::Metric,
};

/// A refund that waits this long makes an alarm.
pub const REFUND_ALARM_AFTER: Duration = Duration::hours(48);

/// How a refund's task is named: this and its invoice.
pub(super) const REFUND: &str = "refund#";

/// A refund that waits to be decided on.
#[derive(Debug, Serialize)]
pub struct QueuedRefund {
    /// Whose.
    pub account: AccountId,
    /// Which.
    pub task: String,
    /// Where it stands.
    pub state: RefundState,
    /// How much was asked for, in minor units of `currency`.
    pub amount_cents: i64,
    /// What of it a larger plan that was bought since has credited for the same time.
    pub credited_cents: i64,
    /// What would be given back now.
    pub outstanding_cents: i64,
    /// Requests of the present period that were used.
    pub used: u64,
    /// Requests that it has.
    pub limit: u64,
    /// Whether more than [`HEAVY_USE`] of them were used: then it is worth a second look.
    pub is_heavily_used: bool,
    /// ISO 4217, lower case.
    pub currency: String,
    /// The first purchase's invoice.
    pub invoice: String,
    /// When it was asked for.
    pub asked_at: String,
    /// Whether the deletion of the account was asked for, which waits until this is decided.
    pub deletion_waits: bool,
}

/// A sign that waits to be looked at.
#[derive(Debug, Serialize)]
pub struct QueuedFlag {
    /// Whose.
    pub account: AccountId,
    /// Which.
    pub task: String,
    /// What was seen.
    pub sign: Sign,
    /// Which dispute or subscription, or how many sign-ups.
    pub detail: String,
    /// Since when.
    pub since: String,
}

/// Everything that waits for the operator, the oldest first.
#[derive(Debug, Default, Serialize)]
pub struct Queue {
    /// Refunds to decide on.
    pub refunds: Vec<QueuedRefund>,
    /// Signs to look at.
    pub flags: Vec<QueuedFlag>,
}

/// Percent of a period's requests beyond which a refund asks to be looked at twice.
pub const HEAVY_USE: u64 = 20;

/// What waits for the operator at `now`. It names no address.
pub async fn queue(app: &App, now: OffsetDateTime) -> Result<Queue, Error> {
    let store = &app.store;
    let mut items = in_queue(store).into_paginator().items().send();
    let mut queue = Queue::default();
    while let Some(item) = items.next().await {
        let item = item.map_err(unavailable)?;
        let account = text(&item, "account").and_then(|it| it.parse().ok());
        let (Some(account), Some(name)) = (account, text(&item, "task")) else { continue };
        let Some(found) = task::load(store, &account, name).await? else { continue };
        if found.queue.as_deref() != Some(OPERATOR) {
            // Decided since the index was read.
            continue;
        }
        let (account, task) = (found.account, found.task);
        match found.work {
            Work::Refund(it) => queue.refunds.push(waiting(app, account, (task, it), now).await?),
            Work::Flag { sign, detail } => {
                let since = instant(found.created_at);
                queue.flags.push(QueuedFlag { account, task, sign, detail, since });
            }
            Work::RecordMail { .. }
            | Work::EndedMail { .. }
            | Work::PlanMail { .. }
            | Work::RefundMail { .. }
            | Work::KeysMail { .. }
            | Work::Dunning { .. } => {}
        }
    }
    Ok(queue)
}

/// A refund with what is known of it: what would be given back, and what was used of what was bought.
async fn waiting(
    app: &App,
    account: AccountId,
    (task, it): (String, RefundRequest),
    now: OffsetDateTime,
) -> Result<QueuedRefund, Error> {
    let records = record::of_account(&app.store, &account).await?;
    let credited = (credited(&records, &it.invoice) - it.credited_cents).max(0);
    // Of a payment that was written down: what the operator gave back at Stripe is heard of within the minute.
    let returned = returned(&records, &it.charge) - it.returned_cents;
    let known = accounts::get(&app.store, &account).await?;
    let deletion_waits = known.as_ref().is_some_and(|it| it.erasure.is_some());
    let (used, limit) = match known {
        Some(known) => {
            let limit = known.quota_at(now);
            let standing = app.gate.standing(&account, limit, &known.period(now)).await?;
            (standing.used, limit)
        }
        None => (0, 0),
    };
    Ok(QueuedRefund {
        account,
        task,
        state: it.state,
        amount_cents: it.cents,
        credited_cents: credited,
        outstanding_cents: (it.cents - credited - returned).clamp(0, it.cents),
        used,
        limit,
        is_heavily_used: used * 100 > limit * HEAVY_USE,
        currency: it.currency,
        invoice: it.invoice,
        asked_at: instant(it.asked_at),
        deletion_waits,
    })
}

/// How much waits for the operator, and how long it has been waiting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Waiting {
    /// Refunds to decide on.
    pub refunds_waiting: u64,
    /// Of them, those that have waited for [`REFUND_ALARM_AFTER`] or longer.
    pub refunds_late: u64,
    /// Signs to look at.
    pub flags_waiting: u64,
    /// Seconds that the oldest of all has been waiting.
    pub oldest_wait: Option<i64>,
}

impl Waiting {
    /// What the index says at `now`.
    pub(super) async fn seen(store: &Store, now: OffsetDateTime) -> Result<Self, Error> {
        let mut items = in_queue(store).into_paginator().items().send();
        let mut waiting = Self::default();
        while let Some(item) = items.next().await {
            let item = item.map_err(unavailable)?;
            if let (Some(task), Some(since)) = (text(&item, "task"), number(&item, "next_at")) {
                waiting.add(task, since, now);
            }
        }
        Ok(waiting)
    }

    fn add(&mut self, task: &str, since: i64, now: OffsetDateTime) {
        let wait = now.unix_timestamp() - since;
        if task.starts_with(REFUND) {
            self.refunds_waiting += 1;
            self.refunds_late += u64::from(wait >= REFUND_ALARM_AFTER.whole_seconds());
        } else {
            self.flags_waiting += 1;
        }
        self.oldest_wait = Some(self.oldest_wait.map_or(wait, |oldest| oldest.max(wait)));
    }

    /// For the job's alarms.
    pub(super) fn metrics(&self) -> Vec<Metric> {
        let mut metrics = vec![
            Metric::count("RefundsWaiting", self.refunds_waiting),
            Metric::count("RefundsLate", self.refunds_late),
            Metric::count("FlagsWaiting", self.flags_waiting),
        ];
        if let Some(wait) = self.oldest_wait {
            metrics.push(Metric::seconds("OldestWait", wait.max(0).unsigned_abs()));
        }
        metrics
    }
}

/// The queue in the order in which it was entered.
fn in_queue(store: &Store) -> QueryFluentBuilder {
    store
        .client()
        .query()
        .table_name(store.name(Table::BillingTasks))
        .index_name("by-queue")
        .key_condition_expression("queue = :queue")
        .expression_attribute_values(":queue", s(OPERATOR))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_refund_is_late_after_two_days_and_a_flag_never() {
        let since = datetime!(2026-11-24 12:00 UTC);
        let after = |seconds: i64| {
            let mut waiting = Waiting::default();
            let now = since + Duration::seconds(seconds);
            waiting.add("refund#in_1", since.unix_timestamp(), now);
            waiting.add("flag#dispute#du_1", since.unix_timestamp() + 10, now);
            waiting
        };
        let two_days = 48 * 60 * 60;
        for (seconds, late) in [(0, 0), (two_days - 1, 0), (two_days, 1), (two_days + 50, 1)] {
            let expected = Waiting {
                refunds_waiting: 1,
                refunds_late: late,
                flags_waiting: 1,
                oldest_wait: Some(seconds),
            };
            assert_eq!(after(seconds), expected);
        }
    }
}
