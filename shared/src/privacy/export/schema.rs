//! The JSON Schema (2020-12) of an export's files, from the inventory. Published as
//! `docs/export.schema.json` and at `/export.schema.json`, and part of every export.

use serde_json::{Map, Value, json};

use super::{items::worked_out_fields, manifest::FORMAT};
use crate::{
    error::Error,
    inventory::{CATEGORIES, Category, Export, Field, Kind, Place},
};

/// A file of a category is of `#/$defs/<category>`, the manifest of `#/$defs/manifest`.
fn schema() -> Value {
    let mut definitions = Map::new();
    definitions.insert("manifest".to_owned(), manifest());
    let mut any = vec![reference("manifest")];
    for category in CATEGORIES.iter() {
        if let Export::Items { fields, .. } = category.export {
            definitions.insert(category.id.to_owned(), file(category, fields));
            any.push(reference(category.id));
        }
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": format!("Files of an export, format {FORMAT}"),
        "oneOf": any,
        "$defs": definitions,
    })
}

/// The schema as it is published.
pub fn text() -> Result<String, Error> {
    Ok(serde_json::to_string_pretty(&schema()).map_err(Error::internal)? + "\n")
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{name}") })
}

fn file(category: &Category, fields: &[Field]) -> Value {
    let (mut properties, mut required) = (Map::new(), Vec::new());
    let more = match category.place {
        Place::Table(table) => worked_out_fields(table),
        _ => &[],
    };
    for field in fields.iter().chain(more) {
        properties.insert(field.exported_as(), value(field));
        required.push(field.exported_as());
    }
    let item = json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    });
    json!({
        "description": category.description,
        "type": "object",
        "properties": {
            "category": { "const": category.id },
            "items": { "type": "array", "items": item },
        },
        "required": ["category", "items"],
        "additionalProperties": false,
    })
}

fn value(field: &Field) -> Value {
    let mut value = match field.kind {
        Kind::Text => json!({ "type": ["string", "null"] }),
        Kind::Number => json!({ "type": ["integer", "null"] }),
        Kind::Count => json!({ "type": "integer" }),
        Kind::Histogram => json!({
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "from_ms": { "type": "integer" }, "to_ms": { "type": ["integer", "null"] },
                    "answers": { "type": "integer" },
                },
                "required": ["from_ms", "to_ms", "answers"],
                "additionalProperties": false,
            },
        }),
        Kind::Flag => json!({ "type": ["boolean", "null"] }),
        Kind::Instant | Kind::Milliseconds => {
            json!({ "type": ["string", "null"], "format": "date-time" })
        }
        Kind::Counts => json!({
            "type": ["object", "null"], "additionalProperties": { "type": "integer" },
        }),
        Kind::Instants => json!({
            "type": ["object", "null"],
            "additionalProperties": { "type": "string", "format": "date-time" },
        }),
        Kind::Texts => json!({ "type": ["array", "null"], "items": { "type": "string" } }),
        Kind::Rows => json!({
            "type": ["array", "null"],
            "items": {
                "type": "object",
                "properties": {
                    "from": { "type": "string", "format": "date-time" },
                    "to": { "type": "string", "format": "date-time" },
                },
            },
        }),
        Kind::Pairs => json!({
            "type": ["array", "null"],
            "items": {
                "type": "array", "items": { "type": "string" }, "minItems": 2, "maxItems": 2,
            },
        }),
    };
    value["description"] = field.about.into();
    value
}

fn manifest() -> Value {
    let text = || json!({ "type": "string" });
    let texts = || json!({ "type": "array", "items": { "type": "string" } });
    let count = || json!({ "type": ["integer", "null"], "minimum": 0 });
    let object = |properties: Value| {
        let names: Vec<String> =
            properties.as_object().into_iter().flatten().map(|it| it.0.clone()).collect();
        json!({
            "type": "object", "properties": properties, "required": names,
            "additionalProperties": false,
        })
    };
    let category = object(json!({
        "category": text(), "description": text(), "items": count(),
        "left_out": { "type": ["string", "null"] }, "purpose": text(), "legal_basis": text(),
        "source": text(), "kept": text(), "fields_left_out": texts(),
        "recipients": {
            "type": "array",
            "items": object(json!({ "recipient": text(), "received": { "type": "boolean" } })),
        },
    }));
    let file = object(json!({
        "path": text(), "bytes": { "type": "integer", "minimum": 0 },
        "sha256": { "type": "string", "pattern": "^[0-9a-f]{64}$" }, "items": count(),
    }));
    object(json!({
        "format": { "const": FORMAT }, "request": text(), "account": text(),
        "created_at": { "type": "string", "format": "date-time" }, "policy_version": text(),
        "controller": object(json!({ "service": text(), "contact": text() })),
        "rights": texts(), "categories": { "type": "array", "items": category },
        "files": { "type": "array", "items": file },
    }))
}
