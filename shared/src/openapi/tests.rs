use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::*;
use crate::http::KINDS;

fn whole() -> Value {
    serde_json::from_str(&json("support@example.com")).expect("JSON")
}

/// Every operation with its method and path.
fn operations(document: &Value) -> Vec<(String, &Value)> {
    let paths = document["paths"].as_object().expect("paths").iter();
    let of_path = |(path, item): (&String, &'_ Value)| {
        let methods: Vec<String> = item.as_object().expect("operations").keys().cloned().collect();
        methods.into_iter().map(|it| (format!("{it} {path}"), it, path.clone())).collect::<Vec<_>>()
    };
    let names: Vec<_> = paths.flat_map(of_path).collect();
    names.into_iter().map(|(name, it, path)| (name, &document["paths"][path][it])).collect()
}

#[test]
fn each_kind_of_problem_has_an_example_where_it_occurs() {
    let document = whole();
    let mut seen = BTreeSet::new();
    for (name, operation) in operations(&document) {
        for (status, answer) in operation["responses"].as_object().expect("responses") {
            let body = &answer["content"]["application/problem+json"];
            if body.is_null() {
                continue;
            }
            let examples = body["examples"].as_object();
            assert!(examples.is_some_and(|it| !it.is_empty()), "{name} {status} has no example");
            for (kind, example) in examples.into_iter().flatten() {
                let kind = crate::http::Kind::named(kind).expect("a kind");
                let value = &example["value"];
                assert_eq!(kind.status().as_str(), status, "{name}");
                assert_eq!(value["type"], kind.uri(EXAMPLE_URL));
                assert_eq!(
                    (&value["title"], &example["summary"]),
                    (&kind.title().into(), &kind.title().into())
                );
                assert!(value["detail"].as_str().is_some_and(|it| !it.is_empty()));
                seen.insert(kind.name());
            }
        }
    }
    let missing: Vec<_> =
        KINDS.iter().map(|it| it.name()).filter(|it| !seen.contains(it)).collect();
    // What no operation takes is described by none.
    let missing: Vec<_> = missing.into_iter().filter(|it| *it != "method-not-allowed").collect();
    assert!(missing.is_empty(), "no operation shows {missing:?}");
}

#[test]
fn kinds_stand_only_where_they_can_occur() {
    let document = whole();
    for (name, operation) in operations(&document) {
        for answer in operation["responses"].as_object().expect("responses").values() {
            let examples = &answer["content"]["application/problem+json"]["examples"];
            let has = |kind: &str| !examples[kind].is_null();
            let is_metered = operation["tags"][0] == "Videos";
            assert!(!has("creator-not-found") || name.contains("/creators/{username}"), "{name}");
            assert!(!has("video-not-found") || name.contains("/v1/videos"), "{name}");
            assert!(!has("link-leads-nowhere") || name == "get /v1/videos", "{name}");
            assert!(!has("too-many-at-once") || name == "post /v1/videos/batch", "{name}");
            assert!(!has("not-found") || !is_metered, "{name}");
            assert!(!has("under-age") || name == "post /v1/accounts", "{name}");
            assert!(!has("invalid-body") || operation["requestBody"].is_object(), "{name}");
            assert!(!has("source-busy") || is_metered, "{name}");
            let ways = operation["security"].as_array().expect("said of each");
            assert!(!has("invalid-api-key") || !ways.is_empty(), "{name}");
        }
    }
}

#[test]
fn answers_about_videos_are_the_sandbox_s() {
    let document = whole();
    let answers = operations(&document).into_iter().filter(|(_, it)| it["tags"][0] == "Videos");
    let mut count = 0;
    for (name, operation) in answers {
        let body = &operation["responses"]["200"]["content"]["application/json"];
        let shown = [&body["example"], &body["examples"]];
        assert!(
            shown.iter().any(|it| it.to_string().contains("sandbox"))
                || name.ends_with("/comments"),
            "{name}"
        );
        count += 1;
    }
    assert_eq!(count, 8);
    for path in ["/v1/creators/{username}", "/v1/hashtags/{name}"] {
        let answer = &document["paths"][path]["get"]["responses"]["200"];
        let example = &answer["content"]["application/json"]["example"];
        let sample = example.get("sample").unwrap_or(&example["recent"]["sample"]);
        assert!(sample["videos"].as_u64() > Some(0), "{path} shows nothing");
    }
    let page = &document["paths"]["/v1/videos/search"]["post"];
    let found = &page["responses"]["200"]["content"]["application/json"]["example"];
    assert_eq!(found["videos"].as_array().map(Vec::len), Some(1), "the request finds the answer");
    assert!(found["next_cursor"].is_string());
    let video = &document["paths"]["/v1/videos/{video_id}"]["get"]["responses"]["200"];
    let video = &video["content"]["application/json"]["examples"]["both-sources"]["value"];
    assert_eq!((&video["country"]["value"], &video["cached"]), (&json!("DE"), &json!(false)));
}

/// A text that says nothing would be in an example of whatever has the field.
#[test]
fn every_text_has_an_example_of_its_own() {
    fn walk(value: &Value, at: &str, empty: &mut Vec<String>) {
        match value {
            Value::String(text) if text.is_empty() => empty.push(at.to_owned()),
            Value::Object(fields) => {
                fields.iter().for_each(|(name, it)| walk(it, &format!("{at}.{name}"), empty));
            }
            Value::Array(items) => items.iter().for_each(|it| walk(it, at, empty)),
            _ => {}
        }
    }
    let document = whole();
    let mut empty = Vec::new();
    for (name, operation) in operations(&document) {
        let bodies = operation["responses"].as_object().expect("responses").values();
        for body in bodies.chain([&operation["requestBody"]]) {
            for media in body["content"].as_object().into_iter().flatten().map(|it| it.1) {
                walk(&media["example"], &name, &mut empty);
                walk(&media["examples"], &name, &mut empty);
            }
        }
    }
    assert!(empty.is_empty(), "{empty:?}");
}

#[test]
fn the_same_document_is_made_each_time() {
    assert_eq!(json("support@example.com"), json("support@example.com"));
}

#[test]
fn a_figure_may_be_null() {
    let document = whole();
    let schemas = document["components"]["schemas"].as_object().expect("schemas").iter();
    let figures: Vec<_> = schemas.filter(|(name, _)| name.starts_with("Figure_")).collect();
    assert!(figures.len() >= 9);
    for (name, schema) in figures {
        let value = &schema["properties"]["value"];
        let types = value["type"].as_array().into_iter().flatten();
        let parts = value["oneOf"].as_array().into_iter().flatten().map(|it| &it["type"]);
        assert!(types.chain(parts).any(|it| it == "null"), "{name}");
    }
}
