//! AWS JSON 1.0 as SQS speaks it: each error also says its name in the query protocol that came before,
//! which is the name that SDKs go by.

use axum::response::{IntoResponse, Response};
use http::{HeaderName, StatusCode, header::CONTENT_TYPE};
use serde::Deserialize;
use serde_json::{Value, json};

const JSON: &str = "application/x-amz-json-1.0";
const QUERY_ERROR: HeaderName = HeaderName::from_static("x-amzn-query-error");

/// An error of the service, by its documented code.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    /// Its shape's name.
    kind: &'static str,
    /// Its name in the query protocol.
    pub(super) code: &'static str,
    pub(super) message: String,
}

impl Refusal {
    pub(super) fn new(kind: &'static str, code: &'static str, message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, kind, code, message: message.into() }
    }

    pub(super) fn no_queue() -> Self {
        Self::new(
            "com.amazonaws.sqs#QueueDoesNotExist",
            "AWS.SimpleQueueService.NonExistentQueue",
            "The specified queue does not exist.",
        )
    }

    pub(super) fn invalid(reason: &str) -> Self {
        Self::new(
            "com.amazon.coral.service#InvalidParameterValueException",
            "InvalidParameterValue",
            format!("One or more parameters are invalid. Reason: {reason}"),
        )
    }

    pub(super) fn missing(parameter: &str) -> Self {
        Self::new(
            "com.amazon.coral.service#MissingRequiredParameterException",
            "MissingParameter",
            format!("The request must contain the parameter {parameter}."),
        )
    }

    pub(super) fn denied(message: String) -> Self {
        let kind = "com.amazon.coral.service#AccessDeniedException";
        Self { status: StatusCode::FORBIDDEN, ..Self::new(kind, "AccessDenied", message) }
    }

    pub(super) fn throttled() -> Self {
        Self::new("com.amazonaws.sqs#RequestThrottled", "RequestThrottled", "Request is throttled.")
    }

    pub(super) fn down() -> Self {
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            kind: "com.amazon.coral.service#InternalFailure",
            code: "InternalFailure",
            message: "We encountered an internal error. Please try again.".to_owned(),
        }
    }
}

/// The response to a call.
pub(super) fn respond(outcome: Result<Value, Refusal>) -> Response {
    let refusal = match outcome {
        Ok(answer) => return ([(CONTENT_TYPE, JSON)], answer.to_string()).into_response(),
        Err(refusal) => refusal,
    };
    let blame = if refusal.status.is_server_error() { "Receiver" } else { "Sender" };
    let headers =
        [(CONTENT_TYPE, JSON.to_owned()), (QUERY_ERROR, format!("{};{blame}", refusal.code))];
    let body = json!({ "__type": refusal.kind, "message": refusal.message });
    (refusal.status, headers, body.to_string()).into_response()
}

pub(super) fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Refusal> {
    // The parser's message names the missing member; it would also quote a value of the wrong type.
    serde_json::from_slice(body).map_err(|error| {
        let error = error.to_string();
        match error.strip_prefix("missing field `").and_then(|it| it.split_once('`')) {
            Some((member, _)) => Refusal::missing(member),
            None => Refusal::new(
                "com.amazon.coral.service#SerializationException",
                "SerializationException",
                "",
            ),
        }
    })
}
