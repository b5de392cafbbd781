//! A larger plan in place of a smaller one to come takes two steps, and the first takes the smaller one back. Its note
//! at the subscription says what was to come: should the second not come, the next change goes on from there, or
//! `reconcile-billing` lets the smaller plan come again.

use super::*;

/// What was to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Released {
    /// The smaller plan.
    pub(super) next: Plan,
    /// Whether it was to end with the period.
    pub(super) ends: bool,
}

/// After how many seconds the request that has taken it back is over.
const ABANDONED_AFTER: i64 = 15 * 60;

impl Released {
    /// The note of the step, which is its key at Stripe too: of the change `key` at `now`.
    pub(super) fn note(self, key: &str, now: OffsetDateTime) -> String {
        let end = if self.ends { " to the end" } else { "" };
        format!("{key} back from {}{end} at {}", self.next.name(), now.unix_timestamp())
    }

    /// What `bought` was left without by the change of this key, begun at this instant (epoch seconds). Not if something
    /// else is to come since, or nothing smaller can.
    pub(super) fn of(bought: &Bought) -> Option<(Self, &str, i64)> {
        let (key, rest) = bought.last_change.as_deref()?.split_once(" back from ")?;
        let (plan, at) = rest.rsplit_once(" at ")?;
        let (plan, ends) = match plan.strip_suffix(" to the end") {
            Some(plan) => (plan, true),
            None => (plan, false),
        };
        let next = Plan::from_name(plan)?;
        let is_smaller = next.cents_per_month() < bought.plan?.cents_per_month();
        let is_open =
            bought.keep.is_none() && bought.cancel_at.is_none() && bought.pending.is_none();
        let found = (Self { next, ends }, key, at.parse().ok()?);
        (is_smaller && is_open).then_some(found)
    }
}

/// Whether a change has left one of `all` without the smaller plan to come.
pub(in super::super) fn is_abandoned(all: &[Bought], now: OffsetDateTime) -> bool {
    all.iter().any(|it| it.is_open() && abandoned(it, now).is_some())
}

fn abandoned(bought: &Bought, now: OffsetDateTime) -> Option<(Released, &str)> {
    let (released, key, at) = Released::of(bought)?;
    (now.unix_timestamp() - at > ABANDONED_AFTER).then_some((released, key))
}

/// Lets what such a change has taken back come again, unless the customer has changed the plan since.
pub(in super::super) async fn restore(
    stripe: &Stripe,
    account: &Account,
    customer: &str,
    now: OffsetDateTime,
) -> Result<(), Error> {
    let at_stripe = read(stripe, customer).await?;
    let Some(present) = standing(&at_stripe.subscriptions, &at_stripe.invoices) else {
        return Ok(());
    };
    let bought = at_stripe.subscriptions.iter().find(|it| it.id == present.id);
    let Some((bought, (released, key))) = bought.and_then(|it| Some((it, abandoned(it, now)?)))
    else {
        return Ok(());
    };
    // Stripe may have refused it under its own key, and says so for a day.
    let again = format!("{key} as before on {}", now.date());
    let (at_stripe, present) = (&at_stripe, &present);
    let change = Change { stripe, account, customer, at_stripe, bought, present, key, now };
    let price = change.price_of(released.next).await?;
    // The customer may have changed the plan by now, and the price of this one must not come after that. Stripe has no
    // condition to change it under, so what begins between these two calls is not seen.
    let all = stripe.subscriptions(customer).await?;
    let is_left = |it: &Bought| {
        it.id == bought.id && it.last_change == bought.last_change && Released::of(it).is_some()
    };
    if !all.iter().any(is_left) {
        return Ok(());
    }
    let later = change.later(released.ends);
    stripe.change_price(bought, &price, later, &again).await.map(drop)
}
