//! The description of the API, the template and the functions agree.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::util::{World, assert_kept};

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
        .map(|route| {
            let key = route.key();
            let (method, path) = key.split_once(' ').expect("a method and a path");
            (method.to_owned(), path.to_owned())
        })
        .collect();
    assert_eq!(described, routed);
}

#[test]
fn the_kept_description_is_fresh() {
    assert_kept("docs/openapi.json", &vidintel::openapi::json());
}

#[test]
fn every_problem_is_described_with_its_media_type() {
    let document: Value = serde_json::from_str(&vidintel::openapi::json()).expect("JSON");
    for (path, operations) in document["paths"].as_object().expect("paths") {
        for (method, operation) in operations.as_object().expect("operations") {
            for (status, answer) in operation["responses"].as_object().expect("responses") {
                if status.as_str() >= "400" && path != "/health" {
                    let body = &answer["content"]["application/problem+json"];
                    assert!(body.is_object(), "{method} {path} {status}");
                }
            }
        }
    }
}
