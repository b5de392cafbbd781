//! Many videos at once, in any form: each is looked up once, and each item is answered for itself.

use std::collections::HashMap;

use futures_util::{StreamExt, stream};

use super::LookUp;
use crate::{
    error::Error,
    flight::{Looked, Outcome},
    video::{
        Batch, BatchItem, FetchError, ItemStatus, ShortLink, Video, VideoAddress, VideoId,
        VideoRecord,
    },
};

/// Short links followed at the same time.
const LINKS_AT_ONCE: usize = 10;

/// The items of a batch, understood.
#[derive(Debug)]
pub struct Many {
    items: Vec<Result<VideoAddress, String>>,
    /// Different videos named by their ids.
    ids: Vec<VideoId>,
    /// Different short links.
    links: Vec<ShortLink>,
}

impl Many {
    /// Understands `items`.
    pub fn of(items: &[String]) -> Self {
        let items: Vec<Result<VideoAddress, String>> =
            items.iter().map(|it| it.parse().map_err(|error| format!("{error}"))).collect();
        let (mut ids, mut links) = (Vec::new(), Vec::new());
        for address in items.iter().flatten() {
            match address {
                VideoAddress::Video(id) if !ids.contains(id) => ids.push(*id),
                VideoAddress::ShortLink(link) if !links.contains(link) => links.push(link.clone()),
                _ => {}
            }
        }
        Self { items, ids, links }
    }

    /// Different videos named by their ids.
    pub fn ids(&self) -> impl Iterator<Item = VideoId> {
        self.ids.iter().copied()
    }

    /// Requests that it counts as: different videos, at least one.
    pub fn count(&self) -> u64 {
        ((self.ids.len() + self.links.len()) as u64).max(1)
    }

    /// Each different item, as it goes into the log.
    pub fn named(&self) -> Vec<String> {
        let ids = self.ids.iter().map(ToString::to_string);
        ids.chain(self.links.iter().map(ToString::to_string)).collect()
    }
}

impl LookUp<'_> {
    /// The answer to a batch, whether all of it came from the cache, and at how many of the videos a source has
    /// failed. `looked` goes with [`Many::ids`].
    pub async fn batch(&self, many: &Many, looked: Looked) -> Result<(Batch, bool, u64), Error> {
        let stamp = looked.stamp.clone();
        let mut found: HashMap<VideoId, Outcome<VideoRecord>> = HashMap::new();
        let outcomes = self.videos(&many.ids, looked).await?;
        found.extend(many.ids.iter().copied().zip(outcomes));
        let links = self.links(&many.links).await?;
        let mut more: Vec<VideoId> = links.values().flatten().copied().collect();
        more.sort_unstable();
        more.dedup();
        more.retain(|id| !found.contains_key(id));
        let outcomes = self.videos(&more, Looked { stamp, values: Vec::new() }).await?;
        found.extend(more.into_iter().zip(outcomes));
        let item = |(index, item): (usize, &Result<VideoAddress, String>)| {
            let outcome = match item {
                Err(reason) => return BatchItem::without(index, ItemStatus::Invalid, reason),
                Ok(VideoAddress::Video(id)) => found.get(id),
                Ok(VideoAddress::ShortLink(link)) => match links.get(link) {
                    Some(Ok(id)) => found.get(id),
                    Some(Err(error)) => return failed(index, error),
                    None => None,
                },
            };
            match outcome {
                Some(Ok(landed)) => BatchItem {
                    index,
                    status: ItemStatus::Found,
                    video: Some(Video::from_record(&landed.found, &self.view(landed.cached))),
                    detail: None,
                },
                Some(Err(error)) => failed(index, error),
                None => failed(index, &FetchError::Timeout),
            }
        };
        let items = many.items.iter().enumerate().map(item).collect();
        let charged = found.values().filter(|it| it.is_ok()).count() as u64;
        let cached = found.values().all(|it| it.as_ref().is_ok_and(|landed| landed.cached));
        let failures = found.values().filter_map(|it| it.as_ref().err());
        let failed = failures.filter(|error| error.is_sources_fault()).count() as u64;
        Ok((Batch { items, charged }, cached && charged > 0, failed))
    }

    /// Where each of `links` leads.
    async fn links(
        &self,
        links: &[ShortLink],
    ) -> Result<HashMap<ShortLink, Result<VideoId, FetchError>>, Error> {
        let each: Vec<_> = links.iter().map(|link| self.link(link, Looked::default())).collect();
        let led: Vec<_> = stream::iter(each).buffered(LINKS_AT_ONCE).collect().await;
        let led = links.iter().cloned().zip(led).map(|(link, outcome)| match outcome {
            Ok(id) => Ok((link, Ok(id))),
            Err(Error::Video(error)) => Ok((link, Err(error))),
            Err(error) => Err(error),
        });
        led.collect()
    }
}

impl BatchItem {
    fn without(index: usize, status: ItemStatus, detail: &str) -> Self {
        Self { index, status, video: None, detail: Some(detail.to_owned()) }
    }
}

fn failed(index: usize, error: &FetchError) -> BatchItem {
    let status = match error {
        FetchError::NotFound | FetchError::LinkLeadsNowhere => ItemStatus::NotFound,
        FetchError::Objected => ItemStatus::Suppressed,
        _ => ItemStatus::Failed,
    };
    BatchItem::without(index, status, &error.to_string())
}
