//! Whether Redis is of use to the gate. That it answers `PING` says little: one that is read-only, full or
//! in cluster mode does that too.

use std::sync::LazyLock;

use crate::redis::{Redis, RedisError, Script};

static PROBE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("probe.lua")));

/// The gate of no account: a tag is longer.
const KEY: &str = "{health}:g";

/// Has Redis do what it does for the gate.
pub async fn probe(redis: &Redis) -> Result<(), RedisError> {
    PROBE.run::<u8>(redis, KEY, &[]).await.map(drop)
}
