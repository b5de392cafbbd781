//! An example of every body that is sent or answered, put into the finished document: problems from the
//! errors themselves, videos and creators from the sandbox, everything else from the examples that the
//! schemas have of their fields.

mod made;
mod problems;
mod schema;

use serde_json::Value;
use utoipa::openapi::{
    Content, OpenApi as Document, PathItem, RefOr, example::Example, path::Operation,
};

use self::schema::Schemas;

/// The media type of problems.
const PROBLEM: &str = "application/problem+json";

/// What matters of an operation for what it may answer.
struct Place<'a> {
    method: &'static str,
    path: &'a str,
    is_metered: bool,
    needs_key: bool,
    /// The first field that its body must have.
    field: Option<String>,
}

/// Adds the examples.
pub(super) fn add(document: &mut Document) {
    let Ok(whole) = serde_json::to_value(&*document) else { return };
    let schemas = Schemas(&whole["components"]["schemas"]);
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations(item) {
            let described = &whole["paths"][path.as_str()][method];
            add_to(operation, &Place::new(method, path, described, &schemas), &schemas);
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    let PathItem { get, post, delete, .. } = item;
    let all = [("get", get), ("post", post), ("delete", delete)];
    all.into_iter().filter_map(|(method, it)| Some((method, it.as_mut()?)))
}

fn add_to(operation: &mut Operation, place: &Place<'_>, schemas: &Schemas<'_>) {
    if let Some(RefOr::T(body)) = &mut operation.request_body {
        for content in body.content.values_mut() {
            if let RefOr::T(content) = content {
                set(content, made::request(place), &Value::Null, schemas);
            }
        }
    }
    for (status, answer) in &mut operation.responses.responses {
        let RefOr::T(answer) = answer else { continue };
        for (media_type, content) in &mut answer.content {
            let RefOr::T(content) = content else { continue };
            if media_type == PROBLEM {
                let all = problems::examples(place, status).into_iter();
                let named = all.map(|(kind, it)| (kind.name().to_owned(), named(kind.title(), it)));
                content.examples.extend(named);
            } else {
                let changes = made::changes(place, status);
                set(content, made::answer(place, status), &changes, schemas);
            }
        }
    }
}

/// Gives a body what was made for it, or else what follows from its schema, with `changes`.
fn set(
    content: &mut Content,
    made: Vec<(&'static str, Value)>,
    changes: &Value,
    schemas: &Schemas<'_>,
) {
    match &made[..] {
        [] => {
            let schema = serde_json::to_value(&content.schema).unwrap_or_default();
            let mut example = schemas.example(&schema);
            for (field, value) in changes.as_object().into_iter().flatten() {
                example[field.as_str()] = value.clone();
            }
            content.example = Some(example);
        }
        [(_, only)] => content.example = Some(only.clone()),
        _ => {
            let name = |summary: &str| summary.to_lowercase().replace(' ', "-");
            let named = made.into_iter().map(|(summary, it)| (name(summary), named(summary, it)));
            content.examples.extend(named);
        }
    }
}

fn named(summary: &str, value: Value) -> RefOr<Example> {
    let mut example = Example::new();
    example.summary = summary.to_owned();
    example.value = Some(value);
    RefOr::T(example)
}

impl<'a> Place<'a> {
    fn new(method: &'static str, path: &'a str, described: &Value, schemas: &Schemas<'_>) -> Self {
        let body = &described["requestBody"]["content"]["application/json"]["schema"];
        Self {
            method,
            path,
            is_metered: described["tags"][0] == "Videos",
            needs_key: described["security"].as_array().is_some_and(|it| !it.is_empty()),
            field: schemas.first_field(body).map(str::to_owned),
        }
    }

    /// Whether it is this operation, written as `get /v1/keys`.
    fn is(&self, operation: &str) -> bool {
        operation.split_once(' ') == Some((self.method, self.path))
    }
}
