//! While Redis is away: a small cache in the process, and one fetch for many of its requests. Without it
//! every request would ask the sources by itself, and use up in minutes what they allow in a day.
//!
//! Nothing is served from here that was not held against the creators who objected just before: there is
//! no stamp to go by. For the same reason a video that is withheld because of them is looked at again within a
//! minute: they may withdraw. Into lists they come back within the hour: one that was asked for anew sooner than
//! others would tell that it lacks something. What is kept is emptied as soon as Redis answers again.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration as Wait,
};

use time::OffsetDateTime;
use tokio::{
    sync::{Notify, futures::Notified},
    time::{Instant, timeout_at},
};

use super::{Cached, Entry, Flights, HOLD_MS, Outcome, Shared, entry_of, landed, missing};
use crate::{error::Error, video::FetchError};

/// Most that is kept, in bytes. The oldest goes first.
const MOST: usize = 4 * 1024 * 1024;

/// What one process keeps by itself. Clones share it.
#[derive(Clone, Default)]
pub struct Alone(Arc<Inner>);

#[derive(Default)]
struct Inner {
    state: Mutex<State>,
    landed: Notify,
}

#[derive(Default)]
struct State {
    kept: HashMap<String, Kept>,
    /// Keys of what is kept, the oldest first.
    order: VecDeque<String>,
    bytes: usize,
    /// Keys that are being fetched.
    flying: HashSet<String>,
}

#[derive(Clone)]
struct Kept {
    /// Epoch second from which on it is of no use.
    until: i64,
    json: Vec<u8>,
}

impl std::fmt::Debug for Alone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // What it keeps names creators.
        f.debug_struct("Alone").finish_non_exhaustive()
    }
}

/// A fetch of this process. Its end lets those who wait go on, also if it was given up.
struct Flying<'a> {
    alone: &'a Alone,
    keys: Vec<String>,
}

impl Drop for Flying<'_> {
    fn drop(&mut self) {
        let mut state = self.alone.state();
        for key in &self.keys {
            state.flying.remove(key);
        }
        drop(state);
        self.alone.0.landed.notify_waiters();
    }
}

impl State {
    fn remove(&mut self, key: &str) {
        if let Some(kept) = self.kept.remove(key) {
            self.bytes -= kept.json.len();
            self.order.retain(|it| it != key);
        }
    }
}

impl Alone {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets everything that is kept: Redis is there again.
    pub(super) fn clear(&self) {
        let mut state = self.state();
        if !state.kept.is_empty() {
            state.kept = HashMap::new();
            state.order = VecDeque::new();
            state.bytes = 0;
        }
    }

    fn get(&self, key: &str) -> Option<Kept> {
        self.state().kept.get(key).cloned()
    }

    fn remove(&self, key: &str) {
        self.state().remove(key);
    }

    fn put(&self, key: &str, json: Vec<u8>, until: i64) {
        let mut state = self.state();
        state.remove(key);
        if json.len() > MOST / 4 {
            return;
        }
        while state.bytes + json.len() > MOST {
            let Some(oldest) = state.order.front().cloned() else { break };
            state.remove(&oldest);
        }
        state.bytes += json.len();
        state.order.push_back(key.to_owned());
        state.kept.insert(key.to_owned(), Kept { until, json });
    }

    /// Drops what is of no use any more at `now`.
    fn purge(&self, now: OffsetDateTime) {
        let seconds = now.unix_timestamp();
        let mut state = self.state();
        let old: Vec<_> = state.kept.iter().filter(|(_, kept)| kept.until <= seconds).collect();
        let old: Vec<String> = old.into_iter().map(|(key, _)| key.clone()).collect();
        old.iter().for_each(|key| state.remove(key));
    }

    /// Takes those of `places` on that nobody fetches and that are not there, and says which.
    fn board(&self, keys: &[String], places: &[usize]) -> (Flying<'_>, Vec<usize>) {
        let mut state = self.state();
        let mut mine = Vec::new();
        for at in places {
            let key = &keys[*at];
            if !state.kept.contains_key(key) && state.flying.insert(key.clone()) {
                mine.push(*at);
            }
        }
        let keys = mine.iter().map(|at| keys[*at].clone()).collect();
        (Flying { alone: self, keys }, mine)
    }

    /// Whether one of `places` is kept.
    fn has_some(&self, keys: &[String], places: &[usize]) -> bool {
        let state = self.state();
        places.iter().any(|at| state.kept.contains_key(&keys[*at]))
    }

    fn landed(&self) -> Notified<'_> {
        self.0.landed.notified()
    }
}

