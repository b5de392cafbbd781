//! Credit notes: less is to be paid for an invoice, or something of what was paid is credited.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    api::Answer,
    billing, customers,
    list::Window,
    model::{Charge, Customer, Invoice, InvoiceStatus, Metadata},
    params::Params,
    payments::refunds,
    refusal::Refusal,
    render::{list as page, rows},
    state::{Object, State},
    table::{Row, Table},
};

/// Where the amount of a credit note goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreditTo {
    /// To the customer's balance, which pays the next invoices.
    Balance,
    /// Back to where it was paid from.
    Refund,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct CreditNote {
    id: String,
    created: i64,
    number: String,
    pub(super) invoice: String,
    customer: String,
    pub(super) amount: i64,
    currency: String,
    /// Whether the invoice was to be paid still.
    pub(super) is_before_payment: bool,
    refund: Option<String>,
    voided_at: Option<i64>,
}

rows! {
    CreditNote, "cn_", "credit_note", credit_notes, Some("credit_note.updated"), render;
}

fn render(it: &CreditNote, state: &State) -> Value {
    let lines = page(Vec::new(), &format!("/v1/credit_notes/{}/lines", it.id), false);
    json!({
        "id": it.id,
        "object": "credit_note",
        "amount": it.amount,
        "amount_shipping": 0,
        "created": it.created,
        "currency": it.currency,
        "customer": it.customer,
        "customer_balance_transaction": null,
        "discount_amount": 0,
        "discount_amounts": [],
        "effective_at": it.created,
        "invoice": it.invoice,
        "lines": lines,
        "livemode": false,
        "memo": null,
        "metadata": {},
        "number": it.number,
        "out_of_band_amount": null,
        "pdf": format!("{}/pages/invoices/{}/pdf", state.url, it.invoice),
        "post_payment_amount": if it.is_before_payment { 0 } else { it.amount },
        "pre_payment_amount": if it.is_before_payment { it.amount } else { 0 },
        "reason": null,
        "refunds": it.refund.iter().map(|refund| json!({
            "amount_refunded": it.amount, "refund": refund, "type": "refund",
        })).collect::<Vec<_>>(),
        "status": if it.voided_at.is_some() { "void" } else { "issued" },
        "subtotal": it.amount,
        "total": it.amount,
        "total_taxes": [],
        "type": if it.is_before_payment { "pre_payment" } else { "post_payment" },
        "voided_at": it.voided_at,
    })
}

pub(super) fn retrieve(state: &mut State, id: &str, params: &mut Params) -> Answer {
    params.finish()?;
    Ok(state.find::<CreditNote>(id)?.render(state))
}

pub(super) fn list(state: &mut State, _: &str, params: &mut Params) -> Answer {
    let customer = params.nonempty("customer");
    let invoice = params.nonempty("invoice");
    let window = Window::take(params)?;
    params.finish()?;
    customers::listed(state, customer.as_deref())?;
    window.cut::<CreditNote>(state, "/v1/credit_notes", |it| {
        customer.as_ref().is_none_or(|wanted| *wanted == it.customer)
            && invoice.as_ref().is_none_or(|wanted| *wanted == it.invoice)
    })
}

/// Credits `amount` of an invoice: the credit note's id. Of one that is to be paid still, less is to be paid.
pub(super) fn issue(
    state: &mut State,
    invoice: &str,
    amount: i64,
    to: CreditTo,
) -> Result<String, Refusal> {
    let invoice = state.find::<Invoice>(invoice)?;
    let is_before_payment = match invoice.status {
        InvoiceStatus::Open => true,
        InvoiceStatus::Paid => false,
        _ => return Err(Refusal::invalid("Only an open or paid invoice can be credited.")),
    };
    let most = if is_before_payment { invoice.remaining() } else { invoice.total() };
    let before: i64 = of_invoice(state, &invoice.id, is_before_payment);
    if amount < 1 || amount > if is_before_payment { most } else { most - before } {
        return Err(Refusal::parameter_invalid("amount", "what is left of the invoice at most"));
    }
    let refund = match to {
        CreditTo::Refund if !is_before_payment => {
            let intent = invoice.payment_intent.as_ref();
            let charge = state.charges.iter().find(|it: &&Charge| {
                it.is_paid && intent.is_some_and(|intent| *intent == it.payment_intent)
            });
            let missing = || Refusal::invalid("Nothing was paid that could be given back.");
            let charge = charge.cloned().ok_or_else(missing)?;
            Some(refunds::give_back(state, &charge, Some(amount), None, Metadata::new())?)
        }
        _ => None,
    };
    let id = state.id(CreditNote::PREFIX);
    let count = state.credit_notes.iter().filter(|it| it.invoice == invoice.id).count() + 1;
    let note = CreditNote {
        id: id.clone(),
        created: state.now,
        number: format!("{}-CN-{count:02}", invoice.number.as_deref().unwrap_or_default()),
        invoice: invoice.id.clone(),
        customer: invoice.customer.clone(),
        amount,
        currency: invoice.currency.clone(),
        is_before_payment,
        refund: refund.clone(),
        voided_at: None,
    };
    state.announce(note, "credit_note.created");
    if is_before_payment {
        state.update::<Invoice>(&invoice.id, |it| it.amount_due -= amount);
        if amount == most {
            billing::settle(state, &invoice.id);
        }
    } else if refund.is_none() {
        state.update::<Customer>(&invoice.customer, |it| it.balance -= amount);
    }
    Ok(id)
}

/// What was credited of an invoice, before or after it was paid.
pub(super) fn of_invoice(state: &State, invoice: &str, is_before_payment: bool) -> i64 {
    let own = state.credit_notes.iter().filter(|it| it.invoice == invoice);
    let own = own.filter(|it| it.voided_at.is_none() && it.is_before_payment == is_before_payment);
    own.map(|it| it.amount).sum()
}
