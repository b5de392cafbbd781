//! The checkout.

use axum::{
    body::Bytes,
    extract::{Path, State as Shared},
    response::{IntoResponse, Redirect, Response},
};
use http::StatusCode;
use maud::html;

use super::{alert, card_field, card_in, money, not_found, page};
use crate::standins::stripe::{
    Stripe,
    billing::product_name,
    checkout::complete,
    model::{Session, SessionStatus},
    refusal::Refusal,
    state::State,
};

pub(in super::super) async fn show(
    Shared(stripe): Shared<Stripe>,
    Path(id): Path<String>,
) -> Response {
    stripe.with(|state| form(state, &id, StatusCode::OK, None))
}

pub(in super::super) async fn pay(
    Shared(stripe): Shared<Stripe>,
    Path(id): Path<String>,
    body: Bytes,
) -> Response {
    stripe.with(|state| {
        let paid = match card_in(&body) {
            Some(card) => complete(state, &id, card),
            None => Err(Refusal::card_declined()),
        };
        match paid {
            Ok(url) => Redirect::to(&url).into_response(),
            Err(refusal) if refusal.status == StatusCode::PAYMENT_REQUIRED => {
                let text = "Your card was declined. Try another one.";
                form(state, &id, refusal.status, Some(text))
            }
            Err(_) => form(state, &id, StatusCode::CONFLICT, None),
        }
    })
}

fn form(state: &State, id: &str, status: StatusCode, error: Option<&str>) -> Response {
    let Ok(session) = state.find::<Session>(id) else { return not_found() };
    let Some(price) = state.prices.get(&session.price) else { return not_found() };
    let back = session.cancel_url.as_ref();
    if session.status != SessionStatus::Open {
        let content = html! {
            p { "This page is no longer open." }
            @if let Some(url) = back { p { a href=(url) { "Back" } } }
        };
        return page(StatusCode::GONE, "Checkout", &content);
    }
    let name = product_name(state, &price.product);
    let amount = money(price.unit_amount * session.quantity, &price.currency);
    let content = html! {
        p { strong { (name) } ", " (amount) " per " (price.interval.name()) }
        @if let Some(days) = session.trial_days { p { (days) " days free" } }
        @if let Some(text) = error { (alert(text)) }
        form method="post" {
            (card_field())
            button type="submit" {
                @if session.trial_days.is_some() { "Start trial" } @else { "Pay " (amount) }
            }
        }
        @if let Some(url) = back { p { a href=(url) { "Back" } } }
    };
    page(status, "Checkout", &content)
}