impl Flights<'_> {
    /// As [`Flights::land`], for what has no outcome yet, within this process alone.
    pub(super) async fn land_alone<T: Shared, F>(
        &self,
        keys: &[String],
        fetch: &impl Fn(Vec<usize>) -> F,
        outcomes: &mut [Option<Outcome<T>>],
    ) -> Result<(), Error>
    where
        F: Future<Output = Vec<Result<T, FetchError>>>,
    {
        let end = Instant::now() + Wait::from_millis(HOLD_MS);
        self.alone.purge(self.now);
        loop {
            // Before looking, so that nothing lands unnoticed in between.
            let landing = self.alone.landed();
            tokio::pin!(landing);
            landing.as_mut().enable();
            self.unload_alone(keys, outcomes).await?;
            let waiting = missing(outcomes);
            if waiting.is_empty() {
                return Ok(());
            }
            let (flying, mine) = self.alone.board(keys, &waiting);
            if !mine.is_empty() {
                self.fetch_alone(keys, mine, fetch, outcomes).await?;
                drop(flying);
            } else if Instant::now() >= end {
                return self.fetch_alone(keys, waiting, fetch, outcomes).await;
            } else if !self.alone.has_some(keys, &waiting) {
                // Whether it landed or the time is up shows above.
                let _ = timeout_at(end, landing).await;
            }
        }
    }

    async fn fetch_alone<T: Shared, F>(
        &self,
        keys: &[String],
        places: Vec<usize>,
        fetch: &impl Fn(Vec<usize>) -> F,
        outcomes: &mut [Option<Outcome<T>>],
    ) -> Result<(), Error>
    where
        F: Future<Output = Vec<Result<T, FetchError>>>,
    {
        let fetched = fetch(places.clone()).await;
        for (at, outcome) in places.into_iter().zip(self.checked(fetched).await?) {
            self.keep_alone(&keys[at], &outcome, (self.now.unix_timestamp(), i64::MAX));
            outcomes[at] = Some(landed(outcome, false));
        }
        Ok(())
    }

    /// Takes what is kept here of those without an outcome, as far as nobody has objected to it.
    async fn unload_alone<T: Shared>(
        &self,
        keys: &[String],
        outcomes: &mut [Option<Outcome<T>>],
    ) -> Result<(), Error> {
        let (mut places, mut found) = (Vec::new(), Vec::new());
        for at in missing(outcomes) {
            let Some(Kept { until, json }) = self.alone.get(&keys[at]) else { continue };
            match self.read::<T>(&json) {
                Some(Cached { at: since, entry: Entry::Found(it), .. }) => {
                    places.push((at, since, until));
                    found.push(Ok(it));
                }
                Some(Cached { entry: Entry::Nothing(error), .. }) => {
                    outcomes[at] = Some(Err(error))
                }
                None => self.alone.remove(&keys[at]),
            }
        }
        if places.is_empty() {
            return Ok(());
        }
        for ((at, since, until), outcome) in places.into_iter().zip(self.checked(found).await?) {
            // What is theirs goes at once, and none of it lives longer for that.
            if outcome.is_err() || T::IS_LIST {
                self.alone.remove(&keys[at]);
                self.keep_alone(&keys[at], &outcome, (since, until));
            }
            outcomes[at] = Some(landed(outcome, true));
        }
        Ok(())
    }

    /// Keeps what was fetched at `since`, for no longer than `until`.
    fn keep_alone<T: Shared>(
        &self,
        key: &str,
        outcome: &Result<T, FetchError>,
        (since, until): (i64, i64),
    ) {
        let Some(entry) = entry_of(outcome) else { return };
        let now = self.now.unix_timestamp();
        let until = until.min(now + entry.keep().whole_seconds());
        // That there is nothing to show is known since just now.
        let at = if matches!(entry, Entry::Found(_)) { since } else { now };
        if let Ok(json) = serde_json::to_vec(&Cached { at, stamp: None, entry }) {
            self.alone.put(key, json, until);
        }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn keys(names: &[&str]) -> Vec<String> {
        names.iter().map(|it| (*it).to_owned()).collect()
    }

    #[test]
    fn what_is_kept_is_bounded_and_the_oldest_goes_first() {
        let alone = Alone::default();
        for n in 0..100 {
            alone.put(&n.to_string(), vec![0; MOST / 10], 9);
            assert!(alone.state().bytes <= MOST);
        }
        let len = |key| alone.get(key).map(|it| it.json.len());
        assert_eq!((len("89"), len("90")), (None, Some(MOST / 10)));
        // One that would take the place of most others is not kept, nor what it was before.
        alone.put("99", vec![0; MOST / 2], 9);
        let size = || {
            let state = alone.state();
            (state.bytes, state.order.len())
        };
        assert_eq!((len("99"), size()), (None, (9 * (MOST / 10), 9)));
        alone.clear();
        assert_eq!((len("98"), size()), (None, (0, 0)));
    }

    #[test]
    fn what_is_old_is_dropped_at_the_second() {
        let (alone, now) = (Alone::default(), datetime!(2026-11-24 12:00 UTC));
        alone.put("a", vec![1], now.unix_timestamp() + 1);
        alone.purge(now);
        assert!(alone.get("a").is_some());
        alone.purge(now + time::Duration::SECOND);
        assert!(alone.get("a").is_none());
        assert_eq!(alone.state().bytes, 0);
    }

    #[test]
    fn a_key_is_fetched_by_one_until_that_one_has_ended() {
        let (alone, keys) = (Alone::default(), keys(&["a", "b", "c"]));
        alone.put("c", vec![1], 9);
        let (first, mine) = alone.board(&keys, &[0, 2]);
        assert_eq!(mine, [0]);
        let (second, mine) = alone.board(&keys, &[0, 1]);
        assert_eq!(mine, [1]);
        drop(first);
        let (_third, mine) = alone.board(&keys, &[0, 1]);
        assert_eq!(mine, [0]);
        drop(second);
        assert_eq!(alone.board(&keys, &[0, 1, 2]).1, [1]);
    }
}
