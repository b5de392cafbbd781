//! Redis: a real server process, behind a proxy that can fail.

mod proxy;
mod server;

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result, ensure};
use redis::{AsyncCommands, aio::MultiplexedConnection};
use url::Url;

pub use self::{
    proxy::Fault,
    server::{Kind, PASSWORD},
};
use self::{proxy::Proxy, server::Server};

/// Makes time pass for every key: shortens its life, or ends it.
const AGE: &str = r"
local cursor = '0'
repeat
  local page = redis.call('SCAN', cursor, 'COUNT', 1000)
  cursor = page[1]
  for _, key in ipairs(page[2]) do
    local left = redis.call('PTTL', key)
    if left >= 0 then
      redis.call('PEXPIRE', key, left - tonumber(ARGV[1]))
    end
  end
until cursor == '0'
";

/// The server and the proxy before it. Clones share both; with the last one they end.
#[derive(Clone, Debug)]
pub struct Redis(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    proxy: Proxy,
    url: String,
    direct_url: String,
    /// Absent where `$REDIS_URL` names a server.
    _server: Option<Server>,
}

/// Every key with its value and remaining life: what a replica knows that has fallen behind.
#[derive(Clone, Debug)]
pub struct Snapshot(Vec<(Vec<u8>, i64, Vec<u8>)>);

impl Redis {
    /// Uses the server that `$REDIS_URL` names, its key space as it is, or else starts one.
    pub async fn start() -> Result<Self> {
        Self::start_as(Kind::Single).await
    }

    /// As [`Redis::start`], of a certain kind; one that is not single is always started.
    pub async fn start_as(kind: Kind) -> Result<Self> {
        let (server, direct_url) = match std::env::var("REDIS_URL") {
            Ok(given) if !given.is_empty() && kind == Kind::Single => (None, given),
            _ => {
                let server = Server::start(kind).await.context("Redis cannot be started")?;
                let url = server.url.clone();
                (Some(server), url)
            }
        };
        let mut url = Url::parse(&direct_url).context("REDIS_URL is no URL")?;
        ensure!(url.scheme() == "redis", "REDIS_URL: only redis:// can be used locally");
        let host = url.host_str().context("REDIS_URL names no host")?;
        let proxy = Proxy::start(format!("{host}:{}", url.port().unwrap_or(6379))).await?;
        let address = proxy.address;
        let changed =
            url.set_ip_host(address.ip()).and_then(|()| url.set_port(Some(address.port())));
        ensure!(changed.is_ok(), "REDIS_URL cannot be led through the proxy");
        Ok(Self(Arc::new(Inner { proxy, url: url.into(), direct_url, _server: server })))
    }

    /// Through the proxy, with the password if there is one.
    pub fn url(&self) -> &str {
        &self.0.url
    }

    /// The server itself, whatever is wrong with the network.
    pub fn direct_url(&self) -> &str {
        &self.0.direct_url
    }

    /// Lets the functions' connections fail from now on.
    pub fn fault(&self, fault: Fault) {
        self.0.proxy.set(fault);
    }

    /// How often functions have written to their connections: a pipeline that is sent at once
    /// counts once.
    pub fn writes(&self) -> u64 {
        self.0.proxy.writes()
    }

    /// A connection to the server itself.
    pub async fn connection(&self) -> Result<MultiplexedConnection> {
        server::connect(self.direct_url()).await
    }

    /// Deletes every key.
    pub async fn flush(&self) -> Result<()> {
        let mut connection = self.connection().await?;
        Ok(redis::cmd("FLUSHALL").query_async(&mut connection).await?)
    }

    /// Deletes the keys that match a pattern (as `KEYS` does), as a server that is short of memory may:
    /// how many there were.
    pub async fn evict(&self, pattern: &str) -> Result<usize> {
        let mut connection = self.connection().await?;
        let keys: Vec<Vec<u8>> =
            redis::cmd("KEYS").arg(pattern).query_async(&mut connection).await?;
        for key in &keys {
            let _: () = connection.del(key).await?;
        }
        Ok(keys.len())
    }

