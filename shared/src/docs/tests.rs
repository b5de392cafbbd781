use std::collections::BTreeSet;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::*;

const SUPPORT: &str = "support@example.com";

/// The values of an attribute, in order.
fn attributes<'a>(html: &'a str, name: &str) -> Vec<&'a str> {
    let start = format!(" {name}=\"");
    html.split(&start).skip(1).filter_map(|it| it.split('"').next()).collect()
}

fn pages() -> Vec<String> {
    let billing = BillingPage::ALL.map(billing_page);
    KINDS
        .iter()
        .map(|kind| problem_page(kind, openapi::EXAMPLE_SITE))
        .chain(billing)
        .chain([page(SUPPORT)])
        .collect()
}

#[test]
fn the_page_has_every_operation_schema_and_problem() {
    let document = serde_json::to_value(openapi::document()).expect("JSON");
    let page = page(SUPPORT);
    let ids = attributes(&page, "id");
    let operations = Operation::all(&document);
    assert!(operations.len() >= 18);
    for operation in &operations {
        let heading = format!(
            r#"<span class="method {0}">{1}</span> <code>{2}</code></h3>"#,
            operation.method,
            operation.method.to_uppercase(),
            operation.path,
        );
        assert!(page.contains(&heading), "{heading}");
    }
    for name in document["components"]["schemas"].as_object().expect("schemas").keys() {
        assert!(ids.contains(&types::anchor(name).as_str()), "{name}");
    }
    for kind in KINDS {
        assert!(ids.contains(&guide::anchor(kind).as_str()), "{}", kind.name());
    }
}

#[test]
fn every_tag_of_an_operation_has_its_section() {
    let document = serde_json::to_value(openapi::document()).expect("JSON");
    let tags: BTreeSet<&str> = operations::tags(&document).map(|it| it.0).collect();
    for operation in Operation::all(&document) {
        assert!(tags.iter().any(|tag| operation.is_of(tag)), "{}", operation.path);
    }
}

#[test]
fn every_link_leads_somewhere_and_every_anchor_is_there_once() {
    let whole = page(SUPPORT);
    let ids = attributes(&whole, "id");
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "an anchor is there twice");
    for page in pages() {
        let own = attributes(&page, "id");
        for link in attributes(&page, "href") {
            let found = match link.split_once('#') {
                Some(("", anchor)) => own.contains(&anchor),
                Some(("/docs", anchor)) => ids.contains(&anchor),
                _ => match link.strip_prefix("/problems/") {
                    Some(name) => Kind::named(name).is_some(),
                    None if link.strip_prefix("mailto:") == Some(SUPPORT) => true,
                    None => {
                        crate::http::PATHS.iter().any(|it| it.0 == link && it.1.contains(&"GET"))
                    }
                },
            };
            assert!(found, "{link} leads nowhere");
        }
        for label in attributes(&page, "aria-labelledby") {
            assert!(own.contains(&label), "{label}");
        }
    }
}

#[test]
fn no_page_runs_or_loads_anything() {
    for page in pages() {
        let page = page.to_lowercase();
        for tag in ["script", "link", "img", "iframe", "object", "embed", "form", "base", "svg"] {
            assert!(!page.contains(&format!("<{tag}")), "{tag}");
        }
        for attribute in ["src", "style", "onload", "onclick", "http-equiv"] {
            assert!(attributes(&page, attribute).is_empty(), "{attribute}");
        }
        let (_, style) = page.split_once("<style>").expect("a stylesheet");
        let (style, _) = style.split_once("</style>").expect("its end");
        for word in ["url(", "@import", "http:", "https:"] {
            assert!(!style.contains(word), "{word}");
        }
    }
}

#[test]
fn the_policy_names_the_hash_of_the_stylesheet_that_is_in_the_page() {
    for page in pages() {
        let (_, style) = page.split_once("<style>").expect("a stylesheet");
        let (style, rest) = style.split_once("</style>").expect("its end");
        assert!(!rest.contains("<style"));
        let hash = format!("style-src 'sha256-{}'", STANDARD.encode(Sha256::digest(style)));
        assert!(content_security_policy("'none'").contains(&hash));
    }
}

