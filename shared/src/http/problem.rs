//! Every error as RFC 9457 problem+json, in one place. The match is exhaustive on purpose: a new
//! error cannot forget its answer.

use std::time::Duration;

use lambda_http::http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Reply, headers};
use crate::{
    error::{AuthError, Error, InputError},
    gate::Denial,
    video::FetchError,
};

/// An error, as RFC 9457 lays it out.
#[derive(Debug, Serialize, ToSchema)]
pub struct Problem {
    /// Names the kind of problem; stable.
    #[serde(rename = "type")]
    #[schema(example = "https://iana.org/assignments/http-problem-types#quota-exceeded")]
    pub kind: String,
    /// The kind in words.
    #[schema(example = "Quota exceeded")]
    pub title: &'static str,
    /// HTTP status.
    #[schema(example = 429)]
    pub status: u16,
    /// What happened and what to do.
    #[schema(example = "the plan allows 10 requests in any minute")]
    pub detail: String,
    /// Quote this when you ask for help.
    #[schema(example = "JKJaXmPLvHcESHA=")]
    pub request_id: String,
    /// Which limits were passed: `minute`, `month`. Only with 429.
    #[serde(rename = "violated-policies", skip_serializing_if = "Vec::is_empty")]
    #[schema(example = json!(["minute"]))]
    pub violated_policies: Vec<&'static str>,
}

/// Kind, status and title of a problem. Kinds are relative references: they resolve against the
/// documentation's address.
struct Kind(&'static str, StatusCode, &'static str);

/// Registered with IANA by draft-ietf-httpapi-ratelimit-headers.
const QUOTA_EXCEEDED: &str = "https://iana.org/assignments/http-problem-types#quota-exceeded";

/// The answer to `error`.
pub fn problem(error: &Error, request_id: &str) -> Reply {
    let kind = kind(error);
    let detail = match error {
        Error::Unavailable { .. } => {
            "a part of the service does not answer; try again in a few seconds".to_owned()
        }
        Error::Internal(_) => {
            "something went wrong on our side; if it happens again, write to support with the \
             request id"
                .to_owned()
        }
        shown => shown.to_string(),
    };
    let mut violated_policies = Vec::new();
    if let Error::Denied(denial) = error {
        match denial {
            Denial::Rate { .. } => violated_policies.push("minute"),
            Denial::Quota { .. } => violated_policies.push("month"),
            Denial::TooMany { .. } | Denial::Inactive(_) => {}
        }
    }
    let body = Problem {
        kind: if kind.0.starts_with("https:") {
            kind.0.to_owned()
        } else {
            format!("/problems/{}", kind.0)
        },
        title: kind.2,
        status: kind.1.as_u16(),
        detail,
        request_id: request_id.to_owned(),
        violated_policies,
    };
    let json = serde_json::to_string(&body).unwrap_or_default();
    decorate(Reply::text(kind.1, "application/problem+json", json), error)
}

