//! The schemas: a table of fields for each.

use maud::{Markup, html};
use serde_json::Value;

use super::{
    layout::scroll,
    operations::Operation,
    text::{line, paragraphs},
    types::{
        Schemas, alternatives, anchor, description, is_nullable, link, present, reference,
        references, type_of, values_of,
    },
};

/// A field of a schema; those of an object within it have their path as name.
struct Field<'a> {
    name: String,
    schema: &'a Value,
    is_required: bool,
}

/// A section for each schema.
pub(super) fn sections(schemas: &Value, operations: &[Operation<'_>]) -> Markup {
    let sent = sent(schemas, operations);
    html! {
        section aria-labelledby="schemas" {
            h2 id="schemas" { "Schemas" }
            p {
                "What is sent and answered, in JSON. An answer may get more fields: leave aside those \
                 that you do not know."
            }
            @for (name, schema) in schemas.as_object().into_iter().flatten() {
                h3 id=(anchor(name)) { (name.replace('_', " ")) }
                (paragraphs(description(schema)))
                (body(schemas, name, schema, sent.contains(&name.as_str())))
                (uses(schemas, name, operations))
            }
        }
    }
}

/// Names of the schemas that are sent to the service, and all that is in them.
fn sent<'a>(schemas: &'a Value, operations: &[Operation<'a>]) -> Vec<&'a str> {
    let mut names = Vec::new();
    for operation in operations {
        references(&operation.value["requestBody"], &mut names);
    }
    let mut next = 0;
    while let Some(name) = names.get(next).copied() {
        references(&schemas[name], &mut names);
        next += 1;
    }
    names
}

fn body(schemas: &Value, name: &str, schema: &Value, is_sent: bool) -> Markup {
    let mut fields = Vec::new();
    collect(schema, "", &mut fields);
    let parts = schema["allOf"].as_array().into_iter().flatten();
    let whole: Vec<&str> = parts.filter_map(reference).collect();
    html! {
        @for part in &whole { p { "All fields of " (link(part)) ", and these:" } }
        @if !fields.is_empty() {
            (table(&Schemas(schemas), name, &fields, is_sent))
        } @else if let Some(values) = schema["enum"].as_array() {
            p { "One of " (values_of(values)) "." }
        } @else if let Some(alternatives) = alternatives(schema) {
            p { "One of these:" }
            @for it in alternatives {
                (paragraphs(description(it)))
                @if reference(it).is_some() || !it["properties"].is_object() {
                    p { (type_of(it)) }
                } @else {
                    (body(schemas, name, it, is_sent))
                }
            }
        } @else if whole.is_empty() {
            p {
                "Type: " (type_of(schema)) "."
                @if let Some(example) = Schemas(schemas).example(schema) {
                    " Example: " code { (example) } "."
                }
            }
        }
    }
}

/// The fields of `schema`, in the order in which they are declared as far as that is known: those that
/// are always there first.
fn collect<'a>(schema: &'a Value, path: &str, fields: &mut Vec<Field<'a>>) {
    for part in schema["allOf"].as_array().into_iter().flatten() {
        collect(part, path, fields);
    }
    let Some(properties) = schema["properties"].as_object() else { return };
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let others = properties.keys().map(String::as_str).filter(|name| !required.contains(name));
    for name in required.iter().copied().chain(others) {
        let Some(schema) = properties.get(name) else { continue };
        let is_required = required.contains(&name);
        let name = format!("{path}{name}");
        fields.push(Field { name: name.clone(), schema, is_required });
        let inner = present(schema);
        collect(inner, &format!("{name}."), fields);
        collect(present(&inner["items"]), &format!("{name}[]."), fields);
    }
}

fn table(schemas: &Schemas<'_>, name: &str, fields: &[Field<'_>], is_sent: bool) -> Markup {
    let presence = |field: &Field<'_>| {
        let there = match (field.is_required, is_sent) {
            (true, true) => "required",
            (true, false) => "always",
            (false, true) => "optional",
            (false, false) => "not always",
        };
        let null = if is_nullable(field.schema) { ", may be null" } else { "" };
        format!("{there}{null}")
    };
    let rows = html! {
        table {
            thead {
                tr {
                    th scope="col" { "Field" }
                    th scope="col" { "Type" }
                    th scope="col" { "There" }
                    th scope="col" { "Meaning" }
                }
            }
            tbody {
                @for field in fields {
                    tr {
                        th scope="row" { code { (field.name) } }
                        td { (type_of(field.schema)) }
                        td { (presence(field)) }
                        td {
                            (line(description(field.schema)))
                            @if let Some(example) = schemas.example(field.schema) {
                                div.soft { "Example: " code { (example) } }
                            }
                        }
                    }
                }
            }
        }
    };
    scroll(&format!("Fields of {}", name.replace('_', " ")), &rows)
}

/// Where a schema is used.
fn uses(schemas: &Value, name: &str, operations: &[Operation<'_>]) -> Markup {
    let refers = |value: &Value| {
        let mut found = Vec::new();
        references(value, &mut found);
        found.contains(&name)
    };
    let by_operations: Vec<_> = operations.iter().filter(|it| refers(it.value)).collect();
    let by_schemas = schemas.as_object().into_iter().flatten().filter(|it| refers(it.1));
    let by_schemas: Vec<_> = by_schemas.map(|it| it.0).collect();
    // Nearly every operation can fail.
    let everywhere = by_operations.len() > 10;
    html! {
        @if everywhere {
            p.soft { "Used by most operations: see " a href="#errors" { "Errors" } "." }
        } @else if !by_operations.is_empty() || !by_schemas.is_empty() {
            p.soft {
                "Used by "
                @for (n, operation) in by_operations.iter().enumerate() {
                    @if n > 0 { ", " }
                    (operation.link())
                }
                @for (n, schema) in by_schemas.iter().enumerate() {
                    @if n + by_operations.len() > 0 { ", " }
                    (link(schema))
                }
                "."
            }
        }
    }
}
