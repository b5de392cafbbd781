//! Changing the plan of a subscription: a larger one now, with a period of its own; a smaller one from the next
//! period on.

mod released;
use std::time::Duration as Wait;

use futures_util::try_join;
use stripe_shared::SubscriptionStatus;
use time::OffsetDateTime;
use tokio::time::sleep;

use self::released::Released;
pub(super) use self::released::{is_abandoned, restore};
use super::{
    Attempt, BillingError, Stripe, SubscriptionView,
    standing::standing,
    stripe::{Bought, Invoice, PriceChange, Read},
    sync::{AtStripe, entitled, payments, sync},
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
    /// The larger one that waits for its payment.
    pending: Option<Plan>,
    /// What was to come until a change was left halfway.
    released: Option<Released>,
}

/// What is done for a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// It is to come to this already.
    Nothing,
    /// The larger plan now.
    Raise {
        /// Its price is that of a smaller plan to come; what was paid for must be there first, so that the
        /// rest of that is what is credited.
        from_smaller: bool,
    },
    /// The smaller plan from the next period on.
    Lower,
    /// The smaller plan to come is taken back, and an end too.
    Back,
    /// It ends with the period.
    End,
    /// The end, or the larger plan that waits, is taken back.
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
    if present.pending == Some(target) {
        return Ok(Step::Nothing);
    }
    if target == present.paid {
        return match present {
            Present { next: Some(_), .. } | Present { released: Some(_), .. } => Ok(Step::Back),
            Present { ends: true, .. } | Present { pending: Some(_), .. } => Ok(Step::GoOn),
            _ => Err(BillingError::SamePlan),
        };
    }
    if price(target) > price(present.paid) {
        let from_smaller = present.next.is_some() || present.released.is_some();
        return Ok(Step::Raise { from_smaller });
    }
    if present.next == Some(target) && !present.ends {
        return Ok(Step::Nothing);
    }
    Ok(Step::Lower)
}

/// Changes the account's plan to `target`, free for the end of the subscription, and answers with what the
/// subscription is at then. A declined card changes nothing. Where the bank wants the payment of a larger plan
/// confirmed, the plan waits for that, and the answer says where.
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
    let at_stripe = read(&stripe, customer).await?;
    let all = &at_stripe.subscriptions;
    let Some(present) = standing(all, &at_stripe.invoices) else { return Err(none_of(all).into()) };
    let Some(bought) = all.iter().find(|it| it.id == present.id) else {
        return Err(Error::internal("a subscription that stands is not there"));
    };
    if (bought.is_uncollected || !bought.is_monthly) && target != Plan::Free {
        return Err(BillingError::ByHand.into());
    }
    let pepper = app.secrets.get().await?.pepper.current;
    // Not with the period: a raise begins another one.
    let hash = attempt.hash(&pepper, &bought.id);
    let key = format!("change {} {hash}", target.name());
    match &bought.last_change {
        // Its answer was lost.
        Some(last) if *last == key => {}
        // It has been confirmed since.
        Some(last) if *last == once_paid(&key) && present.plan == target => {}
        // What it did was taken back. Its parts are kept at Stripe by their keys and would not be done again.
        Some(last) if last.starts_with(&format!("{key} as before")) => {
            return Err(Error::Conflict(
                "this change was tried and taken back: ask for it again with a new `Idempotency-Key`",
            ));
        }
        Some(last) if last.ends_with(&hash) && *last != once_paid(&key) => {
            return Err(InputError::IdempotencyKeyReused.into());
        }
        _ => {
            let change = Change {
                stripe: &stripe,
                account,
                customer,
                at_stripe: &at_stripe,
                bought,
                present: &present,
                key: &key,
                now,
            };
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
    let Some(subscription) = account.subscription else {
        // It has ended at this moment.
        return Err(BillingError::NotSubscribed.into());
    };
    let is_larger = target.cents_per_month() > present.plan.cents_per_month();
    let comes =
        |it: &Subscription| it.plan == target || it.pending.is_some_and(|it| it.plan == target);
    if is_larger && !comes(&subscription) {
        return Err(BillingError::NotConfirmed.into());
    }
    SubscriptionView::at(&subscription, now).ok_or(BillingError::NotSubscribed.into())
}

/// What a change depends on, without payments and credit notes.
async fn read(stripe: &Stripe, customer: &str) -> Result<AtStripe, Error> {
    let (subscriptions, invoices) =
        try_join!(stripe.subscriptions(customer), stripe.read_invoices(customer))?;
    let Read { all: invoices, unreadable } = invoices;
    Ok(AtStripe { subscriptions, invoices, unreadable, ..AtStripe::default() })
}

/// The note at the subscription of a change that waits for its payment.
fn once_paid(key: &str) -> String {
    format!("once paid: {key}")
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
    let is_by_hand = |it: &Bought| it.is_open() && it.is_uncollected;
    if all.iter().any(is_by_hand) {
        BillingError::ByHand
    } else if all.iter().any(waits) {
        BillingError::PastDue
    } else {
        BillingError::NotSubscribed
    }
}

struct Change<'a> {
    stripe: &'a Stripe,
    account: &'a Account,
    customer: &'a str,
    /// Without its payments and credit notes.
    at_stripe: &'a AtStripe,
    bought: &'a Bought,
    present: &'a Subscription,
    key: &'a str,
    now: OffsetDateTime,
}

