//! The Research API: counts, country, labels, comments, profiles; late, and with keys left out at will.
//! Every call goes through [`Research::call`], which holds the token, the daily allowance and the
//! envelope that all answers have.

mod allowance;
mod comments;
#[cfg(any(test, feature = "fuzzing"))]
pub(super) mod fuzz;
mod profile;
mod search;
mod token;
mod videos;

use std::time::Duration;

use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use secrecy::ExposeSecret;
use serde_json::Value;
use time::OffsetDateTime;

pub(super) use self::allowance::Allowance;
pub(super) use self::search::OFFERED_SPAN;
pub(super) use self::search::SearchFailure;
use self::token::Tokens;
pub use self::{
    allowance::{FREE_CALLS_A_DAY, Spent},
    comments::{Comment, CommentPage},
    profile::Profile,
    search::{Position, Search, SearchPage},
};
pub(super) use self::{comments::REACHABLE, videos::MAX_SPAN};
use super::{
    ResearchCredentials,
    failure::{BUSY, Failure, refusal},
    sources::{Again, Asker},
};
use crate::{
    dates::until_midnight,
    redis::Redis,
    upstream::{self, Limits},
};

/// One attempt. A page of 100 whole videos is about 150 KB.
const LIMITS: Limits = Limits { timeout: Duration::from_millis(2_500), max_bytes: 1024 * 1024 };

#[derive(Debug)]
pub(super) struct Research {
    api: String,
    client: upstream::Client,
    tokens: Tokens,
    allowance: Allowance,
}

/// One call: where, for which fields, with what, and how many records it can bring at most.
#[derive(Clone, Copy)]
struct Call<'a> {
    path: &'static str,
    fields: &'static str,
    body: &'a Value,
    records: u64,
    /// How many records an answer holds.
    count: fn(&Value) -> u64,
}

/// Why a call brought nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
enum CallError {
    /// The parameters were refused, in these words.
    Refused(String),
    Failure(Failure),
}

impl From<Failure> for CallError {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        match error {
            // What was refused was made here: it will be refused again.
            CallError::Refused(_) => Self::Unusable,
            CallError::Failure(failure) => failure,
        }
    }
}

/// How long a page that is not ready yet is given before it is asked for once more.
const NOT_READY: Duration = Duration::from_millis(400);

/// How soon comments that were not ready are worth asking for again. A search knows its age, and says so
/// by it.
const COMMENTS_READY: Duration = Duration::from_secs(10);

/// Whether a refusal says that count or cursor are wrong. Both are made here and right: the source's
/// cache is not filled yet (its own client and others ask for up to minutes until it is).
fn is_passing(message: &str) -> bool {
    message.to_ascii_lowercase().contains("count or cursor")
}

/// What an answer came to.
#[derive(Debug, PartialEq)]
enum Envelope {
    Data(Value),
    TokenInvalid,
}

impl Research {
    pub(super) fn new(
        api: String,
        client: upstream::Client,
        redis: Redis,
        credentials: ResearchCredentials,
        allowance: Allowance,
    ) -> Self {
        let tokens = Tokens::new(redis, credentials);
        Self { api, client, tokens, allowance }
    }

    /// What the whole service has spent of the allowance of `now`'s day.
    pub(super) fn allowance(&self) -> &Allowance {
        &self.allowance
    }

    /// As [`Self::call`]. What is refused in words that may pass is a page that is not ready: it is given a moment and
    /// asked for once more, if the request still has its one try more.
    async fn call_patiently(
        &self,
        call: Call<'_>,
        asker: Asker<'_>,
        again: &Again,
        may_pass: impl Fn(&str) -> bool,
    ) -> Result<Value, CallError> {
        loop {
            match self.call(call, asker).await {
                Err(CallError::Refused(message)) if may_pass(&message) && again.take() => {
                    tokio::time::sleep(NOT_READY).await;
                }
                outcome => return outcome,
            }
        }
    }

    /// The `data` of the answer to one call, which counts against the allowance whatever it brings.
    async fn call(&self, call: Call<'_>, asker: Asker<'_>) -> Result<Value, CallError> {
        let url = format!("{}{}?fields={}", self.api, call.path, call.fields)
            .parse()
            .map_err(|_| Failure::Unusable)?;
        let mut may_refresh = true;
        loop {
            let token = self.tokens.get(&self.client, &self.api, asker.now).await?;
            let headers = headers(token.expose_secret())?;
            let taken = self.allowance.take(call.records, asker).await?;
            let answer = self.client.post(&url, headers, call.body.to_string(), LIMITS).await;
            let answer = answer.map_err(Failure::from)?;
            let answer = envelope(answer.status, &answer.headers, &answer.body, asker.now);
            let came = match &answer {
                Ok(Envelope::Data(data)) => (call.count)(data),
                _ => 0,
            };
            self.allowance.settle(taken, came).await;
            match answer? {
                Envelope::Data(data) => return Ok(data),
                Envelope::TokenInvalid if may_refresh => {
                    self.tokens.discard(&token).await;
                    may_refresh = false;
                }
                Envelope::TokenInvalid => return Err(Failure::Unusable.into()),
            }
        }
    }
}

