//! Once a day: holds what is written down against what Stripe says, reports where they differ, and reads
//! those accounts' state back. Where events arrive, there is nothing to find. It runs every hour until it has come
//! through, so that it comes through however many accounts there are.

mod differences;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, time::Instant};

use futures_util::future::join_all;
use serde::Serialize;
use time::OffsetDateTime;

pub use self::differences::{Difference, Expected, differences};
use super::{AtStripe, Stripe, change, record, standing::live, sync::sync_untold, sync_account};
use crate::{
    accounts::{self, Account, Status},
    app::App,
    error::Error,
    ids::AccountId,
    inventory::Table,
    jobs::Report,
    privacy::{is_closed, last_restore},
    store::{Item, Store, n, number, s, text, unavailable},
    telemetry::Metric,
};

/// The job, as it stands in the table `jobs`.
pub(crate) const JOB: &str = "reconcile-billing";

/// Parts in which the accounts are gone through: how far a run came is the number of a part and a count in it, so
/// that no account's id is kept for it.
const PARTS: i32 = 64;

/// Accounts that are looked at at the same time. Stripe takes 25 calls of each operation in a second; with half a
/// second for an account this makes eight, and leaves room for events and customers.
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
    /// Seconds since all were looked at the last time.
    pub pass_age: u64,
}

