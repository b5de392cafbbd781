//! The Research API's daily allowance: 1,000 calls and 100,000 records for the whole service, anew at
//! 00:00 UTC (TikTok's Research FAQ). Each call is paid for in DynamoDB before it is made, so that the
//! allowance is never exceeded, whatever dies; records that did not come are given back.
//!
//! It is shared out. A customer's first [`FREELY`] calls of a day depend on nobody. Of `n` customers who have
//! made more, nobody gets more than the (n + 1)-th part, and none of them the last [`RESERVE`] calls, so that
//! whoever comes late still gets something. The service's own questions (may this creator be left out?) are
//! bounded too: strangers can cause them.

use std::time::Duration;

use aws_sdk_dynamodb::types::Update;
use serde::Deserialize;
use time::{OffsetDateTime, UtcOffset};
use tokio::time::Instant;

use super::super::{failure::Failure, sources::Asker};
use crate::{
    dates::until_midnight,
    error::Error,
    inventory::{self, Table},
    store::{Store, from_item, n, pause, s, transact, updating},
};

/// Calls in a day (UTC).
pub(super) const CALLS: u64 = 1_000;
/// Records in a day (UTC).
pub(super) const RECORDS: u64 = 100_000;

/// Calls of a day that a customer has without regard to others: too few to be worth a crowd of accounts.
const FREELY: u64 = 10;
/// Calls of a day that are kept for those who have made fewer than [`FREELY`].
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
        let payer = asker.payer.map_or(SERVICE.to_owned(), ToString::to_string);
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
            if !has_room(&all, &own, asker.payer.is_some(), records) {
                return Err(Failure::Exhausted(until_midnight(asker.now)));
            }
            let is_new = asker.payer.is_some() && own.calls + 1 == FREELY;
            let parts = [
                self.spend(EVERYBODY, &period, all, (records, is_new), asker.now),
                self.spend(&payer, &period, own, (records, false), asker.now),
            ];
            let parts =
                parts.into_iter().map(updating).collect::<Result<_, _>>().map_err(failed)?;
            if transact(&self.store, parts).await.map_err(failed)?.is_none() {
                return Ok(Taken { payer, period, records });
            }
            // Somebody else was quicker: read again, and not all at the same moment.
            pause(attempt).await;
        }
        // The source itself is well.
        Err(Failure::Crowded)
    }

    /// Gives back the records of `taken` that did not come. Failing to leaves the day with less.
    pub(super) async fn settle(&self, taken: Taken, came: u64) {
        let unused = taken.records.saturating_sub(came);
        if unused == 0 {
            return;
        }
        let back = |who: &str| {
            let update = Update::builder()
                .table_name(self.store.name(Table::Quotas))
                .key("account", s(who))
                .key("period", s(&taken.period))
                .update_expression("ADD records :back")
                .condition_expression("attribute_exists(calls)")
                .expression_attribute_values(":back", n(-unused.cast_signed()));
            updating(update)
        };
        let whose = [EVERYBODY, &taken.payer];
        let parts: Result<Vec<_>, _> = whose.into_iter().map(back).collect();
        let outcome = match parts {
            Ok(parts) => transact(&self.store, parts).await,
            Err(error) => Err(error),
        };
        match outcome {
            Ok(None) => {}
            Ok(Some(_)) => tracing::warn!("records that did not come could not be given back"),
            Err(error) => {
                tracing::warn!(error = %error, "records that did not come could not be given back");
            }
        }
    }

    async fn read(&self, who: &str, period: &str) -> Result<Spent, Error> {
        let key = [("account", who.to_owned()), ("period", period.to_owned())];
        let item = self.store.get(Table::Quotas, key).await?;
        Ok(item.map(from_item).transpose()?.unwrap_or_default())
    }

    /// Adds a call to what `who` has spent, if that is still `before`.
    fn spend(
        &self,
        who: &str,
        period: &str,
        before: Spent,
        (records, is_new): (u64, bool),
        now: OffsetDateTime,
    ) -> aws_sdk_dynamodb::types::builders::UpdateBuilder {
        let expiry = inventory::QUOTAS.expiry(now, who);
        let update = Update::builder()
            .table_name(self.store.name(Table::Quotas))
            .key("account", s(who))
            .key("period", s(period))
            .update_expression(
                "SET expires_at = :at, expires_on = :on ADD calls :one, records :records, \
                 customers :new",
            )
            .expression_attribute_values(":at", n(expiry.at))
            .expression_attribute_values(":on", s(expiry.on))
            .expression_attribute_values(":one", n(1))
            .expression_attribute_values(":records", n(records))
            .expression_attribute_values(":new", n(u8::from(is_new)));
        if before.calls == 0 {
            update.condition_expression("attribute_not_exists(calls)")
        } else {
            // Calls only count up, so they stand for all that was read; records only go down between.
            update
                .condition_expression("calls = :calls AND records <= :known")
                .expression_attribute_values(":calls", n(before.calls))
                .expression_attribute_values(":known", n(before.records))
        }
    }
}

