//! Looking things up for a customer: in the cache, at the sources, or in the sandbox. Every way to a
//! video, a page or a creator leads through here, and so past the creators who objected.

mod kept;
mod many;
mod pages;
mod show;

use time::{Date, OffsetDateTime};

pub use self::{many::Many, show::Wanted};
use crate::{
    app::App,
    error::{Error, InputError},
    flight::{Flights, Landed, Looked, Outcome, Shared},
    gate::{Admission, Denial, Token},
    http::Call,
    keys::{ApiKey, Environment},
    objections::Objections,
    plans::Plan,
    sandbox::{self, Trouble},
    video::{
        Asker, CommentPage, FetchError, Linked, Payer, Position, ProfileRecord, Search, SearchPage,
        ShortLink, Sources, Standing, VideoId, VideoRecord, View,
    },
};

/// Cache key of a video.
pub fn video_key(id: VideoId) -> String {
    format!("video:{id}")
}

/// Cache key of where a short link leads.
pub fn link_key(link: &ShortLink) -> String {
    format!("link:{}", link.cache_name())
}

/// Cache key of a creator's profile; `username` in lower case.
pub fn profile_key(username: &str) -> String {
    format!("creator:{username}")
}

/// Cache key of the block that a page of a search begins in. Pages of any size are made of the same blocks.
pub fn search_key(search: &Search) -> String {
    let (first, last) = search.days;
    let id = search.from.search_id.as_deref().unwrap_or_default();
    // When it began is told with it, and is another time where the source gives a later search the same id.
    let Position { cursor, begun_at, .. } = search.from;
    let text = format!("{} {first} {last} {cursor} {id} {begun_at}", search.query);
    format!("search:{}", blake3::hash(text.as_bytes()).to_hex())
}

/// Cache key of a page of comments.
pub fn comments_key(video: VideoId, from: u64, count: u64) -> String {
    format!("comments:{video}:{from}:{count}")
}

/// The days that count as recent for a request with `key` at `now`.
pub fn recent_days(key: &ApiKey, now: OffsetDateTime) -> (Date, Date) {
    days(key.environment() == Environment::Test, now)
}

fn days(is_sandbox: bool, now: OffsetDateTime) -> (Date, Date) {
    if is_sandbox { sandbox::recent_days() } else { crate::video::recent_days(now) }
}

/// The path parameter `video_id`.
pub fn video_id(call: &Call) -> Result<VideoId, InputError> {
    call.path("video_id").parse().map_err(|_| {
        let reason = "must be the number in the video's address, such as 7565919548239514898";
        InputError::field("video_id", reason)
    })
}

/// One admitted request's way to what it asks for.
#[derive(Debug)]
pub struct LookUp<'a> {
    app: &'a App,
    admission: &'a Admission,
    objections: Objections,
    sources: &'a Sources,
    now: OffsetDateTime,
}

impl<'a> LookUp<'a> {
    /// For the request that was admitted at `now`.
    pub async fn new(
        app: &'a App,
        admission: &'a Admission,
        now: OffsetDateTime,
    ) -> Result<Self, Error> {
        let (objections, sources) = futures_util::try_join!(app.objections(), app.sources())?;
        Ok(Self { app, admission, objections, sources, now })
    }

    /// What of a record this customer gets to see.
    pub fn view(&self, cached: bool) -> View {
        View {
            include_country: self.admission.plan.includes_country(),
            cached,
            now: self.now,
            standing: Standing::not_requested(),
        }
    }

    /// Fails where only the Research API could tell and it is switched off.
    pub fn needs_research(&self) -> Result<(), Error> {
        if self.is_sandbox() || self.sources.has_research() {
            return Ok(());
        }
        Err(FetchError::NeedsResearch.into())
    }

    /// One video.
    pub async fn video(&self, id: VideoId, looked: Looked) -> Result<Landed<VideoRecord>, Error> {
        only(self.videos(&[id], looked).await?)
    }

    /// Videos, in the order of `ids`.
    pub async fn videos(
        &self,
        ids: &[VideoId],
        looked: Looked,
    ) -> Result<Vec<Outcome<VideoRecord>>, Error> {
        if self.is_sandbox() {
            let found = ids.iter().map(|id| self.played(sandbox::video(*id, self.now)));
            return found.collect();
        }
        let keys: Vec<String> = ids.iter().map(|id| video_key(*id)).collect();
        let fetch = |places: Vec<usize>| {
            let wanted: Vec<VideoId> = places.iter().map(|at| ids[*at]).collect();
            async move { self.sources.fetch(&wanted, self.asker()).await }
        };
        self.flights().land(&keys, looked, fetch).await
    }

