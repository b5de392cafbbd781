//! Changing the plan of a subscription: a larger one now, a smaller one from the next period on.

use std::time::Duration as Wait;

use stripe_shared::SubscriptionStatus;
use time::OffsetDateTime;
use tokio::time::sleep;

use super::{
    Attempt, BillingError, Stripe, SubscriptionView,
    standing::standing,
    stripe::{Bought, Invoice, PriceChange},
    sync,
};
use crate::{
    accounts::{self, Account, Subscription},
    app::App,
    error::{Error, InputError},
    plans::Plan,
};

/// After what time a change is sent again of which no answer has come.
const AGAIN_AFTER: Wait = Wait::from_millis(500);

/// What a subscription is at, as far as a change depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Present {
    /// The plan that is paid for.
    paid: Plan,
    /// The smaller one from the next period on.
    next: Option<Plan>,
    /// Whether it ends with the period.
    ends: bool,
    /// Whether a payment is overdue.
    is_past_due: bool,
}

/// What is done for a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// It is to come to this already.
    Nothing,
    /// The larger plan now.
    Raise {
        /// Its price is that of a smaller plan to come; what was paid for must be there first, so that the
        /// difference to that is what is charged.
        from_smaller: bool,
    },
    /// The smaller plan from the next period on.
    Lower,
    /// The smaller plan to come is taken back, and an end too.
    Back,
    /// It ends with the period.
    End,
    /// The end is taken back.
    GoOn,
}

/// What is to be done for `target`.
fn step(present: Present, target: Plan) -> Result<Step, BillingError> {
    let price = Plan::cents_per_month;
    // Whoever wants to leave may, whatever they owe.
    if target == Plan::Free {
        return Ok(if present.ends { Step::Nothing } else { Step::End });
    }
    if present.is_past_due {
        return Err(BillingError::PastDue);
    }
    if target == present.paid {
        return match present {
            Present { next: Some(_), .. } => Ok(Step::Back),
            Present { ends: true, .. } => Ok(Step::GoOn),
            _ => Err(BillingError::SamePlan),
        };
    }
    if price(target) > price(present.paid) {
        return Ok(Step::Raise { from_smaller: present.next.is_some() });
    }
    if present.next == Some(target) && !present.ends {
        return Ok(Step::Nothing);
    }
    Ok(Step::Lower)
}

/// Changes the account's plan to `target`, free for the end of the subscription, and answers with what the
/// subscription is at then. A declined card changes nothing.
pub async fn change_plan(
    app: &App,
    account: &Account,
    target: Plan,
    attempt: &Attempt,
    now: OffsetDateTime,
) -> Result<SubscriptionView, Error> {
    if account.erasure.is_some() && target != Plan::Free {
        return Err(Error::Conflict(
            "the account is to be deleted: withdraw the deletion first, then change the plan",
        ));
    }
    let stripe = app.stripe().await?;
    let customer = account.customer.as_deref().ok_or(BillingError::NotSubscribed)?;
    // Not from our copy, which may not have heard of the latest.
    let all = stripe.subscriptions(customer).await?;
    let Some(present) = standing(&all, &[]) else { return Err(none_of(&all).into()) };
    let Some(bought) = all.iter().find(|it| it.id == present.id) else {
        return Err(Error::internal("a subscription that stands is not there"));
    };
    let pepper = app.secrets.get().await?.pepper.current;
    let hash = attempt.hash(&pepper, &format!("{} {}", bought.id, present.period.start));
    let key = format!("change {} {hash}", target.name());
    match &bought.last_change {
        // Its answer was lost.
        Some(last) if *last == key => {}
        Some(last) if last.ends_with(&hash) => return Err(InputError::IdempotencyKeyReused.into()),
        _ => {
            let change = Change { stripe: &stripe, customer, bought, present: &present, key: &key };
            let done = change.to(target).await;
            if done.is_err()
                && let Err(error) = sync(app, customer, now).await
            {
                // What was taken back may have been heard of before; the events of it come anyway.
                tracing::warn!(error = %error, "a change that failed is not written down yet");
            }
            if let Err(error) = done {
                return Err(too_many(&stripe, &bought.id, customer, now, error).await);
            }
        }
    }
    sync(app, customer, now).await?;
    let account =
        accounts::get(&app.store, &account.id).await?.ok_or(Error::NotFound("account"))?;
    let stands = account.subscription.and_then(|it| SubscriptionView::at(&it, now));
    // It has ended at this moment.
    stands.ok_or(BillingError::NotSubscribed.into())
}

