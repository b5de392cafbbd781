//! The AWS query protocol: forms in, XML out.

use std::collections::HashMap;

use axum::response::{IntoResponse, Response};
use http::{StatusCode, header::CONTENT_TYPE};
use maud::{Markup, PreEscaped, html};
use url::form_urlencoded;

const NAMESPACE: &str = "http://ses.amazonaws.com/doc/2010-12-01/";

/// Nothing looks requests up by it.
const REQUEST_ID: &str = "00000000-0000-4000-8000-000000000000";

/// The members of a request.
#[derive(Debug)]
pub(super) struct Form(HashMap<String, String>);

impl Form {
    pub(super) fn parse(body: &[u8]) -> Self {
        Self(form_urlencoded::parse(body).into_owned().collect())
    }

    /// The value of a member; an empty one counts as absent.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    pub(super) fn required(&self, name: &str) -> Result<&str, Refusal> {
        self.get(name).ok_or_else(|| Refusal::missing(name))
    }

    /// The values of a list, which counts its members from 1.
    pub(super) fn list(&self, name: &str) -> Vec<String> {
        (1..).map_while(|at| self.0.get(&format!("{name}.member.{at}")).cloned()).collect()
    }
}

/// An error of the service, by its documented code.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    blame: &'static str,
    code: &'static str,
    message: String,
}

impl Refusal {
    /// The caller's fault.
    pub(super) fn sender(code: &'static str, message: &str) -> Self {
        let message = message.to_owned();
        Self { status: StatusCode::BAD_REQUEST, blame: "Sender", code, message }
    }

    pub(super) fn missing(member: &str) -> Self {
        let message = format!(
            "1 validation error detected: Value null at '{member}' failed to satisfy constraint: \
             Member must not be null"
        );
        Self::sender("ValidationError", &message)
    }

    pub(super) fn denied(message: &str) -> Self {
        Self { status: StatusCode::FORBIDDEN, ..Self::sender("AccessDenied", message) }
    }

    pub(super) fn unavailable() -> Self {
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            blame: "Receiver",
            code: "ServiceUnavailable",
            message: "The service is unavailable. Please try again later.".to_owned(),
        }
    }

    pub(super) fn answer(&self) -> Response {
        let body = html! {
            ErrorResponse xmlns=(NAMESPACE) {
                Error {
                    Type { (self.blame) }
                    Code { (self.code) }
                    Message { (self.message) }
                }
                RequestId { (REQUEST_ID) }
            }
        };
        xml(self.status, body)
    }
}

/// The answer to `action`, whose members are `result`.
pub(super) fn answer(action: &str, result: &Markup) -> Response {
    // maud knows no element whose name is computed; `action` is one that this service offers.
    let (response, content) = (format!("{action}Response"), format!("{action}Result"));
    let metadata = html! { ResponseMetadata { RequestId { (REQUEST_ID) } } };
    let body = format!(
        "<{response} xmlns=\"{NAMESPACE}\"><{content}>{}</{content}>{}</{response}>",
        result.0, metadata.0
    );
    xml(StatusCode::OK, PreEscaped(body))
}

fn xml(status: StatusCode, body: Markup) -> Response {
    (status, [(CONTENT_TYPE, "text/xml")], body.into_string()).into_response()
}