    /// The video that a short link leads to.
    pub async fn link(&self, link: &ShortLink, looked: Looked) -> Result<VideoId, Error> {
        if self.is_sandbox() {
            return Err(FetchError::LinkLeadsNowhere.into());
        }
        let fetch = |_| async { vec![self.sources.follow(link).await.map(Linked)] };
        let landed = only(self.flights().land(&[link_key(link)], looked, fetch).await?)?;
        Ok(landed.found.0)
    }

    /// A page of a search. Fails if a creator that it names objected, or the plan does not include what it
    /// asks for.
    pub async fn search(
        &self,
        search: &Search,
        looked: Looked,
    ) -> Result<Landed<SearchPage>, Error> {
        // What a condition on it finds tells the country of each video.
        if search.asks_for_country() && !self.admission.plan.includes_country() {
            return Err(Denial::LacksCountry(self.admission.plan).into());
        }
        if self.is_sandbox() {
            return only(vec![self.played(sandbox::search(search, self.now))?]);
        }
        // Who objected is not asked about. That they did is no secret; all else would be.
        self.may_be_asked_about(&search.creators().collect::<Vec<_>>()).await?;
        self.page(search, looked).await
    }

    /// A page of the comments on a video, which tells whether its creator objected: look that up first.
    pub async fn comments(
        &self,
        video: VideoId,
        (from, count): (u64, u64),
        looked: Looked,
    ) -> Result<Landed<CommentPage>, Error> {
        if self.is_sandbox() {
            return only(vec![self.played(sandbox::comments(video, from, count, self.now))?]);
        }
        let asker = self.asker();
        let fetch = |_| async move { vec![self.sources.comments(video, from, count, asker).await] };
        let keys = [comments_key(video, from, count)];
        only(self.flights().land(&keys, looked, fetch).await?)
    }

    /// A creator's profile; `username` in lower case. Who objected is not even asked about.
    pub async fn profile(
        &self,
        username: &str,
        looked: Looked,
    ) -> Result<Landed<ProfileRecord>, Error> {
        let record = |profile| ProfileRecord {
            username: username.to_owned(),
            profile,
            at: self.now.unix_timestamp(),
        };
        if self.is_sandbox() {
            let found = self.played(sandbox::profile(username, self.now))?;
            let found = found.and_then(|it| match it.found {
                Some(profile) => Ok(Landed { found: record(profile), cached: false }),
                None => Err(FetchError::NoCreator),
            });
            return Ok(found?);
        }
        let fetch = |_| async {
            let found = match self.sources.profile(username, self.asker()).await {
                Ok(Some(profile)) => Ok(record(profile)),
                Ok(None) => Err(FetchError::NoCreator),
                Err(error) => Err(error),
            };
            vec![found]
        };
        self.may_be_asked_about(&[username]).await?;
        only(self.flights().land(&[profile_key(username)], looked, fetch).await?)
    }

    /// Fails if one of the creators objected.
    pub async fn may_be_asked_about(&self, usernames: &[&str]) -> Result<(), Error> {
        if self.is_sandbox() || self.objections.among(usernames).await?.is_empty() {
            return Ok(());
        }
        Err(FetchError::Objected.into())
    }

    fn is_sandbox(&self) -> bool {
        self.admission.token == Token::Sandbox
    }

    fn asker(&self) -> Asker<'_> {
        let Admission { account, plan, calls, .. } = self.admission;
        Asker { payer: Some(Payer { account, plan: *plan, calls }), now: self.now }
    }

    fn flights(&self) -> Flights<'_> {
        Flights {
            redis: &self.app.redis,
            alone: &self.app.alone,
            objections: &self.objections,
            is_paying: self.admission.plan != Plan::Free,
            now: self.now,
        }
    }

    /// What the sandbox plays. A limit that it says is passed is answered like a real one.
    fn played<T>(&self, outcome: Result<T, Trouble>) -> Result<Outcome<T>, Error> {
        let mut limits = self.admission.limits;
        let key_id = self.admission.key_id.clone();
        match outcome {
            Ok(found) => Ok(Ok(Landed { found, cached: false })),
            Err(Trouble::Fetch(error)) => Ok(Err(error)),
            Err(Trouble::QuotaUsedUp) => {
                limits.period.remaining = 0;
                Err(Denial::Quota { limits, key_id }.into())
            }
            Err(Trouble::MinuteUsedUp) => {
                limits.minute.remaining = 0;
                let retry_after = std::time::Duration::from_secs(limits.minute.reset_seconds);
                Err(Denial::Rate { retry_after, limits, key_id }.into())
            }
        }
    }
}

fn only<T: Shared>(outcomes: Vec<Outcome<T>>) -> Result<Landed<T>, Error> {
    let only = outcomes.into_iter().next().unwrap_or(Err(FetchError::Timeout));
    Ok(only?)
}
