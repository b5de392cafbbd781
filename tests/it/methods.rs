//! Methods that a path takes and those that it does not, and addresses at which there is nothing.

use std::collections::{BTreeMap, BTreeSet};

use local::http::Response;
use vidintel::http::PATHS;

use crate::util::{World, assert_problem, rate_limit};

/// Headers of an answer that say what it is; not those of this one request.
fn lasting(response: &Response) -> BTreeMap<String, String> {
    let own = ["apigw-requestid", "content-length", "date", "ratelimit", "x-request-id"];

    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let all = response.headers.iter().map(|(name, it)| (name.to_string(), text(it.as_bytes())));
    all.filter(|it| !own.contains(&it.0.as_str())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_of_methods_is_the_templates() {
    let world = World::start().await;
    let mut routed = BTreeSet::new();
    for route in world.cloud.template.functions.iter().flat_map(|it| &it.routes) {
        if !route.is_default() {
            let key = route.key();
            let (method, path) = key.split_once(' ').expect("a method and a path");
            routed.insert((path.to_owned(), method.replace("ANY", "GET")));
        }
    }
    let listed: BTreeSet<(String, String)> = PATHS
        .iter()
        .flat_map(|(path, methods)| methods.iter().map(|it| ((*path).to_owned(), (*it).to_owned())))
        .collect();
    let unlisted: Vec<_> = routed.difference(&listed).collect();
    assert!(unlisted.is_empty(), "{unlisted:?}");
    // What has no route of its own are pages.
    for (path, method) in listed.difference(&routed) {
        assert_eq!(method, "GET", "{path}");
        let path = path.replace("{request_id}", "req_4kPq9ZtR2mWx");
        let page = world.send(world.cloud.client().get(&path)).await;
        assert_eq!(page.status, 200, "{path}");
        assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_is_answered_as_the_get_without_its_body() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    let client = world.cloud.client();
    let head = async |path: &str, key: &str| {
        let request = client.request("HEAD".parse().expect("a method"), path).key(key);
        world.send(request).await
    };
    let video = format!("/v1/videos/{}", world.video_id(0));
    world.get(&video, &ada).await;
    for (path, key, status) in [
        ("/", "", 200),
        ("/health", "", 200),
        ("/openapi.json", "", 200),
        ("/docs", "", 200),
        ("/problems/not-found", "", 200),
        ("/billing/done", "", 200),
        ("/v1/policy", "", 200),
        ("/v1/plans", "", 200),
        ("/confirm", "", 200),
        ("/v1/keys", "", 401),
        ("/v1/keys", ada.key.as_str(), 200),
        ("/v1/usage", ada.key.as_str(), 200),
        ("/v1/videos/0", ada.key.as_str(), 400),
        ("/v1/nothing", "", 404),
        ("/v1/accounts", "", 405),
        (video.as_str(), ada.key.as_str(), 200),
    ] {
        let got = world.send(client.get(path).key(key)).await;
        let headed = head(path, key).await;
        assert_eq!((got.status.as_u16(), headed.status.as_u16()), (status, status), "{path}");
        assert_eq!(lasting(&headed), lasting(&got), "{path}");
        assert!(headed.body.is_empty() && !got.body.is_empty(), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_of_a_metered_endpoint_counts_as_its_get_does() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    let client = world.cloud.client();
    let path = format!("/v1/videos/{}", world.video_id(0));
    let got = world.get(&path, &ada).await;
    let request = client.request("HEAD".parse().expect("a method"), &path).key(&ada.key);
    let headed = world.send(request).await;
    let left = |answer: &Response| rate_limit(answer, "month", 'r');
    assert_eq!(left(&headed), left(&got) - 1);
    let tag = headed.header("etag").expect("a tag").to_owned();
    assert_eq!(got.header("etag"), Some(tag.as_str()));
    assert_eq!(world.rolled_up(&ada).await, (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_method_that_a_path_does_not_take_is_405_and_names_those_that_it_takes() {
    let world = World::start().await;
    let client = world.cloud.client();
    for (method, path, allow) in [
        // At a route of any method…
        ("POST", "/health", "GET, HEAD"),
        ("DELETE", "/v1/videos/7000000000000000001", "GET, HEAD"),
        ("OPTIONS", "/v1/keys", "GET, HEAD, POST"),
        ("PUT", "/v1/videos/batch", "GET, HEAD, POST"),
        ("PATCH", "/v1/privacy/deletions/req_4kPq9ZtR2mWx", "DELETE, GET, HEAD"),
        // …and where there is none.
        ("GET", "/v1/accounts", "POST"),
        ("GET", "/v1/keys/key_3cRt0pQ9sLmX", "DELETE"),
        ("PUT", "/webhooks/stripe", "POST"),
        ("POST", "/", "GET, HEAD"),
        ("DELETE", "/sign-up", "GET, HEAD"),
    ] {
        let request = client.request(method.parse().expect("a method"), path);
        let answer = world.send(request).await;
        assert_problem(&answer, 405, "/problems/method-not-allowed");
        assert_eq!(answer.header("allow"), Some(allow), "{method} {path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_there_is_nothing_the_answer_is_a_problem_or_in_a_browser_a_page() {
    let world = World::start().await;
    let client = world.cloud.client();
    for path in ["/nothing", "/v1", "/keys/", "/docs/", "/problems/no-such-kind", "/billing/x"] {
        let answer = world.send(client.get(path)).await;
        assert_problem(&answer, 404, "/problems/not-found");
        assert!(answer.json()["type"].as_str().is_some_and(|it| it.starts_with("http")), "{path}");
        let accept = "text/html,application/xhtml+xml,*/*;q=0.8";
        let page = world.send(client.get(path).header("accept", accept)).await;
        assert_eq!(page.status, 404, "{path}");
        assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"), "{path}");
        assert!(page.text().contains("<h1>Not found</h1>"), "{path}: {}", page.text());
        let never = world.send(client.get(path).header("accept", "text/html;q=0")).await;
        assert_problem(&never, 404, "/problems/not-found");
    }
    // At addresses for programs nobody gets a page.
    let answer = world.send(client.get("/v1/keys").header("accept", "text/html")).await;
    assert_problem(&answer, 401, "/problems/invalid-api-key");
    let answer = world.send(client.get("/v1/keys/").header("accept", "text/html")).await;
    assert_problem(&answer, 404, "/problems/not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_type_of_a_problem_is_an_absolute_address() {
    let world = World::start().await;
    let client = world.cloud.client();
    let ada = world.customer("ada@example.com").await;
    let mut answers = vec![
        world.send(client.get("/v1/keys")).await,
        world.send(client.get("/nothing")).await,
        world.get("/v1/videos/7000000000000000001", &ada).await,
    ];
    for _ in 0..11 {
        answers.push(world.get("/v1/videos/7000000000000000001", &ada).await);
    }
    let refused: BTreeSet<u16> = answers.iter().map(|it| it.status.as_u16()).collect();
    assert!(refused.contains(&429), "{refused:?}");
    for answer in answers.iter().filter(|it| it.status.as_u16() >= 400) {
        let kind = answer.json()["type"].as_str().expect("a type").to_owned();
        let own = format!("{}/problems/", world.cloud.url());
        assert!(kind.starts_with(&own) || kind.starts_with("https://iana.org/"), "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_root_says_what_this_is() {
    let world = World::start().await;
    let client = world.cloud.client();
    let page = world.send(client.get("/").header("accept", "text/html")).await;
    assert_eq!(page.status, 200);
    for link in ["/docs", "/privacy", "/object", "/sign-up", "/openapi.json"] {
        assert!(page.text().contains(&format!("href=\"{link}\"")), "{link}");
        assert_eq!(world.send(client.get(link)).await.status, 200, "{link}");
    }
    let json = world.send(client.get("/").header("accept", "application/json")).await;
    assert_eq!(json.header("content-type"), Some("application/json"));
    assert_eq!(json.json()["documentation"], "/docs");
    let support = json.json()["support"].as_str().expect("an address").to_owned();
    assert!(page.text().contains(&format!("href=\"mailto:{support}\"")), "{support}");
    assert!(json.header("vary").is_some_and(|it| it.contains("accept")));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_creator_called_objections_is_looked_up_like_any_other() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    let answer = world.get("/v1/creators/objections/videos", &ada).await;
    // Without the Research API no creator's videos can be told; an objection would be 400 or 404.
    assert_problem(&answer, 409, "/problems/source-not-enabled");
}
