//! Every metered endpoint, asked in a way that it can answer.

use local::http::Response;
use serde_json::{Value, json};

use super::{Customer, World};

/// A creator of the stand-in's catalogue.
pub(crate) const CREATOR: &str = "alba.bakes";

/// Method, path and body of a request to each metered endpoint about the `n`-th video.
pub(crate) fn metered(world: &World, n: usize) -> Vec<(&'static str, String, Option<Value>)> {
    let id = world.video_id(n).to_string();
    // A hashtag that is in use within the last 30 days.
    let mut catalogue = world.cloud.tiktok.catalogue().iter().rev();
    let latest = catalogue.find(|it| it.in_research).expect("a video");
    let hashtag = &latest.hashtags[1];
    let page = format!("https%3A%2F%2Fwww.tiktok.com%2F%40_%2Fvideo%2F{id}");
    let search = json!({
        "and": [{ "field": "hashtag", "values": [hashtag] }],
        "from": "2026-10-01", "to": "2026-10-30",
    });
    vec![
        ("GET", format!("/v1/videos/{id}?include=creator"), None),
        ("GET", format!("/v1/videos?url={page}"), None),
        ("POST", "/v1/videos/batch".to_owned(), Some(json!({ "videos": [id, "x"] }))),
        ("POST", "/v1/videos/search".to_owned(), Some(search)),
        ("GET", format!("/v1/videos/{id}/comments"), None),
        ("GET", format!("/v1/creators/{CREATOR}"), None),
        ("GET", format!("/v1/creators/{CREATOR}/videos"), None),
        ("GET", format!("/v1/hashtags/{hashtag}"), None),
    ]
}

/// Asks one of them.
pub(crate) async fn ask(
    world: &World,
    customer: &Customer,
    (method, path, body): &(&'static str, String, Option<Value>),
) -> Response {
    let client = world.cloud.client();
    let request = match body {
        Some(body) => client.post(path, body),
        None => client.request(method.parse().expect("a method"), path),
    };
    world.send(request.key(&customer.key)).await
}
