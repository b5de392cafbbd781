//! TikTok: oEmbed, the client token and the Research API's video query, over a made-up catalogue.
//!
//! It answers as the documents and recorded answers say, their traps included: keys left out instead
//! of `null`, ids beyond 2^53 as numbers, matches that are only approximate, `video_id` for `id`, a NUL
//! byte in a name, one and the same answer for every failure of oEmbed.

mod catalogue;
mod oauth;
mod oembed;
mod query;
mod research;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    future::pending,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use axum::{
    Router,
    response::{Html, IntoResponse, Response},
    routing::{get, post},
};
use http::StatusCode;
use time::OffsetDateTime;

pub use self::catalogue::CatalogueVideo;
use crate::clock::Clock;

/// The application that the token endpoint knows.
pub const CLIENT_KEY: &str = "local-client-key";
/// Its secret.
pub const CLIENT_SECRET: &str = "local-client-secret";

/// One of the interfaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Endpoint {
    /// `GET /oembed`.
    Oembed,
    /// `POST /v2/oauth/token/`.
    Token,
    /// `POST /v2/research/video/query/`.
    Research,
}

/// What is wrong with an interface at the moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// This status with an error in the interface's own form.
    Status(u16),
    /// The right answer, after this time.
    Slow(Duration),
    /// A gateway's page of HTML.
    Html504,
    /// Too many requests.
    RateLimited,
    /// The Research API's daily allowance is used up.
    QuotaExceeded,
    /// Most optional fields are left out.
    DropFields,
    /// Every token given out so far stops working, once.
    TokenInvalidOnce,
    /// No answer, ever.
    Hang,
}

/// How often each interface was asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// `GET /oembed`.
    pub oembed: u64,
    /// `POST /v2/oauth/token/`.
    pub token: u64,
    /// `POST /v2/research/video/query/`.
    pub research: u64,
}

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
    searches: BTreeSet<String>,
    log_ids: u64,
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
            .route("/v2/research/video/query/", post(research::query))
            .with_state(self.clone())
    }

    /// Every video, oldest first. The same ones each time; the first one has every field.
    pub fn catalogue(&self) -> &[CatalogueVideo] {
        &self.0.catalogue
    }

    /// Sets what is wrong with `endpoint` until it is set again.
    pub fn fault(&self, endpoint: Endpoint, fault: Fault) {
        self.state().faults.insert(endpoint, fault);
    }

    /// How often each interface was asked since the start.
    pub fn counts(&self) -> Counts {
        self.state().counts
    }

    fn now(&self) -> OffsetDateTime {
        self.0.clock.now()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// The videos that exist by now.
    fn videos(&self) -> impl Iterator<Item = &CatalogueVideo> {
        let now = self.now().unix_timestamp();
        self.0.catalogue.iter().filter(move |video| video.create_time <= now)
    }

    /// Makes up the id under which TikTok would have logged a request.
    fn log_id(&self) -> String {
        let mut state = self.state();
        state.log_ids += 1;
        format!("{:014}{:020X}", self.now().unix_timestamp(), state.log_ids)
    }

    /// Counts the request and applies the fault: `Err` is the answer then. `error` words a status as
    /// this interface does.
    async fn enter(
        &self,
        endpoint: Endpoint,
        error: impl Fn(StatusCode, &str) -> Response,
    ) -> Result<Fault, Response> {
        let fault = {
            let mut state = self.state();
            match endpoint {
                Endpoint::Oembed => state.counts.oembed += 1,
                Endpoint::Token => state.counts.token += 1,
                Endpoint::Research => state.counts.research += 1,
            }
            state.faults.get(&endpoint).copied().unwrap_or_default()
        };
        let busy = StatusCode::TOO_MANY_REQUESTS;
        match fault {
            Fault::None | Fault::DropFields => {}
            Fault::Slow(time) => tokio::time::sleep(time).await,
            Fault::Hang => pending().await,
            Fault::TokenInvalidOnce => {
                let mut state = self.state();
                state.tokens.clear();
                state.faults.insert(endpoint, Fault::None);
            }
            Fault::RateLimited => return Err(error(busy, "rate_limit_exceeded")),
            Fault::QuotaExceeded => return Err(error(busy, "daily_quota_limit_exceeded")),
            Fault::Html504 => {
                let page = Html("<html><body><h1>504 Gateway Time-out</h1></body></html>");
                return Err((StatusCode::GATEWAY_TIMEOUT, page).into_response());
            }
            Fault::Status(status) => {
                let status =
                    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                let code =
                    if status.is_server_error() { "internal_error" } else { "invalid_params" };
                return Err(error(status, code));
            }
        }
        Ok(fault)
    }
}