impl Change<'_> {
    async fn to(&self, target: Plan) -> Result<(), Error> {
        let present = Present {
            paid: self.present.plan,
            next: self.present.next_plan,
            ends: self.bought.cancel_at.is_some(),
            is_past_due: self.present.past_due_since.is_some(),
            pending: self.bought.pending.map(|(plan, _)| plan),
            released: Released::of(self.bought).map(|it| it.0),
        };
        let (paid, key) = (present.paid, self.key);
        let step = step(present, target)?;
        if matches!(step, Step::Raise { .. }) {
            self.require_paid().await?;
        }
        if step != Step::Nothing {
            self.give_up_pending().await?;
        }
        match step {
            Step::Nothing => Ok(()),
            Step::End => self.end(true, key).await,
            Step::GoOn => self.end(false, key).await,
            Step::Back => self.back(paid, key).await,
            Step::Lower => self.price(target, self.later(false), key).await,
            Step::Raise { from_smaller: false } => {
                match self.price(target, PriceChange::AtOnce, key).await {
                    // The end would have to be taken back with it, which Stripe does not let wait.
                    Err(Error::Billing(BillingError::MustConfirm)) if !present.ends => {
                        self.raise_once_paid(target).await
                    }
                    raised => raised,
                }
            }
            Step::Raise { from_smaller: true } => self.raise_from_smaller(present, target).await,
        }
    }

    /// Refuses where the present period is not paid: Stripe credits its rest all the same.
    async fn require_paid(&self) -> Result<(), Error> {
        let Read { all: charges, mut unreadable } = payments(self.stripe, self.customer).await?;
        unreadable.extend_from_slice(&self.at_stripe.unreadable);
        let at_stripe = AtStripe { charges, unreadable, ..self.at_stripe.clone() };
        let standing = entitled(self.account, &at_stripe).filter(|it| it.id == self.bought.id);
        match standing.is_some_and(|it| it.is_paid_at(self.now)) {
            true => Ok(()),
            false => Err(BillingError::PeriodNotPaid.into()),
        }
    }

    /// The larger plan waits until its payment has been confirmed. The note comes first: Stripe takes none with
    /// a change that waits. Who dies in between has changed nothing.
    async fn raise_once_paid(&self, target: Plan) -> Result<(), Error> {
        let (id, note) = (&self.bought.id, once_paid(self.key));
        self.stripe.note_change(id, &note, &format!("{} noted", self.key)).await?;
        let price = self.stripe.price(target).await?.ok_or(BillingError::NotEnabled)?;
        self.stripe.change_price_once_paid(self.bought, &price, &note).await.map(drop)
    }

    /// Withdraws the invoice of the plan that waits for its payment, and the plan with it.
    async fn give_up_pending(&self) -> Result<(), Error> {
        match (self.bought.pending, &self.bought.latest_invoice) {
            (Some(_), Some(invoice)) => self.stripe.void(invoice).await,
            _ => Ok(()),
        }
    }

    /// In two steps. If the second fails, the smaller plan is to come as before.
    async fn raise_from_smaller(&self, present: Present, target: Plan) -> Result<(), Error> {
        let to_come = present.next.map(|next| Released { next, ends: present.ends });
        let before = to_come.or(present.released);
        let before = before.ok_or_else(|| Error::internal("no smaller plan was to come"))?;
        let back = before.note(self.key, self.now);
        let as_before = format!("{} as before", self.key);
        let mut first = self.back(present.paid, &back).await;
        if matches!(first, Err(Error::Unavailable { .. })) {
            // Only its answer may have been lost: the key has it told again.
            sleep(AGAIN_AFTER).await;
            first = self.back(present.paid, &back).await;
        }
        if first.is_err() {
            if self.is_at(present.paid).await? {
                self.as_before(before, &as_before).await?;
            }
            return first;
        }
        let mut raised = self.price(target, PriceChange::AtOnce, self.key).await;
        if matches!(raised, Err(Error::Unavailable { .. })) {
            // Only its answer may have been lost: the key has it told again.
            sleep(AGAIN_AFTER).await;
            raised = self.price(target, PriceChange::AtOnce, self.key).await;
        }
        if raised.is_err() && self.is_at(present.paid).await? {
            self.as_before(before, &as_before).await?;
        }
        raised
    }

    /// Whether it is `plan` that the subscription has now.
    async fn is_at(&self, plan: Plan) -> Result<bool, Error> {
        let all = self.stripe.subscriptions(self.customer).await?;
        Ok(all.iter().any(|it| it.id == self.bought.id && it.plan == Some(plan)))
    }

    /// In one call: its note no longer says what was to come, so an end that took a second one could be lost, and a
    /// customer who has cancelled charged for another period.
    async fn as_before(&self, before: Released, key: &str) -> Result<(), Error> {
        self.price(before.next, self.later(before.ends), key).await
    }

    /// From when the billing period is over, or with its end. What was paid for keeps the price that it was bought at.
    fn later(&self, ends: bool) -> PriceChange<'_> {
        let bought = self.bought;
        let until = bought.period.map_or(self.present.period.end, |it| it.end);
        let price = self.bought_at().unwrap_or_default();
        PriceChange::Later { keep: self.present.plan, until, price, ends }
    }

    /// The price of what is paid for.
    fn bought_at(&self) -> Option<&str> {
        let now = self.bought.price.as_deref();
        if self.present.next_plan.is_some() { self.bought.keep_price.as_deref() } else { now }
    }

    async fn back(&self, paid: Plan, key: &str) -> Result<(), Error> {
        let price = self.stripe.price_again(self.bought_at(), paid).await?;
        let price = price.ok_or(BillingError::NotEnabled)?;
        self.stripe.change_price(self.bought, &price, PriceChange::Back, key).await.map(drop)
    }

    async fn price(&self, plan: Plan, change: PriceChange<'_>, key: &str) -> Result<(), Error> {
        let price = self.price_of(plan).await?;
        self.stripe.change_price(self.bought, &price, change, key).await.map(drop)
    }

    /// The price that the plan has at the subscription, else its present one.
    async fn price_of(&self, plan: Plan) -> Result<String, Error> {
        let own = self.bought.price.as_deref().filter(|_| self.bought.plan == Some(plan));
        Ok(self.stripe.price_again(own, plan).await?.ok_or(BillingError::NotEnabled)?)
    }

    async fn end(&self, ends: bool, key: &str) -> Result<(), Error> {
        self.stripe.cancel_at_period_end(&self.bought.id, ends, key).await.map(drop)
    }
}

#[cfg(test)]
mod tests;
