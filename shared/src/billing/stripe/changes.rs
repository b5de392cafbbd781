//! What we have Stripe do. Each call takes the idempotency key that makes it happen once: derived from what
//! it is for, so that whoever comes again after a crash comes with the same one.

use std::collections::HashMap;

use serde::Serialize;
use stripe::{ApiErrorsType, IdempotencyKey, RequestStrategy, StripeError};
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
    CreateCheckoutSession, CreateCheckoutSessionAllowedPaymentMethodTypes,
    CreateCheckoutSessionAutomaticTax, CreateCheckoutSessionCustomerUpdate,
    CreateCheckoutSessionCustomerUpdateAddress, CreateCheckoutSessionCustomerUpdateName,
    CreateCheckoutSessionLineItems, CreateCheckoutSessionSubscriptionData,
    CreateCheckoutSessionSubscriptionDataBillingMode,
    CreateCheckoutSessionSubscriptionDataBillingModeType, CreateCheckoutSessionTaxIdCollection,
    ExpireCheckoutSession,
};
use stripe_client_core::{RequestBuilder, StripeMethod};
use stripe_core::{
    customer::{CreateCustomer, DeleteCustomer, UpdateCustomer},
    refund::CreateRefund,
};
use stripe_product::{
    price::{CreatePrice, CreatePriceRecurring, CreatePriceRecurringInterval, UpdatePrice},
    product::CreateProduct,
};
use stripe_shared::{
    CheckoutSessionBillingAddressCollection, CheckoutSessionMode, PriceTaxBehavior,
};
use stripe_types::Currency;

use super::{
    Bought, Customer, Refund, Stripe, failed, get, is_final, missing,
    objects::{ACCOUNT, KEEP_PLAN, KEEP_PRICE, KEEP_UNTIL, LAST_CHANGE, PRICE},
    wire::{
        self, CustomerWire, Listed, PriceWire, RefundWire, SessionWire, SubscriptionWire, ask, read,
    },
};
use crate::{
    billing::BillingError,
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
    /// Whether Stripe computes taxes on it, and collects what it needs for that.
    pub is_taxed: bool,
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
        /// Whether the subscription ends then.
        ends: bool,
    },
    /// As it was before a change for later.
    Back,
}

/// A change that failed.
#[derive(Debug)]
pub struct Failed {
    /// Why.
    pub error: Error,
    /// Whether Stripe has answered. It gives the same key the same answer for a day then, so that another key is
    /// needed. Without an answer the change may have been made: only the same key finds out.
    pub is_answered: bool,
}

impl From<StripeError> for Failed {
    fn from(error: StripeError) -> Self {
        Self { is_answered: is_final(&error), error: failed(error) }
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self { error, is_answered: false }
    }
}

/// Keys that are tried for one checkout, each after the one before was answered with a failure of Stripe's.
const KEYS: u32 = 3;

/// Sends a change once under `key`.
macro_rules! once {
    ($stripe:expr, $request:expr, $key:expr) => {
        wire::change($stripe, &$request, strategy($key)?).await
    };
}

