//! TikTok's web hosts, each under `/web/{host}`: where short links lead, and the pages themselves.

use axum::{
    extract::State,
    response::{Html, IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, Uri, header::LOCATION};
use maud::{DOCTYPE, html};

use super::{CatalogueVideo, Endpoint, Fault, TikTok, catalogue};

const WWW: &str = "www.tiktok.com";

/// What is at an address.
enum Target {
    Redirect(StatusCode, String),
    Page(String),
    Nothing,
}

impl TikTok {
    /// Lets `https://{host}/{path}` redirect to `location`, which may be any text, besides the links
    /// that there are: those of the video at position `n` of the catalogue are
    /// `vm.tiktok.com/ZM{n}`, `vt.tiktok.com/ZS{n}`, `www.tiktok.com/t/ZT{n}` and TikTok Lite's
    /// `lite.tiktok.com/t/ZL{n}`, which leads to a page of `t.tiktok.com`.
    ///
    /// A `path` is one with its query, if it has one; slashes at its ends do not count. A location
    /// that no header can carry (a line break in it, say) is left out of the answer.
    pub fn link(&self, host: &str, path: &str, location: &str) {
        let key = (host.to_ascii_lowercase(), path.trim_matches('/').to_owned());
        self.state().links.insert(key, location.to_owned());
    }

    fn at(&self, code: &str, prefix: &str) -> Option<(usize, &CatalogueVideo)> {
        let position = code.strip_prefix(prefix)?.parse().ok()?;
        self.videos().enumerate().nth(position)
    }

    fn video(&self, id: &str) -> Option<&CatalogueVideo> {
        let id: u64 = id.parse().ok()?;
        self.videos().find(|it| it.id == id)
    }
}

pub(super) async fn open(State(tiktok): State<TikTok>, uri: Uri) -> Response {
    let fault = match tiktok.enter(Endpoint::Links, |status, _| status.into_response()).await {
        Ok(fault) => fault,
        Err(answer) => return answer,
    };
    match target(&tiktok, &uri) {
        Target::Redirect(status, location) => match HeaderValue::from_bytes(location.as_bytes()) {
            Ok(location) if fault != Fault::DropFields => {
                (status, [(LOCATION, location)]).into_response()
            }
            _ => status.into_response(),
        },
        Target::Page(title) => page(&title).into_response(),
        Target::Nothing => StatusCode::NOT_FOUND.into_response(),
    }
}

fn target(tiktok: &TikTok, uri: &Uri) -> Target {
    let path = uri.path().strip_prefix("/web/").unwrap_or_default();
    let (host, path) = path.split_once('/').unwrap_or((path, ""));
    let (host, path) = (host.to_ascii_lowercase(), path.trim_matches('/'));
    if let Some(location) = added(tiktok, &host, path, uri.query()) {
        return Target::Redirect(StatusCode::FOUND, location);
    }
    let segments: Vec<&str> = path.split('/').collect();
    match (host.as_str(), &segments[..]) {
        ("vm.tiktok.com", [code]) => match tiktok.at(code, "ZM") {
            Some((position, video)) if position.is_multiple_of(2) => moved(mobile(video, position)),
            found => to_video(found),
        },
        ("vt.tiktok.com", [code]) => to_video(tiktok.at(code, "ZS")),
        (WWW, ["t", code]) => to_video(tiktok.at(code, "ZT")),
        ("lite.tiktok.com", ["t", code]) => match tiktok.at(code, "ZL") {
            Some((_, video)) => moved(shared(video)),
            None => home(),
        },
        ("t.tiktok.com", ["i18n", "share", "video", id]) => {
            let found = tiktok.videos().enumerate().find(|it| it.1.id.to_string() == *id);
            to_video(found)
        }
        ("m.tiktok.com", ["v", file]) => {
            let id = file.strip_suffix(".html").unwrap_or(file);
            let found = tiktok.videos().enumerate().find(|it| it.1.id.to_string() == id);
            match found {
                Some((position, video)) => {
                    Target::Redirect(StatusCode::FOUND, whole(video, position))
                }
                None => home(),
            }
        }
        (WWW, [""]) => Target::Page("TikTok - Make Your Day".to_owned()),
        (WWW, [name]) => match name.strip_prefix('@').and_then(catalogue::creator) {
            Some((username, display_name)) => {
                Target::Page(format!("{display_name} (@{username}) | TikTok"))
            }
            None => Target::Nothing,
        },
        // Any name does: the id alone decides.
        (WWW, [name, "video", id]) if name.starts_with('@') => match tiktok.video(id) {
            Some(video) => Target::Page(format!("{} | TikTok", video.caption)),
            None => Target::Nothing,
        },
        (WWW, _) => Target::Nothing,
        ("tiktok.com" | "m.tiktok.com" | "lite.tiktok.com", _) => {
            let query = uri.query().map(|it| format!("?{it}")).unwrap_or_default();
            moved(format!("https://{WWW}/{path}{query}"))
        }
        ("vm.tiktok.com" | "vt.tiktok.com", _) => home(),
        _ => Target::Nothing,
    }
}

/// Where a link leads that was added, with its query or without.
fn added(tiktok: &TikTok, host: &str, path: &str, query: Option<&str>) -> Option<String> {
    let state = tiktok.state();
    let find = |path: String| state.links.get(&(host.to_owned(), path)).cloned();
    let whole = query.map(|query| format!("{path}?{query}"));
    whole.and_then(find).or_else(|| find(path.to_owned()))
}

fn to_video(found: Option<(usize, &CatalogueVideo)>) -> Target {
    found.map_or_else(home, |(position, video)| moved(whole(video, position)))
}

fn moved(location: String) -> Target {
    Target::Redirect(StatusCode::MOVED_PERMANENTLY, location)
}

/// Where TikTok sends whoever has a link that it does not know.
fn home() -> Target {
    Target::Redirect(StatusCode::FOUND, format!("https://{WWW}/"))
}

fn whole(video: &CatalogueVideo, position: usize) -> String {
    let CatalogueVideo { id, username, .. } = video;
    format!("https://{WWW}/@{username}/video/{id}?_r=1&_t=ZM-madeup{position}")
}

fn mobile(video: &CatalogueVideo, position: usize) -> String {
    format!("https://m.tiktok.com/v/{}.html?_r=1&_t=ZM-madeup{position}", video.id)
}

/// Where TikTok Lite's links lead.
fn shared(video: &CatalogueVideo) -> String {
    let id = video.id;
    format!("https://t.tiktok.com/i18n/share/video/{id}/?_d=0&share_item_id={id}")
}

fn page(title: &str) -> Html<String> {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head { meta charset="utf-8"; title { (title) } }
            body { div id="app" {} }
        }
    };
    Html(page.into_string())
}
