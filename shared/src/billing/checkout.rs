//! Buying a plan: the account's customer at Stripe, and the page there on which it pays.

use futures_util::try_join;
use stripe_shared::SubscriptionStatus;
use time::OffsetDateTime;

use super::{
    Attempt, BillingError, CheckoutView, Stripe,
    stripe::{Bought, CheckoutOrder, OpenCheckout, Session},
};
use crate::{
    accounts::{self, Account},
    app::App,
    dates::at,
    error::{Error, InputError},
    ids::AccountId,
    plans::Plan,
};

/// How long a checkout must still be open to be handed out again.
const WORTH_IT: time::Duration = time::Duration::minutes(30);

const TO_BE_DELETED: Error =
    Error::Conflict("the account is to be deleted: withdraw the deletion first, then buy a plan");

/// Opens a checkout for `plan`, or hands out again the one that is open for it. Any other one that is open
/// is closed: only one may be paid.
pub async fn start_checkout(
    app: &App,
    account: &Account,
    plan: Plan,
    attempt: &Attempt,
    now: OffsetDateTime,
) -> Result<CheckoutView, Error> {
    if plan == Plan::Free {
        let reason = "must be one that is paid for: `basic`, `pro` or `business`";
        return Err(InputError::field("plan", reason).into());
    }
    if account.erasure.is_some() {
        return Err(TO_BE_DELETED);
    }
    let stripe = app.stripe().await?;
    let price = stripe.price(plan).await?.ok_or(BillingError::NotEnabled)?;
    let customer = match &account.customer {
        Some(customer) => {
            may_buy(&stripe, customer).await?;
            // Who names an attempt asks for that one.
            if !attempt.is_named
                && let Some(session) = open_for(&stripe, customer, &price, now).await?
            {
                return to_be_paid(app, &stripe, account, session).await;
            }
            customer.clone()
        }
        None => make_customer(app, &stripe, account, attempt).await?,
    };
    let (id, base) = (account.id.to_string(), &app.config.service.public_url);
    let order = CheckoutOrder {
        customer: &customer,
        account: &id,
        price: &price,
        success_url: format!("{base}/billing/done"),
        cancel_url: format!("{base}/billing/cancelled"),
        is_taxed: app.config.billing.is_taxed,
    };
    let pepper = app.secrets.get().await?.pepper.current;
    // Without the plan: Stripe refuses the same key for another one.
    let key = format!("checkout {}", attempt.hash(&pepper, &id));
    let session = stripe.create_checkout(&order, &key).await?;
    close_others(&stripe, &customer, &session, attempt).await?;
    to_be_paid(app, &stripe, account, session).await
}

/// Hands `session` out, unless the deletion of the account was asked for since it was read: whoever asked closed the
/// pages that were open then, and nothing may be paid for an account that is to go.
async fn to_be_paid(
    app: &App,
    stripe: &Stripe,
    account: &Account,
    session: Session,
) -> Result<CheckoutView, Error> {
    let now = accounts::get(&app.store, &account.id).await?;
    if now.is_none_or(|it| it.erasure.is_some()) {
        stripe.expire_checkout(&session.id).await?;
        return Err(TO_BE_DELETED);
    }
    Ok(session.into())
}

/// The customer's checkout that is open for `price` for a while yet; the others are closed.
async fn open_for(
    stripe: &Stripe,
    customer: &str,
    price: &str,
    now: OffsetDateTime,
) -> Result<Option<Session>, Error> {
    let open = stripe.open_sessions(customer).await?;
    let least = (now + WORTH_IT).unix_timestamp();
    let lasts = |it: &OpenCheckout| it.session.expires_at.is_some_and(|end| end >= least);
    let fits = |it: &&OpenCheckout| {
        it.price.as_deref() == Some(price) && lasts(it) && !it.session.url.is_empty()
    };
    // Of several, all who ask at the same moment take the same one.
    let kept = open.iter().filter(fits).max_by_key(|it| (it.session.expires_at, &it.session.id));
    let Some(kept) = kept.map(|it| it.session.clone()) else { return Ok(None) };
    for other in open.iter().filter(|it| it.session.id != kept.id) {
        stripe.expire_checkout(&other.session.id).await?;
    }
    Ok(Some(kept))
}

/// Closes the customer's other checkouts. After the new one is there: then of two that are opened at the
/// same moment at most one stays open, and a repeated request finds its own still open.
async fn close_others(
    stripe: &Stripe,
    customer: &str,
    session: &Session,
    attempt: &Attempt,
) -> Result<(), Error> {
    let open = stripe.open_checkouts(customer).await?;
    // Stripe answers a key as it did the first time, whatever became of the checkout since.
    if attempt.is_named && !open.contains(&session.id) {
        return Err(Error::Conflict(
            "the checkout of this `Idempotency-Key` has ended; use a new one",
        ));
    }
    for other in open.iter().filter(|it| **it != session.id) {
        stripe.expire_checkout(other).await?;
    }
    Ok(())
}

/// Checks that the customer is still there and has no subscription that could be changed instead.
async fn may_buy(stripe: &Stripe, customer: &str) -> Result<(), Error> {
    let (found, bought) = try_join!(stripe.customer(customer), stripe.subscriptions(customer))?;
    if found.is_none() {
        // The event of it takes the customer off the account.
        return Err(Error::Unavailable {
            dependency: "Stripe",
            detail: "the customer was deleted there a moment ago".to_owned(),
        });
    }
    if bought.iter().any(is_running) {
        return Err(BillingError::AlreadySubscribed.into());
    }
    Ok(())
}

/// Whether it is changed or paid instead of bought anew. One whose first payment has not come is neither.
fn is_running(bought: &Bought) -> bool {
    bought.is_open() && bought.status != SubscriptionStatus::Incomplete
}

/// The account's customer at Stripe; of several that are made at the same moment one stays.
async fn make_customer(
    app: &App,
    stripe: &Stripe,
    account: &Account,
    attempt: &Attempt,
) -> Result<String, Error> {
    let id = account.id.to_string();
    // The version has changed if an earlier customer was deleted: the same key would answer that one. And the minute
    // has if Stripe has failed: it would answer the same key with that failure for a day. Whoever is made twice by
    // it, because only the answer was lost, is deleted by `adopt`.
    let key = format!("customer {id} {} {}", account.billing_version, attempt.at / 60);
    let (email, company) = (account.email.expose(), account.company.as_deref());
    let made = stripe.create_customer(&id, email, company, &key).await?.id;
    let stands = adopt(app, stripe, &account.id, &made, at(attempt.at)).await?;
    stands.ok_or(Error::Conflict("the account is being deleted"))
}

/// Notes `made` at the account that it was made for; the customer that the account has then, if it may have
/// one. Any other than that is deleted again: nothing can have been bought with it. If whoever made it dies
/// just before this, the event of it does the same, so that no address stays at Stripe of which nobody knows.
pub(super) async fn adopt(
    app: &App,
    stripe: &Stripe,
    account: &AccountId,
    made: &str,
    now: OffsetDateTime,
) -> Result<Option<String>, Error> {
    let stands = accounts::set_customer(&app.store, account, made, now).await?;
    if stands.as_deref() != Some(made) {
        stripe.delete_customer(made).await?;
    }
    Ok(stands)
}