/// Key of the day's item.
fn period(now: OffsetDateTime) -> String {
    format!("research#{}", now.to_offset(UtcOffset::UTC).date())
}

/// Whether one more call with `records` fits into the day and, for a customer, into its part.
fn has_room(all: &Spent, own: &Spent, is_customer: bool, records: u64) -> bool {
    if all.calls >= CALLS || all.records + records > RECORDS {
        return false;
    }
    if !is_customer {
        return own.calls < SERVICE_CALLS;
    }
    if own.calls < FREELY {
        return true;
    }
    // Those who have made so many are counted already, this one among them.
    let part = |whole: u64| whole / (all.customers + 1);
    all.calls < CALLS - RESERVE && own.calls < part(CALLS) && own.records + records <= part(RECORDS)
}

fn failed(error: Error) -> Failure {
    tracing::warn!(error = %error, "the daily allowance cannot be read: nothing is asked");
    Failure::Crowded
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_day_is_one_of_utc() {
        let at = datetime!(2026-11-25 00:30 +01:00);
        assert_eq!(period(at), "research#2026-11-24");
    }

    #[test]
    fn the_only_customer_leaves_half_for_the_next_one() {
        let spent = |calls, customers| Spent { calls, records: 0, customers };
        assert!(has_room(&spent(499, 1), &spent(499, 0), true, 100));
        assert!(!has_room(&spent(500, 1), &spent(500, 0), true, 100));
        // The next one, and the service itself.
        assert!(has_room(&spent(500, 1), &Spent::default(), true, 100));
        assert!(has_room(&spent(500, 1), &spent(49, 0), false, 100));
        assert!(!has_room(&spent(500, 1), &spent(50, 0), false, 100));
        assert!(!has_room(&spent(1_000, 1), &Spent::default(), false, 100));
    }

    proptest! {
        /// Customers ask in any order for any number of records, all of which come.
        #[test]
        fn the_day_is_never_exceeded_and_nobody_takes_it_all(
            asks in prop::collection::vec((0..6usize, 1..=100u64), 0..2_500),
        ) {
            let (mut all, mut own) = (Spent::default(), [Spent::default(); 6]);
            for (who, records) in asks {
                if !has_room(&all, &own[who], true, records) {
                    continue;
                }
                all.customers += u64::from(own[who].calls + 1 == FREELY);
                for spent in [&mut all, &mut own[who]] {
                    spent.calls += 1;
                    spent.records += records;
                }
            }
            prop_assert!(all.calls <= CALLS && all.records <= RECORDS);
            // Who comes last still gets something.
            prop_assert!(has_room(&all, &Spent::default(), true, 100));
            for spent in own {
                prop_assert!(spent.calls <= CALLS / 2 && spent.records <= RECORDS / 2);
            }
        }
    }
}
