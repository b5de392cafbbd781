//! Every night: holds what is written down against what Stripe says, reports where they differ, and reads
//! those accounts' state back. Where events arrive, there is nothing to find.

mod differences;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, time::Instant};

use futures_util::future::join_all;
use serde::Serialize;
use time::OffsetDateTime;

pub use self::differences::{Difference, Expected, differences};
use super::{AtStripe, Stripe, record, standing::live, sync_account};
use crate::{
    accounts::{self, Account, Status},
    app::App,
    error::Error,
    ids::AccountId,
    inventory::Table,
    jobs::Report,
    retention::forget_done_to,
    store::{Item, Store, n, number, s, text, unavailable},
    telemetry::Metric,
};

/// The job, as it stands in the table `jobs`.
const JOB: &str = "reconcile-billing";

/// Parts in which the accounts are gone through: how far a run came is the number of a part, so that no
/// account's id is kept for it.
const PARTS: i32 = 64;

/// Accounts that are looked at at the same time: Stripe takes 100 requests a second.
const AT_ONCE: usize = 4;

/// Accounts that are read at once.
const PAGE: i32 = 100;

/// Accounts that a result names at most: an answer of Lambda's ends at 6 MB.
const MOST_NAMED: usize = 1000;

/// An account that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Differing {
    /// Its id.
    pub account: AccountId,
    /// In what.
    pub differences: Vec<Difference>,
    /// In what still, after its state has been read back.
    pub left: Vec<Difference>,
}

/// What one run found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Reconciled {
    /// Accounts that were looked at.
    pub accounts: u64,
    /// How many differences of each kind there were.
    pub differences: BTreeMap<Difference, u64>,
    /// How many are left after the accounts' state has been read back.
    pub left: u64,
    /// The accounts that differ, the first thousand of them.
    pub differing: Vec<Differing>,
    /// Accounts that could not be looked at or mended.
    pub failed: u64,
    /// Whether all were looked at; if not, the next run goes on.
    pub complete: bool,
}

impl Reconciled {
    /// For the job's invoker and its alarms. Only the result names accounts.
    pub fn report(&self) -> Result<Report, Error> {
        let mut metrics = vec![
            Metric::count("BillingAccounts", self.accounts),
            Metric::count("BillingDifferences", self.differences.values().sum()),
            Metric::count("BillingDifferencesLeft", self.left),
            Metric::count("BillingFailures", self.failed),
        ];
        let kinds = self.differences.iter();
        metrics.extend(kinds.map(|(kind, count)| Metric::count(kind.metric(), *count)));
        Report::new(self, metrics)
    }

    fn count(&mut self, found: Differing) {
        for difference in &found.differences {
            *self.differences.entry(*difference).or_default() += 1;
        }
        self.left += found.left.len() as u64;
        if self.differing.len() < MOST_NAMED {
            self.differing.push(found);
        }
    }
}

/// Goes through every account that has a customer at Stripe, from where the last run stopped. One that
/// fails stops no other.
pub async fn reconcile(
    app: &App,
    now: OffsetDateTime,
    deadline: Instant,
) -> Result<Reconciled, Error> {
    let mut reconciled = Reconciled::default();
    for part in reached(&app.store).await?..PARTS {
        let mut start = None;
        loop {
            let (accounts, next) = page(&app.store, part, start).await?;
            for some in accounts.chunks(AT_ONCE) {
                if Instant::now() >= deadline {
                    return Ok(reconciled);
                }
                for outcome in join_all(some.iter().map(|it| look_and_mend(app, it, now))).await {
                    reconciled.accounts += 1;
                    match outcome {
                        Ok(found) => found.into_iter().for_each(|it| reconciled.count(it)),
                        Err(error) => {
                            tracing::error!(error = %error, "an account could not be reconciled");
                            reconciled.failed += 1;
                        }
                    }
                }
            }
            start = next;
            if start.is_none() {
                break;
            }
        }
        set_reached(&app.store, part + 1).await?;
    }
    forget_done_to(&app.store, JOB).await?;
    reconciled.complete = true;
    Ok(reconciled)
}

