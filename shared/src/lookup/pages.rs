//! Pages of a search, made of the blocks that the source gives, so that nothing of a page tells what was left
//! out of it because its creators objected: a page is as long as was asked for if there is as much that may be
//! shown, it has a next one only if there is something on it, which blocks it needs depends on its place alone,
//! and it says of everything in it that it is of the time at which its search began. How that could be found
//! out otherwise, and what remains: see "How a creator is left out" in docs/ARCHITECTURE.md.

use super::{LookUp, only, search_key};
use crate::{
    error::Error,
    flight::{KEEP, Landed, Looked},
    video::{MAX_PAGE, Position, Search, SearchPage, VideoId, VideoRecord},
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
        let fetch = |at: Position| {
            let looked = Looked { stamp: stamp.clone(), values: Vec::new() };
            async move { Ok::<_, Error>(self.block(search, &at, looked).await?.found) }
        };
        let found = made_of(first.found, &search.from, (search.count, BLOCKS), fetch).await?;
        Ok(Landed { found, cached })
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

/// The page that begins at `from`, which is in the block `first`: up to `count` videos of up to `most` blocks.
/// `fetch` gives the blocks after the first. Where it fails the page fails: handed on short, it would tell how much is left of the block before.
/// What was fetched is kept, so the same request goes on from there.
async fn made_of<E, F: Future<Output = Result<SearchPage, E>>>(
    first: SearchPage,
    from: &Position,
    (count, most): (u64, usize),
    fetch: impl Fn(Position) -> F,
) -> Result<SearchPage, E> {
    let mut page = SearchPage { videos: Vec::new(), next: None, ..first };
    let (mut at, mut block) = (from.clone(), first);
    for blocks in 1.. {
        let needs_next = page.needs_next(&at, &block, count);
        page.next = page.fill(&at, &block, count);
        let is_full = page.next.is_some();
        let Some(next) = block.next.take().filter(|_| needs_next || !is_full) else { break };
        if blocks == most && !is_full {
            page.next = Some(next);
            break;
        }
        block = fetch(next.clone()).await?;
        at = next;
        if is_full {
            break;
        }
    }
    if let Some(next) = &mut page.next {
        next.salt = page.salt;
    }
    Ok(page)
}

impl SearchPage {
    /// Whether the block after `block`, which is at `at`, must be there before this page is filled up to `count`
    /// videos, also where it turns out that nothing of it is needed. Otherwise a block that is not there
    /// would tell whether enough is left of this one.
    fn needs_next(&self, at: &Position, block: &Self, count: u64) -> bool {
        let wanted = count.saturating_sub(self.videos.len() as u64);
        block.begin(at) as u64 + wanted > MAX_PAGE
    }

    /// How many of its videos were handed on before the position `at`.
    fn begin(&self, at: &Position) -> usize {
        at.after.map_or(0, |after| place_after(&self.videos, after))
    }

    /// Adds what `block`, which is at `at`, holds after what was handed on, up to `count` videos in all. If
    /// there is more than that, where it is.
    fn fill(&mut self, at: &Position, block: &Self, count: u64) -> Option<Position> {
        for video in &block.videos[block.begin(at)..] {
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

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
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

    /// Every page, `count` videos each, as far as the first `given` blocks lead: the last one is `None` where it
    /// needs another.
    fn pages(blocks: &[SearchPage], given: usize, count: u64) -> Vec<Option<Vec<u64>>> {
        let block =
            |at: &Position| blocks[..given.min(blocks.len())].get(at.cursor as usize).cloned();
        let (mut pages, mut from) = (Vec::new(), Some(Position::default()));
        while let Some(at) = from.take() {
            // Only a search that finds nothing has no block.
            let first = block(&at).unwrap_or_default();
            let fetch = |at| std::future::ready(block(&at).ok_or(()));
            let page = made_of(first, &at, (count, usize::MAX), fetch);
            let page = page.now_or_never().expect("nothing to wait for").ok();
            from = page.as_ref().and_then(|it| it.next.clone());
            pages.push(page.map(|it| it.videos.iter().map(|it| it.id.get()).collect()));
            assert!(pages.len() < 1_000, "the pages never end");
        }
        pages
    }

    /// The newest first.
    fn ordered<'a>(ids: impl IntoIterator<Item = &'a u64>) -> Vec<u64> {
        let mut ids: Vec<u64> = ids.into_iter().copied().collect();
        ids.sort_unstable_by(|a, b| b.cmp(a));
        ids
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
            let (without, with) = (ordered(&shown), ordered(shown.iter().chain(&left_out)));
            let expected = pages(&blocks(&without, length, &[]), usize::MAX, count);
            prop_assert_eq!(&pages(&blocks(&with, length, &left_out), usize::MAX, count), &expected);
            prop_assert_eq!(expected.into_iter().flatten().flatten().collect::<Vec<_>>(), without);
        }

        #[test]
        fn they_end_at_the_same_place_where_the_source_gives_no_more_than_its_first_block(
            mut shown in prop::collection::hash_set(1..1_000_u64, 160..300),
            left_out in prop::collection::hash_set(1..1_000_u64, 0..MAX_PAGE as usize),
            count in 1..=MAX_PAGE,
        ) {
            shown.retain(|it| !left_out.contains(it));
            let left_out: Vec<u64> = left_out.into_iter().collect();
            let (without, with) = (ordered(&shown), ordered(shown.iter().chain(&left_out)));
            let expected = pages(&blocks(&without, 100, &[]), 1, count);
            prop_assert_eq!(&pages(&blocks(&with, 100, &left_out), 1, count), &expected);
            prop_assert_eq!(expected.last(), Some(&None));
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
