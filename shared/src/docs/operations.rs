//! The operations, by tag.

use maud::{Markup, html};
use serde_json::Value;

use super::{
    layout::scroll,
    text::{line, paragraphs},
    types::{shown, type_of},
};

/// Methods of an OpenAPI path, in the order in which they are shown.
const METHODS: [&str; 7] = ["get", "post", "put", "patch", "delete", "head", "options"];

/// One operation of the document.
pub(super) struct Operation<'a> {
    pub(super) method: &'static str,
    pub(super) path: &'a str,
    pub(super) value: &'a Value,
}

impl<'a> Operation<'a> {
    /// Every operation, by path.
    pub(super) fn all(document: &'a Value) -> Vec<Self> {
        let paths = document["paths"].as_object().into_iter().flatten();
        let of_path = |(path, operations): (&'a String, &'a Value)| {
            METHODS.into_iter().filter_map(move |method| {
                Some(Self { method, path, value: operations.get(method)? })
            })
        };
        paths.flat_map(of_path).collect()
    }

    fn anchor(&self) -> String {
        format!("op-{}", self.value["operationId"].as_str().unwrap_or(self.path))
    }

    /// Whether it stands under this tag.
    pub(super) fn is_of(&self, tag: &str) -> bool {
        self.value["tags"][0] == tag
    }

    fn name(&self) -> Markup {
        html! {
            span.method.(self.method) { (self.method.to_uppercase()) }
            " "
            code { (self.path) }
        }
    }

    /// A link to it.
    pub(super) fn link(&self) -> Markup {
        html! { a href={ "#" (self.anchor()) } { (self.name()) } }
    }

    fn title(&self) -> String {
        format!("{} {}", self.method.to_uppercase(), self.path)
    }

    fn section(&self) -> Markup {
        let text = |name: &str| self.value[name].as_str().unwrap_or_default();
        html! {
            h3 id=(self.anchor()) { (self.name()) }
            (paragraphs(text("summary")))
            (paragraphs(text("description")))
            p.soft { (self.credentials()) }
            (self.parameters())
            (self.request_body())
            (self.responses())
        }
    }

    fn credentials(&self) -> Markup {
        let ways = self.value["security"].as_array().map(Vec::as_slice).unwrap_or_default();
        let is_free = |way: &Value| way.as_object().is_none_or(serde_json::Map::is_empty);
        html! {
            @if ways.iter().all(is_free) {
                "Needs no API key."
            } @else if ways.iter().any(is_free) {
                "An " a href="#authentication" { "API key" } " may be left out."
            } @else {
                "Needs an " a href="#authentication" { "API key" } "."
            }
        }
    }

    fn parameters(&self) -> Markup {
        let Some(parameters) = self.value["parameters"].as_array() else { return html! {} };
        let rows = html! {
            table {
                thead {
                    tr {
                        th scope="col" { "Name" }
                        th scope="col" { "In" }
                        th scope="col" { "Type" }
                        th scope="col" { "Meaning" }
                    }
                }
                tbody {
                    @for it in parameters {
                        tr {
                            th scope="row" { code { (it["name"].as_str().unwrap_or_default()) } }
                            td {
                                (it["in"].as_str().unwrap_or_default())
                                @if it["required"] != true { ", optional" }
                            }
                            td { (type_of(&it["schema"])) }
                            td {
                                (line(it["description"].as_str().unwrap_or_default()))
                                @if let Some(example) = it.get("example") {
                                    div.soft { "Example: " code { (shown(example)) } }
                                }
                            }
                        }
                    }
                }
            }
        };
        html! { h4 { "Parameters" } (scroll(&format!("Parameters of {}", self.title()), &rows)) }
    }

    fn request_body(&self) -> Markup {
        let Some(body) = self.value.get("requestBody") else { return html! {} };
        html! {
            h4 { "Body" }
            (paragraphs(body["description"].as_str().unwrap_or_default()))
            p {
                (media(body))
                @if body["required"] != true { ", optional" }
            }
            (examples(body, &html! { "the body" }))
        }
    }

