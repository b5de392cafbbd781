//! Header fields that many answers carry.

use lambda_http::http::{HeaderMap, HeaderName, HeaderValue, header};

use super::Reply;
use crate::gate::{Class, Limits, Window};

/// Request id, no caching by others, no sniffing: on every answer that does not say otherwise.
pub(super) fn common(headers: &mut HeaderMap, request_id: &str) {
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert("x-request-id", id);
    }
    let fixed = [
        (header::CACHE_CONTROL, "no-store"),
        (header::STRICT_TRANSPORT_SECURITY, "max-age=63072000; includeSubDomains"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    for (name, value) in fixed {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}

/// The limits of a metered endpoint.
pub(super) fn rate_limit(reply: Reply, limits: &Limits) -> Reply {
    let (minute, month) = (&limits.minute, &limits.period);
    limited(reply, &[("minute", minute, 60), ("month", month, limits.period_seconds)])
}

/// The limit of an endpoint that is not metered.
pub(super) fn unmetered_limit(reply: Reply, class: Class, window: &Window) -> Reply {
    limited(reply, &[(class.name(), window, 60)])
}

/// `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10) of limits with their names
/// and lengths in seconds.
fn limited(reply: Reply, limits: &[(&str, &Window, u64)]) -> Reply {
    let each = |form: fn(&(&str, &Window, u64)) -> String| {
        limits.iter().map(form).collect::<Vec<_>>().join(", ")
    };
    let policy = each(|(name, it, seconds)| format!(r#""{name}";q={};w={seconds}"#, it.limit));
    let state =
        each(|(name, it, _)| format!(r#""{name}";r={};t={}"#, it.remaining, it.reset_seconds));
    [("ratelimit-policy", policy), ("ratelimit", state)].into_iter().fold(
        reply,
        |reply, (name, value)| match HeaderValue::from_str(&value) {
            Ok(value) => reply.with(HeaderName::from_static(name), value),
            Err(_) => reply,
        },
    )
}

/// `Retry-After` in whole seconds, at least one.
pub(super) fn retry_after(reply: Reply, wait: std::time::Duration) -> Reply {
    let seconds = (wait.as_millis().div_ceil(1000) as u64).max(1);
    reply.with(header::RETRY_AFTER, HeaderValue::from(seconds))
}
