//! The stand-in by itself; [`sources`]: the service's own client against it.

mod comments;
mod links;
mod research;
mod sources;
mod users;

use axum::body::Body;
use http::Request;
use serde_json::{Value, json};
use time::macros::datetime;

use super::*;
use crate::standins::tests::send;

const NOW: OffsetDateTime = datetime!(2026-11-24 12:00 UTC);

fn tiktok() -> TikTok {
    TikTok::new(Clock::frozen_at(NOW))
}

async fn call(tiktok: &TikTok, request: Request<Body>) -> (u16, Value) {
    let (status, body) = send(tiktok.router(), request).await;
    (status, serde_json::from_str(&body).expect("JSON"))
}

async fn show(tiktok: &TikTok, query: &str) -> (u16, Value) {
    call(tiktok, Request::get(format!("/oembed?{query}")).body(Body::empty()).unwrap()).await
}

async fn token(tiktok: &TikTok, form: String) -> (u16, Value) {
    let request = Request::post("/v2/oauth/token/")
        .header("content-type", "application/x-www-form-urlencoded");
    call(tiktok, request.body(form.into()).unwrap()).await
}

fn grant() -> String {
    format!("client_key={CLIENT_KEY}&client_secret={CLIENT_SECRET}&grant_type=client_credentials")
}

async fn search(tiktok: &TikTok, fields: &str, token: &str, body: &Value) -> (u16, Value) {
    ask(tiktok, "video/query", fields, token, body).await
}

/// Calls one of the Research API's interfaces.
async fn ask(
    tiktok: &TikTok,
    interface: &str,
    fields: &str,
    token: &str,
    body: &Value,
) -> (u16, Value) {
    let request = Request::post(format!("/v2/research/{interface}/?fields={fields}"))
        .header("content-type", "application/json")
        .header("authorization", format!("Bearer {token}"));
    call(tiktok, request.body(body.to_string().into()).unwrap()).await
}

async fn bearer(tiktok: &TikTok) -> String {
    token(tiktok, grant()).await.1["access_token"].as_str().unwrap().to_owned()
}

/// The names of an object's fields, in order of the alphabet.
fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

/// Code and message of an error.
fn refusal((status, answer): (u16, Value)) -> (u16, String, String) {
    let text = |key: &str| answer["error"][key].as_str().unwrap().to_owned();
    (status, text("code"), text("message"))
}

#[test]
fn the_catalogue_is_consistent_and_the_same_each_time() {
    let (tiktok, again) = (tiktok(), tiktok());
    let videos = tiktok.catalogue();
    assert_eq!(videos, again.catalogue());
    assert_eq!(videos.len(), 300);
    for pair in videos.windows(2) {
        assert!(pair[0].id < pair[1].id && pair[0].create_time < pair[1].create_time);
    }
    for video in videos {
        let lag = video.create_time - (video.id >> 32) as i64;
        assert!((1..=48).contains(&lag) && video.id > 1 << 53, "{video:?}");
        assert!(video.create_time < datetime!(2026-11-01 00:00 UTC).unix_timestamp());
    }
    // The one that people are shown first has everything.
    let first = &videos[0];
    assert!(everywhere(first) && first.region.is_some() && !first.id.is_multiple_of(30));
    assert!(first.statistics.is_some_and(|it| it.views > 0 && it.likes > 0));
    // Every case that tests look for.
    let some = |what: fn(&CatalogueVideo) -> bool| assert!(videos.iter().any(what));
    some(|it| it.in_oembed && !it.in_research);
    some(|it| !it.in_oembed && it.in_research);
    some(|it| !it.in_oembed && !it.in_research);
    some(|it| it.statistics.is_none());
    some(|it| it.statistics.is_some_and(|it| it.views == 0));
    some(|it| it.region.is_none());
    some(|it| it.id.is_multiple_of(7) && it.in_research);
    some(|it| it.id.is_multiple_of(8) && it.in_research);
}

#[tokio::test]
async fn oembed_answers_one_form_of_address_and_refuses_all_others_alike() {
    let tiktok = tiktok();
    let video = &tiktok.catalogue()[1];
    let good = format!("url=https%3A%2F%2Fwww.tiktok.com%2F%40_%2Fvideo%2F{}", video.id);
    let (status, answer) = show(&tiktok, &good).await;
    assert_eq!((status, answer.as_object().unwrap().len()), (200, 16));
    assert_eq!(answer["embed_product_id"], video.id.to_string());
    for bad in [
        String::new(),
        "url=".to_owned(),
        good.replace("www.", ""),
        good.replace("www.tiktok", "www.example"),
        good.replace("video", "photo"),
        good.replace("%40", ""),
        format!("{good}1"),
    ] {
        let error = json!({"message": "Something went wrong", "code": 400});
        assert_eq!(show(&tiktok, &bad).await, (400, error), "{bad}");
    }
}

