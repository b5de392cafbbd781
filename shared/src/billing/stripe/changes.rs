//! What we have Stripe do. Each call takes the idempotency key that makes it happen once: derived from what
//! it is for, so that whoever comes again after a crash comes with the same one.

use std::collections::HashMap;

use futures_util::TryStreamExt;
use stripe::{ApiErrorsType, IdempotencyKey, RequestStrategy, StripeError, StripeRequest};
use stripe_billing::{
    billing_portal_session::CreateBillingPortalSession,
    invoice::VoidInvoiceInvoice,
    subscription::{
        CancelSubscription, UpdateSubscription, UpdateSubscriptionBillingCycleAnchor,
        UpdateSubscriptionBillingCycleAnchorType, UpdateSubscriptionItems,
        UpdateSubscriptionPaymentBehavior, UpdateSubscriptionProrationBehavior,
    },
};
use stripe_checkout::checkout_session::{
    CreateCheckoutSession, CreateCheckoutSessionLineItems, CreateCheckoutSessionSubscriptionData,
    CreateCheckoutSessionSubscriptionDataBillingMode,
    CreateCheckoutSessionSubscriptionDataBillingModeType, ExpireCheckoutSession,
    ListCheckoutSession,
};
use stripe_core::{
    customer::{CreateCustomer, DeleteCustomer, UpdateCustomer},
    refund::CreateRefund,
};
use stripe_product::{
    price::{
        CreatePrice, CreatePriceRecurring, CreatePriceRecurringInterval, ListPrice, RetrievePrice,
    },
    product::CreateProduct,
};
use stripe_shared::{CheckoutSessionMode, CheckoutSessionStatus};
use stripe_types::Currency;

use super::{
    Bought, Customer, Refund, Stripe, all, failed, missing,
    objects::{ACCOUNT, KEEP_PLAN, KEEP_PRICE, KEEP_UNTIL, LAST_CHANGE, PRICE},
};
use crate::{
    error::{Error, InputError},
    plans::{CURRENCY, Plan},
};

/// What a customer is sent to the checkout with.
#[derive(Clone, Debug)]
pub struct CheckoutOrder<'a> {
    /// `cus_…`
    pub customer: &'a str,
    /// Whose it is.
    pub account: &'a str,
    /// `price_…`
    pub price: &'a str,
    /// Where Stripe sends the browser once it is paid.
    pub success_url: String,
    /// And where if it is not.
    pub cancel_url: String,
}

/// A checkout that can still be paid.
#[derive(Clone, Debug)]
pub struct OpenCheckout {
    /// Its page.
    pub session: Session,
    /// The price that it was opened for.
    pub price: Option<String>,
}

/// A page of Stripe's that a customer is sent to.
#[derive(Clone, Debug)]
pub struct Session {
    /// `cs_…`, `bps_…`
    pub id: String,
    /// Its address.
    pub url: String,
    /// When it ends (epoch seconds), if it does.
    pub expires_at: Option<i64>,
}

/// How a subscription's price changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PriceChange<'a> {
    /// Now: a new period begins and is paid at once, less the rest of the old one; or nothing changes.
    AtOnce,
    /// From the next period on; until then the plan that is paid for goes on.
    Later {
        /// The plan that is paid for.
        keep: Plan,
        /// Until when (epoch seconds).
        until: i64,
        /// At what price it was bought.
        price: &'a str,
    },
    /// As it was before a change for later.
    Back,
}

/// Sends a change once under `key`.
macro_rules! once {
    ($stripe:expr, $request:expr, $key:expr) => {
        $request.customize().request_strategy(strategy($key)?).send(&$stripe.client).await
    };
}

impl Stripe {
    /// Makes the customer of an account; the same one however often with the same key.
    pub async fn create_customer(
        &self,
        account: &str,
        email: &str,
        company: Option<&str>,
        key: &str,
    ) -> Result<Customer, Error> {
        let request =
            CreateCustomer::new().email(email).metadata(only(ACCOUNT, account.to_owned()));
        let request = match company {
            Some(company) => request.name(company),
            None => request,
        };
        once!(self, request, key).map(Into::into).map_err(failed)
    }