/// In what the account differs, if it does, and in what still after its state has been read back.
async fn look_and_mend(
    app: &App,
    account: &AccountId,
    now: OffsetDateTime,
) -> Result<Option<Differing>, Error> {
    let stripe = app.stripe().await?;
    let Some((first, _)) = look(app, &stripe, account, now).await? else { return Ok(None) };
    if first.is_empty() {
        return Ok(None);
    }
    // What was being written down at that moment is written now.
    let Some((mut found, customer)) = look(app, &stripe, account, now).await? else {
        return Ok(None);
    };
    found.retain(|it| first.contains(it));
    if found.is_empty() {
        return Ok(None);
    }
    sync_account(app, account, &customer, now).await?;
    let left = look(app, &stripe, account, now).await?.map(|(left, _)| left).unwrap_or_default();
    Ok(Some(Differing { account: account.clone(), differences: found, left }))
}

/// In what the account differs from its customer; `None`: it has none (any more), or is being erased.
async fn look(
    app: &App,
    stripe: &Stripe,
    account: &AccountId,
    now: OffsetDateTime,
) -> Result<Option<(Vec<Difference>, String)>, Error> {
    let known = accounts::get(&app.store, account).await?;
    let Some(account) = known.filter(|it| it.status != Status::Erasing) else { return Ok(None) };
    let Some(customer) = account.customer.clone() else { return Ok(None) };
    let expected = expected(stripe, &account, &customer, now).await?;
    let mut records = record::of_account(&app.store, &account.id).await?;
    keep_lasting(&mut records, now)?;
    Ok(Some((differences(&account, &records, &expected), customer)))
}

async fn expected(
    stripe: &Stripe,
    account: &Account,
    customer: &str,
    now: OffsetDateTime,
) -> Result<Expected, Error> {
    if stripe.customer(customer).await?.is_none() {
        return Ok(Expected::default());
    }
    let at_stripe = AtStripe::read(stripe, customer).await?;
    let mut records = at_stripe.records(&account.id);
    keep_lasting(&mut records, now)?;
    Ok(Expected {
        has_customer: true,
        standing: at_stripe.standing(),
        live: live(&at_stripe.subscriptions),
        is_uncollected: at_stripe.subscriptions.iter().any(|it| it.is_uncollected && it.is_open()),
        records,
    })
}

/// Leaves out what has come to its end here: Stripe tells of it for longer.
fn keep_lasting(records: &mut Vec<record::Record>, now: OffsetDateTime) -> Result<(), Error> {
    let all = std::mem::take(records);
    for record in all {
        if record.item(now)?.is_some() {
            records.push(record);
        }
    }
    Ok(())
}

/// A page of the accounts with a customer, and where the next one starts.
async fn page(
    store: &Store,
    part: i32,
    start: Option<Item>,
) -> Result<(Vec<AccountId>, Option<Item>), Error> {
    let answer = store
        .client()
        .scan()
        .table_name(store.name(Table::Accounts))
        .segment(part)
        .total_segments(PARTS)
        .filter_expression("attribute_exists(customer)")
        .projection_expression("id")
        .limit(PAGE)
        .set_exclusive_start_key(start)
        .send()
        .await
        .map_err(unavailable)?;
    let items = answer.items.unwrap_or_default();
    let ids = items.iter().filter_map(|it| text(it, "id")?.parse().ok()).collect();
    Ok((ids, answer.last_evaluated_key))
}

/// The part that the last run did not come through.
async fn reached(store: &Store) -> Result<i32, Error> {
    let item = store.get(Table::Jobs, [("name", JOB.to_owned())]).await?;
    let part = item.and_then(|it| number(&it, "done_to")).and_then(|it| i32::try_from(it).ok());
    Ok(part.filter(|it| (0..PARTS).contains(it)).unwrap_or(0))
}

async fn set_reached(store: &Store, part: i32) -> Result<(), Error> {
    let put = store.client().put_item().table_name(store.name(Table::Jobs));
    put.item("name", s(JOB)).item("done_to", n(part)).send().await.map(drop).map_err(unavailable)
}
