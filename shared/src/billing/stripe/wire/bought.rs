//! Customers, prices, the pages that customers are sent to, and what they have bought.

use std::{collections::HashMap, fmt};

use serde::Deserialize;

use super::{
    super::objects::{ACCOUNT, Bought, Customer, KEEP_PLAN, KEEP_UNTIL, LAST_CHANGE},
    List, Ref,
};
use crate::{accounts::Span, plans::Plan};

/// Something that was made, as far as it matters.
#[derive(Deserialize)]
pub(in super::super) struct Made {
    pub(in super::super) id: String,
}

/// A page that a customer is sent to.
#[derive(Deserialize)]
pub(in super::super) struct SessionWire {
    pub(in super::super) id: String,
    pub(in super::super) url: Option<String>,
    pub(in super::super) expires_at: Option<i64>,
}

#[derive(Deserialize)]
pub(in super::super) struct PriceWire {
    pub(in super::super) id: String,
    pub(in super::super) unit_amount: Option<i64>,
    pub(in super::super) tax_behavior: Option<String>,
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
    product: Ref,
    unit_amount: Option<i64>,
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
        let (cents, id, product) = match item {
            Some(item) => (item.price.unit_amount, Some(item.id), Some(item.price.product.id())),
            None => (None, None, None),
        };
        Self {
            id: it.id,
            status: status(&it.status),
            plan: product.and_then(|it| Plan::of_product(&it)),
            cents,
            currency: it.currency.unwrap_or_default(),
            item: id,
            period,
            anchor: it.billing_cycle_anchor.unwrap_or(created),
            cancel_at: it.cancel_at.or(ends.flatten()),
            keep: keep(),
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
