//! What the API shows: subscriptions and invoices.

use serde_json::{Value, json};

use super::{
    credit_notes,
    model::{
        BillingReason, Invoice, InvoiceStatus, Line, MissingPaymentMethod, PauseBehavior,
        Subscription,
    },
    render::{list, rows},
    state::{Object, State},
    table::{Row, Table},
};

/// Lines that an invoice shows of itself; the others have pages of their own.
const LINES_SHOWN: usize = 10;

rows! {
    Subscription, "sub_", "subscription", subscriptions, Some("customer.subscription.updated"),
        subscription;
    Invoice, "in_", "invoice", invoices, Some("invoice.updated"), invoice;
}

fn subscription(it: &Subscription, state: &State) -> Value {
    let price = state.prices.get(&it.price);
    let currency = price.map(|price| price.currency.as_str());
    let cancel_at = it.cancel_at_period_end.then_some(it.period_end);
    let item = item_at(it, (&it.price, it.quantity), state);
    json!({
        "id": it.id,
        "object": "subscription",
        "application": null,
        "automatic_tax": { "disabled_reason": null, "enabled": it.is_taxed, "liability": null },
        "billing_cycle_anchor": it.anchor,
        "billing_mode": { "type": "classic" },
        "billing_schedules": [],
        "cancel_at": cancel_at,
        "cancel_at_period_end": it.cancel_at_period_end,
        "canceled_at": it.canceled_at,
        "cancellation_details": { "comment": null, "feedback": null, "reason": it.cancel_reason },
        "collection_method": "charge_automatically",
        "created": it.created,
        "currency": currency,
        "customer": it.customer,
        "days_until_due": null,
        "default_payment_method": null,
        "default_source": null,
        "description": null,
        "discounts": [],
        "ended_at": it.ended_at,
        "invoice_settings": { "account_tax_ids": null, "issuer": { "type": "self" } },
        "items": list(vec![item], &format!("/v1/subscription_items?subscription={}", it.id), false),
        "latest_invoice": it.latest_invoice,
        "livemode": false,
        "metadata": it.metadata,
        "pause_collection": it.pause_collection.map(|behavior| json!({
            "behavior": match behavior {
                PauseBehavior::KeepAsDraft => "keep_as_draft",
                PauseBehavior::MarkUncollectible => "mark_uncollectible",
                PauseBehavior::Void => "void",
            },
            "resumes_at": null,
        })),
        "pending_setup_intent": null,
        "pending_update": it.pending_update.as_ref().map(|pending| json!({
            "billing_cycle_anchor": pending.anchor,
            "cancel_at_period_end": null,
            "discount": null,
            "discounts": null,
            "expires_at": pending.expires_at,
            "metadata": null,
            "subscription_items": [item_at(it, (&pending.price, pending.quantity), state)],
            "trial_end": null,
            "trial_from_plan": null,
        })),
        "schedule": null,
        "start_date": it.created,
        "status": it.status.name(),
        "test_clock": null,
        "trial_end": it.trial_end,
        "trial_settings": { "end_behavior": {
            "missing_payment_method": match it.missing_payment_method {
                MissingPaymentMethod::CreateInvoice => "create_invoice",
                MissingPaymentMethod::Cancel => "cancel",
                MissingPaymentMethod::Pause => "pause",
            },
        } },
        "trial_start": it.trial_start,
    })
}

fn item_at(it: &Subscription, (price, quantity): (&str, i64), state: &State) -> Value {
    let id = price;
    let price = state.prices.get(id);
    json!({
        "id": it.item,
        "object": "subscription_item",
        "created": it.created,
        "current_period_end": it.period_end,
        "current_period_start": it.period_start,
        "discounts": [],
        "metadata": {},
        "plan": price.map(|price| json!({
            "id": price.id,
            "object": "plan",
            "active": price.is_active,
            "amount": price.unit_amount,
            "billing_scheme": "per_unit",
            "created": price.created,
            "currency": price.currency,
            "interval": price.interval.name(),
            "interval_count": 1,
            "livemode": false,
            "metadata": price.metadata,
            "nickname": price.nickname,
            "product": price.product,
            "usage_type": "licensed",
        })),
        "price": state.show::<super::model::Price>(id),
        "quantity": quantity,
        "subscription": it.id,
        "tax_rates": [],
    })
}

