//! What the API shows: customers, products, prices, sessions, payments. Names and shapes are those of
//! the API version that async-stripe is made for.

use serde_json::{Value, json};

use super::{
    model::{
        Charge, Customer, Dispute, DisputeStatus, PaymentIntent, PortalSession, Price, Product,
        Refund, Session, SessionStatus,
    },
    state::{Object, State},
    table::{Row, Table},
};

/// Ties a row to its table, its names and its event.
macro_rules! rows {
    ($($row:ident, $prefix:literal, $name:literal, $table:ident, $updated:expr, $render:path;)*) => {$(
        impl Row for $row {
            const PREFIX: &'static str = $prefix;
            const NAME: &'static str = $name;

            fn id(&self) -> &str {
                &self.id
            }

            fn created(&self) -> i64 {
                self.created
            }
        }

        impl Object for $row {
            const UPDATED: Option<&'static str> = $updated;

            fn table(state: &State) -> &Table<Self> {
                &state.$table
            }

            fn table_mut(state: &mut State) -> &mut Table<Self> {
                &mut state.$table
            }

            fn render(&self, state: &State) -> Value {
                $render(self, state)
            }
        }
    )*};
}
pub(super) use rows;

rows! {
    Customer, "cus_", "customer", customers, Some("customer.updated"), customer;
    Product, "prod_", "product", products, Some("product.updated"), product;
    Price, "price_", "price", prices, Some("price.updated"), price;
    Session, "cs_test_", "checkout.session", sessions, None, session;
    PortalSession, "bps_", "billing_portal.session", portal_sessions, None, portal_session;
    PaymentIntent, "pi_", "payment_intent", payment_intents, None, payment_intent;
    Charge, "ch_", "charge", charges, Some("charge.updated"), charge;
    Refund, "re_", "refund", refunds, Some("refund.updated"), refund;
    Dispute, "du_", "dispute", disputes, Some("charge.dispute.updated"), dispute;
}

pub(super) fn list(data: Vec<Value>, url: &str, has_more: bool) -> Value {
    json!({ "object": "list", "data": data, "has_more": has_more, "url": url })
}

fn customer(it: &Customer, _: &State) -> Value {
    if it.is_deleted {
        return json!({ "id": it.id, "object": "customer", "deleted": true });
    }
    json!({
        "id": it.id,
        "object": "customer",
        "address": it.country.as_ref().map(|country| json!({ "country": country })),
        "balance": it.balance,
        "created": it.created,
        "currency": "usd",
        "default_source": null,
        "delinquent": false,
        "description": null,
        "email": it.email,
        "invoice_prefix": it.invoice_prefix,
        "invoice_settings": {
            "custom_fields": null,
            "default_payment_method": it.payment_method,
            "footer": null,
            "rendering_options": null,
        },
        "livemode": false,
        "metadata": it.metadata,
        "name": it.name,
        "next_invoice_sequence": it.next_invoice,
        "phone": null,
        "preferred_locales": [],
        "shipping": null,
        "tax_exempt": "none",
        "test_clock": null,
    })
}

fn product(it: &Product, _: &State) -> Value {
    json!({
        "id": it.id,
        "object": "product",
        "active": it.is_active,
        "created": it.created,
        "default_price": null,
        "description": it.description,
        "images": [],
        "livemode": false,
        "marketing_features": [],
        "metadata": it.metadata,
        "name": it.name,
        "package_dimensions": null,
        "shippable": null,
        "statement_descriptor": null,
        "tax_code": null,
        "type": "service",
        "unit_label": null,
        "updated": it.created,
        "url": null,
    })
}

fn price(it: &Price, _: &State) -> Value {
    json!({
        "id": it.id,
        "object": "price",
        "active": it.is_active,
        "billing_scheme": "per_unit",
        "created": it.created,
        "currency": it.currency,
        "custom_unit_amount": null,
        "livemode": false,
        "lookup_key": it.lookup_key,
        "metadata": it.metadata,
        "nickname": it.nickname,
        "product": it.product,
        "recurring": {
            "interval": it.interval.name(),
            "interval_count": 1,
            "meter": null,
            "trial_period_days": null,
            "usage_type": "licensed",
        },
        "tax_behavior": match it.is_exclusive {
            Some(true) => "exclusive",
            Some(false) => "inclusive",
            None => "unspecified",
        },
        "tiers_mode": null,
        "transform_quantity": null,
        "type": "recurring",
        "unit_amount": it.unit_amount,
        "unit_amount_decimal": it.unit_amount.to_string(),
    })
}