    /// Lets in whoever knows one of these passwords, and nobody else.
    pub async fn set_passwords(&self, all: &[&str]) -> Result<()> {
        let mut connection = self.connection().await?;
        let mut command = redis::cmd("ACL");
        command.arg("SETUSER").arg("default").arg("resetpass");
        all.iter().for_each(|it| _ = command.arg(format!(">{it}")));
        Ok(command.query_async(&mut connection).await?)
    }

    /// What the server does when its memory is full.
    pub async fn set_eviction(&self, policy: &str) -> Result<()> {
        let mut connection = self.connection().await?;
        let mut set = redis::cmd("CONFIG");
        Ok(set.arg("SET").arg("maxmemory-policy").arg(policy).query_async(&mut connection).await?)
    }

    /// Leaves the server so many bytes more than it uses now. Then it evicts the keys that were used longest
    /// ago, of those that have an end (`volatile-lru`, the default at AWS). `None` takes it back.
    pub async fn limit_memory(&self, more: Option<u64>) -> Result<()> {
        let used: u64 = self.info("used_memory").await?.parse()?;
        let most = more.map_or(0, |more| used + more);
        let mut connection = self.connection().await?;
        self.set_eviction("volatile-lru").await?;
        let mut set = redis::cmd("CONFIG");
        Ok(set.arg("SET").arg("maxmemory").arg(most).query_async(&mut connection).await?)
    }

    /// Every key with its remaining life in milliseconds; -1 means for ever.
    pub async fn keys(&self) -> Result<Vec<(String, i64)>> {
        let mut connection = self.connection().await?;
        let mut keys = Vec::new();
        for key in all_keys(&mut connection).await? {
            let left: i64 = connection.pttl(&key).await?;
            keys.push((String::from_utf8_lossy(&key).into_owned(), left));
        }
        keys.sort();
        Ok(keys)
    }

    /// A copy of the whole key space.
    pub async fn snapshot(&self) -> Result<Snapshot> {
        let mut connection = self.connection().await?;
        let mut kept = Vec::new();
        for key in all_keys(&mut connection).await? {
            let (left, value): (i64, Option<Vec<u8>>) =
                redis::pipe().pttl(&key).cmd("DUMP").arg(&key).query_async(&mut connection).await?;
            // Expired in between: no longer part of the key space.
            if let Some(value) = value {
                kept.push((key, left, value));
            }
        }
        Ok(Snapshot(kept))
    }

    /// Puts the key space back to what it was: fail-over to a replica that had fallen behind.
    pub async fn restore(&self, snapshot: &Snapshot) -> Result<()> {
        let mut connection = self.connection().await?;
        let mut pipeline = redis::pipe();
        pipeline.atomic().cmd("FLUSHALL").ignore();
        for (key, left, value) in &snapshot.0 {
            // For RESTORE, 0 is for ever.
            pipeline.cmd("RESTORE").arg(key).arg((*left).max(0)).arg(value).ignore();
        }
        Ok(pipeline.query_async(&mut connection).await?)
    }

    /// Makes time pass for every key's life. The server's own clock, which scripts read, stays.
    pub async fn age(&self, by: Duration) -> Result<()> {
        let mut connection = self.connection().await?;
        age(&mut connection, by).await
    }

    /// A field of `INFO`, for example `total_reads_processed`.
    pub async fn info(&self, field: &str) -> Result<String> {
        let mut connection = self.connection().await?;
        let info: String =
            redis::cmd("INFO").arg("everything").query_async(&mut connection).await?;
        let line = info.lines().find_map(|it| it.strip_prefix(field)?.strip_prefix(':'));
        Ok(line.with_context(|| format!("INFO has no field {field}"))?.to_owned())
    }
}

/// As [`Redis::age`], over a connection that is there already.
pub(crate) async fn age(connection: &mut MultiplexedConnection, by: Duration) -> Result<()> {
    let by = u64::try_from(by.as_millis())?;
    Ok(redis::cmd("EVAL").arg(AGE).arg(0).arg(by).query_async(connection).await?)
}

