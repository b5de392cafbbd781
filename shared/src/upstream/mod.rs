//! HTTP to the interfaces of others: bounded in time and size, to public addresses only, never
//! following redirects.
//!
//! An error says what kind of thing went wrong and nothing else: an address may hold a user's
//! parameter, and a body anything at all.

mod public;
mod resolver;
#[cfg(test)]
mod tests;

use std::{
    error::Error as StdError,
    sync::{Arc, OnceLock},
    time::Duration,
};

use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header::USER_AGENT};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client as Pool, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use url::{Host, Url};

use self::resolver::{LOCALHOST, NotPublic, PublicOnly};

/// Why there is no usable answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Connecting and answering took longer than allowed.
    #[error("no answer in time")]
    Timeout,
    /// No connection: name resolution, TCP or TLS.
    #[error("no connection")]
    Connect,
    /// The answer is longer than allowed.
    #[error("the answer is too large")]
    TooLarge,
    /// What came is not HTTP, or broke off.
    #[error("no usable HTTP exchange")]
    Protocol,
    /// The address is not one that may be asked: without TLS, or inside a private network.
    #[error("the address may not be asked")]
    Forbidden,
}

/// How much of the other side is put up with.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// For everything from the name's resolution to the last byte of the body.
    pub timeout: Duration,
    /// Longest body, in bytes.
    pub max_bytes: usize,
}

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status, whatever it is: redirects and errors too.
    pub status: StatusCode,
    /// The header fields.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

type Connector = HttpsConnector<HttpConnector<PublicOnly>>;

/// A pool of connections. Built on first use; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Client(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    pool: OnceLock<Pool<Connector, Full<Bytes>>>,
    resolver: PublicOnly,
}

impl Client {
    /// A client that has done nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// `GET url`.
    pub async fn get(&self, url: &Url, limits: Limits) -> Result<Response, Error> {
        self.send(Method::GET, url, HeaderMap::new(), Bytes::new(), limits).await
    }

    /// `POST url` with `body`; `headers` should name its type.
    pub async fn post(
        &self,
        url: &Url,
        headers: HeaderMap,
        body: impl Into<Bytes>,
        limits: Limits,
    ) -> Result<Response, Error> {
        self.send(Method::POST, url, headers, body.into(), limits).await
    }

    /// `GET url`, for the status and the header fields alone: of the body nothing is read.
    pub async fn get_head(
        &self,
        url: &Url,
        timeout: Duration,
    ) -> Result<(StatusCode, HeaderMap), Error> {
        let request = request(Method::GET, url, HeaderMap::new(), Bytes::new())?;
        let (head, _) = in_time(timeout, self.open(request)).await?.into_parts();
        Ok((head.status, head.headers))
    }

    /// `method url` with `body`.
    pub async fn send(
        &self,
        method: Method,
        url: &Url,
        headers: HeaderMap,
        body: Bytes,
        limits: Limits,
    ) -> Result<Response, Error> {
        let request = request(method, url, headers, body)?;
        in_time(limits.timeout, self.exchange(request, limits.max_bytes)).await
    }

    async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
        max_bytes: usize,
    ) -> Result<Response, Error> {
        let (head, body) = self.open(request).await?.into_parts();
        let body = Limited::new(body, max_bytes).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() { Error::TooLarge } else { Error::Protocol }
        })?;
        Ok(Response { status: head.status, headers: head.headers, body: body.to_bytes() })
    }

    async fn open(&self, request: Request<Full<Bytes>>) -> Result<http::Response<Incoming>, Error> {
        self.pool()?.request(request).await.map_err(|error| match () {
            () if is_not_public(&error) => Error::Forbidden,
            () if error.is_connect() => Error::Connect,
            () => Error::Protocol,
        })
    }

    fn pool(&self) -> Result<&Pool<Connector, Full<Bytes>>, Error> {
        if let Some(pool) = self.0.pool.get() {
            return Ok(pool);
        }
        let mut http = HttpConnector::new_with_resolver(self.0.resolver.clone());
        // It connects for both schemes; TLS is put around by the other one.
        http.enforce_http(false);
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(rustls::crypto::ring::default_provider())
            .map_err(|_| Error::Connect)?
            // Only loopback is asked without TLS: `may_be_asked`.
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        let pool = Pool::builder(TokioExecutor::new())
            // Lambda freezes between requests; a connection older than this is likely gone.
            .pool_idle_timeout(Duration::from_secs(20))
            .pool_timer(TokioTimer::new())
            .build(connector);
        // Two first requests may both build one; one of the pools is used by both.
        Ok(self.0.pool.get_or_init(|| pool))
    }
}

fn request(
    method: Method,
    url: &Url,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Request<Full<Bytes>>, Error> {
    if !may_be_asked(url) {
        return Err(Error::Forbidden);
    }
    let uri: Uri = url.as_str().parse().map_err(|_| Error::Protocol)?;
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    let agent = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));
    request.headers_mut().insert(USER_AGENT, HeaderValue::from_static(agent));
    Ok(request)
}

async fn in_time<T>(
    timeout: Duration,
    exchange: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    tokio::time::timeout(timeout, exchange).await.map_err(|_| Error::Timeout)?
}

/// Whether it was the resolver that refused.
fn is_not_public(error: &(dyn StdError + 'static)) -> bool {
    let mut causes = std::iter::successors(Some(error), |it| (*it).source());
    causes.any(|it| {
        // An `io::Error` passes over the error that it holds when asked for its source.
        let held = it.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        held.is_some_and(|it| it.is::<NotPublic>())
    })
}

/// TLS and a name for the world, whose addresses the resolver checks; plain HTTP for this machine
/// only, where the local stand-ins are.
fn may_be_asked(url: &Url) -> bool {
    match (url.scheme(), url.host()) {
        // Of an address written out the resolver never hears.
        ("https", Some(Host::Domain(name))) => name != LOCALHOST,
        ("http", Some(Host::Domain(name))) => name == LOCALHOST,
        ("http", Some(Host::Ipv4(address))) => address.is_loopback(),
        ("http", Some(Host::Ipv6(address))) => address.is_loopback(),
        _ => false,
    }
}