fn session(it: &Session, state: &State) -> Value {
    let price = state.prices.get(&it.price);
    let amount = if it.trial_days.is_some() {
        0
    } else {
        price.map_or(0, |price| price.unit_amount * it.quantity)
    };
    let (status, payment_status) = match (it.status, it.trial_days) {
        (SessionStatus::Open, _) => ("open", "unpaid"),
        (SessionStatus::Expired, _) => ("expired", "unpaid"),
        (SessionStatus::Complete, None) => ("complete", "paid"),
        (SessionStatus::Complete, Some(_)) => ("complete", "no_payment_required"),
    };
    let is_open = it.status == SessionStatus::Open;
    let customer = it.customer.as_deref().and_then(|id| state.customers.get(id));
    let email = customer.and_then(|it| it.email.as_ref()).or(it.customer_email.as_ref());
    json!({
        "id": it.id,
        "object": "checkout.session",
        "after_expiration": null,
        "allow_promotion_codes": null,
        "amount_subtotal": amount,
        "amount_total": amount,
        "automatic_tax": {
            "enabled": it.is_taxed, "liability": null, "provider": null, "status": null,
        },
        "billing_address_collection": null,
        "cancel_url": it.cancel_url,
        "client_reference_id": it.client_reference_id,
        "client_secret": null,
        "created": it.created,
        "currency": price.map(|price| &price.currency),
        "custom_fields": [],
        "custom_text": {
            "after_submit": null,
            "shipping_address": null,
            "submit": null,
            "terms_of_service_acceptance": null,
        },
        "customer": it.customer,
        "customer_details": email.map(|email| json!({
            "address": null,
            "email": email,
            "name": customer.and_then(|it| it.name.as_ref()),
            "phone": null,
            "tax_exempt": "none",
            "tax_ids": null,
        })),
        "customer_email": it.customer_email,
        "expires_at": it.expires_at,
        "invoice": it.invoice,
        "livemode": false,
        "locale": null,
        "metadata": it.metadata,
        "mode": "subscription",
        "payment_intent": null,
        "payment_method_collection": "always",
        "payment_method_types": ["card"],
        "payment_status": payment_status,
        "setup_intent": null,
        "shipping_options": [],
        "status": status,
        "subscription": it.subscription,
        "success_url": it.success_url,
        "url": is_open.then(|| format!("{}/pages/checkout/{}", state.url, it.id)),
    })
}

fn portal_session(it: &PortalSession, state: &State) -> Value {
    json!({
        "id": it.id,
        "object": "billing_portal.session",
        "configuration": "bpc_local",
        "created": it.created,
        "customer": it.customer,
        "flow": null,
        "livemode": false,
        "locale": null,
        "on_behalf_of": null,
        "return_url": it.return_url,
        "url": format!("{}/pages/portal/{}", state.url, it.id),
    })
}

fn payment_intent(it: &PaymentIntent, _: &State) -> Value {
    json!({
        "id": it.id,
        "object": "payment_intent",
        "amount": it.amount,
        "amount_capturable": 0,
        "amount_received": if it.is_paid { it.amount } else { 0 },
        "capture_method": "automatic",
        "confirmation_method": "automatic",
        "created": it.created,
        "currency": it.currency,
        "customer": it.customer,
        "latest_charge": it.latest_charge,
        "livemode": false,
        "metadata": {},
        "payment_method_types": ["card"],
        "status": match (it.is_paid, it.must_confirm) {
            (true, _) => "succeeded",
            (false, true) => "requires_action",
            (false, false) => "requires_payment_method",
        },
    })
}

fn charge(it: &Charge, state: &State) -> Value {
    let method = state.customers.get(&it.customer).and_then(|it| it.payment_method.as_ref());
    let failure = (!it.is_paid).then_some("card_declined");
    json!({
        "id": it.id,
        "object": "charge",
        "amount": it.amount,
        "amount_captured": if it.is_paid { it.amount } else { 0 },
        "amount_refunded": it.amount_refunded,
        "balance_transaction": null,
        "billing_details": {
            "address": null,
            "email": it.email,
            "name": it.name,
            "phone": null,
            "tax_id": null,
        },
        "captured": it.is_paid,
        "created": it.created,
        "currency": it.currency,
        "customer": it.customer,
        "description": "Subscription",
        "disputed": it.is_disputed,
        "failure_code": failure,
        "failure_message": failure.map(|_| "Your card was declined."),
        "livemode": false,
        "metadata": {},
        "paid": it.is_paid,
        "payment_intent": it.payment_intent,
        "payment_method": method,
        "payment_method_details": {
            "card": { "brand": "visa", "last4": it.card.last4(), "exp_month": 12, "exp_year": 2039 },
            "type": "card",
        },
        "receipt_email": null,
        "receipt_url": null,
        "refunded": it.is_paid && it.amount_refunded == it.amount,
        "status": if it.is_paid { "succeeded" } else { "failed" },
    })
}

/// What was given back of a charge, which it shows when asked to expand it.
pub(super) fn refunds(it: &Charge, state: &State) -> Value {
    let own = state.refunds.iter().filter(|refund| refund.charge == it.id);
    let url = format!("/v1/charges/{}/refunds", it.id);
    list(own.map(|it| refund(it, state)).collect(), &url, false)
}

fn refund(it: &Refund, _: &State) -> Value {
    json!({
        "id": it.id,
        "object": "refund",
        "amount": it.amount,
        "balance_transaction": null,
        "charge": it.charge,
        "created": it.created,
        "currency": it.currency,
        "metadata": it.metadata,
        "payment_intent": it.payment_intent,
        "reason": it.reason,
        "receipt_number": null,
        "status": if it.has_failed { "failed" } else { "succeeded" },
    })
}

fn dispute(it: &Dispute, _: &State) -> Value {
    let status = match it.status {
        DisputeStatus::Inquiry => "warning_needs_response",
        DisputeStatus::InquiryClosed => "warning_closed",
        DisputeStatus::NeedsResponse => "needs_response",
        DisputeStatus::Won => "won",
        DisputeStatus::Lost => "lost",
    };
    json!({
        "id": it.id,
        "object": "dispute",
        "amount": it.amount,
        "balance_transactions": [],
        "charge": it.charge,
        "created": it.created,
        "currency": it.currency,
        "enhanced_eligibility_types": [],
        "evidence": { "enhanced_evidence": {} },
        "evidence_details": {
            "due_by": it.created + 7 * 86_400,
            "enhanced_eligibility": {},
            "has_evidence": false,
            "past_due": false,
            "submission_count": 0,
        },
        "is_charge_refundable": false,
        "livemode": false,
        "metadata": {},
        "payment_intent": it.payment_intent,
        "reason": "fraudulent",
        "status": status,
    })
}
