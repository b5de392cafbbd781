//! The client token of the Research API: fetched once for many functions, used until shortly before it
//! expires. In Redis it lies sealed, under a key that only the service's secret can make.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, header::CONTENT_TYPE};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tokio::{sync::Mutex, time::sleep};
use url::form_urlencoded;

use super::super::{
    failure::{Failure, refusal},
    sources::ResearchCredentials,
};
use crate::{
    inventory::CACHE_SECONDS,
    redis::{Redis, RedisError},
    upstream::{self, Limits},
};

const LIMITS: Limits = Limits { timeout: Duration::from_millis(2_500), max_bytes: 16 * 1024 };

/// A token this close to its end is not used for a new request.
const MARGIN: time::Duration = time::Duration::minutes(5);

/// How long after one token in the place of a refused one the next is fetched. Where a new token ends the
/// older ones (no document says), functions that cannot hear of each other would end each other's for ever.
const BACK_OFF: time::Duration = time::Duration::seconds(30);

/// How long another function gets to leave its token, before one is fetched in the place of a refused one.
const GIVE_WAY_MS: u64 = 200;

/// How long credentials that were refused are not tried again.
const REFUSED_FOR: time::Duration = time::Duration::minutes(1);

/// Where the sealed token lies.
const KEY: &str = "token:research";
/// Who fetches it at the moment.
const LOCK: &str = "token:research:lock";
/// Longest time that one fetch keeps the others waiting.
const HOLD: Duration = Duration::from_millis(2_600);

#[derive(Debug)]
pub(super) struct Tokens {
    redis: Redis,
    credentials: ResearchCredentials,
    held: Mutex<Held>,
}

/// What is known here.
#[derive(Debug, Default)]
struct Held {
    token: Option<Token>,
    /// The credentials were refused: they are not sent again before.
    refused_until: Option<OffsetDateTime>,
    /// The token was refused, and none has taken its place yet.
    is_refused: bool,
    /// When one was fetched in the place of one that was refused.
    replaced_at: Option<OffsetDateTime>,
}

#[derive(Clone, Debug)]
struct Token {
    value: SecretString,
    /// By the events' time, as everything.
    use_until: OffsetDateTime,
}

/// What is sealed.
#[derive(Deserialize, Serialize)]
struct Sealed {
    token: String,
    use_until: i64,
}

/// Failures are flat here, unlike everywhere else at TikTok, and may come with status 200.
#[derive(Deserialize)]
#[serde(untagged)]
enum Answer {
    Granted { access_token: SecretString, expires_in: i64 },
    Refused { error: String },
}

impl Tokens {
    pub(super) fn new(redis: Redis, credentials: ResearchCredentials) -> Self {
        Self { redis, credentials, held: Mutex::default() }
    }

    /// A usable token: the one held here, else the one that another function has left, else a new one.
    /// Many who ask at once wait for one fetch.
    pub(super) async fn get(
        &self,
        client: &upstream::Client,
        api: &str,
        now: OffsetDateTime,
    ) -> Result<SecretString, Failure> {
        let mut held = self.held.lock().await;
        if let Some(token) = held.token.as_ref().filter(|token| now < token.use_until) {
            return Ok(token.value.clone());
        }
        if held.refused_until.is_some_and(|until| now < until) {
            return Err(Failure::Unusable);
        }
        if held.is_refused {
            if let Some(token) = self.left_by_another(now).await {
                held.is_refused = false;
                return Ok(held.token.insert(token).value.clone());
            }
            let next = held.replaced_at.map(|at| at + BACK_OFF).filter(|next| now < *next);
            if let Some(next) = next {
                let wait = Duration::try_from(next - now).unwrap_or_default();
                return Err(Failure::NotReady(wait.max(Duration::from_secs(1))));
            }
        }
        let token = self.shared_or_fetched(client, api, now).await;
        held.refused_until = matches!(token, Err(Failure::Unusable)).then_some(now + REFUSED_FOR);
        let token = token?;
        if std::mem::take(&mut held.is_refused) {
            held.replaced_at = Some(now);
        }
        Ok(held.token.insert(token).value.clone())
    }

    /// The token that another function has fetched since one was refused here: it gets a moment.
    async fn left_by_another(&self, now: OffsetDateTime) -> Option<Token> {
        let read = async || {
            let left = self.read().await.ok().flatten();
            left.filter(|token| now < token.use_until)
        };
        if let Some(token) = read().await {
            return Some(token);
        }
        // Not all at the same moment.
        let jitter = getrandom::u32().map_or(0, |it| u64::from(it) % GIVE_WAY_MS);
        sleep(Duration::from_millis(jitter)).await;
        read().await
    }

