//! The Research API's daily allowance: 1,000 calls and 100,000 records for the whole service, anew at
//! 00:00 UTC (TikTok's Research FAQ). Each call is paid for in DynamoDB before it is made, so that the
//! allowance is never exceeded, whatever dies; records that did not come are given back.
//!
//! It is shared out. A paying customer's first [`FREELY`] calls of a day depend on nobody. Of `n` customers
//! who have made more, nobody gets more than the (n + 1)-th part, and none of them the last [`RESERVE`] calls,
//! so that those who come late still get something. Accounts on the free plan are as many as anybody likes
//! to open: each gets [`FREE_CALLS_A_DAY`], and all of them together [`FREE_TOGETHER`]. What a request cost that
//! was not charged counts against a limit of its own too ([`UNPAID`]). The service's own questions (may this creator be left out?) are
//! bounded too: strangers can cause them.

use std::time::Duration;

use aws_sdk_dynamodb::{
    config::{Builder, retry::RetryConfig},
    operation::update_item::builders::UpdateItemFluentBuilder,
    types::ReturnValue,
};
use serde::Deserialize;
use time::{OffsetDateTime, UtcOffset};
use tokio::time::Instant;

use super::super::{
    failure::Failure,
    sources::{Asker, Payer},
};
use crate::{
    dates::until_midnight,
    error::Error,
    ids::AccountId,
    inventory::{self, Table},
    plans::Plan,
    store::{Conditional, Store, conditional, from_item, n, pause, s, unavailable},
};

/// Calls in a day (UTC).
pub(super) const CALLS: u64 = 1_000;
/// Records in a day (UTC).
pub(super) const RECORDS: u64 = 100_000;

/// Calls of a day that a paying customer has without regard to others.
const FREELY: u64 = 10;
/// Calls of a day that an account on the free plan has.
pub const FREE_CALLS_A_DAY: u64 = 2;
/// Calls of a day that all accounts on the free plan have together: a fifth.
const FREE_TOGETHER: u64 = CALLS / 5;
/// Calls of a day that a customer has for requests that are not charged: what is not there, a cursor that
/// leads nowhere, what TikTok refuses. They are counted when the request has ended, so requests at the same
/// time may go beyond it by what each of them costs.
const UNPAID: u64 = 50;
/// Calls of a day that are kept for those who pay and have made fewer than [`FREELY`].
const RESERVE: u64 = 100;
/// Calls of a day for the service's own questions.
const SERVICE_CALLS: u64 = 50;

/// How often a reservation is tried again that another one has overtaken.
const ATTEMPTS: u32 = 8;

/// How long it goes on being tried: the question itself wants time too, and whoever asks does not wait longer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Who stands for everybody in the table, and for the service itself: no account has these ids.
const EVERYBODY: &str = "research";
const SERVICE: &str = "research-service";

/// The allowance, kept in the table of quotas. Cheap to clone.
#[derive(Clone, Debug)]
pub(in super::super) struct Allowance {
    store: Store,
}

/// What has been spent of one day's allowance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Spent {
    /// Calls.
    #[serde(default)]
    pub calls: u64,
    /// Records, those of calls under way included.
    #[serde(default)]
    pub records: u64,
    /// Customers who have made [`FREELY`] calls or more.
    #[serde(default)]
    customers: u64,
    /// Calls for accounts on the free plan.
    #[serde(default)]
    free_calls: u64,
    /// Calls for requests that were not charged.
    #[serde(default)]
    unpaid: u64,
}

/// What a call adds to what has been spent.
#[derive(Clone, Copy)]
struct More {
    calls: i64,
    records: i64,
    customers: i64,
    free_calls: i64,
}

/// What must hold of what has been spent, for one more call.
#[derive(Clone, Copy)]
struct Room {
    /// Calls: from and below.
    calls: (u64, u64),
    /// Records at most.
    records: u64,
    /// Calls for accounts on the free plan: below.
    free_calls: u64,
    /// Calls for requests that were not charged: below.
    unpaid: u64,
}

impl Room {
    const ANY: Self =
        Self { calls: (0, CALLS), records: RECORDS, free_calls: CALLS, unpaid: CALLS };

    fn has(&self, spent: &Spent) -> bool {
        (self.calls.0..self.calls.1).contains(&spent.calls)
            && spent.records <= self.records
            && spent.free_calls < self.free_calls
            && spent.unpaid < self.unpaid
    }
}

impl Spent {
    /// Calls left of the day.
    pub fn calls_left(&self) -> u64 {
        CALLS.saturating_sub(self.calls)
    }

    /// Records left of the day.
    pub fn records_left(&self) -> u64 {
        RECORDS.saturating_sub(self.records)
    }
}

/// A call that has been paid for.
#[derive(Debug)]
pub(super) struct Taken {
    payer: String,
    period: String,
    records: u64,
}

impl Allowance {
    /// The allowance that `store` keeps.
    pub(in super::super) fn new(store: Store) -> Self {
        Self { store }
    }

