//! What the cache keeps, how long, and whose it is.

use std::collections::HashSet;

use time::Duration;

use crate::{
    flight::{KEEP, KEEP_BRIEFLY, Shared},
    video::{CommentPage, Linked, ProfileRecord, SearchPage, VideoRecord},
};

impl Shared for VideoRecord {
    fn keep(&self) -> Duration {
        // One that a source was missing for may be whole soon.
        if self.is_complete() { KEEP } else { KEEP_BRIEFLY }
    }

    fn suits(&self, is_paying: bool) -> bool {
        !(self.is_askers_own && is_paying)
    }

    fn creators(&self) -> Vec<&str> {
        self.creators()
    }

    fn without(self, objected: &HashSet<String>) -> Option<Self> {
        let is_theirs = self.creators().into_iter().any(|name| objected.contains(name));
        (!is_theirs).then_some(self)
    }
}

impl Shared for SearchPage {
    const IS_LIST: bool = true;

    /// Until the next full hour since its search began, all of its blocks alike: which of them are still there must
    /// not tell where one ends.
    fn keep(&self) -> Duration {
        let age = (self.fetched_at - self.at).max(0);
        KEEP - Duration::seconds(age % KEEP.whole_seconds())
    }

    fn creators(&self) -> Vec<&str> {
        self.videos.iter().flat_map(|video| video.creators()).collect()
    }

    fn without(mut self, objected: &HashSet<String>) -> Option<Self> {
        self.videos = self.videos.into_iter().filter_map(|it| it.without(objected)).collect();
        Some(self)
    }
}

/// The video that the comments are on tells whose they are: it is looked up first.
impl Shared for CommentPage {
    fn keep(&self) -> Duration {
        KEEP
    }

    fn creators(&self) -> Vec<&str> {
        Vec::new()
    }

    fn without(self, _: &HashSet<String>) -> Option<Self> {
        Some(self)
    }
}

impl Shared for ProfileRecord {
    const KEY_NAMES_CREATOR: bool = true;

    fn keep(&self) -> Duration {
        KEEP
    }

    fn creators(&self) -> Vec<&str> {
        vec![&self.username]
    }

    fn without(self, objected: &HashSet<String>) -> Option<Self> {
        (!objected.contains(&self.username)).then_some(self)
    }
}

/// The video that it leads to is looked up and tells whose it is.
impl Shared for Linked {
    fn keep(&self) -> Duration {
        KEEP
    }

    fn creators(&self) -> Vec<&str> {
        Vec::new()
    }

    fn without(self, _: &HashSet<String>) -> Option<Self> {
        Some(self)
    }
}
