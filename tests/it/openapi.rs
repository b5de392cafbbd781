//! The description of the API, the template and the functions agree.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::util::{World, assert_kept};

/// Where forms are sent that have no endpoint of their own.
const DELETIONS: &str = "/deletions/{request_id}";
const EXPORTS: &str = "/exports/{request_id}";

#[tokio::test(flavor = "multi_thread")]
async fn the_description_names_the_templates_routes_and_no_others() {
    let world = World::start().await;
    let served = world.send(world.cloud.client().get("/openapi.json")).await;
    assert_eq!(served.status, 200);
    let document = served.json();
    assert_eq!(document["openapi"].as_str().map(|it| it.starts_with("3.1")), Some(true));
    let described: BTreeSet<(String, String)> = document["paths"]
        .as_object()
        .expect("paths")
        .iter()
        .flat_map(|(path, operations)| {
            let methods = operations.as_object().into_iter().flatten();
            methods.map(move |(method, _)| (method.to_uppercase(), path.clone()))
        })
        .collect();
    let routed: BTreeSet<(String, String)> = world
        .cloud
        .template
        .functions
        .iter()
        .flat_map(|it| &it.routes)
        .filter(|route| !route.is_default())
        .map(|route| {
            let key = route.key();
            let (method, path) = key.split_once(' ').expect("a method and a path");
            // So that there is a HEAD too.
            (method.replace("ANY", "GET"), path.to_owned())
        })
        // Stripe calls the first one, with a signature; pages are sent to the others.
        .filter(|(_, path)| !["/webhooks/stripe", DELETIONS, EXPORTS].contains(&path.as_str()))
        .collect();
    assert_eq!(described, routed);
}

#[test]
fn the_kept_description_is_fresh() {
    assert_kept("docs/openapi.json", &vidintel::openapi::json("support@example.com"));
}

#[test]
fn every_problem_is_described_with_its_media_type() {
    let document: Value =
        serde_json::from_str(&vidintel::openapi::json("support@example.com")).expect("JSON");
    for (path, operations) in document["paths"].as_object().expect("paths") {
        for (method, operation) in operations.as_object().expect("operations") {
            for (status, answer) in operation["responses"].as_object().expect("responses") {
                // 431 is API Gateway's own: the service is not asked.
                if status.as_str() >= "400" && status != "431" && path != "/health" {
                    let body = &answer["content"]["application/problem+json"];
                    assert!(body.is_object(), "{method} {path} {status}");
                }
            }
        }
    }
}

/// The examples of a body, each with a name for messages.
fn examples(media: &Value) -> Vec<(String, &Value)> {
    let named = media["examples"].as_object().into_iter().flatten();
    let named = named.map(|(name, it)| (name.clone(), &it["value"]));
    media.get("example").map(|it| ("example".to_owned(), it)).into_iter().chain(named).collect()
}

#[test]
fn every_body_has_examples_and_each_is_of_its_schema() {
    let document: Value =
        serde_json::from_str(&vidintel::openapi::json("support@example.com")).expect("JSON");
    let mut count = 0;
    for (path, operations) in document["paths"].as_object().expect("paths") {
        for (method, operation) in operations.as_object().expect("operations") {
            let answers = operation["responses"].as_object().expect("responses");
            let answers = answers.iter().map(|(status, it)| (status.as_str(), it));
            let sent = operation.get("requestBody").map(|it| ("request", it));
            for (what, body) in answers.chain(sent) {
                for (media_type, media) in body["content"].as_object().into_iter().flatten() {
                    let at = format!("{method} {path} {what} {media_type}");
                    // References are within the document.
                    let mut schema = media["schema"].clone();
                    schema["components"] = document["components"].clone();
                    let validator = jsonschema::options()
                        .with_draft(jsonschema::Draft::Draft202012)
                        .should_validate_formats(true)
                        .build(&schema)
                        .unwrap_or_else(|error| panic!("{at}: {error}"));
                    let examples = examples(media);
                    assert!(!examples.is_empty(), "{at} has no example");
                    for (name, example) in examples {
                        let errors: Vec<_> = validator
                            .iter_errors(example)
                            .map(|it| format!("{} at {}", it, it.instance_path()))
                            .collect();
                        assert!(errors.is_empty(), "{at}, {name}: {errors:?}");
                        count += 1;
                    }
                }
            }
        }
    }
    assert!(count > 200, "{count}");
}

#[test]
fn what_the_schemas_say_of_fields_is_of_them() {
    /// Checks the examples of every schema in `value`.
    fn walk(value: &Value, document: &Value, at: &str) {
        let own = value.get("example").into_iter();
        for example in own.chain(value["examples"].as_array().into_iter().flatten()) {
            let mut schema = value.clone();
            schema["components"] = document["components"].clone();
            let validator = jsonschema::draft202012::new(&schema).expect("a schema");
            assert!(validator.is_valid(example), "{at}: {example}");
        }
        match value {
            Value::Object(fields) => {
                for (name, it) in fields.iter().filter(|it| it.0 != "example") {
                    walk(it, document, &format!("{at}.{name}"));
                }
            }
            Value::Array(items) => items.iter().for_each(|it| walk(it, document, at)),
            _ => {}
        }
    }
    let document: Value =
        serde_json::from_str(&vidintel::openapi::json("support@example.com")).expect("JSON");
    let schemas = &document["components"]["schemas"];
    for (name, schema) in schemas.as_object().expect("schemas") {
        walk(schema, &document, name);
    }
}
