//! `/`: what this is.

use lambda_http::http::{HeaderValue, StatusCode, header};
use maud::html;
use serde_json::json;

use crate::{
    docs::{self, layout},
    error::Error,
    http::{Call, Reply},
};

const TITLE: &str = "TikTok Video Intelligence API";

const WHAT: &str = "Data about public TikTok videos from TikTok's official interfaces, for programs: views, likes, \
     comments, figures made of them, searches. Every figure says where it came from, when, and how late it may be.";

/// As a page, or as JSON for who asks for that; help is at the address `support`.
pub(super) fn home(call: &Call, support: &str) -> Result<Reply, Error> {
    let reply = if call.accepts("application/json") && !call.accepts("text/html") {
        let links = json!({
            "name": TITLE,
            "about": WHAT,
            "version": env!("CARGO_PKG_VERSION"),
            "description": "/openapi.json",
            "documentation": "/docs",
            "health": "/health",
            "privacy": "/v1/policy",
            "sign_up": "/sign-up",
            "objections": "/object",
            "support": support,
        });
        let keep = HeaderValue::from_static("public, max-age=300");
        Reply::json(StatusCode::OK, &links)?
            .with(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"))
            .with(header::CACHE_CONTROL, keep)
    } else {
        docs::reply(page(support))
    };
    Ok(reply.with(header::VARY, HeaderValue::from_static("accept, accept-encoding")))
}

fn page(support: &str) -> String {
    let links = [
        ("/sign-up", "Open an account", "Or get a new key, if you have lost yours."),
        ("/docs", "Documentation", "How to ask, what is answered, what it costs. For programs: "),
        ("/object", "Creators: be left out", "Do you not want your videos looked up here?"),
        (
            "/privacy",
            "Privacy",
            "What is kept, how long and why, and how to have it copied or deleted.",
        ),
        ("/health", "Health", "How the service and its sources are doing, as JSON."),
    ];
    let content = html! {
        ul.links {
            @for (link, title, about) in links {
                li {
                    a href=(link) { (title) }
                    p.soft {
                        (about)
                        @if link == "/docs" { a href="/openapi.json" { "OpenAPI 3.1" } "." }
                    }
                }
            }
        }
        p { "Help: " a href={ "mailto:" (support) } { (support) } "." }
        p.soft { "Not a service of TikTok's. It has no scraper: it asks TikTok's own interfaces only." }
    };
    layout(TITLE, &html! { h1 { (TITLE) } p { (WHAT) } }, None, &content)
}
