//! The HTTP front that every call goes through.

use std::sync::{Arc, PoisonError};

use anyhow::{Context, Result};
use axum::{
    body::Bytes,
    http::{
        HeaderMap, Request, Response, StatusCode,
        header::{CONTENT_LENGTH, CONTENT_TYPE, HOST},
    },
};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
};
use serde_json::{Value, json};
use tokio::{net::TcpStream, task::AbortHandle, time::sleep};

use super::{Fault, Shared, calls};
use crate::{
    access::{Access, FUNCTION_KEY_PREFIX, access_key},
    serve::listen,
};

/// DynamoDB's own limit.
const MAX_REQUEST: usize = 16 * 1024 * 1024;

#[derive(Clone, Debug)]
pub(super) struct Front {
    upstream: String,
    access: Access,
    shared: Arc<Shared>,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// What a request of a function meets.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Normal,
    Refused(&'static str, StatusCode),
    /// No answer, and nothing done.
    Dropped,
    /// No answer, but done.
    Lost,
}

impl Front {
    pub(super) fn new(upstream: String, access: Access, shared: Arc<Shared>) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Self { upstream, access, shared, client }
    }

    /// Serves on a free port; its address.
    pub(super) async fn listen(self) -> Result<(String, AbortHandle)> {
        let (listener, address) = listen(None).await?;
        let task = tokio::spawn(async move {
            loop {
                // Without a free file handle now, there may be one soon.
                let Ok((stream, _)) = listener.accept().await else { continue };
                tokio::spawn(self.clone().serve(stream));
            }
        });
        Ok((format!("http://{address}"), task.abort_handle()))
    }

    /// Serves one connection. Not through axum: an error must be able to end the connection
    /// without an answer.
    async fn serve(self, stream: TcpStream) {
        // Failing to switch delays off makes things slow, not wrong.
        let _ = stream.set_nodelay(true);
        let service = service_fn(|request| self.answer(request));
        // An error is a connection that broke, or that we broke.
        let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>> {
        let (parts, body) = request.into_parts();
        let body = Limited::new(body, MAX_REQUEST).collect().await;
        let body = body.map_err(|error| anyhow::anyhow!(error))?.to_bytes();
        let target = parts.headers.get("x-amz-target").and_then(|it| it.to_str().ok());
        let operation = target.and_then(|it| it.split_once('.')).map_or("", |it| it.1).to_owned();
        let Ok(mut json) = serde_json::from_slice::<Value>(&body) else {
            return self.forward(parts.headers, body).await;
        };
        for (action, resource) in calls::calls(&operation, &json) {
            if let Err(denied) = self.access.check(&parts.headers, &action, &resource) {
                let status = StatusCode::BAD_REQUEST;
                return Ok(error(
                    status,
                    "com.amazon.coral.service#AccessDeniedException",
                    &denied.0,
                ));
            }
        }
        let caller = access_key(&parts.headers).unwrap_or_default().to_owned();
        let fate = match caller.starts_with(FUNCTION_KEY_PREFIX) {
            true => self.fate().await,
            false => Fate::Normal,
        };
        match fate {
            Fate::Normal | Fate::Lost => {}
            Fate::Refused(kind, status) => {
                return Ok(error(status, kind, "as the local cloud was told"));
            }
            Fate::Dropped => anyhow::bail!("dropped, as the local cloud was told"),
        }
        // Asked for always, so that costs are known; an SDK that did not ask does not look.
        if counts_capacity(&operation) && json.is_object() {
            json["ReturnConsumedCapacity"] = "TOTAL".into();
        }
        let answer = self.forward(parts.headers, json.to_string().into()).await?;
        self.count(caller, operation, answer.body()).await;
        if fate == Fate::Lost {
            anyhow::bail!("lost, as the local cloud was told");
        }
        Ok(answer)
    }

    async fn fate(&self) -> Fate {
        let fault = {
            let mut fault = self.shared.fault.lock().unwrap_or_else(PoisonError::into_inner);
            let now = *fault;
            *fault = match now {
                Fault::FailNext(0 | 1) | Fault::LoseNext(0 | 1) => Fault::None,
                Fault::FailNext(more) => Fault::FailNext(more - 1),
                Fault::LoseNext(more) => Fault::LoseNext(more - 1),
                other => other,
            };
            now
        };
        match fault {
            Fault::None | Fault::FailNext(0) | Fault::LoseNext(0) => Fate::Normal,
            Fault::Slow(by) => {
                sleep(by).await;
                Fate::Normal
            }
            Fault::Down => Fate::Dropped,
            Fault::LoseNext(_) => Fate::Lost,
            Fault::FailNext(_) => Fate::Refused(
                "com.amazonaws.dynamodb.v20120810#InternalServerError",
                StatusCode::INTERNAL_SERVER_ERROR,
            ),
            Fault::Throttle => Fate::Refused(
                "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException",
                StatusCode::BAD_REQUEST,
            ),
        }
    }

    async fn forward(&self, mut headers: HeaderMap, body: Bytes) -> Result<Response<Full<Bytes>>> {
        headers.remove(HOST);
        headers.remove(CONTENT_LENGTH);
        let mut request = Request::post(format!("{}/", self.upstream)).body(Full::new(body))?;
        *request.headers_mut() = headers;
        let answer = self.client.request(request).await.context("DynamoDB does not answer")?;
        let (mut parts, body) = answer.into_parts();
        let body = body.collect().await?.to_bytes();
        // The connection's own.
        parts.headers.remove("transfer-encoding");
        parts.headers.remove("connection");
        Ok(Response::from_parts(parts, Full::new(body)))
    }

    async fn count(&self, caller: String, operation: String, body: &Full<Bytes>) {
        // A `Full` body is there already.
        let Ok(body) = body.clone().collect().await;
        let answer: Value = serde_json::from_slice(&body.to_bytes()).unwrap_or_default();
        let units = calls::units(&answer);
        let caller = caller.strip_prefix(FUNCTION_KEY_PREFIX).map_or(caller.clone(), str::to_owned);
        let mut counts = self.shared.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry((caller, operation)).or_default();
        count.requests += 1;
        count.units += units;
    }
}

fn counts_capacity(operation: &str) -> bool {
    operation.contains("Item") || matches!(operation, "Query" | "Scan")
}

fn error(status: StatusCode, kind: &str, message: &str) -> Response<Full<Bytes>> {
    let body = json!({ "__type": kind, "message": message, "Message": message });
    let mut response = Response::new(Full::new(body.to_string().into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers
        .insert(CONTENT_TYPE, axum::http::HeaderValue::from_static("application/x-amz-json-1.0"));
    response
}
