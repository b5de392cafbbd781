//! `GET /docs` and `GET /problems/{kind}`.

use std::collections::BTreeSet;

use local::http::Response;
use vidintel::http::KINDS;

use crate::util::{World, assert_problem};

/// Checks that it is a page which runs and loads nothing, whatever a browser would do.
fn assert_page(response: &Response) {
    assert_eq!(response.status, 200, "{}", response.text());
    assert_eq!(response.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(response.header("x-content-type-options"), Some("nosniff"));
    let policy = response.header("content-security-policy").expect("a policy");
    assert!(policy.contains("default-src 'none'"), "{policy}");
    assert!(policy.contains("style-src 'sha256-"), "{policy}");
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    assert!(!policy.contains("unsafe") && !policy.contains("script-src"), "{policy}");
    let page = response.text().to_lowercase();
    for tag in
        ["<script", "<link", "<img", "<iframe", "<form", " src=", " style=", "url(", "@import"]
    {
        assert!(!page.contains(tag), "{tag}");
    }
}

/// The values of an attribute.
fn attributes<'a>(html: &'a str, name: &str) -> BTreeSet<&'a str> {
    let start = format!(" {name}=\"");
    html.split(&start).skip(1).filter_map(|it| it.split('"').next()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_shows_what_the_description_has() {
    let world = World::start().await;
    let client = world.cloud.client();
    let served = world.send(client.get("/docs")).await;
    assert_page(&served);
    assert_eq!(served.header("cache-control"), Some("public, max-age=300"));
    let page = served.text();
    let document = world.send(client.get("/openapi.json")).await.json();
    for (path, operations) in document["paths"].as_object().expect("paths") {
        for method in operations.as_object().expect("operations").keys() {
            let shown = format!(
                r#"<span class="method {method}">{}</span> <code>{path}</code></h3>"#,
                method.to_uppercase()
            );
            assert!(page.contains(&shown), "{method} {path}");
        }
    }
    let anchors = attributes(&page, "id");
    for name in document["components"]["schemas"].as_object().expect("schemas").keys() {
        assert!(anchors.contains(format!("schema-{name}").as_str()), "{name}");
    }
    for link in attributes(&page, "href") {
        match link.strip_prefix('#') {
            Some(anchor) => assert!(anchors.contains(anchor), "{link} leads nowhere"),
            None if link == "mailto:support@example.com" => {}
            None => assert_eq!(world.send(client.get(link)).await.status, 200, "{link}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documentations_first_request_is_answered() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    let page = world.send(world.cloud.client().get("/docs")).await.text();
    let (_, path) = page.split_once("$API/v1/videos/").expect("a request");
    let id: String = path.chars().take_while(char::is_ascii_digit).collect();
    let answer = world.get(&format!("/v1/videos/{id}"), &ada).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_problem_has_its_page() {
    let world = World::start().await;
    let client = world.cloud.client();
    for kind in KINDS {
        let page = world.send(client.get(format!("/problems/{}", kind.name()))).await;
        assert_page(&page);
        assert!(page.text().contains(kind.title()), "{}", kind.name());
    }
    for unknown in ["no-such-kind", "Not-Found", "%3Cscript%3E"] {
        let answer = world.send(client.get(format!("/problems/{unknown}"))).await;
        assert_problem(&answer, 404, "not-found");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_type_of_an_error_leads_to_its_page() {
    let world = World::start().await;
    let client = world.cloud.client();
    let refused = world.send(client.get("/v1/keys")).await;
    assert_problem(&refused, 401, "invalid-api-key");
    let body = refused.json();
    let kind = body["type"].as_str().expect("a type");
    let path = kind.strip_prefix(world.cloud.url()).expect("an address of the service");
    let page = world.send(client.get(path)).await;
    assert_page(&page);
    assert!(page.text().contains(body["title"].as_str().expect("a title")));
}