    /// Forgets `refused`, unless another request has already replaced it.
    pub(super) async fn discard(&self, refused: &SecretString) {
        let mut held = self.held.lock().await;
        let is_refused = |token: &Token| token.value.expose_secret() == refused.expose_secret();
        if held.token.take_if(|token| is_refused(token)).is_some() {
            held.is_refused = true;
        }
        if self.read().await.ok().flatten().is_some_and(|it| is_refused(&it)) {
            let mut pipeline = redis::pipe();
            pipeline.cmd("DEL").arg(KEY).ignore();
            let _ = self.redis.query::<()>(pipeline).await;
        }
    }

    async fn shared_or_fetched(
        &self,
        client: &upstream::Client,
        api: &str,
        now: OffsetDateTime,
    ) -> Result<Token, Failure> {
        let started = tokio::time::Instant::now();
        while started.elapsed() < HOLD {
            // Without Redis each function fetches its own.
            let Ok(shared) = self.read().await else { break };
            if let Some(token) = shared.filter(|token| now < token.use_until) {
                return Ok(token);
            }
            match self.lock().await {
                Ok(true) => {
                    // Whoever held the lock may have left one since.
                    let left = self.read().await.ok().flatten();
                    if let Some(token) = left.filter(|token| now < token.use_until) {
                        self.leave(None, now).await;
                        return Ok(token);
                    }
                    let fetched = self.fetch(client, api, now).await;
                    self.leave(fetched.as_ref().ok(), now).await;
                    return fetched;
                }
                Ok(false) => sleep(Duration::from_millis(50)).await,
                Err(_) => break,
            }
        }
        self.fetch(client, api, now).await
    }

    async fn lock(&self) -> Result<bool, RedisError> {
        let mut pipeline = redis::pipe();
        let hold = HOLD.as_millis() as u64;
        pipeline.cmd("SET").arg(LOCK).arg("1").arg("NX").arg("PX").arg(hold);
        let (set,): (Option<String>,) = self.redis.query(pipeline).await?;
        Ok(set.is_some())
    }

    async fn read(&self) -> Result<Option<Token>, RedisError> {
        let mut pipeline = redis::pipe();
        pipeline.cmd("GET").arg(KEY);
        let (bytes,): (Option<Vec<u8>>,) = self.redis.query(pipeline).await?;
        // Sealed under another pepper, or not by us: as good as absent.
        Ok(bytes.and_then(|bytes| self.open(bytes)))
    }

    /// Leaves the token for the other functions, and lets them go on.
    async fn leave(&self, token: Option<&Token>, now: OffsetDateTime) {
        let mut pipeline = redis::pipe();
        if let Some(token) = token
            && let Some(bytes) = self.seal(token)
        {
            let life = (token.use_until - now).whole_seconds().clamp(1, CACHE_SECONDS);
            pipeline.cmd("SET").arg(KEY).arg(bytes).arg("EX").arg(life).ignore();
        }
        pipeline.cmd("DEL").arg(LOCK).ignore();
        if let Err(error) = self.redis.query::<()>(pipeline).await {
            tracing::warn!(error = %error, "the token could not be shared");
        }
    }

    fn cipher(&self) -> Option<LessSafeKey> {
        let key = UnboundKey::new(&AES_256_GCM, self.credentials.seal.expose_secret()).ok()?;
        Some(LessSafeKey::new(key))
    }

    fn seal(&self, token: &Token) -> Option<Vec<u8>> {
        let mut bytes = vec![0; NONCE_LEN];
        getrandom::fill(&mut bytes).ok()?;
        let nonce = Nonce::try_assume_unique_for_key(&bytes).ok()?;
        let sealed = Sealed {
            token: token.value.expose_secret().to_owned(),
            use_until: token.use_until.unix_timestamp(),
        };
        let mut text = serde_json::to_vec(&sealed).ok()?;
        self.cipher()?.seal_in_place_append_tag(nonce, Aad::from(KEY), &mut text).ok()?;
        bytes.append(&mut text);
        Some(bytes)
    }

    fn open(&self, mut bytes: Vec<u8>) -> Option<Token> {
        let mut text = bytes.split_off(NONCE_LEN.min(bytes.len()));
        let nonce = Nonce::try_assume_unique_for_key(&bytes).ok()?;
        let text = self.cipher()?.open_in_place(nonce, Aad::from(KEY), &mut text).ok()?;
        let sealed: Sealed = serde_json::from_slice(text).ok()?;
        let use_until = OffsetDateTime::from_unix_timestamp(sealed.use_until).ok()?;
        Some(Token { value: sealed.token.into(), use_until })
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
                let lifetime = time::Duration::seconds(expires_in.clamp(0, 86_400));
                let use_until = now + lifetime - MARGIN.min(lifetime / 2);
                Ok(Token { value: access_token, use_until })
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
