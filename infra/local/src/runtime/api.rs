//! The HTTP interface between Lambda and a function: Runtime API 2018-06-01 and Extensions API
//! 2020-01-01. Each environment has a path of its own, so one listener serves them all.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::{Body, Bytes, to_bytes},
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::json;

use super::{InvokeError, MAX_PAYLOAD, Registry, environment::Environment};
use crate::standins::{ACCOUNT, REGION};

const EXTENSION_ID: &str = "lambda-extension-identifier";

pub(super) fn router(registry: Registry) -> Router {
    Router::new()
        .route("/{env}/2018-06-01/runtime/invocation/next", get(next))
        .route("/{env}/2018-06-01/runtime/invocation/{request}/response", post(response))
        .route("/{env}/2018-06-01/runtime/invocation/{request}/error", post(error))
        .route("/{env}/2018-06-01/runtime/init/error", post(ending_error))
        .route("/{env}/2020-01-01/extension/register", post(register))
        .route("/{env}/2020-01-01/extension/event/next", get(next_of_extension))
        .route("/{env}/2020-01-01/extension/init/error", post(ending_error))
        .route("/{env}/2020-01-01/extension/exit/error", post(ending_error))
        .with_state(registry)
}

/// An error in the form both interfaces use.
struct Refusal(StatusCode, &'static str, &'static str);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = json!({ "errorType": self.1, "errorMessage": self.2 });
        (self.0, Json(body)).into_response()
    }
}

const UNKNOWN: Refusal = Refusal(StatusCode::NOT_FOUND, "NotFound", "no such environment");
/// The environment is being ended; the process will notice soon.
const ENDING: Refusal = Refusal(StatusCode::GONE, "Gone", "the environment is being ended");
const ACCEPTED: (StatusCode, &str) = (StatusCode::ACCEPTED, r#"{"status":"OK"}"#);

fn find(registry: &Registry, id: &str) -> Result<Arc<Environment>, Refusal> {
    registry.get(id).ok_or(UNKNOWN)
}

/// ARN of the function that the event is for. Its name is the only part that functions look at.
fn arn(name: &str) -> String {
    format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}")
}

async fn next(
    State(registry): State<Registry>,
    Path(env): Path<String>,
) -> Result<Response, Refusal> {
    let event = find(&registry, &env)?.poll().await.map_err(|_| ENDING)?;
    let headers = [
        ("content-type", "application/json".to_owned()),
        ("lambda-runtime-aws-request-id", event.request_id),
        ("lambda-runtime-deadline-ms", event.deadline_ms.to_string()),
        ("lambda-runtime-invoked-function-arn", arn("local")),
        ("lambda-runtime-trace-id", event.trace_id),
    ];
    Ok((headers, event.payload).into_response())
}

async fn response(
    State(registry): State<Registry>,
    Path((env, request)): Path<(String, String)>,
    body: Body,
) -> Result<impl IntoResponse, Refusal> {
    let environment = find(&registry, &env)?;
    let answer = to_bytes(body, MAX_PAYLOAD).await.map_err(|_| {
        let message = format!("Response payload size exceeded maximum of {MAX_PAYLOAD} bytes");
        InvokeError::new("Function.ResponseSizeTooLarge", message)
    });
    registry.note_answer();
    let is_too_large = answer.is_err();
    if !environment.answer(&request, answer) {
        return Err(Refusal(StatusCode::BAD_REQUEST, "InvalidRequestID", "Invalid request ID"));
    }
    if is_too_large {
        let status = StatusCode::PAYLOAD_TOO_LARGE;
        return Err(Refusal(status, "RequestEntityTooLarge", "the answer is too large"));
    }
    Ok(ACCEPTED)
}

async fn error(
    State(registry): State<Registry>,
    Path((env, request)): Path<(String, String)>,
    body: Bytes,
) -> Result<impl IntoResponse, Refusal> {
    let report = InvokeError::from_report(&body);
    if !find(&registry, &env)?.answer(&request, Err(report)) {
        return Err(Refusal(StatusCode::BAD_REQUEST, "InvalidRequestID", "Invalid request ID"));
    }
    Ok(ACCEPTED)
}

/// After an error in initialisation, or of an extension, the environment is of no use.
async fn ending_error(
    State(registry): State<Registry>,
    Path(env): Path<String>,
    body: Bytes,
) -> Result<impl IntoResponse, Refusal> {
    find(&registry, &env)?.stop(InvokeError::from_report(&body));
    Ok(ACCEPTED)
}

#[derive(Deserialize)]
struct Registration {
    #[serde(default)]
    events: Vec<String>,
}

async fn register(
    State(registry): State<Registry>,
    Path(env): Path<String>,
    Json(registration): Json<Registration>,
) -> Result<Response, Refusal> {
    let environment = find(&registry, &env)?;
    // Extensions inside the function's own process are the only ones here.
    if registration.events.iter().any(|it| it == "SHUTDOWN") {
        return Err(Refusal(
            StatusCode::FORBIDDEN,
            "ShutdownEventNotSupportedForInternalExtension",
            "internal extensions cannot register for SHUTDOWN",
        ));
    }
    if let Some(_unknown) = registration.events.iter().find(|it| *it != "INVOKE") {
        return Err(Refusal(StatusCode::BAD_REQUEST, "InvalidEventType", "unknown event type"));
    }
    let id = environment.register(!registration.events.is_empty()).ok_or(Refusal(
        StatusCode::FORBIDDEN,
        "Extension.RegistrationClosed",
        "extensions register before the runtime asks for its first event",
    ))?;
    let body = json!({
        "functionName": "local",
        "functionVersion": "$LATEST",
        "handler": "bootstrap",
        "accountId": ACCOUNT,
    });
    Ok(([(EXTENSION_ID, id)], Json(body)).into_response())
}

async fn next_of_extension(
    State(registry): State<Registry>,
    Path(env): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    const UNREGISTERED: Refusal =
        Refusal(StatusCode::FORBIDDEN, "Extension.UnknownExtensionIdentifier", "register first");
    let id = headers.get(EXTENSION_ID).and_then(|it| it.to_str().ok()).ok_or(UNREGISTERED)?;
    let waiting = find(&registry, &env)?.poll_extension(id).ok_or(UNREGISTERED)?;
    let event = waiting.await.map_err(|_| ENDING)?;
    let body = json!({
        "eventType": "INVOKE",
        "deadlineMs": u64::try_from(event.deadline_ms).unwrap_or(u64::MAX),
        "requestId": event.request_id,
        "invokedFunctionArn": arn("local"),
        "tracing": { "type": "X-Amzn-Trace-Id", "value": event.trace_id },
    });
    let event_id = ("lambda-extension-event-identifier", uuid::Uuid::new_v4().to_string());
    Ok(([event_id], Json(body)).into_response())
}