    /// Tells Stripe the address that invoices go to.
    pub async fn update_customer(&self, id: &str, email: &str, key: &str) -> Result<(), Error> {
        once!(self, UpdateCustomer::new(id).email(email), key).map(drop).map_err(failed)
    }

    /// Deletes the customer with cards and address; its subscriptions end. One that is gone is fine.
    pub async fn delete_customer(&self, id: &str) -> Result<(), Error> {
        missing(once!(self, DeleteCustomer::new(id), &format!("delete {id}"))).map(drop)
    }

    /// The price of `plan`; `None` for the free one and where it has not been made (see
    /// [`Stripe::prepare`]).
    pub async fn price(&self, plan: Plan) -> Result<Option<String>, Error> {
        let Some(key) = plan.price_key() else { return Ok(None) };
        let list = ListPrice::new().lookup_keys([key]).active(true);
        let found = list.send(&self.client).await.map_err(failed)?.data.into_iter().next();
        let fits = |it: &stripe_shared::Price| it.unit_amount == Some(plan.cents_per_month());
        match found {
            Some(price) if fits(&price) => Ok(Some(price.id.to_string())),
            // Whoever changed it by hand would charge another amount than the one that is shown.
            Some(_) => Err(Error::internal("a price at Stripe is not the plan's")),
            None => Ok(None),
        }
    }

    /// The price `known` of `plan` if it is still sold, else the present one.
    pub async fn price_again(
        &self,
        known: Option<&str>,
        plan: Plan,
    ) -> Result<Option<String>, Error> {
        if let Some(id) = known {
            let found = missing(RetrievePrice::new(id).send(&self.client).await)?;
            if found.is_some_and(|it| it.active) {
                return Ok(Some(id.to_owned()));
            }
        }
        self.price(plan).await
    }

    /// Makes the product and the price of each plan that Stripe does not have yet; the number made.
    pub async fn prepare(&self) -> Result<usize, Error> {
        let mut made = 0;
        for plan in Plan::ALL {
            let (Some(product), Some(lookup)) = (plan.product(), plan.price_key()) else {
                continue;
            };
            if self.price(plan).await?.is_some() {
                continue;
            }
            let name = format!("TikTok Video Intelligence API, {}", plan.name());
            let request = CreateProduct::new(name).id(&product);
            match once!(self, request, &format!("product {product}")) {
                Ok(_) => {}
                // It is there from an earlier price.
                Err(StripeError::Stripe(error, 400))
                    if error.code == Some(stripe::ApiErrorsCode::ResourceAlreadyExists) => {}
                Err(error) => return Err(failed(error)),
            }
            let monthly = CreatePriceRecurring::new(CreatePriceRecurringInterval::Month);
            let request = CreatePrice::new(currency())
                .product(&product)
                .unit_amount(plan.cents_per_month())
                .recurring(monthly)
                .lookup_key(&lookup);
            once!(self, request, &format!("price {lookup}")).map_err(failed)?;
            made += 1;
        }
        Ok(made)
    }

    /// Opens a checkout. A key that was used for another order is `InputError::IdempotencyKeyReused`.
    pub async fn create_checkout(
        &self,
        order: &CheckoutOrder<'_>,
        key: &str,
    ) -> Result<Session, Error> {
        let mut line = CreateCheckoutSessionLineItems::new();
        line.price = Some(order.price.to_owned());
        line.quantity = Some(1);
        let mut subscription = CreateCheckoutSessionSubscriptionData::new();
        subscription.metadata = Some(only(ACCOUNT, order.account.to_owned()));
        // In the other mode, the default since version 2025-09-30, an end that was set in the portal is not
        // taken back by `cancel_at_period_end` (docs.stripe.com/billing/subscriptions/billing-mode).
        subscription.billing_mode = Some(CreateCheckoutSessionSubscriptionDataBillingMode::new(
            CreateCheckoutSessionSubscriptionDataBillingModeType::Classic,
        ));
        let request = CreateCheckoutSession::new()
            .mode(CheckoutSessionMode::Subscription)
            .customer(order.customer)
            .client_reference_id(order.account)
            .line_items([line])
            // The lines are not among what a list shows.
            .metadata(only(PRICE, order.price.to_owned()))
            .subscription_data(subscription)
            .success_url(&order.success_url)
            .cancel_url(&order.cancel_url);
        session(once!(self, request, key).map_err(reused)?)
    }