fn headers(token: &str) -> Result<HeaderMap, Failure> {
    let mut bearer: HeaderValue =
        format!("Bearer {token}").parse().map_err(|_| Failure::Unusable)?;
    bearer.set_sensitive(true);
    let json = HeaderValue::from_static("application/json");
    Ok(HeaderMap::from_iter([(AUTHORIZATION, bearer), (CONTENT_TYPE, json)]))
}

fn envelope(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    now: OffsetDateTime,
) -> Result<Envelope, CallError> {
    // An error of a gateway in between is a page of HTML.
    let Ok(mut answer) = serde_json::from_slice::<Value>(body) else {
        return Err(refusal(status, headers).into());
    };
    // The documents also show an error without its envelope.
    let error = if answer["error"].is_object() { &answer["error"] } else { &answer };
    match error["code"].as_str() {
        Some("access_token_invalid") => return Ok(Envelope::TokenInvalid),
        Some("daily_quota_limit_exceeded") => {
            return Err(Failure::RateLimited(until_midnight(now)).into());
        }
        Some("rate_limit_exceeded") => {
            return Err(match refusal(status, headers) {
                limited @ Failure::RateLimited(_) => limited.into(),
                _ => Failure::RateLimited(BUSY).into(),
            });
        }
        Some("internal_error" | "timeout") => return Err(Failure::Unavailable.into()),
        // The documents spell it one way, TikTok's own client the other two.
        Some("invalid_params" | "invalid_param" | "invalid_request") => {
            let message = error["message"].as_str().unwrap_or_default();
            return Err(CallError::Refused(message.chars().take(200).collect()));
        }
        Some("ok") | None if status.is_success() => {}
        _ => return Err(refusal(status, headers).into()),
    }
    match answer.get_mut("data").map(Value::take) {
        Some(data @ Value::Object(_)) => Ok(Envelope::Data(data)),
        _ => Err(Failure::Unusable.into()),
    }
}

/// A number that may be beyond 2^53, or be sent as a string.
fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// How many entries the list `name` of an answer has.
fn entries(data: &Value, name: &str) -> u64 {
    data[name].as_array().map_or(0, |list| list.len() as u64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;
    use time::macros::datetime;

    use super::*;
    use crate::video::record::tests::any_json;

    const NOW: OffsetDateTime = datetime!(2026-11-24 18:00 UTC);

    fn read(status: u16, body: &str) -> Result<Envelope, CallError> {
        let status = StatusCode::from_u16(status).unwrap();
        envelope(status, &HeaderMap::new(), body.as_bytes(), NOW)
    }

    #[test]
    fn errors_with_and_without_their_envelope() {
        let error = |code: &str| json!({"error": {"code": code, "message": "m"}}).to_string();
        let bare = json!({"code": "access_token_invalid", "message": "m"}).to_string();
        assert_eq!(read(401, &bare), Ok(Envelope::TokenInvalid));
        assert_eq!(read(401, &error("access_token_invalid")), Ok(Envelope::TokenInvalid));
        for (status, body, failure) in [
            (429, error("rate_limit_exceeded"), Failure::RateLimited(BUSY)),
            (
                429,
                error("daily_quota_limit_exceeded"),
                Failure::RateLimited(Duration::from_secs(6 * 3_600)),
            ),
            (500, error("internal_error"), Failure::Unavailable),
            (200, error("timeout"), Failure::Unavailable),
            (504, "<html>".to_owned(), Failure::Unavailable),
            (401, error("scope_not_authorized"), Failure::Unusable),
            (200, error("something_new"), Failure::Unusable),
            (200, "<html>".to_owned(), Failure::Unusable),
            (200, "{}".to_owned(), Failure::Unusable),
        ] {
            assert_eq!(read(status, &body), Err(failure.into()), "{status} {body}");
        }
        for code in ["invalid_params", "invalid_param", "invalid_request"] {
            assert_eq!(read(400, &error(code)), Err(CallError::Refused("m".to_owned())));
        }
    }

    #[test]
    fn data_is_handed_on() {
        let answer = json!({
            "data": {"videos": [], "cursor": 100},
            "error": {"code": "ok", "message": "", "log_id": "L"},
        });
        let data = json!({"videos": [], "cursor": 100});
        assert_eq!(read(200, &answer.to_string()), Ok(Envelope::Data(data)));
    }

    proptest! {
        #[test]
        fn any_json_is_survived(answer in any_json(), status in 100..600u16) {
            let _ = read(status, &answer.to_string());
        }

        #[test]
        fn any_bytes_are_survived(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = envelope(StatusCode::OK, &HeaderMap::new(), &body, NOW);
        }
    }
}
