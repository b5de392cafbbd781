//! HTTP to the interfaces of others: bounded in time and size, never following redirects.
//!
//! An error says what kind of thing went wrong and nothing else: an address may hold a user's
//! parameter, and a body anything at all.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header::USER_AGENT};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client as Pool, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use url::{Host, Url};

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
    /// What came is not HTTP, broke off, or the address is not one that may be asked.
    #[error("no usable HTTP exchange")]
    Protocol,
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

/// A pool of connections. Built on first use; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Client(Arc<OnceLock<Pool<HttpsConnector<HttpConnector>, Full<Bytes>>>>);

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

    async fn send(
        &self,
        method: Method,
        url: &Url,
        headers: HeaderMap,
        body: Bytes,
        limits: Limits,
    ) -> Result<Response, Error> {
        if !may_be_asked(url) {
            return Err(Error::Protocol);
        }
        let uri: Uri = url.as_str().parse().map_err(|_| Error::Protocol)?;
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        let agent = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));
        request.headers_mut().insert(USER_AGENT, HeaderValue::from_static(agent));
        tokio::time::timeout(limits.timeout, self.exchange(request, limits.max_bytes))
            .await
            .map_err(|_| Error::Timeout)?
    }

    async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
        max_bytes: usize,
    ) -> Result<Response, Error> {
        let answer =
            self.pool()?.request(request).await.map_err(|error| {
                if error.is_connect() { Error::Connect } else { Error::Protocol }
            })?;
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, max_bytes).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() { Error::TooLarge } else { Error::Protocol }
        })?;
        Ok(Response { status: head.status, headers: head.headers, body: body.to_bytes() })
    }

    fn pool(&self) -> Result<&Pool<HttpsConnector<HttpConnector>, Full<Bytes>>, Error> {
        if let Some(pool) = self.0.get() {
            return Ok(pool);
        }
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(rustls::crypto::ring::default_provider())
            .map_err(|_| Error::Connect)?
            // Only loopback is asked without TLS: `may_be_asked`.
            .https_or_http()
            .enable_http1()
            .build();
        let pool = Pool::builder(TokioExecutor::new())
            // Lambda freezes between requests; a connection older than this is likely gone.
            .pool_idle_timeout(Duration::from_secs(20))
            .pool_timer(TokioTimer::new())
            .build(connector);
        // Two first requests may both build one; one of the pools is used by both.
        Ok(self.0.get_or_init(|| pool))
    }
}

/// TLS for the world; plain HTTP for this machine only, where the local stand-ins are.
fn may_be_asked(url: &Url) -> bool {
    match url.scheme() {
        "https" => true,
        "http" => match url.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    const LIMITS: Limits = Limits { timeout: Duration::from_millis(300), max_bytes: 16 };

    /// A server that answers each connection with `answer`, or, without one, never.
    async fn server(answer: Option<&'static str>) -> Url {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                tokio::spawn(async move {
                    let mut request = [0; 1024];
                    let _ = stream.read(&mut request).await;
                    match answer {
                        Some(answer) => stream.write_all(answer.as_bytes()).await.unwrap(),
                        None => tokio::time::sleep(Duration::from_secs(60)).await,
                    }
                });
            }
        });
        url
    }

    #[tokio::test]
    async fn answers_come_whole_and_redirects_are_not_followed() {
        let url = server(Some(
            "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:9/\r\ncontent-length: 2\r\n\r\nhi",
        ))
        .await;
        let answer = Client::new().get(&url, LIMITS).await.unwrap();
        assert_eq!((answer.status.as_u16(), &answer.body[..]), (302, &b"hi"[..]));
    }

    #[tokio::test]
    async fn each_failure_has_its_kind() {
        let client = Client::new();
        let long = "HTTP/1.1 200 OK\r\ncontent-length: 17\r\n\r\n12345678901234567";
        let endless = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n1234";
        for (url, error) in [
            (server(None).await, Error::Timeout),
            (server(Some(endless)).await, Error::Protocol),
            (server(Some(long)).await, Error::TooLarge),
            (server(Some("SSH-2.0-OpenSSH\r\n")).await, Error::Protocol),
            ("http://127.0.0.1:1/".parse().unwrap(), Error::Connect),
        ] {
            assert_eq!(client.get(&url, LIMITS).await.unwrap_err(), error, "{url}");
        }
    }

    #[tokio::test]
    async fn only_tls_leaves_this_machine() {
        for url in
            ["http://example.com/", "http://169.254.169.254/", "ftp://127.0.0.1/", "file:///"]
        {
            let url: Url = url.parse().unwrap();
            assert!(!may_be_asked(&url), "{url}");
            assert_eq!(Client::new().get(&url, LIMITS).await.unwrap_err(), Error::Protocol);
        }
        assert!(may_be_asked(&"https://example.com/".parse().unwrap()));
        assert!(may_be_asked(&"http://[::1]:8080/".parse().unwrap()));
    }
}
