//! What the document itself does not say: how to begin, limits, headers, problems.

use maud::{Markup, html};
use serde_json::Value;

use super::{
    layout::scroll,
    text::{line, paragraphs},
};
use crate::{
    billing::GRACE_DAYS,
    gate::Class,
    http::{KINDS, Kind},
    openapi::EXAMPLE_URL,
    plans::{CURRENCY, Plan},
    video::FREE_CALLS_A_DAY,
};

/// Header fields: of requests and of answers.
const HEADERS: [(&str, &str); 10] = [
    ("X-API-Key", "Request: your API key. `Authorization: Bearer …` does as well."),
    (
        "Idempotency-Key",
        "Request, where an operation names it: 1 to 128 printable characters of your choice. Sent \
         again within a day, the request is answered as before and nothing is done twice.",
    ),
    (
        "Accept-Encoding",
        "Request: with `gzip`, answers above 1 KB are compressed to about a tenth.",
    ),
    ("X-Request-Id", "Every answer: its id. Quote it when you ask for help."),
    (
        "RateLimit-Policy",
        "Answers to a request with a key: your limits as `q` requests in `w` seconds. `minute` and `month` \
         are those of your plan; what is not metered has `account`, or `payment` where the payment provider \
         is asked.",
    ),
    (
        "RateLimit",
        "Of each of those limits, `r` requests are left, and in `t` seconds there are more; with `429`, as \
         many as you asked for.",
    ),
    ("Retry-After", "With `429` and `503`: wait for so many seconds before the next attempt."),
    (
        "Allow",
        "With `405`: the methods that the address takes. `HEAD` goes wherever `GET` goes, and counts as much.",
    ),
    ("WWW-Authenticate", "With `401`: send an API key."),
    ("Location", "With `303`: where to go on. Do not send your key there: it is another host."),
];

const SIGN_UP: &str = r#"API=https://api.example.com   # the address of this page, without /docs

curl -X POST "$API/v1/accounts" -H 'Content-Type: application/json' \
  -d '{"email":"ada@example.com","policy_version":"1.0","is_13_or_older":true}'

curl -X POST "$API/v1/accounts/verify" -H 'Content-Type: application/json' \
  -d '{"token":"…"}'          # from the mail; the answer holds your first key"#;

const FIRST_REQUEST: &str = r#"KEY=tvi_live_…

curl -i -H "X-API-Key: $KEY" "$API/v1/videos/7565919548239514898""#;

/// Anchors and titles of the sections.
pub(super) const SECTIONS: [(&str, &str); 5] = [
    ("authentication", "Authentication"),
    ("first-request", "A first request"),
    ("limits", "Limits"),
    ("payment", "Plans and payment"),
    ("headers", "Headers"),
];

/// Title and description of the document.
pub(super) fn introduction(document: &Value) -> Markup {
    let text = |name: &str| document["info"][name].as_str().unwrap_or_default();
    html! {
        h1 { (text("title")) }
        (paragraphs(text("description")))
        p {
            "Version " (text("version")) ". For programs, the same as OpenAPI: "
            a href="/openapi.json" { code { "/openapi.json" } } ". What is kept about you, how long "
            "and why: " a href="/v1/policy" { code { "/v1/policy" } } "."
        }
        @if let Some(support) = document["info"]["contact"]["email"].as_str() {
            p { "Help: " a href={ "mailto:" (support) } { (support) } "." }
        }
    }
}

/// How to begin, and what holds for all operations.
pub(super) fn sections() -> Markup {
    html! {
        (authentication())
        (first_request())
        (limits())
        (payment())
        (headers())
    }
}

/// The heading of a section of [`SECTIONS`].
fn heading(index: usize) -> Markup {
    let (anchor, title) = SECTIONS[index];
    html! { h2 id=(anchor) { (title) } }
}

fn code_block(text: &str) -> Markup {
    html! { (scroll("Commands", &html! { pre { code { (text) } } })) }
}

fn authentication() -> Markup {
    html! {
        (heading(0))
        p {
            (line("Send your API key with each request that needs one, in the header `X-API-Key` or \
                   as `Authorization: Bearer`. Never put it into an address: addresses end up in \
                   logs."))
        }
        p {
            "Sign up with an address, and confirm it with the token that is mailed to you, on "
            a href="/sign-up" { "a page" } " or from a program:"
        }
        (code_block(SIGN_UP))
        p {
            "A key is shown once. Make another one and revoke the old one under "
            a href="#tag-account" { "Account" } "; a revoked key is refused from the next request on."
        }
        p {
            (line("Have you lost your key, or does somebody else have it? Sign up again with the same address: \
                   the mail then leads to a page, and holds a token for `POST /v1/accounts/recover`, which makes a new key and, if \
                   you want, revokes all others and cancels a deletion. A sandbox key (`tvi_test_…`) opens the \
                   video endpoints only."))
        }
    }
}

fn first_request() -> Markup {
    html! {
        (heading(1))
        (code_block(FIRST_REQUEST))
        p {
            "Each figure of the answer says its source, when it was fetched, and how late it may be; \
             one that no source can give is " code { "null" } ", with the reason."
        }
    }
}

