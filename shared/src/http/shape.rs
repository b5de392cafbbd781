//! How a caller wants an answer: which fields of it, with or without where they come from, and whether
//! it is worth sending again.

use std::collections::BTreeMap;

use lambda_http::http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{Call, Reply};
use crate::error::{Error, InputError};

/// Longest list of fields, in bytes.
const MAX_FIELDS: usize = 1_000;

/// Fields that change with each answer although nothing else does: no part of an `ETag`.
const VOLATILE: [&str; 2] = ["\"age_seconds\":", "\"cached\":"];

/// What the parameters `fields` and `trim` and the field `If-None-Match` ask for.
#[derive(Clone, Debug, Default)]
pub struct Shape {
    fields: Option<Fields>,
    trim: bool,
    known: Vec<String>,
}

/// Names of fields, each with those wanted of it; none of them: all of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Fields(BTreeMap<String, Fields>);

impl Shape {
    /// Reads the parameters.
    pub fn of(call: &Call) -> Result<Self, InputError> {
        let fields = call.query("fields").map(|it| Fields::parse(&it)).transpose()?;
        let trim = match call.query("trim").as_deref() {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => return Err(InputError::field("trim", "must be `true` or `false`")),
        };
        let tags = call.header(header::IF_NONE_MATCH.as_str()).unwrap_or_default();
        let known = tags.split(',').map(|tag| opaque(tag).to_owned()).collect();
        Ok(Self { fields, trim, known })
    }

    /// What goes into the log of it.
    pub fn parameters(&self, call: &Call) -> Vec<(String, String)> {
        let given = |name: &str| Some((name.to_owned(), call.query(name)?));
        ["fields", "trim"].into_iter().filter_map(given).collect()
    }

    /// `value` as it is wanted; 304 without a body if the caller has it already. Fails on a field that
    /// there is not.
    pub fn answer(&self, value: &impl Serialize) -> Result<Reply, Error> {
        let json = self.shaped(value)?;
        let tag = etag(&json);
        let is_known = self.known.iter().any(|it| it == opaque(&tag) || it == "*");
        let reply = if is_known {
            Reply::empty(StatusCode::NOT_MODIFIED)
        } else {
            Reply::text(StatusCode::OK, "application/json", json)
        };
        let tag = HeaderValue::from_str(&tag).map_err(Error::internal)?;
        // To be kept by the caller alone, and asked for again each time.
        let keep = HeaderValue::from_static("private, no-cache");
        Ok(reply.with(header::ETAG, tag).with(header::CACHE_CONTROL, keep))
    }

    /// As [`Shape::answer`], for what is not asked for by its address alone.
    pub fn answer_post(&self, value: &impl Serialize) -> Result<Reply, Error> {
        Ok(Reply::text(StatusCode::OK, "application/json", self.shaped(value)?))
    }

    fn shaped(&self, value: &impl Serialize) -> Result<String, Error> {
        // As it is, which is what most ask for, it needs no tree in between.
        if self.fields.is_none() && !self.trim {
            return serde_json::to_string(value).map_err(Error::internal);
        }
        let mut value = serde_json::to_value(value).map_err(Error::internal)?;
        if let Some(fields) = &self.fields {
            fields.select(&mut value, "")?;
        }
        if self.trim {
            trim(&mut value);
        }
        serde_json::to_string(&value).map_err(Error::internal)
    }
}

impl Fields {
    /// `a,b.c,b.d`: names joined by dots, with commas in between.
    fn parse(text: &str) -> Result<Self, InputError> {
        let invalid = || {
            let reason = "must be names of the answer's fields, such as `id,statistics.views`";
            InputError::field("fields", reason)
        };
        let is_name = |name: &str| {
            !name.is_empty() && name.bytes().all(|it| it.is_ascii_lowercase() || it == b'_')
        };
        if text.len() > MAX_FIELDS {
            return Err(invalid());
        }
        let mut fields = Self::default();
        for path in text.split(',').map(str::trim) {
            let mut at = &mut fields;
            let mut is_new = true;
            for name in path.split('.') {
                if !is_name(name) {
                    return Err(invalid());
                }
                // `a` takes all of `a`, whatever `a.b` says besides.
                if !is_new && at.0.is_empty() {
                    break;
                }
                is_new = !at.0.contains_key(name);
                at = at.0.entry(name.to_owned()).or_default();
            }
            at.0.clear();
        }
        Ok(fields)
    }

