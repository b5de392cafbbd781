//! API Gateway's HTTP API in front of the functions.
//!
//! `route` finds the function, `event` makes the event of payload format 2.0 and `answer` makes an
//! HTTP response of what the function returned. Limits and refusals are those of API Gateway.

mod answer;
mod event;
mod front;
mod route;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Extension, Json, Router,
    body::{Body, Bytes, to_bytes},
    extract::{ConnectInfo, Request, State},
    http::{HeaderName, HeaderValue, StatusCode, header::HOST, request::Parts, uri::Authority},
    response::{IntoResponse, Response},
};
use serde_json::json;
use tokio::{net::TcpListener, task::AbortHandle, time::timeout};
use url::Url;

pub use self::route::Route;
use crate::{clock::Clock, runtime::Runtime};

/// Largest request body.
const MAX_BODY: usize = 10 * 1024 * 1024;
/// Most bytes of the request line and all header lines together.
const MAX_HEAD: usize = 10_240;
/// How long API Gateway waits for a function.
const INTEGRATION_LIMIT: Duration = Duration::from_secs(30);

/// What the gateway needs to answer.
#[derive(Clone, Debug)]
pub struct Gateway {
    /// Runs the functions.
    pub runtime: Runtime,
    /// Dates the events.
    pub clock: Clock,
    /// Every route of the template.
    pub routes: Arc<Vec<Route>>,
}

/// A refusal of the gateway itself.
#[derive(Clone, Copy, Debug)]
enum Refusal {
    Forbidden,
    NotFound,
    BodyTooLarge,
    HeadTooLarge,
    BadRequest,
    FunctionFailed,
    FunctionTooSlow,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, message) = match self {
            Self::BadRequest => (StatusCode::BAD_REQUEST, "Bad Request"),
            Self::Forbidden => (StatusCode::FORBIDDEN, "Forbidden"),
            Self::NotFound => (StatusCode::NOT_FOUND, "Not Found"),
            Self::BodyTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large"),
            Self::HeadTooLarge => {
                (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "Request Header Fields Too Large")
            }
            Self::FunctionFailed => (StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error"),
            Self::FunctionTooSlow => (StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable"),
        };
        (status, Json(json!({ "message": message }))).into_response()
    }
}

impl Gateway {
    /// Serves every path until aborted.
    pub(crate) fn serve(self, listener: TcpListener) -> AbortHandle {
        front::serve(listener, Router::new().fallback(handle).with_state(self))
    }

    async fn respond(
        &self,
        peer: SocketAddr,
        request: Request,
        request_id: &str,
        raw: Option<String>,
    ) -> Result<Response, Refusal> {
        let (parts, body) = request.into_parts();
        check_head(&parts)?;
        let body = read(body).await?;
        let path = event::decode(parts.uri.path());
        let (route, parameters) =
            route::find(&self.routes, &parts.method, parts.uri.path()).ok_or(Refusal::NotFound)?;
        let event = event::event(
            &parts,
            &body,
            peer,
            self.clock.now(),
            &event::Matched {
                route,
                parameters,
                request_id,
                path,
                query: raw.as_deref().or(parts.uri.query()).unwrap_or_default(),
            },
        );
        let event = Bytes::from(event.to_string());
        match timeout(INTEGRATION_LIMIT, self.runtime.invoke(&route.function, event)).await {
            Err(_) => Err(Refusal::FunctionTooSlow),
            // Lambda's own report is in the function's logs, not in the answer.
            Ok(Err(_)) => Err(Refusal::FunctionFailed),
            Ok(Ok(returned)) => answer::response(&returned).ok_or(Refusal::FunctionFailed),
        }
    }
}

async fn handle(
    State(gateway): State<Gateway>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Extension(raw): Extension<front::RawQuery>,
    request: Request,
) -> Response {
    let id = uuid::Uuid::new_v4().to_string();
    let mut response = gateway.respond(peer, request, &id, raw.take()).await.into_response();
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(HeaderName::from_static("apigw-requestid"), id);
    }
    response
}

fn check_head(parts: &Parts) -> Result<(), Refusal> {
    let line = parts.method.as_str().len() + parts.uri.to_string().len();
    let headers: usize =
        parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if line + headers > MAX_HEAD {
        return Err(Refusal::HeadTooLarge);
    }
    // On AWS, a request with another host name than the API's never arrives. Here any will do, as
    // long as it is one.
    let host = parts.headers.get(HOST).and_then(|it| it.to_str().ok()).unwrap_or_default();
    let is_host = host.parse::<Authority>().is_ok_and(|it| !it.as_str().contains('@'))
        && Url::parse(&format!("http://{host}/")).is_ok();
    if is_host { Ok(()) } else { Err(Refusal::Forbidden) }
}

async fn read(body: Body) -> Result<Bytes, Refusal> {
    // What is too long is read on for a while: a client that is still sending would see a broken
    // connection in place of the refusal.
    let body = to_bytes(body, 4 * MAX_BODY).await.map_err(|error| {
        use std::error::Error;
        let is_limit = error.source().is_some_and(|it| it.is::<http_body_util::LengthLimitError>());
        if is_limit { Refusal::BodyTooLarge } else { Refusal::BadRequest }
    })?;
    if body.len() > MAX_BODY { Err(Refusal::BodyTooLarge) } else { Ok(body) }
}