impl Reconciled {
    /// For the job's invoker and its alarms. Only the result names accounts.
    pub fn report(&self) -> Result<Report, Error> {
        let mut metrics = vec![
            Metric::count("BillingAccounts", self.accounts),
            Metric::count("BillingDifferences", self.differences.values().sum()),
            Metric::count("BillingDifferencesLeft", self.left),
            Metric::count("BillingFailures", self.failed),
            Metric::count("BillingIncomplete", u64::from(!self.complete)),
            Metric::seconds("BillingPassAge", self.pass_age),
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

/// Goes through every account that has a customer at Stripe, once a day (UTC): from where the last run stopped, or
/// from the beginning where a new day has begun. One that fails stops no other.
///
/// While a backup is being restored it looks at nothing: the accounts are not what they were. The replay lets a new pass
/// begin before it opens the service.
pub async fn reconcile(
    app: &App,
    now: OffsetDateTime,
    deadline: Instant,
) -> Result<Reconciled, Error> {
    let mut reconciled = Reconciled::default();
    let mut pass = Pass::load(&app.store).await?;
    if is_closed(&app.store).await? {
        reconciled.pass_age = pass.age(now);
        return Ok(reconciled);
    }
    let restored = last_restore(&app.store).await?;
    if restored.is_some_and(|it| pass.is_before(it.opened_at())) {
        // A run that had begun before the closing has noted it after the opening: of other tables.
        pass = Pass { began_at: Some(now.unix_timestamp()), ..Pass::default() };
        pass.save(&app.store).await?;
    }
    if !pass.is_under_way() {
        if pass.completed_on(now) {
            reconciled.complete = true;
            reconciled.pass_age = pass.age(now);
            return Ok(reconciled);
        }
        pass.began_at = Some(now.unix_timestamp());
        pass.save(&app.store).await?;
    }
    // What differs soon after a restore is as a rule what the backup has undone.
    let is_restored = restored.is_some_and(|it| it.is_recent(now));
    if !go_on(app, (&mut pass, is_restored), &mut reconciled, now, deadline).await? {
        reconciled.pass_age = pass.age(now);
        return Ok(reconciled);
    }
    pass = Pass { completed_at: Some(now.unix_timestamp()), ..Pass::default() };
    pass.save(&app.store).await?;
    reconciled.complete = true;
    reconciled.pass_age = pass.age(now);
    Ok(reconciled)
}

/// Whether what differs from Stripe at `now` may well be what a restore has undone: while the service is closed, and from
/// its opening on until all accounts were looked at.
pub(super) async fn is_reading_back(store: &Store, now: OffsetDateTime) -> Result<bool, Error> {
    if is_closed(store).await? {
        return Ok(true);
    }
    let Some(restored) = last_restore(store).await?.filter(|it| it.is_recent(now)) else {
        return Ok(false);
    };
    let completed_at = Pass::load(store).await?.completed_at;
    Ok(completed_at.is_none_or(|at| at < restored.opened_at()))
}

/// Reads the state of the account's customer back; a change of plan that a restore may have undone is not told again.
async fn read_back(
    app: &App,
    (account, customer): (&AccountId, &str),
    is_restored: bool,
    now: OffsetDateTime,
) -> Result<(), Error> {
    match is_restored {
        true => sync_untold(app, account, customer, now).await.map(drop),
        false => sync_account(app, account, customer, now).await.map(drop),
    }
}

/// Goes on with `pass`; whether it came to its end.
async fn go_on(
    app: &App,
    (pass, is_restored): (&mut Pass, bool),
    reconciled: &mut Reconciled,
    now: OffsetDateTime,
    deadline: Instant,
) -> Result<bool, Error> {
    while pass.part < PARTS {
        let (mut start, mut passed) = (None, 0);
        loop {
            let (accounts, next) = page(&app.store, pass.part, start).await?;
            // What an earlier run has looked at is read again, and no more: the order stays the same.
            let known = pass.offset.saturating_sub(passed).min(accounts.len());
            passed += accounts.len();
            for some in accounts[known..].chunks(AT_ONCE) {
                if Instant::now() >= deadline {
                    pass.save(&app.store).await?;
                    return Ok(false);
                }
                let work = some.iter().map(|it| look_and_mend(app, it, is_restored, now));
                for outcome in join_all(work).await {
                    reconciled.accounts += 1;
                    match outcome {
                        Ok(found) => found.into_iter().for_each(|it| reconciled.count(it)),
                        Err(error) => {
                            tracing::error!(error = %error, "an account could not be reconciled");
                            reconciled.failed += 1;
                        }
                    }
                }
                pass.offset += some.len();
            }
            if known < accounts.len() {
                // A run that is killed loses one page.
                pass.save(&app.store).await?;
            }
            start = next;
            if start.is_none() {
                break;
            }
        }
        (pass.part, pass.offset) = (pass.part + 1, 0);
        pass.save(&app.store).await?;
    }
    Ok(true)
}

/// In what the account differs, if it does, and in what still after its state has been read back.
async fn look_and_mend(
    app: &App,
    account: &AccountId,
    is_restored: bool,
    now: OffsetDateTime,
) -> Result<Option<Differing>, Error> {
    let stripe = app.stripe().await?;
    let Some(mut first) = look(app, &stripe, account, now).await? else { return Ok(None) };
    if first.is_abandoned {
        // A smaller plan to come was taken back, and nothing else would bring it back.
        if let Some(known) = accounts::get(&app.store, account).await? {
            change::restore(&stripe, &known, &first.customer, now).await?;
        }
        read_back(app, (account, &first.customer), is_restored, now).await?;
        let Some(again) = look(app, &stripe, account, now).await? else { return Ok(None) };
        first = again;
    }
    if first.differences.is_empty() {
        return Ok(None);
    }
    // What was being written down at that moment is written now.
    let Some(Looked { differences: mut found, customer, .. }) =
        look(app, &stripe, account, now).await?
    else {
        return Ok(None);
    };
    found.retain(|it| first.differences.contains(it));
    if found.is_empty() {
        return Ok(None);
    }
    read_back(app, (account, &customer), is_restored, now).await?;
    let left = look(app, &stripe, account, now).await?.map(|it| it.differences);
    let left = left.unwrap_or_default();
    Ok(Some(Differing { account: account.clone(), differences: found, left }))
}

/// What there is to see of an account.
struct Looked {
    /// In what it differs from its customer at Stripe.
    differences: Vec<Difference>,
    customer: String,
    /// Whether a change of plan was left halfway.
    is_abandoned: bool,
}

/// Looks at an account and its customer; `None`: it has none (any more), or is being erased.
async fn look(
    app: &App,
    stripe: &Stripe,
    account: &AccountId,
    now: OffsetDateTime,
) -> Result<Option<Looked>, Error> {
    let known = accounts::get(&app.store, account).await?;
    let Some(account) = known.filter(|it| it.status != Status::Erasing) else { return Ok(None) };
    let Some(customer) = account.customer.clone() else { return Ok(None) };
    let (expected, is_abandoned) = expected(stripe, &account, &customer, now).await?;
    let mut records = record::of_account(&app.store, &account.id).await?;
    keep_lasting(&mut records, now)?;
    let differences = differences(&account, &records, &expected);
    Ok(Some(Looked { differences, customer, is_abandoned }))
}

async fn expected(
    stripe: &Stripe,
    account: &Account,
    customer: &str,
    now: OffsetDateTime,
) -> Result<(Expected, bool), Error> {
    if stripe.customer(customer).await?.is_none() {
        return Ok((Expected::default(), false));
    }
    let at_stripe = AtStripe::read(stripe, customer).await?;
    let mut records = at_stripe.records(&account.id);
    keep_lasting(&mut records, now)?;
    let is_abandoned = change::is_abandoned(&at_stripe.subscriptions, now);
    let expected = Expected {
        has_customer: true,
        standing: at_stripe.standing(),
        live: live(&at_stripe.subscriptions),
        is_uncollected: at_stripe.subscriptions.iter().any(|it| it.is_uncollected && it.is_open()),
        records,
        unreadable: at_stripe.unreadable,
    };
    Ok((expected, is_abandoned))
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

/// How far the day's pass has come. It names no account: the parts are numbered, and the accounts of one counted.
#[derive(Clone, Copy, Debug, Default)]
struct Pass {
    /// The part that it is at.
    part: i32,
    /// Accounts of that part that were looked at.
    offset: usize,
    /// When it began (epoch seconds), while it is under way.
    began_at: Option<i64>,
    /// When the last one was complete.
    completed_at: Option<i64>,
}

impl Pass {
    fn is_under_way(&self) -> bool {
        self.began_at.is_some() || self.part > 0 || self.offset > 0
    }

    /// Whether it, or the last one, began before `at` (epoch seconds).
    fn is_before(&self, at: i64) -> bool {
        self.began_at.or(self.completed_at).is_some_and(|it| it < at)
    }

    /// Whether one was complete on the day of `now`.
    fn completed_on(&self, now: OffsetDateTime) -> bool {
        let at = self.completed_at.and_then(|at| OffsetDateTime::from_unix_timestamp(at).ok());
        at.is_some_and(|at| at.date() == now.date())
    }

    /// Seconds since the last one was complete, or where none ever was, since the first began.
    fn age(&self, now: OffsetDateTime) -> u64 {
        let since = self.completed_at.or(self.began_at);
        since.map_or(0, |at| (now.unix_timestamp() - at).max(0).unsigned_abs())
    }

    async fn load(store: &Store) -> Result<Self, Error> {
        let Some(item) = store.get(Table::Jobs, [("name", JOB.to_owned())]).await? else {
            return Ok(Self::default());
        };
        let part = number(&item, "done_to").and_then(|it| i32::try_from(it).ok());
        let offset = number(&item, "offset").and_then(|it| usize::try_from(it).ok());
        Ok(Self {
            part: part.filter(|it| (0..PARTS).contains(it)).unwrap_or(0),
            offset: offset.unwrap_or(0),
            began_at: number(&item, "began_at"),
            completed_at: number(&item, "completed_at"),
        })
    }

    async fn save(&self, store: &Store) -> Result<(), Error> {
        let mut put = store
            .client()
            .put_item()
            .table_name(store.name(Table::Jobs))
            .item("name", s(JOB))
            .item("done_to", n(self.part))
            .item("offset", n(self.offset));
        let times = [("began_at", self.began_at), ("completed_at", self.completed_at)];
        for (name, at) in times.into_iter().filter_map(|(name, at)| Some((name, at?))) {
            put = put.item(name, n(at));
        }
        put.send().await.map(drop).map_err(unavailable)
    }
}
