use std::time::Duration;

use http::{HeaderValue, StatusCode, header::LOCATION};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use url::Url;

use super::{
    InvalidAddress, ShortLink, VideoAddress, VideoId,
    failure::{Failure, FetchError, refusal},
};
use crate::upstream;

/// How far a link is followed.
const PATIENCE: Patience =
    Patience { hops: 5, each: Duration::from_millis(1_500), total: Duration::from_secs(3) };

/// Hosts that are asked where a link leads. No other ever is, whatever an answer says.
const HOSTS: [&str; 6] = [
    "vm.tiktok.com",
    "vt.tiktok.com",
    "lite.tiktok.com",
    "www.tiktok.com",
    "m.tiktok.com",
    "tiktok.com",
];

/// Longest address that is followed, in bytes: those of shares carry a kilobyte of parameters.
const MAX_LOCATION: usize = 8_192;

#[derive(Clone, Copy)]
struct Patience {
    hops: usize,
    each: Duration,
    total: Duration,
}

/// Where TikTok's pages are asked for: there, or at a stand-in.
#[derive(Clone, Debug, Default)]
pub struct WebAddress(Option<String>);

impl WebAddress {
    /// With `web_url`, `https://HOST/PATH` is asked for at `{web_url}/HOST/PATH`; all checks are
    /// made on the real address all the same. An address that is none shows when it is asked.
    pub fn new(web_url: Option<String>) -> Self {
        Self(web_url)
    }

    fn of(&self, page: &Url) -> Option<Url> {
        let mut page = page.clone();
        page.set_fragment(None);
        let Some(base) = &self.0 else { return Some(page) };
        let rest = page.as_str().strip_prefix("https://")?;
        format!("{}/{rest}", base.trim_end_matches('/')).parse().ok()
    }
}

/// Why it is not known where a short link leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum FollowError {
    /// The link leads away from TikTok, to what may not be asked, or round and round: a problem of
    /// the link, which leads to no video.
    #[error("the link does not lead to a video")]
    RedirectRefused,
    /// TikTok did not answer in time.
    #[error("the link was not answered in time")]
    Timeout,
    /// TikTok wants to be left alone for a while.
    #[error("the links are busy")]
    RateLimited {
        /// For so long; a minute if it did not say.
        retry_after: Duration,
    },
    /// TikTok or the way to it failed.
    #[error("following the link failed")]
    Upstream {
        /// Whether asking again soon may help.
        retryable: bool,
    },
}

impl From<FollowError> for FetchError {
    fn from(error: FollowError) -> Self {
        match error {
            FollowError::RedirectRefused => Self::LinkLeadsNowhere,
            FollowError::Timeout => Self::Timeout,
            FollowError::RateLimited { retry_after } => Self::RateLimited { retry_after },
            FollowError::Upstream { .. } => Self::LinkFailed,
        }
    }
}

impl From<Failure> for FollowError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Timeout => Self::Timeout,
            Failure::RateLimited(retry_after)
            | Failure::NotReady(retry_after)
            | Failure::Exhausted(retry_after) => Self::RateLimited { retry_after },
            Failure::Unavailable | Failure::Crowded => Self::Upstream { retryable: true },
            Failure::Unusable => Self::Upstream { retryable: false },
        }
    }
}

/// Asks TikTok which video the link leads to; `None` where it leads to no video. Takes at most five
/// answers and three seconds, and reads nothing of them but where they point.
pub async fn follow(
    client: &upstream::Client,
    web: &WebAddress,
    link: &ShortLink,
) -> Result<Option<VideoId>, FollowError> {
    follow_for(PATIENCE, client, web, link).await
}

async fn follow_for(
    patience: Patience,
    client: &upstream::Client,
    web: &WebAddress,
    link: &ShortLink,
) -> Result<Option<VideoId>, FollowError> {
    let hops = hops(patience, client, web, link);
    timeout(patience.total, hops).await.unwrap_or(Err(FollowError::Timeout))
}

async fn hops(
    patience: Patience,
    client: &upstream::Client,
    web: &WebAddress,
    link: &ShortLink,
) -> Result<Option<VideoId>, FollowError> {
    let mut page = page(link)?;
    for _ in 0..patience.hops {
        let asked = web.of(&page).ok_or(FollowError::Upstream { retryable: false })?;
        let answer = client.get_head(&asked, patience.each).await;
        let (status, headers) = answer.map_err(Failure::from)?;
        match status {
            status if status.is_redirection() => {}
            // A page, but no video's; or none.
            StatusCode::NOT_FOUND | StatusCode::GONE => return Ok(None),
            status if status.is_success() => return Ok(None),
            status => return Err(refusal(status, &headers).into()),
        }
        let Some(location) = headers.get(LOCATION) else { return Ok(None) };
        page = match next(&page, location)? {
            Next::Page(page) => page,
            Next::Video(id) => return Ok(Some(id)),
            Next::NoVideo => return Ok(None),
        };
    }
    Err(FollowError::RedirectRefused)
}

#[derive(Debug, PartialEq)]
enum Next {
    Video(VideoId),
    /// TikTok's start page, or the page of something else than a video.
    NoVideo,
    /// To be asked, on one of the hosts.
    Page(Url),
}

/// Where an answer of `page` points, if that may be followed.
fn next(page: &Url, location: &HeaderValue) -> Result<Next, FollowError> {
    let location = location.to_str().map_err(|_| FollowError::RedirectRefused)?;
    // Whatever reads these over, or turns them round, sees another address than the one written.
    let tricks = |it: char| it.is_control() || it.is_whitespace() || it == '\\';
    if location.len() > MAX_LOCATION || location.contains(tricks) {
        return Err(FollowError::RedirectRefused);
    }
    let to = page.join(location).map_err(|_| FollowError::RedirectRefused)?;
    match VideoAddress::read(to.as_str()) {
        // Even over plain HTTP: of a video's address only the id is used.
        Ok(VideoAddress::Video(id)) => Ok(Next::Video(id)),
        Err(InvalidAddress::OtherPage) => Ok(Next::NoVideo),
        Ok(VideoAddress::ShortLink(link)) if may_be_asked(&to) => self::page(&link).map(Next::Page),
        Err(InvalidAddress::NotAVideo) if may_be_asked(&to) => match to.path() {
            "/" => Ok(Next::NoVideo),
            _ => Ok(Next::Page(to)),
        },
        _ => Err(FollowError::RedirectRefused),
    }
}

fn may_be_asked(page: &Url) -> bool {
    page.scheme() == "https"
        && page.host_str().is_some_and(|host| HOSTS.contains(&host))
        && page.port().is_none()
        && page.username().is_empty()
        && page.password().is_none()
}

fn page(link: &ShortLink) -> Result<Url, FollowError> {
    // Cannot fail: a link is made of a host and of letters.
    link.to_string().parse().map_err(|_| FollowError::RedirectRefused)
}

/// Where `location`, answered by `link`, leads: to a video, or to a page that would be asked next.
#[cfg(any(test, feature = "fuzzing"))]
pub(super) fn led(link: &ShortLink, location: &[u8]) -> Option<Result<VideoId, Url>> {
    let location = HeaderValue::from_bytes(location).ok()?;
    match next(&page(link).ok()?, &location).ok()? {
        Next::Video(id) => Some(Ok(id)),
        Next::Page(page) => Some(Err(page)),
        Next::NoVideo => None,
    }
}

#[cfg(test)]
mod tests;