    /// Ids of the customer's checkouts that are still open.
    pub async fn open_checkouts(&self, customer: &str) -> Result<Vec<String>, Error> {
        Ok(self.open_sessions(customer).await?.into_iter().map(|it| it.session.id).collect())
    }

    /// The customer's checkouts that are still open.
    pub async fn open_sessions(&self, customer: &str) -> Result<Vec<OpenCheckout>, Error> {
        let list =
            ListCheckoutSession::new().customer(customer).status(CheckoutSessionStatus::Open);
        let open = all!(self, list.limit(100))?.into_iter().map(|it| {
            let price = it.metadata.as_ref().and_then(|it| it.get(PRICE)).cloned();
            let (id, url) = (it.id.to_string(), it.url.unwrap_or_default());
            OpenCheckout { session: Session { id, url, expires_at: Some(it.expires_at) }, price }
        });
        Ok(open.collect())
    }

    /// Closes a checkout. One that is being paid at this moment, or has ended, stays as it is.
    pub async fn expire_checkout(&self, session: &str) -> Result<(), Error> {
        match once!(self, ExpireCheckoutSession::new(session), &format!("expire {session}")) {
            Ok(_) | Err(StripeError::Stripe(_, 400)) => Ok(()),
            Err(error) => Err(failed(error)),
        }
    }

    /// Closes every checkout of the customer that is still open.
    pub async fn expire_checkouts(&self, customer: &str) -> Result<(), Error> {
        for open in self.open_checkouts(customer).await? {
            self.expire_checkout(&open).await?;
        }
        Ok(())
    }

    /// Opens Stripe's own page for cards, invoices and cancellation.
    pub async fn create_portal(&self, customer: &str, return_url: &str) -> Result<Session, Error> {
        let request = CreateBillingPortalSession::new().customer(customer).return_url(return_url);
        // Nothing changes by opening one more.
        let portal = request.send(&self.client).await.map_err(failed)?;
        Ok(Session { id: portal.id.to_string(), url: portal.url, expires_at: None })
    }

    /// Changes the price of a subscription. Also takes back a cancellation. A declined card is
    /// `BillingError::CardDeclined`, and then nothing has changed.
    pub async fn change_price(
        &self,
        bought: &Bought,
        price: &str,
        change: PriceChange<'_>,
        key: &str,
    ) -> Result<Bought, Error> {
        let mut item = UpdateSubscriptionItems::new();
        item.id = bought.item.clone();
        item.price = Some(price.to_owned());
        let proration = match change {
            PriceChange::AtOnce => UpdateSubscriptionProrationBehavior::AlwaysInvoice,
            PriceChange::Later { .. } | PriceChange::Back => {
                UpdateSubscriptionProrationBehavior::None
            }
        };
        // An empty value removes the entry.
        let [plan, until, kept] = match change {
            PriceChange::Later { keep, until, price } => {
                [keep.name().to_owned(), until.to_string(), price.to_owned()]
            }
            PriceChange::AtOnce | PriceChange::Back => Default::default(),
        };
        let metadata = HashMap::from([
            (KEEP_PLAN.to_owned(), plan),
            (KEEP_UNTIL.to_owned(), until),
            (KEEP_PRICE.to_owned(), kept),
            (LAST_CHANGE.to_owned(), key.to_owned()),
        ]);
        let request = UpdateSubscription::new(bought.id.as_str())
            .items([item])
            .proration_behavior(proration)
            .payment_behavior(UpdateSubscriptionPaymentBehavior::ErrorIfIncomplete)
            .cancel_at_period_end(false)
            .metadata(metadata);
        let request = match change {
            PriceChange::AtOnce => request.billing_cycle_anchor(now()),
            PriceChange::Later { .. } | PriceChange::Back => request,
        };
        once!(self, request, key).map(Into::into).map_err(reused)
    }