fn limits() -> Markup {
    let table = html! {
        table.narrow {
            thead {
                tr {
                    th scope="col" { "Plan" }
                    th scope="col" { "Requests a month" }
                    th scope="col" { "In any minute" }
                    th scope="col" { "Country" }
                    th scope="col" { "Price of a month" }
                }
            }
            tbody {
                @for plan in Plan::ALL {
                    tr {
                        th scope="row" { code { (plan.name()) } }
                        td { (grouped(plan.requests_per_period())) }
                        td { (grouped(plan.requests_per_minute())) }
                        td { @if plan.includes_country() { "included" } @else { "not included" } }
                        td { (price(plan)) }
                    }
                }
            }
        }
    };
    html! {
        (heading(2))
        p {
            "On the free plan a month is a calendar month, and ends at 00:00 UTC; on one that is paid for it \
             is the month that was paid for. Over a limit the answer is "
            a href="#problem-quota-exceeded" { code { "429" } } ", and says when to come back. Requests \
             that are refused or fail are not charged, and whatever is not marked as metered never is. \
             That has limits of its own: each account may make "
            (Class::Account.requests_per_minute()) " such requests in any minute, and "
            (Class::Payment.requests_per_minute()) " more of those that ask the payment provider."
        }
        p {
            "What TikTok's Research API allows in a day is shared out too. On the free plan an account asks it "
            (FREE_CALLS_A_DAY) " times a day at most: a creator's page takes two questions, and so do many searches \
             and videos that are not in the cache. Beyond that, videos come without what only that source tells, \
             and what it alone can tell is answered with "
            a href="#problem-source-allowance-used" { code { "503" } } "."
        }
        (scroll("Limits of each plan", &table))
    }
}

/// What a month of the plan costs.
fn price(plan: Plan) -> String {
    let cents = plan.cents_per_month();
    format!("{}.{:02} {}", cents / 100, cents % 100, CURRENCY.to_uppercase())
}

const BUY: &str = r#"curl -X POST "$API/v1/billing/checkout" -H "X-API-Key: $KEY" \
  -H 'Content-Type: application/json' -d '{"plan":"pro"}'   # open the answer's url in a browser"#;

fn payment() -> Markup {
    html! {
        (heading(3))
        p {
            (line("Every account begins on the free plan. Buy another one on a page of our payment processor, \
                   Stripe; the card's number never comes to us:"))
        }
        (code_block(BUY))
        p {
            (line("Change it at `POST /v1/billing/plan`. A larger plan begins at once, with a month and a quota \
                   of its own: its price is charged, less what is left of the month before. If the card is \
                   declined nothing changes. If its bank wants the payment confirmed, the answer is 202 with a \
                   `pay_url`: open it in a browser within the time that the answer names. A smaller plan, or \
                   `free` to end the subscription, begins with the next period: until then you have what you \
                   have paid for, and can take the change back by asking for the present plan."))
        }
        p {
            (line("Cards are changed on the page that `POST /v1/billing/portal` opens. Invoices come by mail \
                   and stay at `GET /v1/billing/invoices`. Until the payment for a new month has come, that \
                   month has about half of its requests (14 of 30 days are 46 %), at the same speed; the rest \
                   comes with the payment, as a rule an hour later. If the payment fails, mails tell you and \
                   lead to the page on which it can be made, the plan goes on for "))
            (GRACE_DAYS)
            (line(" days, and then the account is on the free plan again. Taxes are not included in prices."))
        }
    }
}

/// A number with its thousands apart.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn headers() -> Markup {
    let table = html! {
        table.narrow {
            thead { tr { th scope="col" { "Header" } th scope="col" { "Meaning" } } }
            tbody {
                @for (name, about) in HEADERS {
                    tr { th scope="row" { code { (name) } } td { (line(about)) } }
                }
            }
        }
    };
    html! { (heading(4)) (scroll("Headers", &table)) }
}

/// The anchor of a kind of problem.
pub(super) fn anchor(kind: &Kind) -> String {
    format!("problem-{}", kind.name())
}

/// Every kind of problem.
pub(super) fn problems() -> Markup {
    html! {
        section aria-labelledby="errors" {
            h2 id="errors" { "Errors" }
            p {
                "An error is answered as " code { "application/problem+json" } " (RFC 9457), a "
                a href="#schema-Problem" { "Problem" } ": its " code { "type" } " names the kind, at this service's own \
                 address, and stays the same, its " code { "detail" } " is for people and may change."
            }
            @for kind in KINDS {
                h3 id=(anchor(kind)) { (kind.title()) }
                (problem(kind))
            }
        }
    }
}

/// What there is to say of one kind.
pub(super) fn problem(kind: &Kind) -> Markup {
    html! {
        p.soft {
            "Status " code { (kind.status().as_u16()) } ", type " code { (kind.uri(EXAMPLE_URL)) } " "
            a href={ "/problems/" (kind.name()) } aria-label={ "Page of: " (kind.title()) } { "(page)" }
        }
        p { (line(kind.about())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_have_two_places() {
        assert_eq!(Plan::ALL.map(price), ["0.00 USD", "5.00 USD", "20.00 USD", "100.00 USD"]);
    }

    #[test]
    fn thousands_are_set_apart() {
        let numbers = [0, 50, 999, 1_000, 100_000, 1_234_567];
        let texts = ["0", "50", "999", "1,000", "100,000", "1,234,567"];
        assert_eq!(numbers.map(grouped), texts);
    }
}
