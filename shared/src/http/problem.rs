//! Every error as RFC 9457 problem+json, in one place. The match is exhaustive on purpose: a new
//! error cannot forget its answer.

use std::time::Duration;

use lambda_http::http::{HeaderValue, header};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Reply, headers,
    problem_kinds::{self as kinds, Kind},
};
use crate::{
    billing::BillingError,
    error::{AuthError, Error, InputError},
    gate::Denial,
    video::FetchError,
};

/// Where the service is, and where its users write to for help.
#[derive(Clone, Copy, Debug)]
pub struct Site<'a> {
    /// Base URL of the API without a final slash.
    pub url: &'a str,
    /// The address for support.
    pub support: &'a str,
}

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
    /// Which limits were passed: `minute`, `month`, `account`, `payment`. Only with 429.
    #[serde(rename = "violated-policies", skip_serializing_if = "Vec::is_empty")]
    #[schema(example = json!(["minute"]))]
    pub violated_policies: Vec<&'static str>,
}

/// The answer to `error`, of the service at `site`.
pub fn problem(error: &Error, site: Site<'_>, request_id: &str) -> Reply {
    let problem = Problem::of(error, site, request_id);
    let json = serde_json::to_string(&problem).unwrap_or_default();
    decorate(Reply::text(kind(error).status(), "application/problem+json", json), error)
}

impl Problem {
    /// What is said of `error`.
    pub fn of(error: &Error, site: Site<'_>, request_id: &str) -> Self {
        let kind = kind(error);
        Self {
            kind: kind.uri(site.url),
            title: kind.title(),
            status: kind.status().as_u16(),
            detail: detail(error, site.support),
            request_id: request_id.to_owned(),
            violated_policies: violated(error),
        }
    }
}

/// What happened, without what is only for the log; help is at the address `support`.
pub(crate) fn detail(error: &Error, support: &str) -> String {
    match error {
        Error::Unavailable { .. } => {
            "a part of the service does not answer; try again in a few seconds".to_owned()
        }
        Error::Internal(_) => {
            format!(
                "something went wrong on our side; if it happens again, write to {support} with the request id"
            )
        }
        // Both end in what only the operator can help with.
        Error::Denied(Denial::Inactive(_)) | Error::Billing(BillingError::ByHand) => {
            format!("{error}; write to {support}")
        }
        shown => shown.to_string(),
    }
}

/// Which limits were passed.
fn violated(error: &Error) -> Vec<&'static str> {
    match error {
        Error::Denied(Denial::Rate { .. }) => vec!["minute"],
        Error::Denied(Denial::Quota { .. }) => vec!["month"],
        Error::Denied(Denial::Unmetered { class, .. }) => vec![class.name()],
        _ => Vec::new(),
    }
}

/// Of which kind the answer to `error` is.
pub fn kind(error: &Error) -> &'static Kind {
    match error {
        Error::Input(InputError::MediaType) => &kinds::UNSUPPORTED_MEDIA_TYPE,
        Error::Input(InputError::TooLarge(_)) => &kinds::BODY_TOO_LARGE,
        Error::Input(InputError::Body(_)) => &kinds::INVALID_BODY,
        Error::Input(InputError::Field { .. } | InputError::Parameter(_)) => &kinds::INVALID_VALUE,
        Error::Input(InputError::UnderAge) => &kinds::UNDER_AGE,
        Error::Input(InputError::IdempotencyKeyReused) => &kinds::IDEMPOTENCY_KEY_REUSED,
        Error::Auth(AuthError::Token | AuthError::RecoveryToken | AuthError::ObjectionToken) => {
            &kinds::INVALID_TOKEN
        }
        Error::Auth(AuthError::Sandbox) => &kinds::SANDBOX_KEY,
        Error::Auth(AuthError::Missing | AuthError::Malformed | AuthError::Unknown) => {
            &kinds::INVALID_API_KEY
        }
        Error::Denied(Denial::Rate { .. } | Denial::Quota { .. } | Denial::Unmetered { .. }) => {
            &kinds::QUOTA_EXCEEDED
        }
        Error::Denied(Denial::TooMany { .. }) => &kinds::TOO_MANY_AT_ONCE,
        Error::Denied(Denial::Inactive(_)) => &kinds::ACCOUNT_INACTIVE,
        Error::Denied(Denial::LacksCountry(_)) => &kinds::PLAN_DOES_NOT_INCLUDE,
        Error::WrongAddress => &kinds::WRONG_ADDRESS,
        Error::NotFound(_) => &kinds::NOT_FOUND,
        Error::MethodNotAllowed(_) => &kinds::METHOD_NOT_ALLOWED,
        Error::Gone(_) => &kinds::GONE,
        Error::Conflict(_) => &kinds::CONFLICT,
        Error::TooManyMails | Error::MailsPaused => &kinds::TOO_MANY_SIGN_UPS,
        Error::Video(FetchError::NotFound) => &kinds::VIDEO_NOT_FOUND,
        Error::Video(FetchError::Timeout) => &kinds::SOURCE_TIMEOUT,
        Error::Video(FetchError::RateLimited { .. } | FetchError::NotReady { .. }) => {
            &kinds::SOURCE_BUSY
        }
        Error::Video(FetchError::Upstream { .. } | FetchError::LinkFailed) => &kinds::SOURCE_FAILED,
        Error::Video(FetchError::LinkLeadsNowhere) => &kinds::LINK_LEADS_NOWHERE,
        Error::Video(FetchError::Exhausted { .. }) => &kinds::SOURCE_ALLOWANCE_USED,
        Error::Video(FetchError::NoCreator) => &kinds::CREATOR_NOT_FOUND,
        Error::Video(FetchError::NeedsResearch) => &kinds::SOURCE_NOT_ENABLED,
        Error::Video(FetchError::NotSearchable) => &kinds::INVALID_VALUE,
        Error::Video(FetchError::CursorExpired) => &kinds::CURSOR_EXPIRED,
        Error::Video(FetchError::Objected) => &kinds::CREATOR_OBJECTED,
        Error::Billing(BillingError::CardDeclined) => &kinds::CARD_DECLINED,
        Error::Billing(BillingError::NotEnabled) => &kinds::BILLING_NOT_ENABLED,
        Error::Billing(_) => &kinds::CONFLICT,
        Error::Restoring => &kinds::RESTORING,
        Error::Unavailable { .. } => &kinds::UNAVAILABLE,
        Error::Internal(_) => &kinds::INTERNAL,
    }
}

/// Adds the fields that go with an error.
pub(crate) fn decorate(reply: Reply, error: &Error) -> Reply {
    match error {
        Error::MethodNotAllowed(allow) => match HeaderValue::from_str(allow) {
            Ok(allow) => reply.with(header::ALLOW, allow),
            Err(_) => reply,
        },
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
        Error::Denied(Denial::Unmetered { class, retry_after, window }) => {
            headers::retry_after(headers::unmetered_limit(reply, *class, window), *retry_after)
        }
        Error::Video(
            FetchError::RateLimited { retry_after }
            | FetchError::NotReady { retry_after }
            | FetchError::Exhausted { retry_after },
        ) => headers::retry_after(reply, *retry_after),
        Error::TooManyMails | Error::MailsPaused => {
            headers::retry_after(reply, Duration::from_secs(3600))
        }
        Error::Restoring => headers::retry_after(reply, Duration::from_secs(300)),
        Error::Unavailable { .. } => headers::retry_after(reply, Duration::from_secs(2)),
        _ => reply,
    }
}
