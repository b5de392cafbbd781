//! A TCP proxy that can fail in the ways a network does.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Result;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{mpsc, watch},
    task::AbortHandle,
    time::{Instant, sleep_until},
};

use crate::serve::listen;

/// What is wrong between the functions and Redis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// Commands arrive at once, each answer comes so much later.
    Delay(Duration),
    /// Commands arrive and are run, but no answer comes back.
    Mute,
    /// Connections are accepted, but nothing arrives and nothing comes back.
    BlackHole,
    /// Connections are closed at once.
    Refuse,
}

#[derive(Debug)]
pub(super) struct Proxy {
    pub address: SocketAddr,
    fault: watch::Sender<Fault>,
    writes: Arc<AtomicU64>,
    task: AbortHandle,
}

impl Proxy {
    pub(super) async fn start(server: String) -> Result<Self> {
        let (listener, address) = listen(None).await?;
        let fault = watch::Sender::new(Fault::None);
        let writes = Arc::<AtomicU64>::default();
        let (faults, counter) = (fault.subscribe(), Arc::clone(&writes));
        let task = tokio::spawn(async move {
            loop {
                // Without a free file handle now, there may be one soon.
                let Ok((client, _)) = listener.accept().await else { continue };
                let (server, fault, writes) =
                    (server.clone(), faults.clone(), Arc::clone(&counter));
                tokio::spawn(async move {
                    // Whatever goes wrong, both sides see a closed connection.
                    let _ = carry(client, &server, fault, writes).await;
                });
            }
        });
        Ok(Self { address, fault, writes, task: task.abort_handle() })
    }

    pub(super) fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }

    pub(super) fn writes(&self) -> u64 {
        self.writes.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(
    client: TcpStream,
    server: &str,
    mut fault: watch::Receiver<Fault>,
    writes: Arc<AtomicU64>,
) -> Result<()> {
    let now = *fault.borrow_and_update();
    if now == Fault::Refuse {
        return Ok(());
    }
    let server = TcpStream::connect(server).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let faults = fault.clone();
    tokio::select! {
        it = requests(from_client, to_server, faults.clone(), writes) => it,
        it = answers(from_server, to_client, faults) => it,
        // After some faults a connection has lost bytes and must not be used again.
        () = until_broken(fault, now) => Ok(()),
    }
}

/// Returns once the connection has to be closed.
async fn until_broken(mut fault: watch::Receiver<Fault>, mut now: Fault) {
    while fault.changed().await.is_ok() {
        let before = now;
        now = *fault.borrow_and_update();
        let has_lost_bytes = matches!(before, Fault::Mute | Fault::BlackHole) && before != now;
        if has_lost_bytes || now == Fault::Refuse {
            return;
        }
    }
}

async fn requests(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    fault: watch::Receiver<Fault>,
    writes: Arc<AtomicU64>,
) -> Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = from.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        writes.fetch_add(1, Ordering::Relaxed);
        if *fault.borrow() != Fault::BlackHole {
            to.write_all(&buffer[..count]).await?;
        }
    }
}

async fn answers(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    fault: watch::Receiver<Fault>,
) -> Result<()> {
    let (sender, mut due) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    let deliver = async move {
        while let Some((at, bytes)) = due.recv().await {
            // Timers are of whole milliseconds: waiting for no time at all would take one.
            if at > Instant::now() {
                sleep_until(at).await;
            }
            to.write_all(&bytes).await?;
        }
        anyhow::Ok(())
    };
    let collect = async move {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let count = from.read(&mut buffer).await?;
            if count == 0 {
                return anyhow::Ok(());
            }
            let delay = match *fault.borrow() {
                Fault::Delay(delay) => delay,
                Fault::Mute | Fault::BlackHole => continue,
                Fault::None | Fault::Refuse => Duration::ZERO,
            };
            // The other half ends only with this one.
            let _ = sender.send((Instant::now() + delay, buffer[..count].to_vec()));
        }
    };
    tokio::try_join!(deliver, collect).map(|_| ())
}
