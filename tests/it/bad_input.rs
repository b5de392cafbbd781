//! Bad input gets a clear 4xx problem, never a 5xx, and shows no internals.

use http::Method;
use serde_json::json;
use vidintel::keys::{ApiKey, Environment};

use crate::util::{World, assert_problem, sign_up};

#[tokio::test(flavor = "multi_thread")]
async fn bodies_are_read_strictly() {
    let world = World::start().await;
    let client = world.cloud.client();
    let post = |content_type: &str, body: String| {
        client.request(Method::POST, "/v1/accounts").body(content_type, body)
    };
    let good = sign_up("ada@example.com").to_string();
    let mut unknown = sign_up("ada@example.com");
    unknown["admin"] = json!(true);
    let mut typed = sign_up("ada@example.com");
    typed["is_13_or_older"] = json!("yes");
    let long = format!("{{\"email\":\"{}\"}}", "a".repeat(70_000));
    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    let cases = [
        ("text/plain", good.clone(), 415, "unsupported-media-type"),
        ("application/json", String::new(), 400, "invalid-body"),
        ("application/json", "{".to_owned(), 400, "invalid-body"),
        ("application/json", "[]".to_owned(), 400, "invalid-body"),
        ("application/json", "null".to_owned(), 400, "invalid-body"),
        ("application/json", good[..good.len() - 1].to_owned(), 400, "invalid-body"),
        ("application/json", unknown.to_string(), 400, "invalid-body"),
        ("application/json", typed.to_string(), 400, "invalid-body"),
        ("application/json", deep, 400, "invalid-body"),
        ("application/json", long, 413, "body-too-large"),
        ("application/json", sign_up("not an address").to_string(), 400, "invalid-value"),
        (
            "application/json",
            sign_up("a@example.com\r\nBcc: b@example.com").to_string(),
            400,
            "invalid-value",
        ),
    ];
    for (content_type, body, status, kind) in cases {
        let shown: String = body.chars().take(60).collect();
        let answer = world.send(post(content_type, body)).await;
        assert_eq!(answer.status, status, "{shown}: {}", answer.text());
        assert_problem(&answer, status, kind);
        assert!(!answer.text().contains("ada@"), "the answer repeats the address");
    }
    let bytes = client
        .request(Method::POST, "/v1/accounts")
        .body("application/json", vec![0xff, 0xfe, 0x00]);
    assert_problem(&world.send(bytes).await, 400, "invalid-body");
    assert!(world.cloud.ses.mails().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_every_bad_kind_are_refused() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    let client = world.cloud.client();
    let path = format!("/v1/videos/{}", world.video_id(0));
    let unknown = ApiKey::random(vidintel::ids::AccountId::random(), Environment::Live);
    let account = ada.account_id.parse().expect("an id");
    let forged = ApiKey::random(account, Environment::Live);
    let mut cut = ada.key.clone();
    cut.pop();
    let long = "a".repeat(4_000);
    let bad = [
        "",
        " ",
        "null",
        "tvi_live",
        &cut,
        unknown.expose(),
        forged.expose(),
        &long,
        "tvi_live_{x}:g_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA_000000",
        "💥",
        "%00",
    ];
    for key in bad {
        for request in [
            client.get(&*path).header("x-api-key", key),
            client.get(&*path).header("authorization", &format!("Bearer {key}")),
            client.get("/v1/keys").header("x-api-key", key),
        ] {
            assert_problem(&world.send(request).await, 401, "invalid-api-key");
        }
    }
    assert_problem(&world.send(client.get(&*path)).await, 401, "invalid-api-key");
    let basic = client.get(&*path).header("authorization", "Basic YTpi");
    assert_problem(&world.send(basic).await, 401, "invalid-api-key");
    let bearer = client.get(&*path).header("authorization", &format!("bearer {}", ada.key));
    assert_eq!(world.send(bearer).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_paths_are_refused_and_cost_nothing() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    let ids = [
        "0",
        "00",
        "-1",
        "+7",
        "1.5",
        "1e3",
        "abc",
        "18446744073709551616",
        "%00",
        "%2e%2e%2f",
        "7%20",
        "%37%0a",
        "%F0%9F%92%A5",
        "7:g",
        "*",
        "{7}",
        "7565919548239514898x",
        "%ff%fe",
        "1%2F..%2F2",
    ];
    for id in ids {
        let answer = world.get(&format!("/v1/videos/{id}"), &ada).await;
        let status = answer.status.as_u16();
        assert!(matches!(status, 400 | 404), "{id}: {status} {}", answer.text());
    }
    for path in ["/v1", "/v1/videos/", "/v2/videos/1", "/v1/keys/../keys", "//v1/keys"] {
        assert_eq!(world.get(path, &ada).await.status, 404, "{path}");
    }
    let usage = world.get("/v1/usage", &ada).await.json();
    assert_eq!(usage["used"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn floods_are_refused_before_they_reach_a_function() {
    let world = World::start().await;
    let client = world.cloud.client();
    let flood = (0..200).fold(client.request(Method::GET, "/health"), |it, n| {
        it.header(&format!("x-{n}"), &"v".repeat(90))
    });
    let answer = world.send(flood).await;
    assert!(answer.status.is_client_error(), "{}", answer.status);
    let huge = client
        .request(Method::POST, "/v1/accounts")
        .body("application/json", vec![b' '; 11 * 1024 * 1024]);
    assert_eq!(world.send(huge).await.status, 413);
    assert_eq!(world.send(client.get("/health")).await.status, 200);
}
