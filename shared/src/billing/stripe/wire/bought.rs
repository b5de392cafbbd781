//! Customers, prices, the pages that customers are sent to, and what they have bought.

use std::{collections::HashMap, fmt};

use serde::{Deserialize, de::IgnoredAny};

use super::{
    super::{
        changes::{OpenCheckout, Session},
        objects::{
            ACCOUNT, Bought, Customer, KEEP_PLAN, KEEP_PRICE, KEEP_UNTIL, LAST_CHANGE, PRICE,
        },
    },
    List, Ref,
};
use crate::{accounts::Span, plans::Plan};

/// A page that a customer is sent to.
#[derive(Deserialize)]
pub(in super::super) struct SessionWire {
    pub(in super::super) id: String,
    pub(in super::super) url: Option<String>,
    pub(in super::super) expires_at: Option<i64>,
    metadata: Option<HashMap<String, String>>,
}

impl From<SessionWire> for OpenCheckout {
    fn from(it: SessionWire) -> Self {
        let price = it.metadata.and_then(|mut metadata| metadata.remove(PRICE));
        let url = it.url.unwrap_or_default();
        Self { session: Session { id: it.id, url, expires_at: it.expires_at }, price }
    }
}

#[derive(Deserialize)]
pub(in super::super) struct PriceWire {
    pub(in super::super) id: String,
    pub(in super::super) unit_amount: Option<i64>,
    pub(in super::super) tax_behavior: Option<String>,
    pub(in super::super) active: Option<bool>,
}

#[derive(Deserialize)]
pub(in super::super) struct CustomerWire {
    id: String,
    pub(in super::super) deleted: Option<bool>,
    metadata: Option<HashMap<String, String>>,
    email: Option<String>,
    created: Option<i64>,
}

impl fmt::Debug for CustomerWire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CustomerWire").field("id", &self.id).finish_non_exhaustive()
    }
}

impl From<CustomerWire> for Customer {
    fn from(it: CustomerWire) -> Self {
        let account = it.metadata.and_then(|mut metadata| metadata.remove(ACCOUNT));
        let created = it.created.unwrap_or_default();
        Self { id: it.id, account, email: it.email, created }
    }
}

#[derive(Deserialize)]
pub(in super::super) struct SubscriptionWire {
    id: String,
    status: String,
    items: List<ItemWire>,
    currency: Option<String>,
    billing_cycle_anchor: Option<i64>,
    cancel_at: Option<i64>,
    cancel_at_period_end: Option<bool>,
    metadata: Option<HashMap<String, String>>,
    created: Option<i64>,
    ended_at: Option<i64>,
    /// How its payments are not collected, if they are not.
    pause_collection: Option<IgnoredAny>,
    pending_update: Option<PendingWire>,
    latest_invoice: Option<Ref>,
}

#[derive(Deserialize)]
struct PendingWire {
    expires_at: i64,
    subscription_items: Option<Vec<PendingItemWire>>,
}

#[derive(Deserialize)]
struct PendingItemWire {
    price: ItemPriceWire,
}

#[derive(Deserialize)]
struct ItemWire {
    id: String,
    current_period_start: i64,
    current_period_end: i64,
    price: ItemPriceWire,
}

#[derive(Deserialize)]
struct ItemPriceWire {
    id: String,
    product: Ref,
    unit_amount: Option<i64>,
    recurring: Option<RecurringWire>,
}

#[derive(Deserialize)]
struct RecurringWire {
    interval: String,
    interval_count: Option<i64>,
}

impl From<SubscriptionWire> for Bought {
    fn from(it: SubscriptionWire) -> Self {
        let item = it.items.data.into_iter().next();
        let period = item
            .as_ref()
            .map(|item| Span { start: item.current_period_start, end: item.current_period_end });
        let ends = it.cancel_at_period_end.unwrap_or(false).then(|| period.map(|it| it.end));
        let metadata = it.metadata.unwrap_or_default();
        let keep = || {
            let plan = Plan::from_name(metadata.get(KEEP_PLAN)?)?;
            Some((plan, metadata.get(KEEP_UNTIL)?.parse().ok()?))
        };
        let created = it.created.or(period.map(|it| it.start)).unwrap_or_default();
        let is_monthly =
            |it: &RecurringWire| it.interval == "month" && it.interval_count.unwrap_or(1) == 1;
        let pending = it.pending_update.and_then(|it| {
            let item = it.subscription_items?.into_iter().next()?;
            Some((Plan::of_product(&item.price.product.id())?, it.expires_at))
        });
        let (item, price) = item.map(|it| (it.id, it.price)).unzip();
        Self {
            id: it.id,
            status: status(&it.status),
            price: price.as_ref().map(|it| it.id.clone()),
            is_monthly: price.as_ref().and_then(|it| it.recurring.as_ref()).is_some_and(is_monthly),
            is_uncollected: it.pause_collection.is_some(),
            pending,
            latest_invoice: it.latest_invoice.map(Ref::id),
            cents: price.as_ref().and_then(|it| it.unit_amount),
            plan: price.and_then(|it| Plan::of_product(&it.product.id())),
            currency: it.currency.unwrap_or_default(),
            item,
            period,
            anchor: it.billing_cycle_anchor.unwrap_or(created),
            cancel_at: it.cancel_at.or(ends.flatten()),
            keep: keep(),
            keep_price: metadata.get(KEEP_PRICE).cloned(),
            last_change: metadata.get(LAST_CHANGE).cloned(),
            created,
            ended_at: it.ended_at,
        }
    }
}

fn status(name: &str) -> stripe_shared::SubscriptionStatus {
    let Ok(status) = name.parse::<stripe_shared::SubscriptionStatus>();
    status
}
