use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::{StreamExt, stream};
use secrecy::{SecretBox, SecretString};
use time::OffsetDateTime;
use tokio::time::{Instant, timeout, timeout_at};

use super::{
    CommentPage, Facts, Outcome, Profile, Search, SearchPage, ShortLink, Source, VideoId,
    VideoRecord, WebAddress,
    failure::{Failure, FetchError, worst},
    oembed,
    research::{Allowance, Research, Spent},
    short_link,
    state::{self, Known, Waits},
};
use crate::{error::Error, ids::AccountId, plans::Plan, redis::Redis, store::Store, upstream};

/// Longest time for one question to one source, its retry included; the sources are asked at the same
/// time.
const TOTAL: Duration = Duration::from_secs(5);

/// Questions to oEmbed under way at the same time; 30 have been seen to do no harm.
const AT_ONCE: usize = 20;

/// Where the sources are, and which are switched on.
#[derive(Clone, Debug)]
pub struct SourcesConfig {
    /// Address of oEmbed.
    pub oembed_url: String,
    /// Base address of the Research API.
    pub api_url: String,
    /// Where short links are followed; for tests elsewhere than at TikTok.
    pub web: WebAddress,
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
    /// Key (AES-256) under which the token lies in Redis.
    pub seal: Arc<SecretBox<[u8; 32]>>,
}

/// On whose behalf a source is asked, and when.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// The customer whose share of a source's allowance it comes from; `None` for the service itself.
    pub payer: Option<Payer<'a>>,
    /// Time of the request.
    pub now: OffsetDateTime,
}

/// A customer, as an allowance is shared out.
#[derive(Clone, Copy, Debug)]
pub struct Payer<'a> {
    /// Whose share it comes from.
    pub account: &'a AccountId,
    /// Which decides how much that is.
    pub plan: Plan,
    /// What the request has cost so far.
    pub calls: &'a Calls,
}

/// How many calls of the Research API were made for one request. Clones count together.
#[derive(Clone, Debug, Default)]
pub struct Calls(Arc<AtomicU64>);

