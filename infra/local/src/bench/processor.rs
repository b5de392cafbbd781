//! Processor time, by process.

use std::{fs, time::Duration};

use anyhow::{Context, Result};

use super::world::World;

/// Processor time spent so far on behalf of one function.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spent {
    /// In the function's own environments.
    pub(super) function: Duration,
    /// In the local cloud and the measuring client, which are one process.
    pub(super) cloud: Duration,
    /// In the Redis server.
    pub(super) redis: Duration,
}

impl Spent {
    /// Everything up to now. Environments that have ended do not count.
    pub(super) async fn now(world: &World, function: &str) -> Result<Self> {
        let ids = world.cloud.runtime.process_ids(function)?;
        let redis = world.cloud.redis.info("process_id").await?;
        Ok(Self {
            function: ids.iter().filter_map(|id| of_process(&id.to_string()).ok()).sum(),
            cloud: of_process("self")?,
            redis: of_process(redis.trim())?,
        })
    }

    /// What was spent since `before`, for each of `requests`.
    pub(super) fn since(self, before: Self, requests: u32) -> Self {
        let each = |now: Duration, before| now.saturating_sub(before) / requests;
        Self {
            function: each(self.function, before.function),
            cloud: each(self.cloud, before.cloud),
            redis: each(self.redis, before.redis),
        }
    }
}

/// All threads of a process: the kernel counts nanoseconds for each.
fn of_process(id: &str) -> Result<Duration> {
    let threads = fs::read_dir(format!("/proc/{id}/task")).context("a process has ended")?;
    let times = threads.filter_map(|it| {
        // A thread may end while the others are looked at.
        let text = fs::read_to_string(it.ok()?.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
    });
    Ok(times.sum())
}
