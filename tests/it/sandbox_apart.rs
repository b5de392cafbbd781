//! The sandbox and what is real: neither takes anything from the other.

use serde_json::{Value, json};
use time::Duration;
use vidintel::{
    keys::{ApiKey, Environment},
    sandbox::VIDEOS,
    usage::read_pack,
};

use crate::{
    sandbox::DAYS,
    usage::packs,
    util::{
        Customer, World, assert_problem, catalogue::ids_in, objections::with_research, rate_limit,
    },
};

#[tokio::test(flavor = "multi_thread")]
async fn its_requests_are_logged_as_charged_nothing_and_take_nothing_from_the_quota() {
    let world = with_research().await;
    let ada = world.customer("ada@example.com").await;
    let test = world.test_key(&ada).await;
    let path = format!("/v1/videos/{}", VIDEOS[0].key);
    for path in [path.as_str(), "/v1/creators/sandbox.baker", "/v1/hashtags/sandbox"] {
        assert_eq!(world.get(path, &test).await.status, 200);
    }
    assert_eq!(world.video(0, &ada).await.status, 200);
    let before = world.get("/v1/usage", &ada).await.json();
    assert_eq!((&before["used"], &before["remaining"]), (&json!(1), &json!(49)));
    world.run_job("RollUpUsageFunction").await;
    let mut charged = Vec::new();
    for pack in packs(&world).await {
        for entry in read_pack(&pack).expect("a pack") {
            let is_test = entry.key_id.to_string() == test.key_id;
            charged.push((is_test, entry.charged));
        }
    }
    charged.sort_unstable();
    assert_eq!(charged, [(false, 1), (true, 0), (true, 0), (true, 0)]);
    let after = world.get("/v1/usage", &ada).await.json();
    assert_eq!((&after["used"], &after["remaining"]), (&json!(1), &json!(49)));
}