async fn all_keys(connection: &mut MultiplexedConnection) -> Result<Vec<Vec<u8>>> {
    let mut scan = connection.scan::<Vec<u8>>().await?;
    let mut keys = Vec::new();
    while let Some(key) = scan.next_item().await {
        keys.push(key?);
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use tokio::time::{Instant, timeout};

    use super::*;

    async fn ping(connection: &mut MultiplexedConnection) -> Result<()> {
        let ping = redis::cmd("PING");
        Ok(timeout(Duration::from_millis(150), ping.query_async(connection)).await??)
    }

    #[tokio::test]
    async fn faults_come_and_go() -> Result<()> {
        let redis = Redis::start().await?;
        let mut connection = server::connect(redis.url()).await?;
        ping(&mut connection).await?;
        let started = Instant::now();
        redis.fault(Fault::Delay(Duration::from_millis(30)));
        ping(&mut connection).await?;
        assert!(started.elapsed() >= Duration::from_millis(30));
        for fault in [Fault::Mute, Fault::BlackHole, Fault::Refuse] {
            redis.fault(fault);
            let connect = timeout(Duration::from_millis(150), server::connect(redis.url()));
            if let Ok(Ok(mut connection)) = connect.await {
                assert!(ping(&mut connection).await.is_err(), "{fault:?}");
            }
            redis.fault(Fault::None);
            ping(&mut server::connect(redis.url()).await?).await?;
        }
        assert!(ping(&mut connection).await.is_err(), "it has lost answers");
        Ok(())
    }

    #[tokio::test]
    async fn a_mute_server_still_does_what_it_is_told() -> Result<()> {
        let redis = Redis::start().await?;
        let mut connection = server::connect(redis.url()).await?;
        redis.fault(Fault::Mute);
        let set = connection.set::<_, _, ()>("a", 1);
        assert!(timeout(Duration::from_millis(50), set).await.is_err());
        assert_eq!(redis.keys().await?, [("a".to_owned(), -1)]);
        Ok(())
    }

    #[tokio::test]
    async fn a_server_short_of_memory_evicts_what_was_used_longest_ago() -> Result<()> {
        let redis = Redis::start().await?;
        let mut connection = redis.connection().await?;
        let value = "x".repeat(10_000);
        let _: () = connection.set("endless", &value).await?;
        let _: () = connection.set_ex("old", &value, 1000).await?;
        redis.limit_memory(Some(200_000)).await?;
        for n in 0..200 {
            let _: () = connection.set_ex(format!("new:{n}"), &value, 1000).await?;
        }
        assert_ne!(redis.info("evicted_keys").await?, "0");
        assert!(connection.exists::<_, bool>("endless").await?);
        assert!(!connection.exists::<_, bool>("old").await?);
        redis.limit_memory(None).await?;
        assert!(redis.evict("new:*").await? > 0);
        assert_eq!(redis.evict("*").await?, 1);
        Ok(())
    }

    #[tokio::test]
    async fn half_of_a_cluster_says_that_the_other_slots_have_moved() -> Result<()> {
        let redis = Redis::start_as(Kind::HalfOfACluster).await?;
        let mut connection = redis.connection().await?;
        // The slots of "bar" and "foo" are 5061 and 12182.
        let _: () = connection.set_ex("bar", 1, 100).await?;
        let moved = connection.set_ex::<_, _, ()>("foo", 1, 100).await.expect_err("moved");
        assert_eq!(moved.code(), Some("MOVED"), "{moved}");
        Ok(())
    }

    #[tokio::test]
    async fn the_key_space_goes_back_and_forth() -> Result<()> {
        let redis = Redis::start().await?;
        let mut connection = redis.connection().await?;
        let _: () = connection.set_ex("a", "old", 100).await?;
        let snapshot = redis.snapshot().await?;
        let _: () = connection.set_ex("a", "new", 3600).await?;
        let _: () = connection.set("b", 1).await?;
        redis.restore(&snapshot).await?;
        let value: String = connection.get("a").await?;
        let keys = redis.keys().await?;
        assert_eq!((value.as_str(), keys.len()), ("old", 1));
        assert!((99_000..=100_000).contains(&keys[0].1), "{keys:?}");

        redis.age(Duration::from_secs(60)).await?;
        assert!((39_000..=40_000).contains(&redis.keys().await?[0].1));
        redis.age(Duration::from_secs(60)).await?;
        assert_eq!(redis.keys().await?, []);
        Ok(())
    }
}
