//! Which interfaces there are, how often they were asked, and what is wrong with them.

use std::{future::pending, time::Duration};

use axum::response::{Html, IntoResponse, Response};
use http::StatusCode;

use super::TikTok;

/// One of the interfaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Endpoint {
    /// `GET /oembed`.
    Oembed,
    /// `POST /v2/oauth/token/`.
    Token,
    /// `POST /v2/research/video/query/`.
    Research,
    /// `POST /v2/research/video/comment/list/`.
    Comments,
    /// `POST /v2/research/user/info/`.
    Users,
    /// `GET /web/{host}/{path}`: short links and pages.
    Links,
}

impl Endpoint {
    /// Whether its calls use up the Research API's allowance.
    fn is_research(self) -> bool {
        match self {
            Self::Research | Self::Comments | Self::Users => true,
            Self::Oembed | Self::Token | Self::Links => false,
        }
    }
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
    /// Most optional fields are left out; of a redirect, where it leads.
    DropFields,
    /// Every token given out so far stops working, once.
    TokenInvalidOnce,
    /// Each search id is refused when it is sent back for the first time, although it is good.
    StaleSearchId,
    /// Each search id is refused until this long after it was given out, by this clock: the backend's
    /// cache takes its time.
    StaleFor(Duration),
    /// So many tries of each page but the first are answered `Invalid count or cursor`, of a search or
    /// of comments, although both are right. There are short pages too, so that there is more than one.
    InvalidCursor(u32),
    /// Each page of a search comes with another search id, which is the only one that leads to the next.
    NewSearchIds,
    /// Pages hold fewer videos (or comments) than were asked for although there are more, and the
    /// second page of a search is empty. None is lost: the cursor leads to all of them.
    ShortPages,
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
    /// `POST /v2/research/video/comment/list/`.
    pub comments: u64,
    /// `POST /v2/research/user/info/`.
    pub users: u64,
    /// `GET /web/{host}/{path}`.
    pub links: u64,
}

impl Counts {
    fn of(&mut self, endpoint: Endpoint) -> &mut u64 {
        match endpoint {
            Endpoint::Oembed => &mut self.oembed,
            Endpoint::Token => &mut self.token,
            Endpoint::Research => &mut self.research,
            Endpoint::Comments => &mut self.comments,
            Endpoint::Users => &mut self.users,
            Endpoint::Links => &mut self.links,
        }
    }
}

impl TikTok {
    /// Sets what is wrong with `endpoint` until it is set again.
    pub fn fault(&self, endpoint: Endpoint, fault: Fault) {
        self.state().faults.insert(endpoint, fault);
    }

    /// Whether `end_date` counts as a day of the query. The documents say so; some clients say not.
    pub fn set_end_inclusive(&self, is_inclusive: bool) {
        self.state().excludes_end = !is_inclusive;
    }

    /// The code under which parameters are refused: `invalid_params`, or another one that clients know.
    pub fn set_refusal_code(&self, code: &'static str) {
        self.state().refusal_code = Some(code);
    }

    /// Whether a new token ends the older ones. No document says.
    pub fn set_one_token(&self, is_only: bool) {
        self.state().has_one_token = is_only;
    }

    /// Whether this try of the page at `key` is one of those that [`Fault::InvalidCursor`] refuses.
    pub(super) fn refuses_cursor(&self, fault: Fault, key: String) -> bool {
        let Fault::InvalidCursor(tries) = fault else { return false };
        let mut state = self.state();
        let made = state.tries.entry(key).or_default();
        *made += 1;
        *made <= tries
    }

    /// How often each interface was asked since the start.
    pub fn counts(&self) -> Counts {
        self.state().counts
    }

    /// Counts the request and applies the allowance and the fault: `Err` is the answer then.
    /// `error` words a status as this interface does.
    pub(super) async fn enter(
        &self,
        endpoint: Endpoint,
        error: impl Fn(StatusCode, &str) -> Response,
    ) -> Result<Fault, Response> {
        let today = self.now().date();
        let (fault, is_admitted) = {
            let mut state = self.state();
            *state.counts.of(endpoint) += 1;
            let is_admitted = !endpoint.is_research() || state.allowance.admit(today);
            (state.faults.get(&endpoint).copied().unwrap_or_default(), is_admitted)
        };
        let busy = StatusCode::TOO_MANY_REQUESTS;
        if !is_admitted {
            return Err(error(busy, "daily_quota_limit_exceeded"));
        }
        match fault {
            Fault::None
            | Fault::DropFields
            | Fault::StaleSearchId
            | Fault::StaleFor(_)
            | Fault::InvalidCursor(_)
            | Fault::NewSearchIds
            | Fault::ShortPages => {}
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
