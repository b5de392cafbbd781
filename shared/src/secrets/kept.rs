//! A value that is read now and then, and goes on being used while it cannot be read.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::time::timeout;

use crate::error::Error;

/// How long a value is used: the longest time a rotation needs to reach every environment.
const KEEP: Duration = Duration::from_secs(15 * 60);

/// How long the old one is used when it cannot be read again, and how often at most a doubted one is read.
const RETRY: Duration = Duration::from_secs(60);

/// How long a request waits for a new one when there is an old one.
const PATIENCE: Duration = Duration::from_secs(2);

/// The last value that was read.
#[derive(Debug)]
pub(super) struct Kept<T> {
    last: Mutex<Option<Last<T>>>,
    /// One at a time reads.
    reading: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Last<T> {
    value: T,
    tried_at: Instant,
    until: Instant,
    /// Whether it was used again because there was no newer one to be had.
    is_old: bool,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self { last: Mutex::default(), reading: tokio::sync::Mutex::default() }
    }
}

impl<T: Clone> Kept<T> {
    /// The value, got by `read` where it has not been for a while.
    pub(super) async fn get(
        &self,
        read: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        self.get_at(Instant::now, read).await
    }

    async fn get_at(
        &self,
        now: impl Fn() -> Instant,
        read: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        if let Some(value) = self.usable(|it| now() < it.until) {
            return Ok(value);
        }
        let _reading = match self.reading.try_lock() {
            Ok(reading) => reading,
            // There probably still is none; otherwise it is good for as long as the new one takes.
            Err(_) => match self.usable(|it| it.is_old) {
                Some(value) => return Ok(value),
                None => self.reading.lock().await,
            },
        };
        // Another one may have read it while this one waited.
        if let Some(value) = self.usable(|it| now() < it.until) {
            return Ok(value);
        }
        let Some(old) = self.usable(|_| true) else {
            let value = read.await?;
            self.keep(&value, now(), KEEP, false);
            return Ok(value);
        };
        let slow = || Err(Error::internal("there was no answer in time"));
        match timeout(PATIENCE, read).await.unwrap_or_else(|_| slow()) {
            Ok(value) => {
                self.keep(&value, now(), KEEP, false);
                Ok(value)
            }
            Err(error) => {
                tracing::warn!(error = %error, "the secret could not be read again");
                self.keep(&old, now(), RETRY, true);
                Ok(old)
            }
        }
    }

    /// Has the value read again when it is next asked for.
    pub(super) fn doubt(&self) {
        self.doubt_at(Instant::now());
    }

    fn doubt_at(&self, now: Instant) {
        if let Some(last) = &mut *self.last()
            && now >= last.tried_at + RETRY
        {
            last.until = now;
        }
    }

    fn usable(&self, is_usable: impl Fn(&Last<T>) -> bool) -> Option<T> {
        self.last().as_ref().filter(|it| is_usable(it)).map(|it| it.value.clone())
    }

    fn keep(&self, value: &T, now: Instant, keep: Duration, is_old: bool) {
        let value = value.clone();
        *self.last() = Some(Last { value, tried_at: now, until: now + keep, is_old });
    }

    fn last(&self) -> MutexGuard<'_, Option<Last<T>>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        cell::Cell,
        future::{pending, ready},
    };

    use futures_util::{future::join_all, poll};

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    /// A value that counts up with each reading, while there is one to be had.
    struct Source {
        kept: Kept<u32>,
        now: Cell<Instant>,
        reads: Cell<u32>,
        is_away: Cell<bool>,
    }

    impl Source {
        fn new() -> Self {
            let now = Cell::new(Instant::now());
            Self { kept: Kept::default(), now, reads: Cell::new(0), is_away: Cell::new(false) }
        }

        async fn get(&self) -> Option<u32> {
            let read = async {
                self.reads.set(self.reads.get() + 1);
                // So that others come to ask meanwhile.
                tokio::task::yield_now().await;
                if self.is_away.get() { Err(Error::internal("away")) } else { Ok(self.reads.get()) }
            };
            self.kept.get_at(|| self.now.get(), read).await.ok()
        }

        fn wait(&self, minutes: u32) {
            self.now.set(self.now.get() + MINUTE * minutes);
        }
    }

    #[tokio::test]
    async fn a_value_is_read_once_in_a_quarter_of_an_hour() {
        let source = Source::new();
        assert_eq!(join_all((0..5).map(|_| source.get())).await, [Some(1); 5]);
        source.wait(14);
        assert_eq!(source.get().await, Some(1));
        source.wait(1);
        // However old it is, nobody goes on with it without having asked.
        assert_eq!(join_all((0..5).map(|_| source.get())).await, [Some(2); 5]);
    }

    #[tokio::test]
    async fn what_cannot_be_read_again_is_tried_once_a_minute_and_nobody_waits_for_it() {
        let source = Source::new();
        source.is_away.set(true);
        assert_eq!(source.get().await, None, "there is no old one");
        source.is_away.set(false);
        assert_eq!(source.get().await, Some(2));
        source.is_away.set(true);
        source.wait(15);
        for _ in 0..10 {
            assert_eq!(source.get().await, Some(2));
        }
        assert_eq!(source.reads.get(), 3, "one try for all of them");
        for tries in 4..10 {
            source.wait(1);
            assert_eq!(join_all((0..5).map(|_| source.get())).await, [Some(2); 5]);
            assert_eq!(source.reads.get(), tries);
        }
        source.is_away.set(false);
        source.wait(1);
        assert_eq!(source.get().await, Some(10));
    }

    #[tokio::test]
    async fn others_go_on_with_the_old_value_while_one_tries_again() {
        let (kept, now) = (Kept::default(), Instant::now());
        assert_eq!(kept.get_at(|| now, ready(Ok(1))).await.ok(), Some(1));
        let late = || now + KEEP;
        let failed = kept.get_at(late, ready(Err(Error::internal("away")))).await;
        assert_eq!(failed.ok(), Some(1));
        let later = || now + KEEP + RETRY;
        let mut trying = std::pin::pin!(kept.get_at(later, pending()));
        assert!(poll!(&mut trying).is_pending());
        let other = kept.get_at(later, async { panic!("two read at once") });
        assert_eq!(other.await.ok(), Some(1));
        assert_eq!(trying.await.ok(), Some(1), "it does not wait for ever");
    }

    #[tokio::test]
    async fn a_doubted_value_is_read_again_once_a_minute() {
        let source = Source::new();
        assert_eq!(source.get().await, Some(1));
        source.kept.doubt_at(source.now.get());
        assert_eq!(source.get().await, Some(1), "it was read just now");
        source.wait(1);
        source.kept.doubt_at(source.now.get());
        assert_eq!(source.get().await, Some(2));
        source.kept.doubt_at(source.now.get());
        assert_eq!(source.get().await, Some(2));
    }
}