/// Invoices that Stripe makes of one subscription in a day (docs.stripe.com/rate-limits).
const INVOICES_A_DAY: usize = 20;

/// Why a change was not made: where Stripe has no room for another invoice today, trying again in a few seconds
/// does not help.
async fn too_many(
    stripe: &Stripe,
    subscription: &str,
    customer: &str,
    now: OffsetDateTime,
    error: Error,
) -> Error {
    if !matches!(error, Error::Unavailable { dependency: "Stripe", .. }) {
        return error;
    }
    let since = now.unix_timestamp() - 24 * 60 * 60;
    let of_it =
        |it: &Invoice| it.subscription.as_deref() == Some(subscription) && it.created > since;
    match stripe.invoices(customer).await {
        Ok(all) if all.iter().filter(|it| of_it(it)).count() >= INVOICES_A_DAY => {
            BillingError::TooManyChanges.into()
        }
        _ => error,
    }
}

/// Why nothing can be changed where nothing stands.
fn none_of(all: &[Bought]) -> BillingError {
    let waits =
        |it: &Bought| matches!(it.status, SubscriptionStatus::Unpaid | SubscriptionStatus::Paused);
    if all.iter().any(waits) { BillingError::PastDue } else { BillingError::NotSubscribed }
}

struct Change<'a> {
    stripe: &'a Stripe,
    customer: &'a str,
    bought: &'a Bought,
    present: &'a Subscription,
    key: &'a str,
}

impl Change<'_> {
    async fn to(&self, target: Plan) -> Result<(), Error> {
        let present = Present {
            paid: self.present.plan,
            next: self.present.next_plan,
            ends: self.bought.cancel_at.is_some(),
            is_past_due: self.present.past_due_since.is_some(),
        };
        let (paid, key) = (present.paid, self.key);
        match step(present, target)? {
            Step::Nothing => Ok(()),
            Step::End => self.end(true, key).await,
            Step::GoOn => self.end(false, key).await,
            Step::Back => self.price(paid, PriceChange::Back, key).await,
            Step::Lower => self.price(target, self.later(), key).await,
            Step::Raise { from_smaller: false } => {
                self.price(target, PriceChange::AtOnce, key).await
            }
            Step::Raise { from_smaller: true } => self.raise_from_smaller(present, target).await,
        }
    }

    /// In two steps. If the second fails, the smaller plan is to come as before.
    async fn raise_from_smaller(&self, present: Present, target: Plan) -> Result<(), Error> {
        self.price(present.paid, PriceChange::Back, &format!("{} back", self.key)).await?;
        let mut raised = self.price(target, PriceChange::AtOnce, self.key).await;
        if matches!(raised, Err(Error::Unavailable { .. })) {
            // Only its answer may have been lost: the key has it told again.
            sleep(AGAIN_AFTER).await;
            raised = self.price(target, PriceChange::AtOnce, self.key).await;
        }
        if raised.is_err() && self.is_at(present.paid).await? {
            self.as_before(present).await?;
        }
        raised
    }

    /// Whether it is `plan` that the subscription has now.
    async fn is_at(&self, plan: Plan) -> Result<bool, Error> {
        let all = self.stripe.subscriptions(self.customer).await?;
        Ok(all.iter().any(|it| it.id == self.bought.id && it.plan == Some(plan)))
    }

    async fn as_before(&self, present: Present) -> Result<(), Error> {
        let key = format!("{} as before", self.key);
        if let Some(next) = present.next {
            self.price(next, self.later(), &key).await?;
        }
        if present.ends {
            self.end(true, &format!("{key} to the end")).await?;
        }
        Ok(())
    }

    fn later(&self) -> PriceChange {
        PriceChange::Later { keep: self.present.plan, until: self.present.period.end }
    }

    async fn price(&self, plan: Plan, change: PriceChange, key: &str) -> Result<(), Error> {
        let price = self.stripe.price(plan).await?.ok_or(BillingError::NotEnabled)?;
        self.stripe.change_price(self.bought, &price, change, key).await.map(drop)
    }

    async fn end(&self, ends: bool, key: &str) -> Result<(), Error> {
        self.stripe.cancel_at_period_end(&self.bought.id, ends, key).await.map(drop)
    }
}

#[cfg(test)]
mod tests;
