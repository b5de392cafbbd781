//! Reading a body, and what is wrong with one: which field, and what would be right, without repeating any of
//! what was sent, which could be personal.

use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::error::Category;
use serde_path_to_error::{Path, Segment};

use crate::error::InputError;

/// The JSON in `bytes`.
pub(super) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, InputError> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let read = serde_path_to_error::deserialize(&mut json);
    // What is JSON and yet no value at that place (a number for a name, say) is told from what is no JSON.
    let is_json = || serde_json::from_slice::<IgnoredAny>(bytes).is_ok();
    let read = read.map_err(|error| {
        InputError::Body(match written(error.path(), false) {
            Some(at) if error.inner().is_syntax() && is_json() => {
                format!("`{at}` is not of the documented type")
            }
            _ => describe(error.path(), error.inner()),
        })
    })?;
    json.end().map_err(|error| InputError::Body(describe(&root(), &error)))?;
    Ok(read)
}

/// As [`read`], of what is JSON already.
pub(super) fn read_value<T: DeserializeOwned>(value: serde_json::Value) -> Result<T, InputError> {
    serde_path_to_error::deserialize(value)
        .map_err(|error| InputError::Body(describe(error.path(), error.inner())))
}

fn root() -> Path {
    // Nothing has been read of it.
    serde_path_to_error::Track::new().path()
}

fn describe(path: &Path, error: &serde_json::Error) -> String {
    let place = format!("line {}, column {}", error.line(), error.column());
    let text = error.to_string();
    // What is behind is made here; before it may stand what was sent.
    let expected = text.rsplit_once(", expected ").map(|it| it.1).unwrap_or_default();
    let expected = expected.split(" at line ").next().unwrap_or_default();
    let named = |start: &str| text.starts_with(start).then(|| text.split('`').nth(1)).flatten();
    match error.classify() {
        Category::Data => {
            if let Some(field) = named("missing field") {
                match written(path, false) {
                    Some(at) => format!("the field `{field}` of `{at}` is missing"),
                    None => format!("the field `{field}` is missing"),
                }
            } else if text.starts_with("unknown field") {
                let at = written(path, true).map(|at| format!(" in `{at}`")).unwrap_or_default();
                match expected {
                    "" => format!("there is an unknown field{at} at {place}; there are none"),
                    known => format!("there is an unknown field{at} at {place}; expected {known}"),
                }
            } else if let Some(field) = named("duplicate field") {
                format!("the field `{field}` is there twice")
            } else {
                let Some(at) = written(path, false) else {
                    return "it must be one JSON object of the documented fields".to_owned();
                };
                match wanted(&text, expected) {
                    Some(wanted) => format!("`{at}` must be {wanted}"),
                    None => format!("`{at}` is not of the documented type"),
                }
            }
        }
        Category::Eof => "it ends too early; it must be one JSON object".to_owned(),
        _ => format!("it is not JSON at {place}"),
    }
}

/// `and[0].field`; `None` for the body itself. Where the last field is one that nobody knows, without it.
fn written(path: &Path, is_unknown: bool) -> Option<String> {
    let mut segments: Vec<&Segment> = path.iter().collect();
    if is_unknown && matches!(segments.last(), Some(Segment::Map { .. })) {
        segments.pop();
    }
    let mut written = String::new();
    for segment in segments {
        match segment {
            Segment::Seq { index } => written.push_str(&format!("[{index}]")),
            Segment::Map { key } if written.is_empty() => written.push_str(key),
            Segment::Map { key } => written.push_str(&format!(".{key}")),
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    (!written.is_empty()).then_some(written)
}

/// What a value must be, in the documentation's words.
fn wanted(text: &str, expected: &str) -> Option<String> {
    if text.starts_with("unknown variant") {
        return Some(expected.to_owned());
    }
    let wanted = match expected {
        "a boolean" => "`true` or `false`",
        "a string" | "a borrowed string" | "string or map" => "a text",
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number that is not negative",
        "i8" | "i16" | "i32" | "i64" => "a whole number",
        "f32" | "f64" => "a number",
        "a sequence" => "a list",
        _ if expected.starts_with("struct ") || expected == "a map" => "an object",
        _ if expected.starts_with("variant identifier") || expected.starts_with("enum ") => {
            "a text"
        }
        _ => return None,
    };
    Some(wanted.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only whether it can be read is of interest")]
    struct Body {
        plan: Plan,
        #[serde(default)]
        is_good: bool,
        #[serde(default)]
        list: Vec<Entry>,
        count: Option<u64>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only whether it can be read is of interest")]
    struct Entry {
        name: String,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Plan {
        Basic,
        Pro,
        Business,
    }

    fn said(body: &str) -> String {
        let Err(InputError::Body(said)) = read::<Body>(body.as_bytes()) else {
            panic!("{body} was read")
        };
        said
    }

    #[test]
    fn what_is_wrong_is_said_by_field_and_with_what_would_be_right() {
        for (body, expected) in [
            (r#"{"plan":"gold"}"#, "`plan` must be one of `basic`, `pro`, `business`"),
            (r#"{"plan":7}"#, "`plan` is not of the documented type"),
            (r#"{"plan":"pro","is_good":"yes"}"#, "`is_good` must be `true` or `false`"),
            (r#"{"plan":"pro","list":"a"}"#, "`list` must be a list"),
            (r#"{"plan":"pro","list":[{"name":"a"},{"name":5}]}"#, "`list[1].name` must be a text"),
            (r#"{"plan":"pro","list":[5]}"#, "`list[0]` must be an object"),
            (r#"{"plan":"pro","list":[{}]}"#, "the field `name` of `list[0]` is missing"),
            (r#"{"plan":"pro","count":-1}"#, "`count` must be a whole number that is not negative"),
            (
                r#"{"plan":"pro","count":"5"}"#,
                "`count` must be a whole number that is not negative",
            ),
            ("{}", "the field `plan` is missing"),
            (r#"{"plan":"pro","plan":"pro"}"#, "the field `plan` is there twice"),
            ("[]", "it must be one JSON object of the documented fields"),
            ("5", "it must be one JSON object of the documented fields"),
            ("{\"plan\"", "it ends too early; it must be one JSON object"),
            ("{\"plan\":\"pro\"} x", "it is not JSON at line 1, column 16"),
        ] {
            assert_eq!(said(body), expected, "{body}");
        }
        let unknown = said(r#"{"plan":"pro","ada@example.com":1}"#);
        assert!(unknown.starts_with("there is an unknown field at line 1"), "{unknown}");
        assert!(
            unknown.ends_with("expected one of `plan`, `is_good`, `list`, `count`"),
            "{unknown}"
        );
        let inner = said(r#"{"plan":"pro","list":[{"secret":1}]}"#);
        assert!(inner.starts_with("there is an unknown field in `list[0]`"), "{inner}");
    }

    proptest! {
        #[test]
        fn nothing_of_what_was_sent_is_repeated(value in "[Q-Z]{6,20}(, expected `x`|`)?") {
            let json = serde_json::to_string(&value).unwrap();
            let word = &value[..6];
            for body in [
                format!("{{\"plan\":{json}}}"),
                format!("{{\"plan\":\"pro\",\"is_good\":{json}}}"),
                format!("{{\"plan\":\"pro\",{json}:1}}"),
                format!("{{\"plan\":\"pro\",\"list\":[{{{json}:1}}]}}"),
                format!("{{\"plan\":\"pro\",\"list\":[{json}]}}"),
            ] {
                let text = said(&body);
                prop_assert!(!text.contains(word), "{}", text);
            }
        }
    }
}
