//! Serving a router on a port of its own.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use axum::{Router, extract::connect_info::IntoMakeServiceWithConnectInfo, serve::ListenerExt};
use tokio::{net::TcpListener, task::AbortHandle};

/// Listens on the loopback interface, on `port` or else a free one.
pub(crate) async fn listen(port: Option<u16>) -> Result<(TcpListener, SocketAddr)> {
    let wanted = SocketAddr::from(([127, 0, 0, 1], port.unwrap_or(0)));
    let listener = TcpListener::bind(wanted)
        .await
        .with_context(|| format!("{wanted} cannot be listened on; is it in use?"))?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// Serves `router` until aborted.
pub(crate) fn serve(listener: TcpListener, router: Router) -> AbortHandle {
    // Failing to switch delays off makes things slow, not wrong.
    let listener = listener.tap_io(|stream| _ = stream.set_nodelay(true));
    let service: IntoMakeServiceWithConnectInfo<Router, SocketAddr> =
        router.into_make_service_with_connect_info();
    let task = tokio::spawn(async move {
        // Never returns.
        let _ = axum::serve(listener, service).await;
    });
    task.abort_handle()
}