    fn responses(&self) -> Markup {
        let answers = || self.value["responses"].as_object().into_iter().flatten();
        let rows = html! {
            table {
                thead {
                    tr {
                        th scope="col" { "Status" }
                        th scope="col" { "Meaning" }
                        th scope="col" { "Body" }
                    }
                }
                tbody {
                    @for (status, answer) in answers() {
                        tr {
                            th scope="row" { code { (status) } }
                            td {
                                (line(answer["description"].as_str().unwrap_or_default()))
                                (headers(answer))
                            }
                            td { (media(answer)) }
                        }
                    }
                }
            }
        };
        html! {
            h4 { "Answers" }
            (scroll(&format!("Answers of {}", self.title()), &rows))
            @for (status, answer) in answers() { (examples(answer, &html! { code { (status) } })) }
        }
    }
}

/// Schema and media type of what is sent or answered.
fn media(body: &Value) -> Markup {
    html! {
        @for (n, (media_type, it)) in body["content"].as_object().into_iter().flatten().enumerate() {
            @if n > 0 { ", or " }
            @if it["schema"].as_object().is_some_and(|it| !it.is_empty()) {
                (type_of(&it["schema"])) " as "
            }
            code { (media_type) }
        }
    }
}

fn headers(answer: &Value) -> Markup {
    let Some(headers) = answer["headers"].as_object() else { return html! {} };
    html! {
        ul.list.soft {
            @for (name, it) in headers {
                li {
                    "Header " code { (name) } ": " (line(it["description"].as_str().unwrap_or_default()))
                }
            }
        }
    }
}

/// Lines of an example that are shown without being asked for.
const FEW_LINES: usize = 12;

/// The examples that the document has of a body, which is called `what`. Long ones, and several, are
/// opened by the reader.
fn examples(body: &Value, what: &Markup) -> Markup {
    let media = body["content"].as_object().into_iter().flatten().map(|it| it.1);
    let all: Vec<(&str, &Value)> = media
        .flat_map(|it| {
            let named = it["examples"].as_object().into_iter().flatten();
            let named = named.filter_map(|(name, it)| Some((name.as_str(), it.get("value")?)));
            it.get("example").map(|it| ("", it)).into_iter().chain(named)
        })
        .collect();
    let text = |example: &Value| match example {
        Value::String(text) => text.clone(),
        other => format!("{other:#}"),
    };
    let block = |label: &str, text: &str| {
        scroll(format!("Example {label}").trim_end(), &html! { pre { code { (text) } } })
    };
    match &all[..] {
        [] => html! {},
        [(name, only)] if name.is_empty() && text(only).lines().count() <= FEW_LINES => {
            html! { p { "Example of " (what) ":" } (block("", &text(only))) }
        }
        _ => html! {
            details.example {
                summary {
                    "Example of " (what)
                    @for (n, (name, _)) in all.iter().filter(|it| !it.0.is_empty()).enumerate() {
                        @if n == 0 { ": " } @else { ", " }
                        (name)
                    }
                }
                @for (name, example) in &all { (block(name, &text(example))) }
            }
        },
    }
}

/// A section for each tag.
pub(super) fn sections(document: &Value, operations: &[Operation<'_>]) -> Markup {
    html! {
        @for (name, description) in tags(document) {
            section aria-labelledby=(tag_anchor(name)) {
                h2 id=(tag_anchor(name)) { (name) }
                (paragraphs(description))
                @for operation in operations.iter().filter(|it| it.is_of(name)) {
                    (operation.section())
                }
            }
        }
    }
}

/// Names and descriptions of the tags.
pub(super) fn tags(document: &Value) -> impl Iterator<Item = (&str, &str)> {
    document["tags"].as_array().into_iter().flatten().filter_map(|tag| {
        Some((tag["name"].as_str()?, tag["description"].as_str().unwrap_or_default()))
    })
}

/// The anchor of a tag's section.
pub(super) fn tag_anchor(name: &str) -> String {
    format!("tag-{}", name.to_lowercase().replace(' ', "-"))
}
