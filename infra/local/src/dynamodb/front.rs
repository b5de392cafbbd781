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
use serde_json::{Map, Value, json};
use tokio::{net::TcpStream, task::AbortHandle, time::sleep};

use super::{
    Fault, HARNESS, Shared, Trouble, calls,
    in_flight::{Busy, Hold, ItemKey},
    trouble::Shape,
};
use crate::{
    access::{Access, FUNCTION_KEY_PREFIX, OPERATOR_KEY, access_key},
    serve::listen,
};

/// DynamoDB's own limit.
const MAX_REQUEST: usize = 16 * 1024 * 1024;

const THROTTLED: &str = "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException";

/// What DynamoDB says of an item that a transaction is working on.
const IN_USE: &str = "Transaction is ongoing for the item";

#[derive(Clone, Debug)]
pub(super) struct Front {
    upstream: String,
    access: Access,
    pub(super) shared: Arc<Shared>,
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
        if let Some(answered) = self.backups(&operation, &json).await? {
            return Ok(answered);
        }
        let caller = access_key(&parts.headers).unwrap_or_default().to_owned();
        let fate = match caller != OPERATOR_KEY {
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
        let met = match caller != OPERATOR_KEY {
            true => self.shared.meet(&operation, &json),
            false => None,
        };
        if let Some((trouble, table)) = &met
            && let Some(refusal) = refused(*trouble, table, &operation, &json)
        {
            return Ok(refusal);
        }
        let is_half = met.as_ref().is_some_and(|it| it.0 == Trouble::Half);
        // What a test looks up or plants itself is never in the way of anything.
        let holds = match parts.headers.contains_key(HARNESS) {
            true => Ok((Vec::new(), Map::new())),
            false => self.begin(&operation, &mut json, is_half).await,
        };
        let (holds, withheld) = match holds {
            Ok(begun) => begun,
            Err(refusal) => return Ok(*refusal),
        };
        // Asked for always, so that costs are known; an SDK that did not ask does not look.
        if counts_capacity(&operation) && json.is_object() {
            json["ReturnConsumedCapacity"] = "TOTAL".into();
        }
        let mut answer = self.forward(parts.headers, json.to_string().into()).await?;
        drop(holds);
        self.count(caller, &operation, answer.body()).await;
        if !withheld.is_empty() {
            answer = unprocessed(&operation, answer, withheld).await?;
        }
        match met {
            Some((Trouble::Lose, _)) => anyhow::bail!("lost, as the local cloud was told"),
            Some((Trouble::Late(by), _)) => sleep(by).await,
            _ => {}
        }
        if fate == Fate::Lost {
            anyhow::bail!("lost, as the local cloud was told");
        }
        Ok(answer)
    }

    /// Takes the items that a call works on; what a batch must leave, and the refusal where a transaction is
    /// in the way.
    async fn begin(
        &self,
        operation: &str,
        json: &mut Value,
        is_half: bool,
    ) -> Result<(Vec<Hold>, Map<String, Value>), Box<Response<Full<Bytes>>>> {
        let in_flight = &self.shared.in_flight;
        let key = |(table, attributes): (&str, Option<&Map<String, Value>>)| -> Option<ItemKey> {
            in_flight.key(table, attributes?)
        };
        match Shape::of(operation) {
            Shape::Read => Ok((Vec::new(), Map::new())),
            Shape::Write => {
                let keys = calls::parts(operation, json).into_iter().filter_map(key);
                let holds: Option<Vec<_>> = keys.map(|it| in_flight.write(&it)).collect();
                holds.map(|it| (it, Map::new())).ok_or_else(|| {
                    self.shared.note_conflict();
                    Box::new(conflict())
                })
            }
            Shape::Transaction => {
                let keys: Vec<_> = calls::parts(operation, json).into_iter().map(key).collect();
                let token = json.get("ClientRequestToken").and_then(Value::as_str);
                match in_flight.transaction(&keys, token) {
                    Ok(hold) => {
                        let time = self.shared.transaction_time();
                        if !time.is_zero() {
                            sleep(time).await;
                        }
                        Ok((vec![hold], Map::new()))
                    }
                    Err(Busy::Items(busy)) => {
                        self.shared.note_conflict();
                        Err(Box::new(cancelled(&busy, "TransactionConflict", IN_USE)))
                    }
                    Err(Busy::Token) => Err(Box::new(error(
                        StatusCode::BAD_REQUEST,
                        "com.amazonaws.dynamodb.v20120810#TransactionInProgressException",
                        "The transaction with the given request token is already in progress.",
                    ))),
                }
            }
            Shape::Batch => {
                let mut holds = Vec::new();
                let withheld = calls::withhold(operation, json, |table, (at, of), attributes| {
                    if is_half && at >= of.div_ceil(2) {
                        return true;
                    }
                    // Each item by itself: one in use is not processed.
                    match key((table, attributes)).filter(|_| operation == "BatchWriteItem") {
                        Some(key) => in_flight.write(&key).map(|it| holds.push(it)).is_none(),
                        None => false,
                    }
                });
                withheld.map(|it| (holds, it)).ok_or_else(|| Box::new(throttled()))
            }
        }
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
            Fault::Throttle => Fate::Refused(THROTTLED, StatusCode::BAD_REQUEST),
        }
    }

    pub(super) async fn forward(
        &self,
        mut headers: HeaderMap,
        body: Bytes,
    ) -> Result<Response<Full<Bytes>>> {
        headers.remove(HOST);
        headers.remove(CONTENT_LENGTH);
        let mut request = Request::post(format!("{}/", self.upstream)).body(Full::new(body))?;
        *request.headers_mut() = headers;
        let answered = self.client.request(request).await.context("DynamoDB does not answer")?;
        let (mut parts, body) = answered.into_parts();
        let body = body.collect().await?.to_bytes();
        // The connection's own.
        parts.headers.remove("transfer-encoding");
        parts.headers.remove("connection");
        Ok(Response::from_parts(parts, Full::new(body)))
    }

    async fn count(&self, caller: String, operation: &str, body: &Full<Bytes>) {
        // A `Full` body is there already.
        let Ok(body) = body.clone().collect().await;
        let answer: Value = serde_json::from_slice(&body.to_bytes()).unwrap_or_default();
        let units = calls::units(&answer);
        let caller = caller.strip_prefix(FUNCTION_KEY_PREFIX).map_or(caller.clone(), str::to_owned);
        let mut counts = self.shared.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry((caller, operation.to_owned())).or_default();
        count.requests += 1;
        count.units += units;
    }
}