#[tokio::test]
async fn oembed_knows_creators_by_their_addresses() {
    let tiktok = tiktok();
    let (status, answer) = show(&tiktok, "url=https://www.tiktok.com/@Alba.Bakes").await;
    assert_eq!((status, &answer["embed_product_id"]), (200, &json!("alba.bakes")));
    assert_eq!(answer["title"], "Alba bakes 🥐's Creator Profile");
    assert_eq!((&answer["type"], &answer["embed_type"]), (&json!("rich"), &json!("profile")));
    // What a trimmed record of a real answer has.
    let recorded = ["author_name", "author_url", "embed_product_id", "embed_type"];
    let recorded = recorded.iter().chain(&["provider_name", "title", "type", "version"]);
    assert!(recorded.clone().all(|key| answer[key].is_string()), "{answer}");
    for bad in ["@nobody.at.all", "alba.bakes", "@alba.bakes/", "@alba.bakes/live", "@"] {
        let error = json!({"message": "Something went wrong", "code": 400});
        let query = format!("url=https://www.tiktok.com/{bad}");
        assert_eq!(show(&tiktok, &query).await, (400, error), "{bad}");
    }
}

#[tokio::test]
async fn tokens_are_given_for_the_right_secret_and_expire() {
    let tiktok = tiktok();
    let (status, answer) = token(&tiktok, grant()).await;
    assert_eq!((status, &answer["expires_in"]), (200, &json!(7200)));
    for (form, error) in [
        (grant().replace(CLIENT_SECRET, "wrong"), "invalid_client"),
        (grant().replace("client_secret", "x"), "invalid_request"),
        (grant().replace("client_credentials", "password"), "unsupported_grant_type"),
    ] {
        let (status, answer) = token(&tiktok, form).await;
        assert!((400..500).contains(&status));
        // Flat, not in the envelope of the other calls.
        assert_eq!((&answer["error"], &answer["data"]), (&json!(error), &Value::Null));
    }
    let body = json!({
        "query": {"and": [{"operation": "EQ", "field_name": "keyword", "field_values": ["hens"]}]},
        "start_date": "20260901", "end_date": "20260930",
    });
    let bearer = answer["access_token"].as_str().unwrap();
    assert_eq!(search(&tiktok, "id", bearer, &body).await.0, 200);
    let (status, answer) = search(&tiktok, "id", "clt.wrong", &body).await;
    assert_eq!((status, &answer["error"]["code"]), (401, &json!("access_token_invalid")));
    tiktok.0.clock.set(NOW + time::Duration::hours(2));
    assert_eq!(search(&tiktok, "id", bearer, &body).await.0, 401);
}

#[tokio::test]
async fn searches_are_checked_and_paged() {
    let tiktok = tiktok();
    let granted = token(&tiktok, grant()).await.1;
    let bearer = granted["access_token"].as_str().unwrap();
    let body = json!({
        "query": {
            "and": [{"operation": "GTE", "field_name": "view_count", "field_values": ["100"]}],
            "not": [{"operation": "EQ", "field_name": "video_length", "field_values": ["SHORT"]}],
        },
        "start_date": "20260601", "end_date": "20260630", "max_count": 2,
    });
    let (status, first) = search(&tiktok, "id,view_count", bearer, &body).await;
    assert_eq!((status, &first["data"]["has_more"]), (200, &json!(true)), "{first}");
    assert_eq!(first["data"]["videos"].as_array().unwrap().len(), 2);
    let mut next = body.clone();
    next["cursor"] = first["data"]["cursor"].clone();
    next["search_id"] = first["data"]["search_id"].clone();
    let (status, second) = search(&tiktok, "id,view_count", bearer, &next).await;
    assert_eq!(status, 200);
    assert_ne!(first["data"]["videos"], second["data"]["videos"]);
    let empty = json!({"and": []});
    let wrong = |field: &str, operation: &str, value: &str| json!({"or": [{"operation": operation, "field_name": field, "field_values": [value]}]});
    for (key, value) in [
        ("search_id", json!("1")),
        ("search_id", Value::Null),
        ("cursor", Value::Null),
        ("cursor", json!(-1)),
        ("max_count", json!(101)),
        ("start_date", json!("20260501")),
        ("end_date", json!("2026-06-30")),
        ("surplus", json!(1)),
        ("query", empty),
        ("query", wrong("shoe_size", "EQ", "44")),
        ("query", wrong("username", "GT", "a")),
        ("query", wrong("region_code", "EQ", "UK")),
        ("query", wrong("video_length", "EQ", "TALL")),
    ] {
        let mut body = body.clone();
        body[key] = value.clone();
        let (status, answer) = search(&tiktok, "id", bearer, &body).await;
        let code = &answer["error"]["code"];
        assert_eq!((status, code), (400, &json!("invalid_params")), "{key} {value}");
    }
    assert_eq!(search(&tiktok, "id,shoe_size", bearer, &body).await.0, 400);
}

fn everywhere(video: &CatalogueVideo) -> bool {
    video.in_oembed && video.in_research
}
