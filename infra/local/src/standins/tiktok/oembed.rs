//! oEmbed: 16 fields for a video that may be embedded, some for a creator, and one and the same error
//! for all else.

use axum::{
    Json,
    extract::{RawQuery, State},
    response::{IntoResponse, Response},
};
use http::StatusCode;
use maud::html;
use serde_json::{Value, json};
use url::{Url, form_urlencoded};

use super::{CatalogueVideo, Endpoint, Fault, TikTok, catalogue};

pub(super) async fn show(State(tiktok): State<TikTok>, RawQuery(query): RawQuery) -> Response {
    let fault = match tiktok.enter(Endpoint::Oembed, |status, _| error(status)).await {
        Ok(fault) => fault,
        Err(answer) => return answer,
    };
    let query = query.unwrap_or_default();
    let url = form_urlencoded::parse(query.as_bytes()).find(|it| it.0 == "url").map(|it| it.1);
    let answer = match url.and_then(|url| page(&url)) {
        Some(Page::Video(id)) => {
            let video = tiktok.videos().find(|it| it.in_oembed && it.id == id);
            video
                .map(|it| describe(it, &tiktok.name_of(it.username), tiktok.now().unix_timestamp()))
        }
        Some(Page::Profile(name)) => catalogue::creator(&name).map(describe_creator),
        None => None,
    };
    let Some(mut answer) = answer else {
        return error(StatusCode::BAD_REQUEST);
    };
    if let (Fault::DropFields, Some(fields)) = (fault, answer.as_object_mut()) {
        // As answers were recorded in 2021, and then some.
        let gone = ["author_unique_id", "embed_product_id", "embed_type", "thumbnail_url", "html"];
        fields.retain(|name, _| !gone.contains(&name.as_str()));
    }
    Json(answer).into_response()
}

fn error(status: StatusCode) -> Response {
    let body = json!({"message": "Something went wrong", "code": status.as_u16()});
    (status, Json(body)).into_response()
}

/// What can be embedded.
enum Page {
    Video(u64),
    Profile(String),
}

/// What is at `https://www.tiktok.com/@name` or `https://www.tiktok.com/@name/video/<id>`; no other
/// form is accepted.
fn page(url: &str) -> Option<Page> {
    let url: Url = url.parse().ok()?;
    if url.scheme() != "https" || url.host_str() != Some("www.tiktok.com") {
        return None;
    }
    let path: Vec<&str> = url.path_segments()?.collect();
    let name = path.first()?.strip_prefix('@')?;
    match path[1..] {
        [] => Some(Page::Profile(name.to_owned())),
        // Any name does: the id alone decides.
        ["video", id] => id.parse().ok().map(Page::Video),
        _ => None,
    }
}

fn describe(video: &CatalogueVideo, username: &str, now: i64) -> Value {
    let CatalogueVideo { id, display_name, caption, music_id, music_title, .. } = video;
    let profile = format!("https://www.tiktok.com/@{username}");
    let expires = (now / 3_600 + 48) * 3_600;
    json!({
        "version": "1.0",
        "type": "video",
        "title": format!("{caption} "),
        "author_url": profile,
        "author_name": display_name,
        "width": "100%",
        "height": "100%",
        "html": embed(video, username, &format!("♬ {music_title}"), &format!("sound-{music_id}")),
        "thumbnail_width": 576,
        "thumbnail_height": 1024,
        "thumbnail_url": format!(
            "https://p16-sign.tiktokcdn-us.com/made-up/{id}.image?dr=1&x-expires={expires}\
             &x-signature=MADEUP%3D"
        ),
        "provider_url": "https://www.tiktok.com",
        "provider_name": "TikTok",
        "author_unique_id": username,
        "embed_product_id": id.to_string(),
        "embed_type": "video",
    })
}

fn embed(video: &CatalogueVideo, username: &str, sound: &str, slug: &str) -> String {
    let id = video.id;
    let profile = format!("https://www.tiktok.com/@{username}");
    let page = html! {
        blockquote class="tiktok-embed" cite={ (profile) "/video/" (id) } data-video-id=(id)
            data-embed-from="oembed" {
            section {
                a target="_blank" title={ "@" (username) } href={ (profile) "?refer=embed" } {
                    "@" (username)
                }
                p { (video.caption) }
                a target="_blank" title=(sound)
                    href={ "https://www.tiktok.com/music/" (slug) "?refer=embed" } { (sound) }
            }
        }
        script async src="https://www.tiktok.com/embed.js" {}
    };
    page.into_string()
}

fn describe_creator((username, display_name): (&str, &str)) -> Value {
    let profile = format!("https://www.tiktok.com/@{username}");
    let page = html! {
        blockquote class="tiktok-embed" cite=(profile) data-unique-id=(username)
            data-embed-from="oembed" data-embed-type="creator" {
            section { a target="_blank" href={ (profile) "?refer=creator_embed" } { "@" (username) } }
        }
        script async src="https://www.tiktok.com/embed.js" {}
    };
    json!({
        "version": "1.0",
        "type": "rich",
        "title": format!("{display_name}'s Creator Profile"),
        "author_url": profile,
        "author_name": display_name,
        "width": "100%",
        "height": "100%",
        "html": page.into_string(),
        "provider_url": "https://www.tiktok.com",
        "provider_name": "TikTok",
        "embed_product_id": username,
        "embed_type": "profile",
    })
}