#[tokio::test(flavor = "multi_thread")]
async fn its_requests_of_a_minute_are_counted_apart_from_the_real_ones() {
    let world = with_research().await;
    let ada = world.customer("ada@example.com").await;
    let test = world.test_key(&ada).await;
    let path = format!("/v1/videos/{}", VIDEOS[0].key);
    for n in 1..=10 {
        let answer = world.get(&path, &test).await;
        assert_eq!(answer.status, 200, "{n}: {}", answer.text());
        assert_eq!(rate_limit(&answer, "minute", 'r'), 10 - n);
        let answer = world.video(0, &ada).await;
        assert_eq!(answer.status, 200, "{n}: {}", answer.text());
        assert_eq!(rate_limit(&answer, "minute", 'r'), 10 - n);
    }
    for answer in [world.get(&path, &test).await, world.video(0, &ada).await] {
        assert_problem(&answer, 429, "quota-exceeded");
        assert_eq!(answer.json()["violated-policies"], json!(["minute"]));
    }
    let batch = json!({ "videos": [VIDEOS[0].key] });
    assert_eq!(world.post("/v1/videos/batch", &batch, &test).await.status, 429);
    world.wait(Duration::minutes(2));
    assert_eq!(world.get(&path, &test).await.status, 200);
    assert_eq!(world.video(0, &ada).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_real_and_what_is_made_up_never_meet() {
    let world = with_research().await;
    let live = world.paying("ada@example.com").await;
    let test = world.test_key(&live).await;
    let real = world.video_id(0);
    let real_video = format!("/v1/videos/{real}");
    let paths = [
        (real_video.clone(), "video-not-found"),
        (format!("/v1/videos?url=https://www.tiktok.com/@any/video/{real}"), "video-not-found"),
        ("/v1/videos?url=https://vm.tiktok.com/ZM0/".to_owned(), "link-leads-nowhere"),
        (format!("/v1/videos/{real}/comments"), "video-not-found"),
        ("/v1/creators/alba.bakes".to_owned(), "creator-not-found"),
    ];
    // What is real lies in the cache, and is not found all the same.
    for (path, kind) in &paths {
        assert_eq!(world.get(path, &live).await.status, 200, "{path}");
        assert_problem(&world.get(path, &test).await, 404, kind);
    }
    let made_up = VIDEOS[0].key;
    for (path, kind) in [
        (format!("/v1/videos/{made_up}"), "video-not-found"),
        (format!("/v1/videos/{made_up}/comments"), "video-not-found"),
        ("/v1/creators/sandbox.baker".to_owned(), "creator-not-found"),
    ] {
        assert_eq!(world.get(&path, &test).await.status, 200, "{path}");
        assert_problem(&world.get(&path, &live).await, 404, kind);
    }
    let search = |from: &str, to: &str| json!({ "not": [{ "field": "hashtag", "values": ["none"] }], "from": from, "to": to, "limit": 50 });
    for (from, to) in [DAYS, ("2026-10-01", "2026-10-28")] {
        let body = search(from, to);
        let of = async |customer: &Customer| {
            let answer = world.post("/v1/videos/search", &body, customer).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            ids_in(&answer.json()["videos"])
        };
        let (real, made_up) = (of(&live).await, of(&test).await);
        assert!(real.iter().all(|it| VIDEOS.iter().all(|case| case.key != it)), "{real:?}");
        assert!(!real.is_empty());
        assert!(made_up.iter().all(|it| VIDEOS.iter().any(|case| case.key == it)), "{made_up:?}");
        assert_eq!(made_up.is_empty(), from != DAYS.0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_for_it_works_where_research_is_off_until_it_is_revoked() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    let test = world.test_key(&ada).await;
    let paths = ["/v1/creators/sandbox.baker", "/v1/hashtags/sandbox"];
    for path in paths {
        assert_eq!(world.get(path, &test).await.status, 200, "{path}");
    }
    let client = world.cloud.client();
    let path = format!("/v1/keys/{}", test.key_id);
    assert_eq!(world.send(client.delete(path).key(&ada.key)).await.status, 204);
    for path in paths {
        assert_problem(&world.get(path, &test).await, 401, "invalid-api-key");
    }
    assert_eq!(world.video(0, &ada).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_for_it_opens_the_video_endpoints_and_nothing_else() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    let test = world.test_key(&ada).await;
    let asked = world.post("/v1/privacy/deletions", &json!({ "confirm": true }), &ada).await;
    let deletion = asked.json()["id"].as_str().expect("an id").to_owned();
    let document: Value =
        serde_json::from_str(&vidintel::openapi::json("support@example.com")).expect("JSON");
    let client = world.cloud.client();
    let (mut opened, mut refused) = (0, 0);
    for route in world.cloud.template.functions.iter().flat_map(|it| &it.routes) {
        let key = route.key().replace("ANY ", "GET ");
        // The default route is for what needs no key.
        let Some((method, path)) = key.split_once(' ') else { continue };
        let operation = &document["paths"][path][method.to_lowercase()];
        if operation["security"].as_array().is_none_or(Vec::is_empty) {
            continue;
        }
        let named = path
            .replace("{request_id}", &deletion)
            .replace("{key_id}", &ada.key_id)
            .replace("{video_id}", VIDEOS[0].key)
            .replace("{username}", "sandbox.baker")
            .replace("{name}", "sandbox")
            .replace("{invoice_id}", "in_1");
        assert!(!named.contains('{'), "{named}");
        let request = client.request(method.parse().expect("a method"), &named).key(&test.key);
        let body = json!({ "confirm": true, "name": "live", "plan": "business" });
        let request = if method == "POST" { request.json(&body) } else { request };
        let answer = world.send(request).await;
        if operation["tags"][0] == "Videos" {
            assert!(!answer.text().contains("sandbox-key"), "{key}: {}", answer.text());
            opened += 1;
        } else {
            assert_eq!(answer.status, 403, "{key}: {}", answer.text());
            assert_problem(&answer, 403, "sandbox-key");
            refused += 1;
        }
    }
    assert_eq!(opened, 8);
    assert!(refused >= 19, "{refused}");
    // Nothing has come of any of it.
    let keys = world.get("/v1/keys", &ada).await.json();
    assert_eq!(keys["keys"].as_array().map(Vec::len), Some(2), "{keys}");
    let deletion = world.get(&format!("/v1/privacy/deletions/{deletion}"), &ada).await.json();
    assert_eq!(deletion["state"], "scheduled");
    // Not even a made-up one learns more.
    let account = ada.account_id.parse().expect("an id");
    let made_up = ApiKey::random(account, Environment::Test);
    let answer = world.send(client.get("/v1/keys").key(made_up.expose())).await;
    assert_problem(&answer, 403, "sandbox-key");
}
