//! The movable clock: real time plus an offset, or a fixed instant that moves only when told.

use std::sync::{Arc, RwLock};

use time::{Duration, OffsetDateTime};

/// What every part of the local cloud calls "now". Clones share one setting.
#[derive(Clone, Debug, Default)]
pub struct Clock(Arc<RwLock<Setting>>);

#[derive(Debug)]
enum Setting {
    /// Real time, moved by an offset: `local up`.
    Running { offset: Duration },
    /// Stands still between moves: tests.
    Frozen { at: OffsetDateTime },
}

impl Default for Setting {
    fn default() -> Self {
        Self::Running { offset: Duration::ZERO }
    }
}

impl Clock {
    /// A clock that starts at `at` and runs on.
    pub fn running_from(at: OffsetDateTime) -> Self {
        Self(Arc::new(RwLock::new(Setting::Running { offset: at - OffsetDateTime::now_utc() })))
    }

    /// A clock that stands at `at` until it is moved.
    pub fn frozen_at(at: OffsetDateTime) -> Self {
        Self(Arc::new(RwLock::new(Setting::Frozen { at })))
    }

    /// The cloud's present time, UTC.
    pub fn now(&self) -> OffsetDateTime {
        match *self.0.read().unwrap_or_else(|poisoned| poisoned.into_inner()) {
            Setting::Running { offset } => OffsetDateTime::now_utc() + offset,
            Setting::Frozen { at } => at,
        }
    }

    /// Moves the clock to `to`; a running clock goes on running from there.
    pub fn set(&self, to: OffsetDateTime) {
        let mut setting = self.0.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        *setting = match *setting {
            Setting::Running { .. } => Setting::Running { offset: to - OffsetDateTime::now_utc() },
            Setting::Frozen { .. } => Setting::Frozen { at: to },
        };
    }
}