/// The answer to a call that is not done because of `trouble` with `table`, if it is not.
fn refused(
    trouble: Trouble,
    table: &str,
    operation: &str,
    json: &Value,
) -> Option<Response<Full<Bytes>>> {
    let shape = Shape::of(operation);
    let at = || -> Vec<bool> {
        calls::parts(operation, json).into_iter().map(|it| it.0 == table).collect()
    };
    match (trouble, shape) {
        (Trouble::Conflict, Shape::Transaction) => {
            Some(cancelled(&at(), "TransactionConflict", IN_USE))
        }
        (Trouble::Conflict, _) => Some(conflict()),
        (Trouble::Throttle, Shape::Transaction) => {
            Some(cancelled(&at(), "ThrottlingError", "Throughput exceeds the current capacity"))
        }
        (Trouble::Throttle, _) => Some(throttled()),
        (Trouble::Fail, _) => Some(error(
            StatusCode::INTERNAL_SERVER_ERROR,
            "com.amazonaws.dynamodb.v20120810#InternalServerError",
            "as the local cloud was told",
        )),
        (Trouble::Lose | Trouble::Late(_) | Trouble::Half, _) => None,
    }
}

fn throttled() -> Response<Full<Bytes>> {
    error(StatusCode::BAD_REQUEST, THROTTLED, "The level of configured throughput was exceeded")
}

fn conflict() -> Response<Full<Bytes>> {
    let kind = "com.amazonaws.dynamodb.v20120810#TransactionConflictException";
    error(StatusCode::BAD_REQUEST, kind, IN_USE)
}

/// A transaction cancelled for the parts that `at` says; what is said of the others is `None`.
fn cancelled(at: &[bool], code: &str, message: &str) -> Response<Full<Bytes>> {
    let codes: Vec<_> = at.iter().map(|it| if *it { code } else { "None" }).collect();
    let reason = |it: &bool| match it {
        true => json!({ "Code": code, "Message": message }),
        false => json!({ "Code": "None" }),
    };
    let text = format!(
        "Transaction cancelled, please refer cancellation reasons for specific reasons [{}]",
        codes.join(", ")
    );
    let kind = "com.amazonaws.dynamodb.v20120810#TransactionCanceledException";
    let mut body = problem(kind, &text);
    body["CancellationReasons"] = at.iter().map(reason).collect();
    answer(StatusCode::BAD_REQUEST, &body)
}

/// `whole`, the answer to the rest of a batch, with what was withheld of it.
async fn unprocessed(
    operation: &str,
    whole: Response<Full<Bytes>>,
    withheld: Map<String, Value>,
) -> Result<Response<Full<Bytes>>> {
    let (status, body) = (whole.status(), whole.into_body().collect().await?.to_bytes());
    let mut body: Value = serde_json::from_slice(&body)?;
    let name = match operation {
        "BatchGetItem" => "UnprocessedKeys",
        _ => "UnprocessedItems",
    };
    body[name] = withheld.into();
    Ok(answer(status, &body))
}

fn counts_capacity(operation: &str) -> bool {
    operation.contains("Item") || matches!(operation, "Query" | "Scan")
}

pub(super) fn error(status: StatusCode, kind: &str, message: &str) -> Response<Full<Bytes>> {
    answer(status, &problem(kind, message))
}

fn problem(kind: &str, message: &str) -> Value {
    json!({ "__type": kind, "message": message, "Message": message })
}

pub(super) fn answer(status: StatusCode, body: &Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.to_string().into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers
        .insert(CONTENT_TYPE, axum::http::HeaderValue::from_static("application/x-amz-json-1.0"));
    response
}