    /// As [`PriceChange::AtOnce`], once its payment has been confirmed: until then, and if it is not, nothing
    /// changes. Stripe takes no other parameters with it (docs.stripe.com/billing/subscriptions/
    /// pending-updates-reference), so what else a change does must be done before it or after it.
    pub async fn change_price_once_paid(
        &self,
        bought: &Bought,
        price: &str,
        key: &str,
    ) -> Result<Bought, Error> {
        let mut item = UpdateSubscriptionItems::new();
        item.id = bought.item.clone();
        item.price = Some(price.to_owned());
        let request = UpdateSubscription::new(bought.id.as_str())
            .items([item])
            .proration_behavior(UpdateSubscriptionProrationBehavior::AlwaysInvoice)
            .payment_behavior(UpdateSubscriptionPaymentBehavior::PendingIfIncomplete)
            .billing_cycle_anchor(now());
        once!(self, request, key).map(Into::into).map_err(reused)
    }

    /// Notes at the subscription which change was asked for last.
    pub async fn note_change(
        &self,
        subscription: &str,
        change: &str,
        key: &str,
    ) -> Result<(), Error> {
        let request =
            UpdateSubscription::new(subscription).metadata(only(LAST_CHANGE, change.to_owned()));
        once!(self, request, key).map(drop).map_err(reused)
    }

    /// Lets a subscription end with its period, or go on after all.
    pub async fn cancel_at_period_end(
        &self,
        subscription: &str,
        ends: bool,
        key: &str,
    ) -> Result<Bought, Error> {
        let request = UpdateSubscription::new(subscription)
            .cancel_at_period_end(ends)
            .metadata(only(LAST_CHANGE, key.to_owned()));
        once!(self, request, key).map(Into::into).map_err(reused)
    }

    /// Ends a subscription now; nothing is given back by it. One that has ended is fine.
    pub async fn cancel(&self, subscription: &str) -> Result<(), Error> {
        let request = CancelSubscription::new(subscription);
        missing(once!(self, request, &format!("cancel {subscription}"))).map(drop)
    }

    /// Withdraws an open invoice.
    pub async fn void(&self, invoice: &str) -> Result<(), Error> {
        let request = VoidInvoiceInvoice::new(invoice);
        missing(once!(self, request, &format!("void {invoice}"))).map(drop)
    }

    /// Gives back `cents` of a payment.
    pub async fn refund(&self, charge: &str, cents: i64, key: &str) -> Result<Refund, Error> {
        let request = CreateRefund::new().charge(charge).amount(cents);
        once!(self, request, key).map(Into::into).map_err(failed)
    }
}

fn strategy(key: &str) -> Result<RequestStrategy, Error> {
    IdempotencyKey::new(key).map(RequestStrategy::Idempotent).map_err(Error::internal)
}

/// As [`failed`], where the key may be a customer's: Stripe keeps each with what it was first sent with.
fn reused(error: StripeError) -> Error {
    match error {
        StripeError::Stripe(error, 400) if error.type_ == ApiErrorsType::IdempotencyError => {
            InputError::IdempotencyKeyReused.into()
        }
        error => failed(error),
    }
}

/// A new billing period begins.
fn now() -> UpdateSubscriptionBillingCycleAnchor {
    UpdateSubscriptionBillingCycleAnchor::new(UpdateSubscriptionBillingCycleAnchorType::Now)
}

fn only(name: &str, value: String) -> HashMap<String, String> {
    HashMap::from([(name.to_owned(), value)])
}

fn currency() -> Currency {
    CURRENCY.parse().unwrap_or(Currency::USD)
}

fn session(it: stripe_shared::CheckoutSession) -> Result<Session, Error> {
    let url = it.url.ok_or_else(|| Error::internal("Stripe's checkout has no address"))?;
    Ok(Session { id: it.id.to_string(), url, expires_at: Some(it.expires_at) })
}