    /// What the service has spent of `now`'s day.
    pub(in super::super) async fn spent(&self, now: OffsetDateTime) -> Result<Spent, Error> {
        self.read(EVERYBODY, &period(now)).await
    }

    /// Pays for one call that brings `records` at most.
    pub(super) async fn take(&self, records: u64, asker: Asker<'_>) -> Result<Taken, Failure> {
        let plan = asker.payer.map(|it| it.plan);
        let payer = asker.payer.map_or(SERVICE.to_owned(), |it| it.account.to_string());
        let period = period(asker.now);
        let started = Instant::now();
        for attempt in 0..ATTEMPTS {
            // Between attempts only: a reservation that is cut off may have been made.
            if started.elapsed() > PATIENCE {
                break;
            }
            let read =
                futures_util::try_join!(self.read(EVERYBODY, &period), self.read(&payer, &period));
            let (all, own) = read.map_err(failed)?;
            if !has_room(&all, &own, plan, records) {
                return Err(Failure::Exhausted(until_midnight(asker.now)));
            }
            let day = (period.as_str(), asker.now);
            if self.spend(&payer, day, (plan, records), &own).await.map_err(failed)? {
                if let Some(Payer { calls, .. }) = asker.payer {
                    calls.count();
                }
                return Ok(Taken { payer, period, records });
            }
            // Somebody else was quicker: read again, and not all at the same moment.
            pause(attempt).await;
        }
        // The source itself is well.
        Err(Failure::Crowded)
    }

    /// Takes one call from everybody's allowance and then from the payer's own, whose last known state is `own`;
    /// false where either has no room for it any more. No transaction: all who ask at the same moment want
    /// everybody's item, and transactions keep each other from it. Who dies in between, or loses an answer that is
    /// then asked for again, leaves the day with one call less.
    async fn spend(
        &self,
        payer: &str,
        (period, now): (&str, OffsetDateTime),
        (plan, records): (Option<Plan>, u64),
        own: &Spent,
    ) -> Result<bool, Error> {
        let is_new = plan.is_some() && own.calls + 1 == FREELY;
        let more = More {
            calls: 1,
            records: records.cast_signed(),
            customers: i64::from(is_new),
            free_calls: i64::from(plan == Some(Plan::Free)),
        };
        // Of the call that makes a customer one of those who share, no answer may be lost and asked for again: it
        // would be counted twice, or not at all.
        let attempt = &Attempt { period, now, is_sent_once: is_new };
        let room = of_all(own, plan, records);
        let Some(all) = self.add(EVERYBODY, attempt, more, room).await? else { return Ok(false) };
        let room = of_own(&all, own, plan, records);
        let only_own = More { customers: 0, free_calls: 0, ..more };
        if self.add(payer, attempt, only_own, room).await?.is_some() {
            return Ok(true);
        }
        let back = More {
            calls: -more.calls,
            records: -more.records,
            customers: -more.customers,
            free_calls: -more.free_calls,
        };
        if let Err(error) = self.give_back(EVERYBODY, period, back).await {
            tracing::warn!(error = %error, "a call that was not made could not be given back");
        }
        Ok(false)
    }

    /// Gives back the records of `taken` that did not come. Failing to leaves the day with less.
    pub(super) async fn settle(&self, taken: Taken, came: u64) {
        let unused = taken.records.saturating_sub(came);
        if unused == 0 {
            return;
        }
        let back = More { calls: 0, records: -unused.cast_signed(), customers: 0, free_calls: 0 };
        let outcome = futures_util::future::join(
            self.give_back(EVERYBODY, &taken.period, back),
            self.give_back(&taken.payer, &taken.period, back),
        );
        let (all, own) = outcome.await;
        if let Err(error) = all.and(own) {
            tracing::warn!(error = %error, "records that did not come could not be given back");
        }
    }

    /// Notes that so many calls, paid for on `now`'s day, were for a request of `account` that was not
    /// charged.
    pub(in super::super) async fn note_unpaid(
        &self,
        account: &AccountId,
        calls: u64,
        now: OffsetDateTime,
    ) -> Result<(), Error> {
        self.store
            .client()
            .update_item()
            .table_name(self.store.name(Table::Quotas))
            .key("account", s(account.to_string()))
            .key("period", s(period(now)))
            .update_expression("ADD unpaid :calls")
            .condition_expression("attribute_exists(calls)")
            .expression_attribute_values(":calls", n(calls))
            .send()
            .await
            .map(drop)
            .map_err(unavailable)
    }

    async fn read(&self, who: &str, period: &str) -> Result<Spent, Error> {
        let key = [("account", who.to_owned()), ("period", period.to_owned())];
        let item = self.store.get(Table::Quotas, key).await?;
        Ok(item.map(from_item).transpose()?.unwrap_or_default())
    }

