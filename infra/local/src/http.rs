//! A small HTTP client for the tests and the command line: plain HTTP to this machine.

use std::time::Duration;

use anyhow::{Context, Result};
use axum::{
    body::Bytes,
    http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header::CONTENT_TYPE},
};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::{
    client::legacy::{Client as Hyper, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;
use tokio::time::timeout;

/// Longest wait for a whole answer: a function's own limit and then some. A jump of the clock over
/// a month, asked for by the command line, takes the longest.
const LIMIT: Duration = Duration::from_secs(15 * 60);
/// Largest answer read.
const MAX_BODY: usize = 64 * 1024 * 1024;

/// Sends requests to one server. Clones share connections.
#[derive(Clone, Debug)]
pub struct Client {
    base: String,
    hyper: Hyper<HttpConnector, Full<Bytes>>,
}

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// All headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// A request that is being put together. Mistakes show when it is sent.
#[derive(Debug)]
#[must_use = "a request does nothing until it is sent"]
pub struct Outgoing<'c> {
    client: &'c Client,
    method: Method,
    path: String,
    headers: Vec<(String, String)>,
    body: Bytes,
}

impl Client {
    /// A client of the server at `base`, for example `http://127.0.0.1:9000`.
    pub fn new(base: impl Into<String>) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(Duration::from_secs(2)));
        let hyper = Hyper::builder(TokioExecutor::new()).build(connector);
        Self { base: base.into().trim_end_matches('/').to_owned(), hyper }
    }

    /// The server's address.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Any request. `path` begins with a slash and may hold a query.
    pub fn request(&self, method: Method, path: impl Into<String>) -> Outgoing<'_> {
        Outgoing {
            client: self,
            method,
            path: path.into(),
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }

    /// A `GET`.
    pub fn get(&self, path: impl Into<String>) -> Outgoing<'_> {
        self.request(Method::GET, path)
    }

    /// A `POST` of JSON.
    pub fn post(&self, path: impl Into<String>, body: &Value) -> Outgoing<'_> {
        self.request(Method::POST, path).json(body)
    }

    /// A `DELETE`.
    pub fn delete(&self, path: impl Into<String>) -> Outgoing<'_> {
        self.request(Method::DELETE, path)
    }
}

impl Outgoing<'_> {
    /// Adds a header; one of the same name stays.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds the API key.
    pub fn key(self, key: &str) -> Self {
        self.header("x-api-key", key)
    }

    /// Sets the body and its type, in place of those set before.
    pub fn body(mut self, content_type: &str, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self.headers.retain(|it| it.0 != CONTENT_TYPE.as_str());
        self.header(CONTENT_TYPE.as_str(), content_type)
    }

    /// Sets a JSON body.
    pub fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string())
    }

    /// Sends it and reads the whole answer. Fails on what is no HTTP exchange at all; any status
    /// is an answer.
    pub async fn send(self) -> Result<Response> {
        let uri = format!("{}{}", self.client.base, self.path);
        let mut request = Request::new(Full::new(self.body));
        *request.uri_mut() = uri.parse().with_context(|| format!("{uri} is no address"))?;
        *request.method_mut() = self.method;
        for (name, value) in self.headers {
            let name = HeaderName::try_from(name)?;
            request.headers_mut().append(name, HeaderValue::try_from(value)?);
        }
        let exchange = async {
            let response = self.client.hyper.request(request).await?;
            let (parts, body) = response.into_parts();
            let body = Limited::new(body, MAX_BODY).collect().await;
            let body = body.map_err(|error| anyhow::anyhow!(error))?.to_bytes();
            anyhow::Ok(Response { status: parts.status, headers: parts.headers, body })
        };
        timeout(LIMIT, exchange).await?.with_context(|| format!("no answer from {uri}"))
    }
}

impl Response {
    /// A header's value, where it is there once and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; `null` where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}
