//! Quota in DynamoDB: table `quotas`, `account` / `period`. `granted` is what has been handed out,
//! in leases or one by one, less what came back unused. It never passes the limit: every write is
//! conditional on what its writer has read.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{
    epoch_ms,
    reply::{self, Seen},
};
use crate::{
    error::Error,
    ids::{AccountId, random_base62},
    inventory::{self, Table},
    plans::{Period, Plan},
    store::{Conditional, Store, conditional, from_item, n, s},
};

/// Key of the item that counts what the rolled-up log shows as paid for in `period` (its key). An item of its
/// own: it is written in transactions, which must not be in the way of the gate's item, nor that in theirs.
pub(crate) fn settled_key(period: &str) -> String {
    format!("{period}#settled")
}

/// An account's quota of one period.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quota {
    /// Requests handed out, less those that came back.
    #[serde(default)]
    pub granted: u64,
    /// Requests in leases that Redis lost. They may have been served, so they stay handed out.
    #[serde(default)]
    pub lost: u64,
    /// The live lease.
    #[serde(default)]
    pub lease: Option<String>,
    /// Size of the live lease.
    #[serde(default)]
    pub lease_size: u64,
}

/// How many requests to lease when `remaining` of the period are left: small when little is left,
/// so that a lost lease costs little, and two minutes' worth at most.
pub(super) fn lease_size(remaining: u64, plan: Plan) -> u64 {
    remaining.div_ceil(16).min(2 * plan.requests_per_minute())
}

/// What a new lease changes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) after: Quota,
    /// Size of the new lease; 0 when the period is used up.
    pub(super) size: u64,
}

/// The quota after the lease `token` has been taken. Credits what provably was not served: the rest
/// that was put aside, and a lease that was never installed (its refill was fenced off). A live
/// lease that the gate does not know any more may have been served to the end, so it is written off.
pub(super) fn step(
    before: &Quota,
    seen: &Seen,
    token: &str,
    (plan, limit): (Plan, u64),
    cost: u64,
) -> Step {
    let mut after = before.clone();
    if let Some(live) = before.lease.as_deref() {
        if live == seen.aside.0 {
            after.granted = before.granted.saturating_sub(seen.aside.1);
        } else if is_abandoned(&seen.abandoned, live) && live != seen.lease {
            after.granted = before.granted.saturating_sub(before.lease_size);
        } else if live != seen.lease {
            after.lost += before.lease_size;
        }
    }
    let remaining = limit.saturating_sub(after.granted);
    // Enough for the one who asks, if there is enough.
    let wanted = cost.min(plan.requests_per_minute());
    let size = lease_size(remaining, plan).max(if wanted <= remaining { wanted } else { 0 });
    after.granted += size;
    after.lease = (size > 0).then(|| token.to_owned());
    after.lease_size = size;
    Step { after, size }
}

/// Id of a lease that a request of `now` may take: random, and says when, because a refill that died
/// can be made up for only in its own period.
pub(super) fn new_id(now: OffsetDateTime) -> String {
    format!("{}.{}", random_base62(16), epoch_ms(now))
}

/// The time of the request that the lease `id` was made for.
pub(super) fn taken_at(id: &str) -> Option<OffsetDateTime> {
    reply::instant(id.split_once('.')?.1)
}

fn is_abandoned(tokens: &[String], lease: &str) -> bool {
    tokens.iter().any(|token| token == lease)
}

/// Ends the lease that is live in `period` if nobody can use it any more, and credits what of it was
/// not served: `rest`, if it is the lease `id`; all of it, if it is one of the `abandoned` ones, which
/// the gate never had. Returns how much that was: nothing where it has been credited already.
pub(super) async fn credit(
    store: &Store,
    account: &AccountId,
    period: &Period,
    (id, rest): (&str, u64),
    abandoned: &[String],
) -> Result<u64, Error> {
    loop {
        let before = read(store, account, period).await?;
        let unserved = match before.lease.as_deref() {
            Some(live) if live == id => rest,
            Some(live) if is_abandoned(abandoned, live) => before.lease_size,
            _ => return Ok(0),
        };
        let granted = before.granted.saturating_sub(unserved);
        let after = Quota { granted, lease: None, lease_size: 0, ..before.clone() };
        if replace(store, account, period, &before, &after).await? {
            return Ok(unserved);
        }
    }
}

/// Reads the quota of `period`; a period without requests has the empty one.
pub async fn read(store: &Store, account: &AccountId, period: &Period) -> Result<Quota, Error> {
    let key = [("account", account.to_string()), ("period", period.key())];
    Ok(store.get(Table::Quotas, key).await?.map(from_item).transpose()?.unwrap_or_default())
}

