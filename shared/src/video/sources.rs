use std::{sync::Arc, time::Duration};

use http::{HeaderMap, StatusCode, header::RETRY_AFTER};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tokio::time::timeout;

use super::{Facts, Outcome, Source, VideoId, VideoRecord, oembed, research::Research, state};
use crate::{redis::Redis, upstream};

/// Longest time for one source, its retry included; the sources are asked at the same time.
const TOTAL: Duration = Duration::from_secs(5);

/// How long to leave a source alone that is busy and does not say for how long.
pub(super) const BUSY: Duration = Duration::from_secs(60);

/// Where the sources are, and which are switched on.
#[derive(Clone, Debug)]
pub struct SourcesConfig {
    /// Address of oEmbed.
    pub oembed_url: String,
    /// Base address of the Research API.
    pub api_url: String,
    /// With them the Research API is asked too.
    pub research: Option<ResearchCredentials>,
}

/// The operator's credentials for the Research API.
#[derive(Clone, Debug)]
pub struct ResearchCredentials {
    /// Public name of the application.
    pub client_key: String,
    /// Its secret.
    pub client_secret: SecretString,
}

/// Why there is no video to answer with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum FetchError {
    /// No source shows such a video. Says nothing about why: never existed, deleted, private, of a
    /// minor, restricted to a region all look alike.
    #[error("no source shows such a video")]
    NotFound,
    /// A source failed, and no other answered.
    #[error("the source {} failed", .by.name())]
    Upstream {
        /// Whether asking again soon may help.
        retryable: bool,
        /// The source.
        by: Source,
    },
    /// No source answered in time.
    #[error("the sources did not answer in time")]
    Timeout,
    /// A source wants to be left alone for a while.
    #[error("the sources are busy")]
    RateLimited {
        /// For so long; a minute if it did not say.
        retry_after: Duration,
    },
}

/// Why one source gave no usable answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// No answer in time.
    Timeout,
    /// It refuses for so long.
    RateLimited(Duration),
    /// It or the way to it is broken for the moment: one more attempt is worth it.
    Unavailable,
    /// It refuses, or answers what cannot be understood: the next attempt would end alike.
    Unusable,
}

impl From<upstream::Error> for Failure {
    fn from(error: upstream::Error) -> Self {
        match error {
            upstream::Error::Timeout => Self::Timeout,
            upstream::Error::Connect | upstream::Error::Protocol => Self::Unavailable,
            upstream::Error::TooLarge | upstream::Error::Forbidden => Self::Unusable,
        }
    }
}

/// What an answer that is none of the expected ones comes to.
pub(super) fn refusal(status: StatusCode, headers: &HeaderMap) -> Failure {
    match status {
        StatusCode::TOO_MANY_REQUESTS => {
            let seconds = headers.get(RETRY_AFTER).and_then(|it| it.to_str().ok()?.parse().ok());
            // A day is the longest limit there is.
            Failure::RateLimited(
                seconds.map_or(BUSY, |it: u64| Duration::from_secs(it.min(86_400))),
            )
        }
        status if status.is_server_error() => Failure::Unavailable,
        _ => Failure::Unusable,
    }
}

/// TikTok's interfaces behind one. Clones share connections and the token.
#[derive(Clone, Debug)]
pub struct Sources(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    client: upstream::Client,
    redis: Redis,
    oembed_url: String,
    research: Option<Research>,
}

impl Sources {
    /// Prepares the sources; asks nothing. An address that is none shows when it is asked.
    pub fn new(config: &SourcesConfig, client: upstream::Client, redis: Redis) -> Self {
        let research = config.research.clone().map(|it| Research::new(config.api_url.clone(), it));
        Self(Arc::new(Inner { client, redis, oembed_url: config.oembed_url.clone(), research }))
    }

    /// Every source, and whether it is switched on.
    pub fn enabled(&self) -> Vec<(Source, bool)> {
        vec![(Source::Oembed, true), (Source::Research, self.0.research.is_some())]
    }

    /// Asks every source that is switched on, all at once, for at most 5 seconds, and merges what
    /// they say. As long as one answers there is a record; what the others would have known is then
    /// missing in it ([`VideoRecord::is_complete`]).
    pub async fn fetch(&self, id: VideoId, now: OffsetDateTime) -> Result<VideoRecord, FetchError> {
        let Inner { client, redis, oembed_url, research } = &*self.0;
        let (oembed, research) = tokio::join!(
            patiently(Source::Oembed, || oembed::ask(client, oembed_url, id)),
            async {
                let research = research.as_ref()?;
                Some(patiently(Source::Research, || research.ask(client, id, now)).await)
            },
        );
        let asked = [(Source::Oembed, Some(oembed)), (Source::Research, research)];
        let asked = asked.into_iter().filter_map(|(source, answer)| Some((source, answer?)));
        let words: Vec<(Source, Word)> = asked.collect();
        let answered: Vec<_> = words.iter().map(|(source, word)| (*source, word.is_ok())).collect();
        state::note(redis, &answered, now).await;
        combine(id, words, now)
    }
}

/// One source's word: facts, or "no such video", or nothing usable.
type Word = Result<Option<Facts>, Failure>;

fn combine(
    id: VideoId,
    words: Vec<(Source, Word)>,
    now: OffsetDateTime,
) -> Result<VideoRecord, FetchError> {
    let mut record = VideoRecord::empty(id);
    let mut failures = Vec::new();
    for (source, word) in words {
        let (outcome, facts) = match word {
            Ok(Some(facts)) => (Outcome::Answered(now.unix_timestamp()), facts),
            Ok(None) => (Outcome::NotFound, Facts::default()),
            Err(failure) => {
                failures.push((source, failure));
                (Outcome::Failed, Facts::default())
            }
        };
        record = record.with(source, outcome, facts);
    }
    if record.fetched_at().is_some() {
        return Ok(record);
    }
    Err(worst(&failures).unwrap_or(FetchError::NotFound))
}

/// What to tell of several failures: the one that says most about when to come back.
fn worst(failures: &[(Source, Failure)]) -> Option<FetchError> {
    let limits = failures.iter().filter_map(|(_, failure)| match failure {
        Failure::RateLimited(wait) => Some(*wait),
        _ => None,
    });
    // One of them is enough for an answer, so the shortest wait counts.
    if let Some(retry_after) = limits.min() {
        return Some(FetchError::RateLimited { retry_after });
    }
    if failures.iter().any(|(_, failure)| *failure == Failure::Timeout) {
        return Some(FetchError::Timeout);
    }
    let retryable = |failure: &Failure| *failure == Failure::Unavailable;
    let (by, failure) =
        failures.iter().find(|(_, failure)| retryable(failure)).or_else(|| failures.first())?;
    Some(FetchError::Upstream { retryable: retryable(failure), by: *by })
}

/// Asks once, and once more after a moment where the source is broken for the moment.
async fn patiently<F: Future<Output = Word>>(source: Source, ask: impl Fn() -> F) -> Word {
    let twice = async {
        let first = ask().await;
        if first != Err(Failure::Unavailable) {
            return first;
        }
        // Many requests that failed together must not come back together.
        let jitter = getrandom::u32().map_or(0, |it| u64::from(it) % 200);
        tokio::time::sleep(Duration::from_millis(50 + jitter)).await;
        ask().await
    };
    let word = timeout(TOTAL, twice).await.unwrap_or(Err(Failure::Timeout));
    if let Err(failure) = &word {
        tracing::warn!(source = source.name(), ?failure, "a source failed");
    }
    word
}
