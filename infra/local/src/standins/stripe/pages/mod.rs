//! The pages that a person sees at Stripe. They work without scripts.

pub(super) mod checkout;
pub(super) mod invoice;
pub(super) mod portal;

use axum::response::{Html, IntoResponse, Response};
use http::{HeaderName, StatusCode, header};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use time::{OffsetDateTime, macros::format_description};

use super::model::Card;

const STYLE: &str = "
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 34rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: start; padding: .4rem .6rem; border-bottom: 1px solid #8884; }
form { margin: 1rem 0; } label { display: block; }
input { font: inherit; width: 100%; box-sizing: border-box; padding: .5rem; margin: .3rem 0 .8rem; }
button { font: inherit; padding: .5rem 1.2rem; }
[role=alert] { border: 1px solid #c33; padding: .6rem 1rem; }
";

/// Nothing is loaded. Forms may lead on to wherever the service wants its customers back.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'";

fn page(status: StatusCode, title: &str, content: &Markup) -> Response {
    let body = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width";
                title { (title) " · Stripe (local)" }
                style { (PreEscaped(STYLE)) }
            }
            body { main { h1 { (title) } (content) } }
        }
    };
    let headers: [(HeaderName, &str); 2] =
        [(header::CONTENT_SECURITY_POLICY, POLICY), (header::REFERRER_POLICY, "no-referrer")];
    (status, headers, Html(body.into_string())).into_response()
}

fn not_found() -> Response {
    page(StatusCode::NOT_FOUND, "Not found", &html! { p { "There is no such page." } })
}

fn alert(text: &str) -> Markup {
    html! { p role="alert" { (text) } }
}

fn card_field() -> Markup {
    html! {
        label for="card" { "Card number" }
        input id="card" name="card" value="4242 4242 4242 4242" inputmode="numeric"
            autocomplete="off" required;
    }
}

/// The card in a posted form.
fn card_in(form: &[u8]) -> Option<Card> {
    let card = url::form_urlencoded::parse(form).find(|(name, _)| name == "card");
    Card::from_number(&card?.1)
}

fn money(cents: i64, currency: &str) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    let size = cents.unsigned_abs();
    format!("{sign}{}.{:02} {}", size / 100, size % 100, currency.to_uppercase())
}

fn day(at: i64) -> String {
    let format = format_description!("[day padding:none] [month repr:long] [year]");
    let at = OffsetDateTime::from_unix_timestamp(at).ok();
    at.and_then(|it| it.format(format).ok()).unwrap_or_default()
}