    /// Leaves of `value` what is wanted; of a list, of each entry.
    fn select(&self, value: &mut Value, path: &str) -> Result<(), InputError> {
        if self.0.is_empty() {
            return Ok(());
        }
        match value {
            Value::Object(object) => {
                let mut wanted = Map::new();
                for (name, inner) in &self.0 {
                    let path =
                        if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                    let Some(mut field) = object.remove(name) else {
                        let reason = format!("names `{path}`, which the answer does not have");
                        return Err(InputError::field("fields", reason));
                    };
                    inner.select(&mut field, &path)?;
                    wanted.insert(name.clone(), field);
                }
                *object = wanted;
                Ok(())
            }
            Value::Array(entries) => {
                entries.iter_mut().try_for_each(|entry| self.select(entry, path))
            }
            // A part of what is `null` is `null`.
            Value::Null => Ok(()),
            _ => {
                let reason = format!("names a part of `{path}`, which has none");
                Err(InputError::field("fields", reason))
            }
        }
    }
}

/// Puts the bare value in the place of each figure with its provenance.
fn trim(value: &mut Value) {
    match value {
        Value::Object(fields) if fields.contains_key("basis") && fields.contains_key("value") => {
            let mut bare = fields.remove("value").unwrap_or_default();
            trim(&mut bare);
            *value = bare;
        }
        Value::Object(fields) => fields.values_mut().for_each(trim),
        Value::Array(entries) => entries.iter_mut().for_each(trim),
        _ => {}
    }
}

/// A weak validator (RFC 9110 §8.8.1): two answers have the same one if they say the same. Of the JSON
/// everything counts but the values of [`VOLATILE`] fields, which are numbers and booleans. Inside a text
/// their names cannot stand like this: its quotation marks are escaped.
fn etag(json: &str) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut rest = json;
    let next = |text: &str| {
        let found = VOLATILE.iter().filter_map(|name| Some(text.find(name)? + name.len()));
        found.min()
    };
    while let Some(at) = next(rest) {
        let (before, value) = rest.split_at(at);
        hasher.update(before.as_bytes());
        rest = &value[value.find([',', '}']).unwrap_or(value.len())..];
    }
    hasher.update(rest.as_bytes());
    format!("W/\"{:.32}\"", hasher.finalize().to_hex())
}

/// A tag without its mark of weakness: `If-None-Match` compares weakly (RFC 9110 §13.1.2).
fn opaque(tag: &str) -> &str {
    let tag = tag.trim();
    tag.strip_prefix("W/").unwrap_or(tag)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn figure(value: Value) -> Value {
        json!({ "value": value, "basis": "observed", "source": "oembed", "reason": null })
    }

    fn answer() -> Value {
        json!({
            "id": "1",
            "author": { "username": figure("a".into()), "url": figure("b".into()) },
            "list": [{ "id": "2", "views": figure(7.into()) }, { "id": "3", "views": figure(Value::Null) }],
            "none": null,
            "cached": true,
            "age_seconds": 5,
        })
    }

    fn select(fields: &str) -> Result<Value, InputError> {
        let mut value = answer();
        Fields::parse(fields)?.select(&mut value, "")?;
        Ok(value)
    }

    #[test]
    fn only_what_is_named_is_left() {
        assert_eq!(select("id").unwrap(), json!({ "id": "1" }));
        let inner = select("list.id, author.username.value,none.more").unwrap();
        let expected = json!({
            "author": { "username": { "value": "a" } },
            "list": [{ "id": "2" }, { "id": "3" }],
            "none": null,
        });
        assert_eq!(inner, expected);
        for all in ["author,author.url", "author.url,author"] {
            assert_eq!(select(all).unwrap(), json!({ "author": answer()["author"] }), "{all}");
        }
    }

    #[test]
    fn a_field_that_there_is_not_is_named() {
        for wrong in ["ids", "author.name", "id.x", "", "a..b", "A", "id,,", "list.views.x"] {
            assert!(select(wrong).is_err(), "{wrong}");
        }
        let error = select("author.name").unwrap_err().to_string();
        assert!(error.contains("`author.name`"), "{error}");
    }

    #[test]
    fn trimmed_figures_are_bare_values() {
        let mut value = answer();
        trim(&mut value);
        assert_eq!(value["author"], json!({ "username": "a", "url": "b" }));
        assert_eq!(value["list"], json!([{ "id": "2", "views": 7 }, { "id": "3", "views": null }]));
    }

    #[test]
    fn a_tag_changes_with_what_is_said_and_with_nothing_else() {
        let tag = |value: &Value| etag(&value.to_string());
        let mut later = answer();
        later["age_seconds"] = 600.into();
        later["cached"] = false.into();
        assert_eq!(tag(&later), tag(&answer()));
        later["list"][0]["views"]["value"] = 8.into();
        assert_ne!(tag(&later), tag(&answer()));
        assert_eq!(opaque(&tag(&later)), tag(&later).trim_start_matches("W/"));
        // A text that looks like it is no such field.
        let text = |it: &str| json!({ "text": format!("\"cached\":{it},") });
        assert_ne!(tag(&text("true")), tag(&text("false")));
    }

    proptest! {
        #[test]
        fn any_list_of_fields_is_survived(text in "[a-z_.,A ]{0,30}") {
            let _ = select(&text);
        }
    }
}
