//! One invoice: as a page on which it can be paid, and as a file.

use axum::{
    body::Bytes,
    extract::{Path, State as Shared},
    response::{IntoResponse, Redirect, Response},
};
use http::{StatusCode, header::CONTENT_TYPE};
use maud::html;

use super::{alert, card_field, card_in, day, money, not_found, page};
use crate::standins::stripe::{
    Stripe,
    billing::{self, Attempt},
    checkout::attach,
    model::{Card, Invoice, InvoiceStatus},
    refusal::Refusal,
    state::State,
};

pub(in super::super) async fn show(
    Shared(stripe): Shared<Stripe>,
    Path(id): Path<String>,
) -> Response {
    stripe.with(|state| match finalized(state, &id) {
        Some(invoice) => invoice_page(state, &invoice, StatusCode::OK, None),
        None => not_found(),
    })
}

pub(in super::super) async fn pay(
    Shared(stripe): Shared<Stripe>,
    Path(id): Path<String>,
    body: Bytes,
) -> Response {
    stripe.with(|state| {
        let Some(invoice) = finalized(state, &id) else { return not_found() };
        let paid = if asks_to_confirm(&body) {
            confirm(state, &id).is_ok()
        } else {
            let card = card_in(&body).filter(|it| it.can_be_attached());
            card.filter(|_| invoice.status == InvoiceStatus::Open).is_some_and(|card| {
                attach(state, &invoice.customer, card);
                // Whoever is asked to confirm does it here.
                let own = Some((card, card.pays() || card.must_confirm()));
                billing::collect(state, &id, own, Attempt::ByHand)
            })
        };
        if paid {
            return Redirect::to(&format!("/pages/invoices/{id}")).into_response();
        }
        let text = Some("Your card was declined.");
        invoice_page(state, &invoice, StatusCode::PAYMENT_REQUIRED, text)
    })
}

/// What the card's holder does on the page: confirms the payment with the bank.
pub(in super::super) fn confirm(state: &mut State, id: &str) -> Result<(), Refusal> {
    let invoice = state.find::<Invoice>(id)?;
    match own_card(state, &invoice).filter(|_| invoice.status == InvoiceStatus::Open) {
        Some(card) if card.must_confirm() => {
            billing::collect(state, id, Some((card, true)), Attempt::ByHand);
            Ok(())
        }
        _ => Err(Refusal::invalid("There is nothing to be confirmed.")),
    }
}

fn own_card(state: &State, invoice: &Invoice) -> Option<Card> {
    state.customers.get(&invoice.customer).and_then(|it| it.card)
}

fn asks_to_confirm(form: &[u8]) -> bool {
    url::form_urlencoded::parse(form).any(|(name, _)| name == "confirm")
}

/// A small file that says what it is.
pub(in super::super) async fn pdf(
    Shared(stripe): Shared<Stripe>,
    Path(id): Path<String>,
) -> Response {
    stripe.with(|state| match finalized(state, &id) {
        Some(invoice) => {
            let text = format!(
                "Invoice {}: {}",
                invoice.number.as_deref().unwrap_or_default(),
                money(invoice.total(), &invoice.currency)
            );
            ([(CONTENT_TYPE, "application/pdf")], one_line_pdf(&text)).into_response()
        }
        None => not_found(),
    })
}

fn finalized(state: &State, id: &str) -> Option<Invoice> {
    state.find::<Invoice>(id).ok().filter(|it| it.status != InvoiceStatus::Draft)
}

fn invoice_page(state: &State, it: &Invoice, status: StatusCode, error: Option<&str>) -> Response {
    let must_confirm = own_card(state, it).is_some_and(Card::must_confirm);
    let content = html! {
        @if let Some(text) = error { (alert(text)) }
        p { (day(it.created)) ", " (it.status.name()) }
        table {
            tbody {
                @for line in &it.lines {
                    tr { td { (line.description) } td { (money(line.amount, &it.currency)) } }
                }
                tr { th { "Total" } th { (money(it.total(), &it.currency)) } }
                tr { th { "Due" } th { (money(it.amount_due, &it.currency)) } }
            }
        }
        p { a href={ "/pages/invoices/" (it.id) "/pdf" } { "As a PDF" } }
        @if it.status == InvoiceStatus::Open && must_confirm {
            form method="post" {
                button type="submit" name="confirm" value="yes" { "Confirm the payment" }
            }
        }
        @if it.status == InvoiceStatus::Open {
            form method="post" {
                (card_field())
                button type="submit" { "Pay " (money(it.remaining(), &it.currency)) }
            }
        }
    };
    page(status, it.number.as_deref().unwrap_or("Invoice"), &content)
}

/// A PDF with one line of text, which holds no brackets.
fn one_line_pdf(text: &str) -> Vec<u8> {
    let stream = format!("BT /F1 18 Tf 72 720 Td ({text}) Tj ET");
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R \
         /Resources << /Font << /F1 5 0 R >> >> >>"
            .to_owned(),
        format!("<< /Length {} >>\nstream\n{stream}\nendstream", stream.len()),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_owned(),
    ];
    let mut file = "%PDF-1.4\n".to_owned();
    let mut offsets = Vec::new();
    for (at, object) in objects.iter().enumerate() {
        offsets.push(file.len());
        file.push_str(&format!("{} 0 obj\n{object}\nendobj\n", at + 1));
    }
    let table = file.len();
    file.push_str(&format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1));
    for offset in offsets {
        file.push_str(&format!("{offset:010} 00000 n \n"));
    }
    let count = objects.len() + 1;
    file.push_str(&format!(
        "trailer\n<< /Size {count} /Root 1 0 R >>\nstartxref\n{table}\n%%EOF\n"
    ));
    file.into_bytes()
}