fn kind(error: &Error) -> Kind {
    use StatusCode as S;
    match error {
        Error::Input(InputError::MediaType) => {
            Kind("unsupported-media-type", S::UNSUPPORTED_MEDIA_TYPE, "Unsupported media type")
        }
        Error::Input(InputError::TooLarge(_)) => {
            Kind("body-too-large", S::PAYLOAD_TOO_LARGE, "Body too large")
        }
        Error::Input(InputError::Body(_)) => Kind("invalid-body", S::BAD_REQUEST, "Invalid body"),
        Error::Input(InputError::Field { .. }) => {
            Kind("invalid-value", S::BAD_REQUEST, "Invalid value")
        }
        Error::Input(InputError::UnderAge) => Kind("under-age", S::FORBIDDEN, "Under age"),
        Error::Input(InputError::IdempotencyKeyReused) => {
            Kind("idempotency-key-reused", S::UNPROCESSABLE_ENTITY, "Idempotency key reused")
        }
        Error::Auth(AuthError::Token | AuthError::ObjectionToken) => {
            Kind("invalid-token", S::UNAUTHORIZED, "Invalid token")
        }
        Error::Auth(AuthError::Missing | AuthError::Malformed | AuthError::Unknown) => {
            Kind("invalid-api-key", S::UNAUTHORIZED, "Invalid API key")
        }
        Error::Denied(Denial::Rate { .. } | Denial::Quota { .. }) => {
            Kind(QUOTA_EXCEEDED, S::TOO_MANY_REQUESTS, "Quota exceeded")
        }
        Error::Denied(Denial::TooMany { .. }) => {
            Kind("too-many-at-once", StatusCode::BAD_REQUEST, "Too many at once")
        }
        Error::Denied(Denial::Inactive(_)) => {
            Kind("account-inactive", S::FORBIDDEN, "Account inactive")
        }
        Error::NotFound(_) => Kind("not-found", S::NOT_FOUND, "Not found"),
        Error::Gone(_) => Kind("gone", S::GONE, "Gone"),
        Error::Conflict(_) => Kind("conflict", S::CONFLICT, "Conflict"),
        Error::TooManyMails => Kind("too-many-sign-ups", S::TOO_MANY_REQUESTS, "Too many mails"),
        Error::Video(FetchError::NotFound) => {
            Kind("video-not-found", S::NOT_FOUND, "Video not found")
        }
        Error::Video(FetchError::LinkLeadsNowhere) => {
            Kind("link-leads-nowhere", S::NOT_FOUND, "Link leads to no video")
        }
        Error::Video(FetchError::LinkFailed) => {
            Kind("source-failed", S::BAD_GATEWAY, "Source failed")
        }
        Error::Video(FetchError::Timeout) => {
            Kind("source-timeout", S::GATEWAY_TIMEOUT, "Source did not answer in time")
        }
        Error::Video(FetchError::RateLimited { .. }) => {
            Kind("source-busy", S::SERVICE_UNAVAILABLE, "Source is busy")
        }
        Error::Video(FetchError::Upstream { .. }) => {
            Kind("source-failed", S::BAD_GATEWAY, "Source failed")
        }
        Error::Video(FetchError::Exhausted { .. }) => {
            Kind("source-allowance-used", S::SERVICE_UNAVAILABLE, "Source's allowance is used up")
        }
        Error::Video(FetchError::NoCreator) => {
            Kind("creator-not-found", S::NOT_FOUND, "Creator not found")
        }
        Error::Video(FetchError::NeedsResearch) => {
            Kind("source-not-enabled", S::CONFLICT, "Source not enabled")
        }
        Error::Video(FetchError::CursorExpired) => {
            Kind("cursor-expired", S::GONE, "Cursor has expired")
        }
        Error::Video(FetchError::Objected) => {
            Kind("creator-objected", S::UNAVAILABLE_FOR_LEGAL_REASONS, "Creator objected")
        }
        Error::Restoring => Kind("restoring", S::SERVICE_UNAVAILABLE, "Restoring from a backup"),
        Error::Unavailable { .. } => {
            Kind("unavailable", S::SERVICE_UNAVAILABLE, "Service unavailable")
        }
        Error::Internal(_) => Kind("internal", S::INTERNAL_SERVER_ERROR, "Internal error"),
    }
}

/// Adds the fields that go with an error.
fn decorate(reply: Reply, error: &Error) -> Reply {
    match error {
        Error::Auth(AuthError::Missing | AuthError::Malformed | AuthError::Unknown) => {
            reply.with(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
        }
        Error::Denied(Denial::Rate { retry_after, limits, .. }) => {
            headers::retry_after(headers::rate_limit(reply, limits), *retry_after)
        }
        Error::Denied(Denial::Quota { limits, .. }) => {
            let wait = Duration::from_secs(limits.period.reset_seconds);
            headers::retry_after(headers::rate_limit(reply, limits), wait)
        }
        Error::Video(
            FetchError::RateLimited { retry_after } | FetchError::Exhausted { retry_after },
        ) => headers::retry_after(reply, *retry_after),
        Error::TooManyMails => headers::retry_after(reply, Duration::from_secs(3600)),
        Error::Restoring => headers::retry_after(reply, Duration::from_secs(300)),
        Error::Unavailable { .. } => headers::retry_after(reply, Duration::from_secs(2)),
        _ => reply,
    }
}