    /// Adds to what `who` has spent, if there is room; what has been spent then.
    async fn add(
        &self,
        who: &str,
        attempt: &Attempt<'_>,
        more: More,
        room: Room,
    ) -> Result<Option<Spent>, Error> {
        let expiry = inventory::QUOTAS.expiry(attempt.now, who);
        let has_room = "calls >= :from AND calls < :below AND records <= :room AND free_calls < :free \
                        AND (attribute_not_exists(unpaid) OR unpaid < :unpaid)";
        let condition = match room.calls.0 {
            0 => format!("attribute_not_exists(calls) OR ({has_room})"),
            _ => has_room.to_owned(),
        };
        let request = self
            .adding(who, attempt.period, more, "SET expires_at = :at, expires_on = :on ")
            .condition_expression(condition)
            .expression_attribute_values(":at", n(expiry.at))
            .expression_attribute_values(":on", s(expiry.on))
            .expression_attribute_values(":from", n(room.calls.0))
            .expression_attribute_values(":below", n(room.calls.1))
            .expression_attribute_values(":room", n(room.records))
            .expression_attribute_values(":free", n(room.free_calls))
            .expression_attribute_values(":unpaid", n(room.unpaid))
            .return_values(ReturnValue::AllNew);
        let request = match attempt.is_sent_once {
            true => request.customize().config_override(once()),
            false => request.customize(),
        };
        match conditional(request.send().await)? {
            Conditional::Done(output) => output.attributes.map(from_item).transpose(),
            Conditional::Refused(_) => Ok(None),
        }
    }

    /// Adds `back`, which is negative. Sent once: done twice it would give back what was spent.
    async fn give_back(&self, who: &str, period: &str, back: More) -> Result<(), Error> {
        let request =
            self.adding(who, period, back, "").condition_expression("attribute_exists(calls)");
        request.customize().config_override(once()).send().await.map(drop).map_err(unavailable)
    }

    fn adding(&self, who: &str, period: &str, more: More, set: &str) -> UpdateItemFluentBuilder {
        let request = self.store.client().update_item().table_name(self.store.name(Table::Quotas));
        let add =
            "ADD calls :calls, records :records, customers :customers, free_calls :free_calls";
        request
            .key("account", s(who))
            .key("period", s(period))
            .update_expression(format!("{set}{add}"))
            .expression_attribute_values(":calls", n(more.calls))
            .expression_attribute_values(":records", n(more.records))
            .expression_attribute_values(":customers", n(more.customers))
            .expression_attribute_values(":free_calls", n(more.free_calls))
    }
}

/// One try to take a call of a day.
struct Attempt<'a> {
    period: &'a str,
    now: OffsetDateTime,
    /// Whether an update of which no answer has come is not sent again.
    is_sent_once: bool,
}

/// No retries.
fn once() -> Builder {
    Builder::new().retry_config(RetryConfig::disabled())
}

/// Key of the day's item.
fn period(now: OffsetDateTime) -> String {
    format!("research#{}", now.to_offset(UtcOffset::UTC).date())
}

/// Whether one more call with `records` fits into the day and, for a customer on `plan`, into its part;
/// `None` is the service itself.
fn has_room(all: &Spent, own: &Spent, plan: Option<Plan>, records: u64) -> bool {
    of_all(own, plan, records).has(all) && of_own(all, own, plan, records).has(own)
}

/// What everybody together may have spent.
fn of_all(own: &Spent, plan: Option<Plan>, records: u64) -> Room {
    let all = Room { records: RECORDS.saturating_sub(records), ..Room::ANY };
    let unreserved = (0, CALLS - RESERVE);
    match plan {
        Some(Plan::Free) => Room { calls: unreserved, free_calls: FREE_TOGETHER, ..all },
        Some(_) if own.calls >= FREELY => Room { calls: unreserved, ..all },
        _ => all,
    }
}

/// What a customer who is at `own` may have spent itself.
fn of_own(all: &Spent, own: &Spent, plan: Option<Plan>, records: u64) -> Room {
    let customer = Room { unpaid: UNPAID, ..Room::ANY };
    match plan {
        None => Room { calls: (0, SERVICE_CALLS), ..Room::ANY },
        Some(Plan::Free) => Room { calls: (0, FREE_CALLS_A_DAY), ..customer },
        // The last of these makes the customer one of those who share.
        Some(_) if own.calls + 1 < FREELY => Room { calls: (0, FREELY - 1), ..customer },
        Some(_) if own.calls < FREELY => Room { calls: (FREELY - 1, FREELY), ..customer },
        Some(_) => {
            // Those who have made so many are counted already, this one among them.
            let part = |whole: u64| whole / (all.customers + 1);
            let records = part(RECORDS).saturating_sub(records);
            Room { calls: (FREELY, part(CALLS)), records, ..customer }
        }
    }
}

fn failed(error: Error) -> Failure {
    tracing::warn!(error = %error, "the daily allowance cannot be read: nothing is asked");
    Failure::Crowded
}

#[cfg(test)]
mod tests;
