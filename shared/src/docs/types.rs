//! JSON schemas in words.

use maud::{Markup, html};
use serde_json::Value;

/// The schemas of the document, by name.
pub(super) struct Schemas<'a>(pub(super) &'a Value);

impl<'a> Schemas<'a> {
    /// The schema that a reference leads to.
    fn target(&self, schema: &Value) -> Option<&'a Value> {
        self.0.get(reference(schema)?)
    }

    /// An example of a value; of a reference, that of its target.
    pub(super) fn example(&self, schema: &'a Value) -> Option<&'a Value> {
        let schema = present(schema);
        let own = |it: &'a Value| it.get("example").or_else(|| it.pointer("/examples/0"));
        own(schema).or_else(|| own(self.target(schema)?))
    }
}

/// The name that a reference names.
pub(super) fn reference(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.strip_prefix("#/components/schemas/")
}

/// The anchor of a schema.
pub(super) fn anchor(name: &str) -> String {
    format!("schema-{name}")
}

/// A link to a schema.
pub(super) fn link(name: &str) -> Markup {
    html! { a href={ "#" (anchor(name)) } { (name.replace('_', " ")) } }
}

/// The names of all schemas that something refers to, in order, each once.
pub(super) fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    if let Some(name) = reference(value).filter(|name| !found.contains(name)) {
        found.push(name);
    }
    match value {
        Value::Object(fields) => fields.values().for_each(|it| references(it, found)),
        Value::Array(items) => items.iter().for_each(|it| references(it, found)),
        _ => {}
    }
}

/// The alternatives of a schema.
pub(super) fn alternatives(schema: &Value) -> Option<&Vec<Value>> {
    schema["oneOf"].as_array().or_else(|| schema["anyOf"].as_array())
}

fn is_null(schema: &Value) -> bool {
    schema["type"] == "null"
}

/// Whether `null` is a value of it.
pub(super) fn is_nullable(schema: &Value) -> bool {
    let of_types = schema["type"].as_array().is_some_and(|it| it.iter().any(|it| it == "null"));
    of_types || alternatives(schema).is_some_and(|it| it.iter().any(is_null))
}

/// The schema of what is there if it is not `null`.
pub(super) fn present(schema: &Value) -> &Value {
    let Some(alternatives) = alternatives(schema) else { return schema };
    match alternatives.iter().filter(|it| !is_null(it)).collect::<Vec<_>>()[..] {
        [only] => only,
        _ => schema,
    }
}

/// What a schema says of its values.
pub(super) fn description(schema: &Value) -> &str {
    let own = schema["description"].as_str();
    own.or_else(|| present(schema)["description"].as_str()).unwrap_or_default()
}

/// The type in words, with links.
pub(super) fn type_of(schema: &Value) -> Markup {
    let schema = present(schema);
    if let Some(name) = reference(schema) {
        return link(name);
    }
    if let Some(alternatives) = alternatives(schema) {
        return html! {
            @for (n, it) in alternatives.iter().filter(|it| !is_null(it)).enumerate() {
                @if n > 0 { " or " }
                (type_of(it))
            }
        };
    }
    html! {
        @match name_of(schema) {
            "array" => { "list of " (type_of(&schema["items"])) },
            "object" if schema["additionalProperties"].is_object() => {
                "object: " (type_of(&schema["additionalProperties"])) " by name"
            },
            name => (name),
        }
        @if let Some(format) = schema["format"].as_str() { " (" (format) ")" }
        @if let Some(values) = schema["enum"].as_array() {
            ": " (values_of(values))
        }
        (bounds(schema))
    }
}

fn name_of(schema: &Value) -> &str {
    let named = |it: &'_ Value| it.as_str().is_some_and(|it| it != "null");
    let types = schema["type"].as_array().into_iter().flatten();
    let name = types.chain([&schema["type"]]).find(|it| named(it)).and_then(Value::as_str);
    name.unwrap_or(if schema["properties"].is_object() { "object" } else { "any JSON" })
}

/// Values of an enumeration.
pub(super) fn values_of(values: &[Value]) -> Markup {
    html! {
        @for (n, value) in values.iter().enumerate() {
            @if n > 0 { ", " }
            code { (shown(value)) }
        }
    }
}

/// A value as one would write it: text without its quotes.
pub(super) fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Least and greatest lengths and values.
fn bounds(schema: &Value) -> Markup {
    let number = |name: &str| schema.get(name).filter(|it| it.is_number());
    let between = |least: &str, greatest: &str, unit: &str| match (number(least), number(greatest))
    {
        (Some(least), Some(greatest)) => Some(format!("{least} to {greatest}{unit}")),
        (None, Some(greatest)) => Some(format!("at most {greatest}{unit}")),
        // What every unsigned number says is no news.
        (Some(least), None) if least.as_f64() == Some(0.0) => None,
        (Some(least), None) => Some(format!("at least {least}{unit}")),
        (None, None) => None,
    };
    let all = [
        between("minLength", "maxLength", " characters"),
        between("minItems", "maxItems", " items"),
        between("minimum", "maximum", ""),
    ];
    html! {
        @for bound in all.into_iter().flatten() { ", " (bound) }
        @if let Some(pattern) = schema["pattern"].as_str() { ", matches " code { (pattern) } }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn types_are_told_in_words() {
        let told = |schema: Value| type_of(&schema).into_string();
        assert_eq!(told(json!({})), "any JSON");
        assert_eq!(told(json!({ "type": ["integer", "null"], "minimum": 0 })), "integer");
        let text = json!({ "type": "string", "minLength": 1, "maxLength": 64 });
        assert_eq!(told(text), "string, 1 to 64 characters");
        let list =
            json!({ "type": "array", "items": { "$ref": "#/components/schemas/Figure_u64" } });
        assert_eq!(told(list), r##"list of <a href="#schema-Figure_u64">Figure u64</a>"##);
        let map = json!({ "type": "object", "additionalProperties": { "type": "string" } });
        assert_eq!(told(map), "object: string by name");
        let one =
            json!({ "oneOf": [{ "type": "null" }, { "type": "string", "enum": ["a", "b"] }] });
        assert!(is_nullable(&one));
        assert_eq!(told(one), "string: <code>a</code>, <code>b</code>");
        assert!(!is_nullable(&json!({ "type": "string" })));
    }
}