/// Sends a change once, without a key: doing it again does nothing. A key would have a failure remembered for a
/// day, and every repetition answered with it.
macro_rules! plainly {
    ($stripe:expr, $request:expr) => {
        wire::change($stripe, &$request, RequestStrategy::Once).await
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
        let made = once!(self, request, key).map_err(failed)?;
        read::<CustomerWire>(made).map(Into::into)
    }

    /// Tells Stripe the address that invoices go to.
    pub async fn update_customer(&self, id: &str, email: &str, key: &str) -> Result<(), Error> {
        once!(self, UpdateCustomer::new(id).email(email), key).map(drop).map_err(failed)
    }

    /// Deletes the customer with cards and address; its subscriptions end. One that is gone is fine.
    pub async fn delete_customer(&self, id: &str) -> Result<(), Error> {
        missing(plainly!(self, DeleteCustomer::new(id))).map(drop)
    }

    /// The price of `plan`; `None` for the free one and where it has not been made (see
    /// [`Stripe::prepare`]).
    pub async fn price(&self, plan: Plan) -> Result<Option<String>, Error> {
        Ok(self.sold_price(plan).await?.map(|it| it.id))
    }

    async fn sold_price(&self, plan: Plan) -> Result<Option<PriceWire>, Error> {
        let Some(key) = plan.price_key() else { return Ok(None) };
        let wanted = Wanted { lookup_keys: [key], active: true };
        let request = RequestBuilder::new(StripeMethod::Get, "/prices").query(&wanted);
        let answer = wire::ask(self, request).await.map_err(failed)?;
        let found = read::<Prices>(answer)?.data.into_iter().next();
        // Whoever changed it by hand would charge another amount than the one that is shown.
        match found {
            Some(price) if price.unit_amount != Some(plan.cents_per_month()) => {
                Err(Error::internal("a price at Stripe is not the plan's"))
            }
            found => Ok(found),
        }
    }

    /// The price `known` of `plan` if it is still sold, else the present one.
    pub async fn price_again(
        &self,
        known: Option<&str>,
        plan: Plan,
    ) -> Result<Option<String>, Error> {
        if let Some(id) = known {
            let found = missing(ask(self, get(&format!("/prices/{id}"))).await)?;
            let found: Option<PriceWire> = found.map(read).transpose()?;
            if found.is_some_and(|it| it.active == Some(true)) {
                return Ok(Some(id.to_owned()));
            }
        }
        self.price(plan).await
    }

    /// Makes the product and the price of each plan that Stripe does not have yet; the number made. Taxes come on
    /// top of each price, of those too that were made before anybody said so.
    pub async fn prepare(&self) -> Result<usize, Error> {
        let mut made = 0;
        for plan in Plan::ALL {
            let (Some(product), Some(lookup)) = (plan.product(), plan.price_key()) else {
                continue;
            };
            if let Some(price) = self.sold_price(plan).await? {
                if price.tax_behavior.as_deref() != Some("exclusive") {
                    let request = UpdatePrice::new(price.id.as_str())
                        .tax_behavior(PriceTaxBehavior::Exclusive);
                    plainly!(self, request).map_err(failed)?;
                }
                continue;
            }
            let name = format!("TikTok Video Intelligence API, {}", plan.name());
            let request = CreateProduct::new(name).id(&product);
            match plainly!(self, request) {
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
                .tax_behavior(PriceTaxBehavior::Exclusive)
                .lookup_key(&lookup);
            // A lookup key is one price's only.
            plainly!(self, request).map_err(failed)?;
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
            // Others, debited from a bank for example, come in days after the subscription has begun, or do not.
            .allowed_payment_method_types([CreateCheckoutSessionAllowedPaymentMethodTypes::Card])
            .success_url(&order.success_url)
            .cancel_url(&order.cancel_url);
        let request = if order.is_taxed { taxed(request) } else { request };
        let mut key = key.to_owned();
        for n in 1..=KEYS {
            match once!(self, request, &key) {
                // Stripe will say so again for a day. What it may have made all the same is closed with the others.
                Err(error @ StripeError::Stripe(_, 500..)) if n < KEYS => {
                    tracing::warn!(error = %failed(error), "a checkout is tried with another key");
                    key = format!("{key} {n}");
                }
                made => return session(read(made.map_err(reused)?)?),
            }
        }
        Err(Error::internal("no key was tried"))
    }

    /// Ids of the customer's checkouts that are still open.
    pub async fn open_checkouts(&self, customer: &str) -> Result<Vec<String>, Error> {
        Ok(self.open_sessions(customer).await?.into_iter().map(|it| it.session.id).collect())
    }

    /// The customer's checkouts that are still open.
    pub async fn open_sessions(&self, customer: &str) -> Result<Vec<OpenCheckout>, Error> {
        let listed = Listed { customer: Some(customer), status: Some("open"), ..Listed::default() };
        let found = self.list::<SessionWire>("/checkout/sessions", listed).await.map_err(failed)?;
        Ok(found.whole()?.into_iter().map(Into::into).collect())
    }

    /// Closes a checkout. One that is being paid at this moment, or has ended, stays as it is.
    pub async fn expire_checkout(&self, session: &str) -> Result<(), Error> {
        match plainly!(self, ExpireCheckoutSession::new(session)) {
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
        session(read(plainly!(self, request).map_err(failed)?)?)
    }

    /// Changes the price of a subscription. Also takes back a cancellation, unless the change says that it ends. A
    /// declined card is `BillingError::CardDeclined`, and then nothing has changed.
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
            PriceChange::Later { keep, until, price, .. } => {
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
            .cancel_at_period_end(matches!(change, PriceChange::Later { ends: true, .. }))
            .metadata(metadata);
        let request = match change {
            PriceChange::AtOnce => request.billing_cycle_anchor(now()),
            PriceChange::Later { .. } | PriceChange::Back => request,
        };
        let changed = match once!(self, request, key) {
            // async-stripe reads the payment that a card's refusal shows, and does not say that it was refused where
            // a field is missing. Whichever it was, the payment can still be waited for.
            Err(StripeError::JSONDeserialize(_)) if matches!(change, PriceChange::AtOnce) => {
                return Err(BillingError::MustConfirm.into());
            }
            changed => changed.map_err(reused)?,
        };
        read::<SubscriptionWire>(changed).map(Into::into)
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
        read::<SubscriptionWire>(once!(self, request, key).map_err(reused)?).map(Into::into)
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
        read::<SubscriptionWire>(once!(self, request, key).map_err(reused)?).map(Into::into)
    }

    /// Ends a subscription now; nothing is given back by it. One that has ended is fine.
    pub async fn cancel(&self, subscription: &str) -> Result<(), Error> {
        let request = CancelSubscription::new(subscription);
        missing(plainly!(self, request)).map(drop)
    }

    /// Withdraws an open invoice.
    pub async fn void(&self, invoice: &str) -> Result<(), Error> {
        let request = VoidInvoiceInvoice::new(invoice);
        missing(plainly!(self, request)).map(drop)
    }

    /// Gives back `cents` of a payment.
    pub async fn refund(&self, charge: &str, cents: i64, key: &str) -> Result<Refund, Failed> {
        let request = CreateRefund::new().charge(charge).amount(cents);
        let made = once!(self, request, key)?;
        Ok(read::<RefundWire>(made).map(Into::into)?)
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

/// The prices that a key finds.
#[derive(Serialize)]
struct Wanted {
    lookup_keys: [String; 1],
    active: bool,
}

#[derive(serde::Deserialize)]
struct Prices {
    data: Vec<PriceWire>,
}

/// Has Stripe compute taxes, and collect the address and the tax number that they follow from: both are the
/// customer's from then on (docs.stripe.com/tax/checkout).
fn taxed(request: CreateCheckoutSession) -> CreateCheckoutSession {
    let mut update = CreateCheckoutSessionCustomerUpdate::new();
    update.address = Some(CreateCheckoutSessionCustomerUpdateAddress::Auto);
    update.name = Some(CreateCheckoutSessionCustomerUpdateName::Auto);
    request
        .automatic_tax(CreateCheckoutSessionAutomaticTax::new(true))
        .billing_address_collection(CheckoutSessionBillingAddressCollection::Required)
        .tax_id_collection(CreateCheckoutSessionTaxIdCollection::new(true))
        .customer_update(update)
}

fn session(it: SessionWire) -> Result<Session, Error> {
    let url = it.url.ok_or_else(|| Error::internal("Stripe's page has no address"))?;
    Ok(Session { id: it.id, url, expires_at: it.expires_at })
}
