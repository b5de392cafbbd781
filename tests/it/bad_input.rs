//! Bad input gets a clear 4xx problem, never a 5xx, and shows no internals.

use http::Method;
use local::http::Response;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use vidintel::keys::{ApiKey, Environment};

use crate::util::{World, assert_problem, objections::with_research, sign_up};

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

/// What a program sends that encodes nothing; status and body.
async fn send_raw(world: &World, target: &str, key: &str) -> (u16, Value) {
    let host = world.cloud.url().strip_prefix("http://").expect("a URL");
    let mut stream = TcpStream::connect(host).await.expect("connected");
    let request = format!(
        "GET {target} HTTP/1.1\r\nHost: {host}\r\nX-API-Key: {key}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    let status = answer.split(' ').nth(1).and_then(|it| it.parse().ok()).expect("a status");
    let body = answer.split_once("\r\n\r\n").expect("a body").1;
    (status, serde_json::from_str(body).unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_is_not_encoded_is_read_as_if_it_were() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    let id = world.video_id(0);
    for odd in ["<", ">", "\"", "{", "}", "|", "^", "`", "[", "]", "\\", "'", "%", "<script>\"{|}"]
    {
        for target in [
            format!("/v1/videos/{id}?{odd}"),
            format!("/v1/videos/{id}?fields={odd}"),
            format!("/v1/videos?url={odd}"),
            format!("/v1/usage?from={odd}"),
            format!("/v1/plans?a={odd}"),
        ] {
            let (status, problem) = send_raw(&world, &target, &ada.key).await;
            assert_eq!(status, 400, "{target}: {problem}");
            assert_eq!(problem["status"], 400, "{target}: {problem}");
        }
    }
    // What is right but for that is answered.
    for odd in ["<b>", "\"b\"", "{|}^`[]"] {
        let target = format!("/v1/videos?url=https://www.tiktok.com/@a/video/{id}?x={odd}");
        let (status, video) = send_raw(&world, &target, &ada.key).await;
        assert_eq!((status, &video["id"]), (200, &json!(id.to_string())), "{target}: {video}");
    }
    for function in &world.cloud.template.functions {
        assert!(!world.logs(&function.id).contains("panicked"), "{}", function.id);
    }
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

/// What `detail` says of a request that is refused with 400.
fn detail(answer: &Response, kind: &str) -> String {
    assert_problem(answer, 400, kind);
    answer.json()["detail"].as_str().expect("a text").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_value_is_named_with_its_field_and_the_choices() {
    let world = with_research().await;
    let ada = world.customer("ada@example.com").await;
    let search = |condition: Value| json!({ "and": [condition], "from": "2026-11-01" });
    let cases = [
        (
            "/v1/billing/plan",
            json!({ "plan": "gold" }),
            "`plan` must be one of `free`, `basic`, `pro`, `business`",
        ),
        ("/v1/billing/plan", json!({ "plan": 7 }), "`plan` is not of the documented type"),
        ("/v1/keys", json!({ "name": 5 }), "`name` must be a text"),
        ("/v1/keys", json!({ "environment": "prod" }), "`environment` must be `live` or `test`"),
        ("/v1/videos/batch", json!({ "videos": "7" }), "`videos` must be a list"),
        ("/v1/videos/batch", json!({ "videos": ["7", 8] }), "`videos[1]` must be a text"),
        (
            "/v1/videos/search",
            search(json!({ "field": "colour", "values": ["red"] })),
            "`and[0].field` must be one of `keyword`, `hashtag`",
        ),
        (
            "/v1/videos/search",
            search(json!({ "field": "views", "operation": "above", "values": ["1"] })),
            "`and[0].operation` must be one of `in`, `eq`, `gt`",
        ),
        (
            "/v1/videos/search",
            search(json!({ "field": "views", "values": [1] })),
            "`and[0].values[0]` must be a text",
        ),
        (
            "/v1/videos/search",
            search(json!({ "field": "views" })),
            "the field `values` of `and[0]` is missing",
        ),
        (
            "/v1/videos/search",
            json!({ "and": [], "from": "2026-10-01", "limit": "20" }),
            "`limit` must be a whole number",
        ),
    ];
    for (path, body, expected) in cases {
        let said = detail(&world.post(path, &body, &ada).await, "invalid-body");
        assert!(said.contains(expected), "{path} {body}: {said}");
        assert!(!said.contains("line "), "{said}");
    }
    // What a list has inside is asked for by its place, which the error says.
    let path = "/v1/videos/search?fields=id,statistics.views";
    let body = search(json!({ "field": "hashtag", "values": ["hens"] }));
    let said = detail(&world.post(path, &body, &ada).await, "invalid-value");
    assert!(said.contains("`next_cursor`") && said.contains("`videos.id`"), "{said}");
    assert_eq!(world.used(&ada).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_that_there_are_not_and_repeated_ones_are_refused() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    let id = world.video_id(0);
    for (path, expected) in [
        (
            format!("/v1/videos/{id}?feilds=id"),
            "`feilds` is no parameter of this endpoint; there are `include`",
        ),
        (format!("/v1/videos/{id}?fields=id&Trim=true"), "`Trim` is no parameter"),
        (format!("/v1/videos/{id}?fields=id&fields=author"), "`fields` is there more than once"),
        (format!("/v1/videos/{id}?trim=true&trim=true"), "`trim` is there more than once"),
        (format!("/v1/videos/{id}?=x"), "one of the parameters is no parameter"),
        ("/v1/usage?form=2026-11-01".to_owned(), "there are `from`, `to`"),
        ("/v1/keys?limit=5".to_owned(), "there are none here"),
        ("/v1/billing/invoices?page=2".to_owned(), "there are `limit`, `cursor`"),
        // An address that was not encoded has left its own parameters.
        (
            format!("/v1/videos?url=https://www.tiktok.com/@a/video/{id}?a=1&is_from_webapp=1"),
            "percent-encode",
        ),
        (format!("/v1/videos?url={id}&url=1"), "`url` is there more than once"),
        // The gateway decodes the path, which ends an address there.
        ("/v1/hashtags/%23cats?feilds=x".to_owned(), "`feilds` is no parameter"),
    ] {
        let said = detail(&world.get(&path, &ada).await, "invalid-value");
        assert!(said.contains(expected), "{path}: {said}");
    }
    let body = json!({ "videos": [id.to_string()] });
    let said =
        detail(&world.post("/v1/videos/batch?field=items", &body, &ada).await, "invalid-value");
    assert!(said.contains("there are `fields`, `trim`"), "{said}");
    // A key that was put there is not repeated.
    let leaked = world.get(&format!("/v1/usage?{}", ada.key), &ada).await;
    assert!(!leaked.text().contains(&ada.key), "{}", leaked.text());
    assert_problem(&leaked, 400, "invalid-value");
    assert_eq!(world.used(&ada).await, 0);
    // Pages are found over links that add something.
    for page in ["/docs?utm_source=a&utm_source=b", "/health?fbclid=x"] {
        assert_eq!(world.get(page, &ada).await.status, 200, "{page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_different_keys_are_refused_and_the_same_one_twice_is_not() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    let bob = world.customer("bob@example.com").await;
    let client = world.cloud.client();
    let video = format!("/v1/videos/{}", world.video_id(0));
    let both = |key: &str, bearer: &str| {
        vec![("x-api-key", key.to_owned()), ("authorization", format!("Bearer {bearer}"))]
    };
    for path in [video.as_str(), "/v1/keys", "/v1/usage"] {
        for headers in [
            both(&ada.key, &bob.key),
            both(&bob.key, &ada.key),
            both(&ada.key, "nonsense"),
            vec![("x-api-key", ada.key.clone()), ("x-api-key", bob.key.clone())],
            vec![("x-api-key", format!("{},{}", ada.key, bob.key))],
        ] {
            let request =
                headers.iter().fold(client.get(path), |it, (name, value)| it.header(name, value));
            let said = detail(&world.send(request).await, "invalid-value");
            assert!(said.contains("two different API keys"), "{said}");
        }
        for headers in [
            both(&ada.key, &ada.key),
            vec![("x-api-key", ada.key.clone()), ("x-api-key", ada.key.clone())],
            vec![("x-api-key", ada.key.clone()), ("authorization", "Basic YTpi".to_owned())],
        ] {
            let request =
                headers.iter().fold(client.get(path), |it, (name, value)| it.header(name, value));
            let answer = world.send(request).await;
            assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        }
    }
}

/// One mailbox in letters of other widths is no other account, and what no mail can go to is refused.
#[tokio::test(flavor = "multi_thread")]
async fn letters_of_another_width_make_no_other_account() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    let client = world.cloud.client();
    for email in [
        "\u{ff41}da@example.com",
        "ada\u{ff20}example.com",
        "\"ada\"@example.com",
        "\"a da\"@example.com",
        "ada@\"example\".com",
        "\u{212b}da@example.com",
    ] {
        let mails = world.cloud.ses.mails().len();
        let answer = world.send(client.post("/v1/accounts", &sign_up(email))).await;
        assert_problem(&answer, 400, "invalid-value");
        assert_eq!(world.cloud.ses.mails().len(), mails, "{email}");
    }
    // Of a domain they are the same letters: the mail is one back into the account.
    let mails = world.cloud.ses.mails().len();
    let wide = "ada@\u{ff45}xample\u{ff0e}com";
    assert_eq!(world.send(client.post("/v1/accounts", &sign_up(wide))).await.status, 202);
    let all = world.cloud.ses.mails();
    assert_eq!((all.len(), &all[mails].to), (mails + 1, &vec!["ada@example.com".to_owned()]));
    assert!(!all[mails].subject.contains("Confirm"), "{}", all[mails].subject);
    assert_eq!(world.get("/v1/keys", &ada).await.status, 200);
}