impl Calls {
    /// Calls made so far.
    pub fn made(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// What one question may ask again: once, for whatever reason.
#[derive(Debug, Default)]
pub(super) struct Again(AtomicBool);

impl Again {
    /// Takes the one try more; `false` if it was taken before.
    pub(super) fn take(&self) -> bool {
        !self.0.swap(true, Ordering::Relaxed)
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
    web: WebAddress,
    research: Option<Research>,
    /// What is known here of how the sources do, for when Redis cannot say.
    known: Known,
}

impl Sources {
    /// Prepares the sources; asks nothing. An address that is none shows when it is asked.
    pub fn new(
        config: &SourcesConfig,
        client: upstream::Client,
        redis: Redis,
        store: Store,
    ) -> Self {
        let research = config.research.clone().map(|credentials| {
            let (api, allowance) = (config.api_url.clone(), Allowance::new(store));
            Research::new(api, client.clone(), redis.clone(), credentials, allowance)
        });
        let (oembed_url, web) = (config.oembed_url.clone(), config.web.clone());
        let known = Known::default();
        Self(Arc::new(Inner { client, redis, oembed_url, web, research, known }))
    }

    /// Every source, and whether it is switched on.
    pub fn enabled(&self) -> Vec<(Source, bool)> {
        vec![(Source::Oembed, true), (Source::Research, self.has_research())]
    }

    /// Whether the Research API is switched on.
    pub fn has_research(&self) -> bool {
        self.0.research.is_some()
    }

    /// What has been spent of the Research API's allowance of `now`'s day; `None` if it is switched off.
    pub async fn spent(&self, now: OffsetDateTime) -> Result<Option<Spent>, Error> {
        match &self.0.research {
            Some(research) => research.allowance().spent(now).await.map(Some),
            None => Ok(None),
        }
    }

    /// Notes that so many calls of the Research API were made for a request of `account` that was not
    /// charged: there is a limit to these alone.
    pub async fn note_unpaid(
        &self,
        account: &AccountId,
        calls: u64,
        now: OffsetDateTime,
    ) -> Result<(), Error> {
        match &self.0.research {
            Some(research) if calls > 0 => {
                research.allowance().note_unpaid(account, calls, now).await
            }
            _ => Ok(()),
        }
    }

    /// Asks every source that is switched on for each of `ids`, all at once, for at most 5 seconds a
    /// question, and merges what they say. As long as one answers there is a record; what the others
    /// would have known is then missing in it ([`VideoRecord::is_complete`]). The outcomes are in the
    /// order of `ids`.
    pub async fn fetch(
        &self,
        ids: &[VideoId],
        asker: Asker<'_>,
    ) -> Vec<Result<VideoRecord, FetchError>> {
        let Inner { redis, research, known, .. } = &*self.0;
        let waits = state::waits(redis, known, asker.now).await;
        let wait = waits.of(Source::Oembed);
        let asks: Vec<_> = ids.iter().map(|id| self.oembed(*id, wait)).collect();
        let (oembed, mut research) =
            tokio::join!(stream::iter(asks).buffered(AT_ONCE).collect::<Vec<Word>>(), async {
                let research = research.as_ref()?;
                if let Some(wait) = waits.of(Source::Research) {
                    let words = ids.iter().map(|id| (*id, Err(Failure::RateLimited(wait))));
                    return Some(words.collect());
                }
                Some(in_time(research, ids, asker).await)
            },);
        let mut words: Vec<Vec<(Source, Word)>> = Vec::new();
        for (id, word) in ids.iter().zip(oembed) {
            let mut of_this = vec![(Source::Oembed, word)];
            if let Some(research) = &mut research {
                let word = research.remove(id).unwrap_or(Err(Failure::Timeout));
                of_this.push((Source::Research, word));
            }
            words.push(of_this);
        }
        state::note(redis, known, &waits, words.iter().flatten(), asker.now).await;
        let now = asker.now;
        ids.iter().zip(words).map(|(id, words)| combine(*id, words, now)).collect()
    }

    /// oEmbed's word on one video, unless it is to be left alone.
    async fn oembed(&self, id: VideoId, wait: Option<Duration>) -> Word {
        let Inner { client, oembed_url, .. } = &*self.0;
        match wait {
            Some(wait) => Err(Failure::RateLimited(wait)),
            None => {
                let ask = || oembed::ask(client, oembed_url, id);
                patiently(Source::Oembed, &Again::default(), ask).await
            }
        }
    }

    /// The video that a short link leads to.
    pub async fn follow(&self, link: &ShortLink) -> Result<VideoId, FetchError> {
        let Inner { client, web, .. } = &*self.0;
        short_link::follow(client, web, link).await?.ok_or(FetchError::LinkLeadsNowhere)
    }

    /// A page of a search.
    pub async fn search(
        &self,
        search: &Search,
        asker: Asker<'_>,
    ) -> Result<SearchPage, FetchError> {
        let (research, waits) = self.research(asker).await?;
        let again = Again::default();
        let found = patiently(Source::Research, &again, || async {
            match research.search(search, asker, &again).await {
                Err(super::research::SearchFailure::Failed(failure)) => Err(failure),
                other => Ok(other),
            }
        });
        Ok(self.answered(found.await, &waits, asker).await??)
    }

    /// Up to `count` comments of `video` from the `from`-th on.
    pub async fn comments(
        &self,
        video: VideoId,
        from: u64,
        count: u64,
        asker: Asker<'_>,
    ) -> Result<CommentPage, FetchError> {
        let (research, waits) = self.research(asker).await?;
        let again = Again::default();
        let ask = || research.comments(video, from, count, asker, &again);
        self.answered(patiently(Source::Research, &again, ask).await, &waits, asker).await
    }

    /// The profile of the creator `username`; `None` if the source has no such one or may not show it.
    pub async fn profile(
        &self,
        username: &str,
        asker: Asker<'_>,
    ) -> Result<Option<Profile>, FetchError> {
        let (research, waits) = self.research(asker).await?;
        let ask = || research.profile(username, asker);
        let found = patiently(Source::Research, &Again::default(), ask).await;
        self.answered(found, &waits, asker).await
    }

    /// What only the Research API knows is asked of it within the time and with the retry of all
    /// questions, unless it is to be left alone.
    async fn research(&self, asker: Asker<'_>) -> Result<(&Research, Waits), FetchError> {
        let research = self.0.research.as_ref().ok_or(FetchError::NeedsResearch)?;
        let waits = state::waits(&self.0.redis, &self.0.known, asker.now).await;
        match waits.of(Source::Research) {
            Some(retry_after) => Err(FetchError::RateLimited { retry_after }),
            None => Ok((research, waits)),
        }
    }

    /// Notes how the Research API did.
    async fn answered<T>(
        &self,
        answer: Result<T, Failure>,
        waits: &Waits,
        asker: Asker<'_>,
    ) -> Result<T, FetchError> {
        let word = (Source::Research, answer.as_ref().map(|_| None).map_err(|it| *it));
        let Inner { redis, known, .. } = &*self.0;
        state::note(redis, known, waits, std::iter::once(&word), asker.now).await;
        answer.map_err(|failure| failure.of(Source::Research))
    }
}

/// Research's word on each of `ids`.
async fn in_time(
    research: &Research,
    ids: &[VideoId],
    asker: Asker<'_>,
) -> std::collections::HashMap<VideoId, Word> {
    // One that failed for the moment is asked for once more, with all others that did.
    let deadline = Instant::now() + TOTAL;
    let mut words = match timeout_at(deadline, research.videos(ids, asker)).await {
        Ok(words) => words,
        Err(_) => return ids.iter().map(|id| (*id, Err(Failure::Timeout))).collect(),
    };
    let broken: Vec<VideoId> = words
        .iter()
        .filter(|(_, word)| matches!(word, Err(Failure::Unavailable)))
        .map(|(id, _)| *id)
        .collect();
    if !broken.is_empty() {
        pause().await;
        if let Ok(again) = timeout_at(deadline, research.videos(&broken, asker)).await {
            words.extend(again);
        }
    }
    if let Some(failure) = words.values().find_map(|word| word.as_ref().err()) {
        tracing::warn!(source = Source::Research.name(), ?failure, "a source failed");
    }
    words
}

/// One source's word: facts, or "no such video", or nothing usable.
pub(super) type Word = Result<Option<Facts>, Failure>;

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
                record.is_askers_own |= matches!(failure, Failure::Exhausted(_));
                let is_left_alone = matches!(
                    failure,
                    Failure::RateLimited(_) | Failure::NotReady(_) | Failure::Exhausted(_)
                );
                let outcome = if is_left_alone { Outcome::LeftAlone } else { Outcome::Failed };
                (outcome, Facts::default())
            }
        };
        record = record.with(source, outcome, facts);
    }
    if let Some(by) = record.answered_by() {
        // Without a name it could not be held against the creators who objected.
        return match record.facts.username {
            Some(_) => Ok(record),
            None => Err(FetchError::Upstream { retryable: true, by }),
        };
    }
    Err(worst(&failures).unwrap_or(FetchError::NotFound))
}

/// Asks once, and once more after a moment where the source is broken for the moment, unless `again` was
/// taken meanwhile.
async fn patiently<T, F: Future<Output = Result<T, Failure>>>(
    source: Source,
    again: &Again,
    ask: impl Fn() -> F,
) -> Result<T, Failure> {
    let twice = async {
        match ask().await {
            Err(Failure::Unavailable) if again.take() => {}
            other => return other,
        }
        pause().await;
        ask().await
    };
    let answer = timeout(TOTAL, twice).await.unwrap_or(Err(Failure::Timeout));
    if let Err(failure) = &answer {
        tracing::warn!(source = source.name(), ?failure, "a source failed");
    }
    answer
}

/// Many requests that failed together must not come back together.
async fn pause() {
    let jitter = getrandom::u32().map_or(0, |it| u64::from(it) % 200);
    tokio::time::sleep(Duration::from_millis(50 + jitter)).await;
}
