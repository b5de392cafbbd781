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

use aws_sdk_dynamodb::types::Update;
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
    store::{Store, from_item, n, pause, s, transact, unavailable, updating},
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
    records: u64,
    is_new: bool,
    is_free: bool,
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
            let is_new = plan.is_some() && own.calls + 1 == FREELY;
            let more = More { records, is_new, is_free: plan == Some(Plan::Free) };
            let parts = [
                self.spend(EVERYBODY, &period, all, more, asker.now),
                self.spend(
                    &payer,
                    &period,
                    own,
                    More { is_new: false, is_free: false, ..more },
                    asker.now,
                ),
            ];
            let parts =
                parts.into_iter().map(updating).collect::<Result<_, _>>().map_err(failed)?;
            if transact(&self.store, parts).await.map_err(failed)?.is_none() {
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

    /// Adds a call to what `who` has spent, if that is still `before`.
    fn spend(
        &self,
        who: &str,
        period: &str,
        before: Spent,
        more: More,
        now: OffsetDateTime,
    ) -> aws_sdk_dynamodb::types::builders::UpdateBuilder {
        let expiry = inventory::QUOTAS.expiry(now, who);
        let update = Update::builder()
            .table_name(self.store.name(Table::Quotas))
            .key("account", s(who))
            .key("period", s(period))
            .update_expression(
                "SET expires_at = :at, expires_on = :on ADD calls :one, records :records, \
                 customers :new, free_calls :free",
            )
            .expression_attribute_values(":at", n(expiry.at))
            .expression_attribute_values(":on", s(expiry.on))
            .expression_attribute_values(":one", n(1))
            .expression_attribute_values(":records", n(more.records))
            .expression_attribute_values(":new", n(u8::from(more.is_new)))
            .expression_attribute_values(":free", n(u8::from(more.is_free)));
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

/// Whether one more call with `records` fits into the day and, for a customer on `plan`, into its part;
/// `None` is the service itself.
fn has_room(all: &Spent, own: &Spent, plan: Option<Plan>, records: u64) -> bool {
    if all.calls >= CALLS || all.records + records > RECORDS {
        return false;
    }
    match plan {
        None => return own.calls < SERVICE_CALLS,
        Some(_) if own.unpaid >= UNPAID => return false,
        Some(Plan::Free) => {
            return own.calls < FREE_CALLS_A_DAY
                && all.free_calls < FREE_TOGETHER
                && all.calls < CALLS - RESERVE;
        }
        Some(Plan::Basic | Plan::Pro | Plan::Business) => {}
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

    const PAID: Option<Plan> = Some(Plan::Basic);
    const FREE: Option<Plan> = Some(Plan::Free);

    fn spent(calls: u64, customers: u64) -> Spent {
        Spent { calls, customers, ..Spent::default() }
    }

    #[test]
    fn the_only_customer_leaves_half_for_the_next_one() {
        assert!(has_room(&spent(499, 1), &spent(499, 0), PAID, 100));
        assert!(!has_room(&spent(500, 1), &spent(500, 0), PAID, 100));
        // The next one, and the service itself.
        assert!(has_room(&spent(500, 1), &Spent::default(), PAID, 100));
        assert!(has_room(&spent(500, 1), &spent(49, 0), None, 100));
        assert!(!has_room(&spent(500, 1), &spent(50, 0), None, 100));
        assert!(!has_room(&spent(1_000, 1), &Spent::default(), None, 100));
    }

    #[test]
    fn an_account_on_the_free_plan_has_two_calls_of_the_fifth_that_they_share() {
        let all = |free_calls| Spent { calls: 300, free_calls, ..Spent::default() };
        assert!(has_room(&all(199), &spent(1, 0), FREE, 100));
        assert!(!has_room(&all(199), &spent(2, 0), FREE, 100));
        assert!(!has_room(&all(200), &Spent::default(), FREE, 100));
        assert!(!has_room(&Spent { free_calls: 9, ..spent(900, 2) }, &spent(0, 0), FREE, 100));
        // Those who pay have theirs whatever the others do, also of the same day.
        assert!(has_room(&all(200), &spent(2, 0), PAID, 100));
    }

    #[test]
    fn what_is_not_charged_has_a_limit_of_its_own() {
        let own = |unpaid| Spent { calls: 60, unpaid, ..Spent::default() };
        for (unpaid, may) in [(49, true), (50, false), (80, false)] {
            assert_eq!(has_room(&spent(60, 1), &own(unpaid), PAID, 1), may, "{unpaid}");
        }
    }

    proptest! {
        /// Customers on any plan ask in any order for any number of records, all of which come; some is
        /// not charged.
        #[test]
        fn the_day_is_never_exceeded_and_nobody_takes_it_all(
            asks in prop::collection::vec((0..6usize, 1..=100u64, 0..8u8), 0..2_500),
            frees in prop::collection::vec(1..=100u64, 0..400),
        ) {
            let mut all = Spent::default();
            let take = |all: &mut Spent, own: &mut Spent, plan, records| {
                if !has_room(all, own, plan, records) {
                    return false;
                }
                all.customers += u64::from(own.calls + 1 == FREELY);
                all.free_calls += u64::from(plan == FREE);
                for spent in [all, own] {
                    spent.calls += 1;
                    spent.records += records;
                }
                true
            };
            let mut own = [Spent::default(); 6];
            let mut frees = frees.into_iter();
            for (who, records, luck) in asks {
                if take(&mut all, &mut own[who], PAID, records) {
                    own[who].unpaid += u64::from(luck == 0);
                }
                // A crowd of free accounts, each of which asks three times.
                if let Some(records) = frees.next() {
                    let mut one = Spent::default();
                    let got = (0..3).filter(|_| take(&mut all, &mut one, FREE, records)).count();
                    prop_assert!(got as u64 <= FREE_CALLS_A_DAY);
                }
            }
            prop_assert!(all.calls <= CALLS && all.records <= RECORDS);
            prop_assert!(all.free_calls <= FREE_TOGETHER);
            // A paying customer who comes last still gets something.
            prop_assert!(has_room(&all, &Spent::default(), PAID, 100));
            for spent in own {
                prop_assert!(spent.calls <= CALLS / 2 && spent.records <= RECORDS / 2);
                prop_assert!(spent.unpaid <= UNPAID);
            }
        }
    }
}