#[test]
fn headings_are_in_order() {
    for page in pages() {
        let body = page.split_once("<body").expect("a body").1;
        let levels: Vec<u8> = body
            .match_indices("<h")
            .filter_map(|(at, _)| body.as_bytes().get(at + 2))
            .filter(|byte| byte.is_ascii_digit())
            .map(|byte| byte - b'0')
            .collect();
        assert_eq!(levels.first(), Some(&1));
        assert_eq!(levels.iter().filter(|it| **it == 1).count(), 1);
        assert!(levels.windows(2).all(|it| it[1] <= it[0] + 1), "{levels:?}");
        assert!(page.contains(r#"<html lang="en">"#) && page.contains("<title>"));
    }
}

/// What the document says comes out as text, wherever it stands.
#[test]
fn markup_in_the_document_is_shown_and_not_obeyed() {
    let evil = "<script>alert(1)</script>\"'&";
    let schema = json!({
        "type": "object", "description": evil, "required": [evil],
        "properties": { evil: { "type": "string", "description": evil, "example": evil, "enum": [evil],
            "pattern": evil, "format": evil } },
    });
    let body = json!({ "application/json": { "schema": schema, "example": { "a": evil } } });
    let document = json!({
        "info": { "title": evil, "description": evil, "version": evil },
        "tags": [{ "name": evil, "description": evil }],
        "paths": { evil: { "get": {
            "tags": [evil], "operationId": evil, "summary": evil, "description": evil,
            "parameters": [{ "name": evil, "in": evil, "schema": { "type": evil }, "example": evil }],
            "requestBody": { "description": evil, "content": body },
            "responses": { evil: {
                "description": evil, "content": body, "headers": { evil: { "description": evil } },
            } },
        } } },
        "components": { "schemas": { evil: schema } },
    });
    let page = render(&document);
    assert!(!page.contains("<script"));
    assert!(page.matches("&lt;script&gt;").count() > 20);
}

#[test]
fn fields_tell_whether_they_are_there() {
    let document = json!({
        "paths": { "/a": { "post": {
            "operationId": "a", "tags": ["T"],
            "requestBody": { "content": { "application/json": {
                "schema": { "$ref": "#/components/schemas/Asked" } } } },
            "responses": { "200": { "description": "ok", "content": { "application/json": {
                "schema": { "$ref": "#/components/schemas/Told" } } } } },
        } } },
        "components": { "schemas": {
            "Asked": { "type": "object", "required": ["z"], "properties": {
                "a": { "type": ["string", "null"] }, "z": { "type": "string", "example": "x" } } },
            "Told": { "allOf": [
                { "$ref": "#/components/schemas/Asked" },
                { "type": "object", "required": ["inner"], "properties": {
                    "inner": { "type": "array", "items": { "type": "object", "required": ["n"],
                        "properties": { "n": { "type": "integer" }, "m": {} } } } } },
            ] },
        } },
    });
    let page = render(&document);
    for row in [
        r#"<code>z</code></th><td>string</td><td>required</td>"#,
        r#"<code>a</code></th><td>string</td><td>optional, may be null</td>"#,
        r#"<code>inner</code></th><td>list of object</td><td>always</td>"#,
        r#"<code>inner[].n</code></th><td>integer</td><td>always</td>"#,
        r#"<code>inner[].m</code></th><td>any JSON</td><td>not always</td>"#,
        r##"All fields of <a href="#schema-Asked">Asked</a>"##,
        r##"Used by <a href="#op-a">"##,
    ] {
        assert!(page.contains(row), "{row}");
    }
    let place = |name: &str| page.find(&format!("<code>{name}</code></th>")).expect("a row");
    assert!(place("z") < place("a"), "what is required comes first");
}

#[test]
fn examples_are_shown_and_long_ones_are_closed() {
    let document = serde_json::to_value(openapi::document()).expect("JSON");
    let page = page(SUPPORT);
    let shown = |text: &str| page.matches(text).count();
    // One for each body with several, or with a long one.
    let mut closed = 0;
    for operation in Operation::all(&document) {
        let answers = operation.value["responses"].as_object().expect("responses").values();
        for body in answers.chain([&operation.value["requestBody"]]) {
            for (_, media) in body["content"].as_object().into_iter().flatten() {
                let is_long = format!("{:#}", media["example"]).lines().count() > 12;
                closed += usize::from(media["examples"].is_object() || is_long);
            }
        }
    }
    assert_eq!(shown(r#"<details class="example">"#), closed);
    assert!(closed > 100, "{closed}");
    assert!(
        shown("<summary>Example of <code>404</code>: link-leads-nowhere, video-not-found") == 1
    );
    assert!(page.contains("both-sources, one-source") && page.contains("Sandbox Baker"));
    assert!(page.len() < 1_500_000, "{} bytes", page.len());
}