fn invoice(it: &Invoice, state: &State) -> Value {
    let (total, tax) = (it.total(), it.tax());
    let taxes = (tax != 0).then(|| {
        json!({
            "amount": tax,
            "tax_behavior": "exclusive",
            "tax_rate_details": { "tax_rate": "txr_local" },
            "taxability_reason": "standard_rated",
            "taxable_amount": total - tax,
            "type": "tax_rate_details",
        })
    });
    let is_draft = it.status == InvoiceStatus::Draft;
    let reason = match it.reason {
        BillingReason::Create => "subscription_create",
        BillingReason::Cycle => "subscription_cycle",
        BillingReason::Update => "subscription_update",
        BillingReason::Manual => "manual",
    };
    let page = format!("{}/pages/invoices/{}", state.url, it.id);
    let lines = it.lines.iter().take(LINES_SHOWN).map(|line| self::line(line, it, state)).collect();
    let has_more_lines = it.lines.len() > LINES_SHOWN;
    let parent = it.subscription.as_ref().map(|id| {
        json!({
            "quote_details": null,
            "subscription_details": {
                "metadata": state.subscriptions.get(id).map(|it| &it.metadata),
                "subscription": id,
            },
            "type": "subscription_details",
        })
    });
    let will_go_on = it.finalizes_at.is_some() || it.next_payment_attempt.is_some();
    let shown = json!({
        "id": it.id,
        "object": "invoice",
        "amount_due": it.amount_due,
        "amount_paid": it.amount_paid,
        "amount_remaining": it.remaining(),
        "attempt_count": it.attempt_count,
        "attempted": it.attempt_count > 0,
        "auto_advance": will_go_on,
        "automatically_finalizes_at": it.finalizes_at,
        "billing_reason": reason,
        "collection_method": "charge_automatically",
        "created": it.created,
        "currency": it.currency,
        "customer": it.customer,
        "customer_email": it.customer_email,
        "customer_name": it.customer_name,
        "effective_at": it.finalized_at,
        "ending_balance": it.ending_balance,
        "hosted_invoice_url": (!is_draft).then_some(&page),
        "invoice_pdf": (!is_draft).then(|| format!("{page}/pdf")),
        "lines": list(lines, &format!("/v1/invoices/{}/lines", it.id), has_more_lines),
        "livemode": false,
        "metadata": {},
        "next_payment_attempt": it.next_payment_attempt.or(it.finalizes_at),
        "number": it.number,
        "parent": parent,
        "period_end": it.period_end,
        "period_start": it.period_start,
        "post_payment_credit_notes_amount": credit_notes::of_invoice(state, &it.id, false),
        "pre_payment_credit_notes_amount": credit_notes::of_invoice(state, &it.id, true),
        "starting_balance": it.starting_balance,
        "status": it.status.name(),
        "status_transitions": {
            "finalized_at": it.finalized_at,
            "marked_uncollectible_at": it.uncollectible_at,
            "paid_at": it.paid_at,
            "voided_at": it.voided_at,
        },
        "subtotal": total - tax,
        "subtotal_excluding_tax": total - tax,
        "total": total,
        "total_excluding_tax": total - tax,
        "total_taxes": taxes.into_iter().collect::<Vec<_>>(),
        "webhooks_delivered_at": it.finalized_at,
    });
    merge(shown, constant_of_invoices())
}

/// What this stand-in never makes use of.
fn constant_of_invoices() -> Value {
    json!({
        "account_country": "US",
        "account_name": "Local",
        "amount_overpaid": 0,
        "amount_shipping": 0,
        "automatic_tax": {
            "disabled_reason": null,
            "enabled": false,
            "liability": null,
            "provider": null,
            "status": null,
        },
        "customer_address": null,
        "customer_phone": null,
        "default_tax_rates": [],
        "description": null,
        "discounts": [],
        "due_date": null,
        "footer": null,
        "issuer": { "type": "self" },
        "on_behalf_of": null,
        "payment_settings": {
            "default_mandate": null,
            "payment_method_options": null,
            "payment_method_types": null,
        },
        "receipt_number": null,
        "statement_descriptor": null,
        "total_discount_amounts": [],
    })
}

fn merge(mut shown: Value, more: Value) -> Value {
    if let (Value::Object(shown), Value::Object(more)) = (&mut shown, more) {
        shown.extend(more);
    }
    shown
}

pub(super) fn line(it: &Line, invoice: &Invoice, state: &State) -> Value {
    let price = state.prices.get(&it.price);
    let parent = match &it.invoice_item {
        Some(item) => json!({
            "invoice_item_details": {
                "invoice_item": item,
                "proration": true,
                "proration_details": { "credited_items": null },
                "subscription": it.subscription,
            },
            "subscription_item_details": null,
            "type": "invoice_item_details",
        }),
        None => json!({
            "invoice_item_details": null,
            "subscription_item_details": {
                "invoice_item": null,
                "proration": false,
                "proration_details": { "credited_items": null },
                "subscription": it.subscription,
                "subscription_item": it.subscription_item,
            },
            "type": "subscription_item_details",
        }),
    };
    json!({
        "id": it.id,
        "object": "line_item",
        "amount": it.amount,
        "currency": invoice.currency,
        "description": it.description,
        "discount_amounts": [],
        "discountable": it.invoice_item.is_none(),
        "discounts": [],
        "invoice": invoice.id,
        "livemode": false,
        "metadata": {},
        "parent": parent,
        "period": { "end": it.end, "start": it.start },
        "pretax_credit_amounts": [],
        "pricing": price.map(|price| json!({
            "price_details": { "price": it.price, "product": price.product },
            "type": "price_details",
            "unit_amount_decimal": price.unit_amount.to_string(),
        })),
        "quantity": it.quantity,
        "subtotal": it.amount,
        "taxes": [],
    })
}

/// The payments of an invoice, which it shows when asked to expand them.
pub(super) fn payments(it: &Invoice) -> Value {
    let data = match (&it.payment, &it.payment_intent) {
        (Some(payment), Some(intent)) => {
            let is_paid = it.status == InvoiceStatus::Paid;
            let status = match it.status {
                InvoiceStatus::Paid => "paid",
                InvoiceStatus::Void | InvoiceStatus::Uncollectible => "canceled",
                InvoiceStatus::Open | InvoiceStatus::Draft => "open",
            };
            vec![json!({
                "id": payment,
                "object": "invoice_payment",
                "amount_paid": is_paid.then_some(it.amount_paid),
                "amount_requested": it.amount_due,
                "created": it.finalized_at.unwrap_or(it.created),
                "currency": it.currency,
                "invoice": it.id,
                "is_default": true,
                "livemode": false,
                "payment": { "payment_intent": intent, "type": "payment_intent" },
                "status": status,
                "status_transitions": {
                    "canceled_at": it.voided_at.or(it.uncollectible_at),
                    "paid_at": it.paid_at,
                },
            })]
        }
        _ => Vec::new(),
    };
    list(data, "/v1/invoice_payments", false)
}
