//! TikTok: oEmbed, the client token, the Research API's videos, comments and users, and where the
//! short links of its web hosts lead, over a made-up catalogue.
//!
//! It answers as the documents and recorded answers say, their traps included: keys left out instead
//! of `null`, ids beyond 2^53 as numbers, matches that are only approximate, `video_id` for `id`, a NUL
//! byte in a name, one and the same answer for every failure of oEmbed, pages that are not full, a daily
//! allowance.

mod allowance;
mod catalogue;
mod comments;
mod fault;
mod links;
mod oauth;
mod oembed;
mod page;
mod query;
mod research;
#[cfg(test)]
mod tests;
mod thread;
mod users;
mod videos;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};

use axum::{
    Router,
    routing::{get, post},
};
use time::OffsetDateTime;

use self::allowance::Allowance;
pub use self::{
    allowance::Spent,
    catalogue::{CatalogueVideo, Statistics},
    fault::{Counts, Endpoint, Fault},
};
use crate::clock::Clock;

/// The application that the token endpoint knows.
pub const CLIENT_KEY: &str = "local-client-key";
/// Its secret.
pub const CLIENT_SECRET: &str = "local-client-secret";

/// The stand-in. Clones share one state.
#[derive(Clone, Debug)]
pub struct TikTok(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: Clock,
    catalogue: Vec<CatalogueVideo>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    faults: BTreeMap<Endpoint, Fault>,
    counts: Counts,
    /// Tokens and when they expire.
    tokens: BTreeMap<String, OffsetDateTime>,
    tokens_issued: u64,
    /// Searches by their ids.
    searches: BTreeMap<String, Begun>,
    /// How often each page was asked for that is refused at first.
    tries: BTreeMap<String, u32>,
    /// Whether `end_date` is the first day that is left out.
    excludes_end: bool,
    /// The code under which parameters are refused, where it is another one.
    refusal_code: Option<&'static str>,
    /// Whether a new token ends the older ones.
    has_one_token: bool,
    allowance: Allowance,
    /// What creators say of themselves now, where it was changed.
    bios: BTreeMap<String, String>,
    /// Videos besides the catalogue's.
    added: Vec<&'static CatalogueVideo>,
    /// The handles of those who took another one, by the one that they had.
    renamed: BTreeMap<String, String>,
    /// Where more links lead, by host and path.
    links: BTreeMap<(String, String), String>,
    log_ids: u64,
}

/// A search id that was given out.
#[derive(Clone, Copy, Debug)]
struct Begun {
    at: OffsetDateTime,
    /// Where the page begins that it leads to, where it leads to one only.
    next: Option<usize>,
    was_sent_back: bool,
}

impl TikTok {
    /// A healthy TikTok that lives by `clock`: a video appears when it was created.
    pub fn new(clock: Clock) -> Self {
        let catalogue = catalogue::make();
        Self(Arc::new(Inner { clock, catalogue, state: Mutex::default() }))
    }

    /// The interfaces.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/oembed", get(oembed::show))
            .route("/v2/oauth/token/", post(oauth::token))
            .route("/v2/research/video/query/", post(videos::query))
            .route("/v2/research/video/comment/list/", post(comments::list))
            .route("/v2/research/user/info/", post(users::info))
            .route("/web/{host}", get(links::open))
            .route("/web/{host}/", get(links::open))
            .route("/web/{host}/{*path}", get(links::open))
            .with_state(self.clone())
    }

    /// Every video, oldest first. The same ones each time; the first one has every field.
    pub fn catalogue(&self) -> &[CatalogueVideo] {
        &self.0.catalogue
    }

    fn now(&self) -> OffsetDateTime {
        self.0.clock.now()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Adds a video to those of the catalogue. It stays as long as the process: there are few, in tests.
    pub fn add(&self, video: CatalogueVideo) {
        let mut state = self.state();
        state.added.push(Box::leak(Box::new(video)));
        state.added.sort_by_key(|video| video.create_time);
    }

    /// Lets a creator have another handle. oEmbed, which is live, says it at once; the Research API, whose
    /// metadata are late, goes on with the old one.
    pub fn rename(&self, username: &str, to: &str) {
        self.state().renamed.insert(username.to_owned(), to.to_owned());
    }

    /// The handle that the creator `username` has now.
    fn name_of(&self, username: &str) -> String {
        self.state().renamed.get(username).cloned().unwrap_or_else(|| username.to_owned())
    }

    /// The videos that exist by now, oldest first.
    fn videos(&self) -> impl Iterator<Item = &CatalogueVideo> {
        let now = self.now().unix_timestamp();
        let added = self.state().added.clone();
        // Those added are younger than the catalogue, in all that uses them.
        let all = self.0.catalogue.iter().chain(added);
        all.filter(move |video| video.create_time <= now)
    }

    /// Makes up the id under which TikTok would have logged a request.
    fn log_id(&self) -> String {
        let mut state = self.state();
        state.log_ids += 1;
        format!("{:014}{:020X}", self.now().unix_timestamp(), state.log_ids)
    }
}
