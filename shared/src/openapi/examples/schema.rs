//! An example of a schema, out of those of its fields.

use serde_json::{Map, Value, json};

/// The schemas of the document, by name.
pub(super) struct Schemas<'a>(pub(super) &'a Value);

impl Schemas<'_> {
    /// A value of `schema`.
    pub(super) fn example(&self, schema: &Value) -> Value {
        if let Some(own) = schema.get("example").or_else(|| schema.pointer("/examples/0")) {
            return own.clone();
        }
        if let Some(target) = self.target(schema) {
            return self.example(target);
        }
        if let Some(first) = schema.pointer("/enum/0") {
            return first.clone();
        }
        let list = |name: &str| schema[name].as_array();
        if let Some(alternatives) = list("oneOf").or_else(|| list("anyOf")) {
            let present = alternatives.iter().find(|it| it["type"] != "null");
            return present.map_or(Value::Null, |it| self.example(it));
        }
        if let Some(parts) = list("allOf") {
            let mut whole = Map::new();
            for part in parts {
                if let Value::Object(fields) = self.example(part) {
                    whole.extend(fields);
                }
            }
            return whole.into();
        }
        match type_of(schema) {
            "object" => {
                let fields = schema["properties"].as_object().into_iter().flatten();
                let fields = fields.map(|(name, it)| (name.clone(), self.example(it)));
                Value::Object(fields.collect())
            }
            "array" => json!([self.example(&schema["items"])]),
            "string" => text(schema["format"].as_str().unwrap_or_default()).into(),
            "integer" | "number" => schema.get("minimum").cloned().unwrap_or(json!(0)),
            "boolean" => true.into(),
            _ => Value::Null,
        }
    }

    fn target(&self, schema: &Value) -> Option<&Value> {
        self.0.get(schema["$ref"].as_str()?.strip_prefix("#/components/schemas/")?)
    }

    /// The first field that a value of `schema` must have.
    pub(super) fn first_field(&self, schema: &Value) -> Option<&str> {
        self.target(schema)?.pointer("/required/0")?.as_str()
    }
}

fn type_of(schema: &Value) -> &str {
    let types = schema["type"].as_array().into_iter().flatten().chain([&schema["type"]]);
    types.filter_map(Value::as_str).find(|it| *it != "null").unwrap_or_default()
}

fn text(format: &str) -> &'static str {
    match format {
        "date-time" => "2026-11-24T12:00:00Z",
        "date" => "2026-11-24",
        "email" => "ada@example.com",
        "uri" => "https://example.com/",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_follows_from_those_of_the_fields() {
        let schemas = json!({
            "Part": { "type": "object", "properties": { "n": { "type": "integer", "example": 7 } } },
            "Kind": { "type": "string", "enum": ["a", "b"] },
        });
        let part = json!({ "$ref": "#/components/schemas/Part", "description": "a part" });
        let kind = json!({ "$ref": "#/components/schemas/Kind" });
        let schema = json!({ "allOf": [part, { "type": "object", "properties": {
            "kind": kind,
            "kinds": { "type": "array", "items": kind },
            "maybe": { "oneOf": [{ "type": "null" }, part] },
            "at": { "type": ["string", "null"], "format": "date-time" },
            "own": { "type": "string", "examples": ["x", "y"] },
            "none": { "type": ["string", "null"], "example": null },
            "is": { "type": "boolean" },
            "least": { "type": "number", "minimum": 3 },
        } }] });
        let expected = json!({
            "n": 7, "kind": "a", "kinds": ["a"], "maybe": { "n": 7 }, "at": "2026-11-24T12:00:00Z",
            "own": "x", "none": null, "is": true, "least": 3,
        });
        assert_eq!(Schemas(&schemas).example(&schema), expected);
    }
}
