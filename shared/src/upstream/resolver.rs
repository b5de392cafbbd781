//! Names to addresses, public ones only.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    task::{Context, Poll},
    vec,
};

use futures_util::{FutureExt, future::BoxFuture};
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use lambda_runtime::Service;

use super::public::is_public;

/// The one name that is this machine, where the local stand-ins are.
pub(super) const LOCALHOST: &str = "localhost";

/// The name leads to an address that may not be asked.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the name does not lead to public addresses alone")]
pub(super) struct NotPublic;

type LookUp = dyn Fn(Name) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> + Send + Sync;

/// Resolves a name, and refuses it unless every address is public.
///
/// The connector connects to exactly the addresses that are returned from here, and resolves nothing
/// again: a name that answers differently the next moment gains nothing. A kept connection stays
/// with the address that was checked when it was opened.
#[derive(Clone)]
pub(super) struct PublicOnly(Arc<LookUp>);

impl PublicOnly {
    /// With `look_up` in the place of the system's resolver.
    pub(super) fn new<F>(look_up: impl Fn(Name) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = io::Result<Vec<IpAddr>>> + Send + 'static,
    {
        Self(Arc::new(move |name| look_up(name).boxed()))
    }
}

impl Default for PublicOnly {
    fn default() -> Self {
        Self::new(|name| {
            let answer = GaiResolver::new().call(name);
            async { Ok(answer.await?.map(|it| it.ip()).collect()) }
        })
    }
}

impl fmt::Debug for PublicOnly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PublicOnly")
    }
}

impl Service<Name> for PublicOnly {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let here = name.as_str() == LOCALHOST;
        let answer = (self.0)(name);
        async move {
            let addresses = answer.await?;
            // One that is not public taints them all: no source mixes them, an attacker would.
            let fits = |it: &IpAddr| if here { it.is_loopback() } else { is_public(*it) };
            if !addresses.iter().all(fits) {
                return Err(io::Error::other(NotPublic));
            }
            // The connector puts the port of the request in.
            let addresses: Vec<_> = addresses.into_iter().map(|it| (it, 0).into()).collect();
            Ok(addresses.into_iter())
        }
        .boxed()
    }
}