/// Replaces `before` by `after`; says no when it has changed meanwhile.
pub(super) async fn replace(
    store: &Store,
    account: &AccountId,
    period: &Period,
    before: &Quota,
    after: &Quota,
) -> Result<bool, Error> {
    let expiry = inventory::QUOTAS.expiry(period.end, account.tag());
    let request = store
        .client()
        .update_item()
        .table_name(store.name(Table::Quotas))
        .key("account", s(account.to_string()))
        .key("period", s(period.key()))
        .expression_attribute_values(":granted", n(after.granted))
        .expression_attribute_values(":lost", n(after.lost))
        .expression_attribute_values(":size", n(after.lease_size))
        .expression_attribute_values(":expires_at", n(expiry.at))
        .expression_attribute_values(":expires_on", s(expiry.on));
    let set = "SET granted = :granted, lost = :lost, lease_size = :size, expires_at = :expires_at, \
               expires_on = :expires_on";
    let request = match &after.lease {
        Some(lease) => request
            .update_expression(format!("{set}, lease = :lease"))
            .expression_attribute_values(":lease", s(lease)),
        None => request.update_expression(format!("{set} REMOVE lease")),
    };
    let granted = if before.granted == 0 {
        "(attribute_not_exists(granted) OR granted = :was)"
    } else {
        "granted = :was"
    };
    let request = request.expression_attribute_values(":was", n(before.granted));
    let request = match &before.lease {
        Some(lease) => request
            .condition_expression(format!("{granted} AND lease = :live"))
            .expression_attribute_values(":live", s(lease)),
        None => request.condition_expression(format!("{granted} AND attribute_not_exists(lease)")),
    };
    match conditional(request.send().await)? {
        Conditional::Done(_) => Ok(true),
        Conditional::Refused(_) => {
            // The SDK may have tried again after an answer was lost: then the change is ours.
            let now = read(store, account, period).await?;
            Ok(after.lease.is_some() && now.lease == after.lease)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FREE: (Plan, u64) = (Plan::Free, 50);

    fn quota(granted: u64, lease: Option<&str>, lease_size: u64) -> Quota {
        let lease = lease.map(str::to_owned);
        Quota { granted, lease, lease_size, ..Quota::default() }
    }

    fn seen(abandoned: &str, lease: &str, aside: (&str, u64)) -> Seen {
        let aside = (aside.0.to_owned(), aside.1);
        let abandoned = vec![abandoned.to_owned()];
        Seen { abandoned, lease: lease.to_owned(), aside, period_start: None }
    }

    #[test]
    fn an_id_says_when() {
        let now = time::macros::datetime!(2026-11-30 23:59:59.9 UTC);
        assert_eq!(taken_at(&new_id(now)), Some(now));
        assert_eq!(taken_at("a"), None);
    }

    #[test]
    fn what_was_put_aside_is_credited_once() {
        let before = quota(4, Some("a"), 4);
        let first = step(&before, &seen("", "a", ("a", 3)), "b", FREE, 1);
        assert_eq!((first.after.granted, first.size, first.after.lost), (1 + 4, 4, 0));
        // The refill died before it could install "b"; the note about "a" is still there.
        let second = step(&first.after, &seen("b", "a", ("a", 3)), "c", FREE, 1);
        assert_eq!((second.after.granted, second.after.lost), (1 + 4, 0));
    }

    #[test]
    fn a_lease_that_a_wipe_took_is_written_off() {
        let after = step(&quota(4, Some("a"), 4), &seen("", "", ("", 0)), "b", FREE, 1).after;
        assert_eq!((after.granted, after.lost), (4 + 3, 4));
    }

    proptest! {
        #[test]
        fn never_more_is_granted_than_the_limit(
            granted in 0u64..=50, size in 0u64..20, aside in 0u64..20,
            names in prop::array::uniform4("[ab]?"), plan in 0usize..4, cost in 0u64..120,
            limit in 0u64..=100,
        ) {
            let plan = Plan::ALL[plan];
            let lease = (!names[0].is_empty()).then_some(names[0].as_str());
            let before = quota(granted, lease, size);
            let seen = seen(&names[1], &names[2], (&names[3], aside));
            // A limit may be any share of the plan's, and less than what has been handed out.
            let step = step(&before, &seen, "new", (plan, limit), cost);
            prop_assert!(step.after.granted <= limit.max(granted));
            prop_assert!(step.size <= 2 * plan.requests_per_minute());
            prop_assert_eq!(step.after.lease.is_some(), step.size > 0);
        }

        #[test]
        fn leases_use_the_quota_up_exactly(plan in 0usize..4) {
            let plan = Plan::ALL[plan];
            let (mut left, mut leases) = (plan.requests_per_period(), 0);
            while left > 0 {
                let size = lease_size(left, plan);
                prop_assert!(size >= 1 && size <= left);
                left -= size;
                leases += 1;
            }
            prop_assert!(leases <= 250, "{} leases", leases);
        }
    }
}
