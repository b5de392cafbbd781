//! Pages of a search, made of the blocks that the source gives, so that nothing of a page tells what was left
//! out of it because its creators objected: a page is as long as was asked for if there is as much that may be
//! shown, it has a next one only if there is something on it, and it says of everything in it that it is of
//! the time at which its search began. How that could be found out otherwise, and what remains: see "How a
//! creator is left out" in docs/ARCHITECTURE.md.

use super::{LookUp, only, search_key};
use crate::{
    error::Error,
    flight::{KEEP, Landed, Looked},
    video::{FetchError, Position, Search, SearchPage, VideoId, VideoRecord},
};

/// Most blocks that one page is made of. Each is a call of the source, and takes its time.
const BLOCKS: usize = 4;

impl LookUp<'_> {
    /// The page at `search`'s position. `looked` is of the block that it begins in.
    pub(super) async fn page(
        &self,
        search: &Search,
        looked: Looked,
    ) -> Result<Landed<SearchPage>, Error> {
        let stamp = looked.stamp.clone();
        let first = self.block(search, &search.from, looked).await?;
        let cached = self.is_cached(search, &first);
        let mut page = SearchPage { videos: Vec::new(), next: None, ..first.found };
        let (mut at, mut block) = (search.from.clone(), first.found);
        for blocks in 1.. {
            if let Some(next) = page.fill(&at, &block, search.count) {
                page.next = Some(next);
                break;
            }
            let Some(next) = block.next.take() else { break };
            at = next;
            if blocks == BLOCKS {
                page.next = Some(at);
                break;
            }
            let looked = Looked { stamp: stamp.clone(), values: Vec::new() };
            block = match self.block(search, &at, looked).await {
                Ok(landed) => landed.found,
                // What was begun is handed on, with where it goes on: begun once more, it would be another
                // search that is not ready.
                Err(Error::Video(error)) if !page.videos.is_empty() || is_passing(&error) => {
                    page.next = Some(at);
                    break;
                }
                Err(error) => return Err(error),
            };
        }
        if let Some(next) = &mut page.next {
            next.salt = page.salt;
        }
        Ok(Landed { found: page, cached })
    }

    async fn block(
        &self,
        search: &Search,
        at: &Position,
        looked: Looked,
    ) -> Result<Landed<SearchPage>, Error> {
        let search = Search { from: at.clone(), ..search.clone() };
        let fetch = |_| async { vec![self.sources.search(&search, self.asker()).await] };
        only(self.flights().land(&[search_key(&search)], looked, fetch).await?)
    }

    /// Whether the page counts as one of the cache. Of a later page only the age of its search decides: which
    /// of its blocks were there would tell where they end.
    fn is_cached(&self, search: &Search, first: &Landed<SearchPage>) -> bool {
        if search.from.begun_at == 0 {
            return first.cached;
        }
        self.now.unix_timestamp() - search.from.begun_at < KEEP.whole_seconds()
    }
}

impl SearchPage {
    /// Adds what `block`, which is at `at`, holds after what was handed on, up to `count` videos in all. If
    /// there is more than that, where it is.
    fn fill(&mut self, at: &Position, block: &Self, count: u64) -> Option<Position> {
        let begin = at.after.map_or(0, |after| place_after(&block.videos, after));
        for video in &block.videos[begin..] {
            if self.videos.len() as u64 >= count {
                let last_here = self.videos.last().map(|it| it.id);
                let is_of_block = |id: &VideoId| block.videos.iter().any(|it| it.id == *id);
                // What came before is of another block, or was handed on already.
                let after = last_here.filter(is_of_block).or(at.after);
                return Some(Position { after, ..at.clone() });
            }
            self.videos.push(video.clone());
        }
        None
    }
}

/// The place in `videos` behind `after`. If that one is not there any more, behind all that are newer: the
/// source's order is by ids, the newest first.
fn place_after(videos: &[VideoRecord], after: VideoId) -> usize {
    // The last one: should the source give a video twice, its page must not come again for ever.
    match videos.iter().rposition(|it| it.id == after) {
        Some(place) => place + 1,
        None => videos.iter().position(|it| it.id < after).unwrap_or(videos.len()),
    }
}

/// Whether the source will go on in a moment.
fn is_passing(error: &FetchError) -> bool {
    matches!(error, FetchError::NotReady { .. })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(n: u64) -> VideoId {
        VideoId::new(n).expect("an id")
    }

    /// The blocks of a search that finds `ids`, of which those in `left_out` may not be shown.
    fn blocks(ids: &[u64], length: usize, left_out: &[u64]) -> Vec<SearchPage> {
        let chunks: Vec<_> = ids.chunks(length).collect();
        let blocks = chunks.iter().enumerate().map(|(n, chunk)| {
            let shown = chunk.iter().filter(|it| !left_out.contains(it));
            let next = (n + 1 < chunks.len())
                .then(|| Position { cursor: n as u64 + 1, ..Position::default() });
            let videos = shown.map(|it| VideoRecord::empty(id(*it))).collect();
            SearchPage { videos, next, ..SearchPage::default() }
        });
        blocks.collect()
    }

    /// Every page, `count` videos each, as [`LookUp::page`] makes them.
    fn pages(blocks: &[SearchPage], count: u64) -> Vec<Vec<u64>> {
        let (mut pages, mut from) = (Vec::new(), Some(Position::default()));
        while let Some(mut at) = from.take() {
            let mut page = SearchPage::default();
            while let Some(block) = blocks.get(at.cursor as usize) {
                if let Some(next) = page.fill(&at, block, count) {
                    from = Some(next);
                    break;
                }
                let Some(next) = block.next.clone() else { break };
                at = next;
            }
            pages.push(page.videos.iter().map(|it| it.id.get()).collect());
            assert!(pages.len() < 1_000, "the pages never end");
        }
        pages
    }

    proptest! {
        #[test]
        fn pages_are_the_same_whatever_was_left_out(
            mut shown in prop::collection::hash_set(1..10_000_u64, 0..80),
            left_out in prop::collection::hash_set(1..10_000_u64, 0..80),
            length in 1..20_usize,
            count in 1..25_u64,
        ) {
            shown.retain(|it| !left_out.contains(it));
            let left_out: Vec<u64> = left_out.into_iter().collect();
            let ordered = |ids: Vec<u64>| {
                let mut ids = ids;
                ids.sort_unstable_by(|a, b| b.cmp(a));
                ids
            };
            let without = ordered(shown.iter().copied().collect());
            let with = ordered(shown.iter().chain(&left_out).copied().collect());
            let expected = pages(&blocks(&without, length, &[]), count);
            prop_assert_eq!(&pages(&blocks(&with, length, &left_out), count), &expected);
            prop_assert_eq!(expected.concat(), without);
        }
    }

    #[test]
    fn a_page_goes_on_behind_a_video_that_is_gone() {
        let block = &blocks(&[9, 7, 5, 3], 9, &[7])[0];
        let at = |after| Position { after: Some(id(after)), ..Position::default() };
        let next = |after| {
            let mut page = SearchPage::default();
            page.fill(&at(after), block, 9);
            page.videos.iter().map(|it| it.id.get()).collect::<Vec<_>>()
        };
        assert_eq!((next(9), next(7), next(3)), (vec![5, 3], vec![5, 3], vec![]));
    }
}
