//! The documentation as pages to read, made from the description of the API: no script, nothing that is
//! loaded from elsewhere, so that nobody else learns who reads them.

mod billing;
mod guide;
mod layout;
mod operations;
mod schemas;
#[cfg(test)]
mod tests;
mod text;
mod types;

use lambda_http::http::{HeaderValue, header};
use maud::{Markup, html};
use serde_json::Value;

pub use self::billing::{BillingPage, billing_page};
use self::operations::Operation;
pub(crate) use self::{
    layout::{content_security_policy, layout, scroll},
    text::line,
};
use crate::{
    http::{KINDS, Kind, Reply, Site},
    openapi,
};

/// The whole documentation; help is at the address `support`.
pub fn page(support: &str) -> String {
    render(&serde_json::to_value(openapi::document_with(support)).unwrap_or_default())
}

fn render(document: &Value) -> String {
    let operations = Operation::all(document);
    let schemas = &document["components"]["schemas"];
    let content = html! {
        (guide::sections())
        (operations::sections(document, &operations))
        (guide::problems())
        (schemas::sections(schemas, &operations))
    };
    let title = document["info"]["title"].as_str().unwrap_or_default();
    let navigation = navigation(document, &operations);
    layout(
        &format!("{title}: documentation"),
        &guide::introduction(document),
        Some(&navigation),
        &content,
    )
}

fn navigation(document: &Value, operations: &[Operation<'_>]) -> Markup {
    let schemas = document["components"]["schemas"].as_object();
    html! {
        nav aria-labelledby="contents" {
            h2 id="contents" { "Contents" }
            ul {
                @for (anchor, title) in guide::SECTIONS {
                    li { a href={ "#" (anchor) } { (title) } }
                }
            }
            @for (tag, _) in operations::tags(document) {
                details open {
                    summary { (tag) }
                    ul {
                        @for operation in operations.iter().filter(|it| it.is_of(tag)) {
                            li { (operation.link()) }
                        }
                    }
                }
            }
            details {
                summary { "Errors" }
                ul {
                    li { a href="#errors" { "All errors" } }
                    @for kind in KINDS {
                        li { a href={ "#" (guide::anchor(kind)) } { (kind.title()) } }
                    }
                }
            }
            details {
                summary { "Schemas" }
                ul {
                    li { a href="#schemas" { "All schemas" } }
                    @for (name, _) in schemas.into_iter().flatten() { li { (types::link(name)) } }
                }
            }
        }
    }
}

/// The page of one kind of problem at `site`: where its `type` leads.
pub fn problem_page(kind: &Kind, site: Site<'_>) -> String {
    let header = html! { h1 { (kind.title()) } };
    let content = html! {
        p { (line(kind.about())) }
        p.soft {
            "Status " code { (kind.status().as_u16()) } ", type " code { (kind.uri(site.url)) } "."
        }
        p { "Help: " a href={ "mailto:" (site.support) } { (site.support) } "." }
        p {
            a href="/docs#errors" { "All errors" } ", and the rest of the "
            a href="/docs" { "documentation" } "."
        }
    };
    layout(kind.title(), &header, None, &content)
}

/// The answer that shows a page: nothing may run in it or be loaded by it.
pub fn reply(page: String) -> Reply {
    let reply = Reply::document("text/html; charset=utf-8", page);
    match HeaderValue::try_from(content_security_policy("'none'")) {
        Ok(policy) => reply.with(header::CONTENT_SECURITY_POLICY, policy),
        // The policy of every answer holds: a page without style.
        Err(_) => reply,
    }
}
