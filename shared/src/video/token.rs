//! The client token of the Research API: fetched once, used until shortly before it expires.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, header::CONTENT_TYPE};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use time::OffsetDateTime;
use tokio::sync::Mutex;
use url::form_urlencoded;

use super::sources::{Failure, ResearchCredentials, refusal};
use crate::upstream::{self, Limits};

const LIMITS: Limits = Limits { timeout: Duration::from_millis(2_500), max_bytes: 16 * 1024 };

/// A token this close to its end is not used for a new request.
const MARGIN: time::Duration = time::Duration::minutes(5);

#[derive(Debug)]
pub(super) struct Tokens {
    credentials: ResearchCredentials,
    held: Mutex<Option<Token>>,
}

#[derive(Clone, Debug)]
struct Token {
    value: SecretString,
    /// By the events' time, as everything.
    use_until: OffsetDateTime,
}

/// Failures are flat here, unlike everywhere else at TikTok, and may come with status 200.
#[derive(Deserialize)]
#[serde(untagged)]
enum Answer {
    Granted { access_token: SecretString, expires_in: i64 },
    Refused { error: String },
}

impl Tokens {
    pub(super) fn new(credentials: ResearchCredentials) -> Self {
        Self { credentials, held: Mutex::new(None) }
    }

    /// A usable token. Many who ask at once wait for one fetch.
    pub(super) async fn get(
        &self,
        client: &upstream::Client,
        api: &str,
        now: OffsetDateTime,
    ) -> Result<SecretString, Failure> {
        let mut held = self.held.lock().await;
        if let Some(token) = held.as_ref().filter(|token| now < token.use_until) {
            return Ok(token.value.clone());
        }
        let token = self.fetch(client, api, now).await?;
        Ok(held.insert(token).value.clone())
    }

    /// Forgets `refused`, unless another request has already replaced it.
    pub(super) async fn discard(&self, refused: &SecretString) {
        let mut held = self.held.lock().await;
        held.take_if(|token| token.value.expose_secret() == refused.expose_secret());
    }

    async fn fetch(
        &self,
        client: &upstream::Client,
        api: &str,
        now: OffsetDateTime,
    ) -> Result<Token, Failure> {
        let url = format!("{api}/v2/oauth/token/").parse().map_err(|_| Failure::Unusable)?;
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("client_key", &self.credentials.client_key)
            .append_pair("client_secret", self.credentials.client_secret.expose_secret())
            .append_pair("grant_type", "client_credentials")
            .finish();
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, kind)]);
        let answer = client.post(&url, headers, form, LIMITS).await?;
        match serde_json::from_slice(&answer.body) {
            Ok(Answer::Granted { access_token, expires_in }) if answer.status.is_success() => {
                let lifetime = time::Duration::seconds(expires_in.clamp(0, 86_400)) - MARGIN;
                Ok(Token { value: access_token, use_until: now + lifetime })
            }
            Ok(Answer::Refused { error }) if !answer.status.is_server_error() => {
                // A code out of a fixed list; its description could repeat what was sent.
                let known = error.len() <= 64 && error.bytes().all(|it| it.is_ascii_graphic());
                let code = if known { error.as_str() } else { "unknown" };
                tracing::error!(code, "TikTok refuses the Research credentials");
                Err(match refusal(answer.status, &answer.headers) {
                    limited @ Failure::RateLimited(_) => limited,
                    _ => Failure::Unusable,
                })
            }
            _ => Err(refusal(answer.status, &answer.headers)),
        }
    }
}
