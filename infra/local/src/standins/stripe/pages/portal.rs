//! The customer portal.

use axum::{
    body::Bytes,
    extract::{Path, State as Shared},
    response::{IntoResponse, Redirect, Response},
};
use http::StatusCode;
use maud::{Markup, html};

use super::{alert, card_field, card_in, day, money, not_found, page};
use crate::standins::stripe::{
    Stripe,
    billing::product_name,
    checkout::attach,
    controls::portal_mark,
    customers,
    model::{Customer, InvoiceStatus, PortalSession, Subscription},
    refusal::Refusal,
    state::State,
};

/// How long a portal's address works, seconds.
const OPEN_FOR: i64 = 3_600;

pub(in super::super) async fn show(
    Shared(stripe): Shared<Stripe>,
    Path(id): Path<String>,
) -> Response {
    stripe.with(|state| match open(state, &id) {
        Some((session, customer)) => portal(state, &session, &customer, StatusCode::OK, None),
        None => not_found(),
    })
}

pub(in super::super) async fn act(
    Shared(stripe): Shared<Stripe>,
    Path((id, action)): Path<(String, String)>,
    body: Bytes,
) -> Response {
    stripe.with(|state| {
        let Some((session, customer)) = open(state, &id) else { return not_found() };
        let done = match action.as_str() {
            "card" => change_card(state, &customer.id, &body),
            "cancel" => portal_mark(state, &customer.id, true),
            "resume" => portal_mark(state, &customer.id, false),
            _ => return not_found(),
        };
        match done {
            Ok(()) => Redirect::to(&format!("/pages/portal/{id}")).into_response(),
            Err(refusal) => {
                let text = "That did not work. If it was a card, it was declined.";
                portal(state, &session, &customer, refusal.status, Some(text))
            }
        }
    })
}

fn open(state: &State, id: &str) -> Option<(PortalSession, Customer)> {
    let session = state.find::<PortalSession>(id).ok()?;
    let customer = customers::existing(state, &session.customer).ok()?;
    (state.now < session.created + OPEN_FOR).then_some((session, customer))
}

fn change_card(state: &mut State, customer: &str, form: &[u8]) -> Result<(), Refusal> {
    let card = card_in(form).filter(|it| it.can_be_attached());
    attach(state, customer, card.ok_or_else(Refusal::card_declined)?);
    Ok(())
}

fn portal(
    state: &State,
    session: &PortalSession,
    customer: &Customer,
    status: StatusCode,
    error: Option<&str>,
) -> Response {
    let own = |it: &&Subscription| it.customer == customer.id && !it.is_over();
    let content = html! {
        @if let Some(text) = error { (alert(text)) }
        h2 { "Subscription" }
        @for it in state.subscriptions.iter().filter(own) { (subscription(state, session, it)) }
        h2 { "Card" }
        @if let Some(card) = customer.card { p { "Visa, ends in " (card.last4()) } }
        form method="post" action={ "/pages/portal/" (session.id) "/card" } {
            (card_field())
            button type="submit" { "Change card" }
        }
        h2 { "Invoices" }
        (invoices(state, customer))
        @if let Some(url) = &session.return_url { p { a href=(url) { "Back" } } }
    };
    page(status, "Billing", &content)
}

fn subscription(state: &State, session: &PortalSession, it: &Subscription) -> Markup {
    let price = state.prices.get(&it.price);
    let name = price.map(|price| product_name(state, &price.product)).unwrap_or_default();
    let (action, words) =
        if it.cancel_at_period_end { ("resume", "Keep it") } else { ("cancel", "Cancel") };
    html! {
        p {
            strong { (name) } ", " (it.status.name()) ", "
            @if it.cancel_at_period_end { "ends on " } @else { "renews on " }
            (day(it.period_end))
        }
        form method="post" action={ "/pages/portal/" (session.id) "/" (action) } {
            button type="submit" { (words) }
        }
    }
}

fn invoices(state: &State, customer: &Customer) -> Markup {
    let is_shown = |it: &&crate::standins::stripe::model::Invoice| {
        it.customer == customer.id && it.status != InvoiceStatus::Draft
    };
    html! {
        table {
            thead { tr { th { "Date" } th { "Number" } th { "Amount" } th { "Status" } } }
            tbody {
                @for it in state.invoices.iter().rev().filter(is_shown) {
                    tr {
                        td { (day(it.created)) }
                        td { a href={ "/pages/invoices/" (it.id) } {
                            (it.number.as_deref().unwrap_or_default())
                        } }
                        td { (money(it.total(), &it.currency)) }
                        td { (it.status.name()) }
                    }
                }
            }
        }
    }
}
