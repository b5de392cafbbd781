//! The event that API Gateway makes of a request: payload format 2.0.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use axum::{
    body::Bytes,
    http::{
        HeaderMap,
        header::{
            CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST, TRANSFER_ENCODING, USER_AGENT,
        },
        request::Parts,
    },
};
use base64::{Engine, prelude::BASE64_STANDARD};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};
use time::{OffsetDateTime, format_description::BorrowedFormatItem, macros::format_description};

use super::Route;
use crate::{runtime::trace_id, standins::ACCOUNT};

const API_ID: &str = "local";

/// As in access logs: `24/Nov/2026:12:00:00 +0000`.
const TIME: &[BorrowedFormatItem<'_>] =
    format_description!("[day]/[month repr:short]/[year]:[hour]:[minute]:[second] +0000");

/// Where a request goes.
pub(super) struct Matched<'a> {
    pub route: &'a Route,
    /// The path's parameters, decoded.
    pub parameters: Vec<(String, String)>,
    /// The request's id, also told to the client.
    pub request_id: &'a str,
    /// The whole path, decoded: despite its name, `rawPath` of HTTP APIs is.
    pub path: String,
    /// The query as it was sent.
    pub query: &'a str,
}

pub(super) fn event(
    parts: &Parts,
    body: &Bytes,
    peer: SocketAddr,
    now: OffsetDateTime,
    matched: &Matched<'_>,
) -> Value {
    let query = matched.query;
    let host = parts.headers.get(HOST).and_then(|it| it.to_str().ok()).unwrap_or_default();
    let domain = host.rsplit_once(':').map_or(host, |it| it.0);
    let mut event = json!({
        "version": "2.0",
        "routeKey": matched.route.key(),
        "rawPath": matched.path,
        "rawQueryString": query,
        "headers": headers(&parts.headers, peer, now),
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": API_ID,
            "domainName": domain,
            "domainPrefix": domain.split('.').next(),
            "http": {
                "method": parts.method.as_str(),
                "path": matched.path,
                "protocol": "HTTP/1.1",
                "sourceIp": peer.ip().to_string(),
                "userAgent": text(&parts.headers, USER_AGENT.as_str()).unwrap_or_default(),
            },
            "requestId": matched.request_id,
            "routeKey": matched.route.key(),
            "stage": "$default",
            // Never fails: the format asks for nothing that an instant does not have.
            "time": now.format(TIME).unwrap_or_default(),
            "timeEpoch": i64::try_from(now.unix_timestamp_nanos() / 1_000_000).unwrap_or_default(),
        },
        "isBase64Encoded": false,
    });
    // What a request does not have is left out, not null.
    if let Some(cookies) = cookies(&parts.headers) {
        event["cookies"] = cookies;
    }
    if !query.is_empty() {
        event["queryStringParameters"] = joined(url::form_urlencoded::parse(query.as_bytes()));
    }
    if !matched.parameters.is_empty() {
        let parameters = matched.parameters.iter().map(|(k, v)| (k.clone(), v.as_str().into()));
        event["pathParameters"] = Value::Object(parameters.collect());
    }
    if !body.is_empty() {
        match std::str::from_utf8(body) {
            Ok(text) if is_text(&parts.headers) => event["body"] = text.into(),
            _ => {
                event["body"] = BASE64_STANDARD.encode(body).into();
                event["isBase64Encoded"] = true.into();
            }
        }
    }
    event
}

/// Percent-decoded; what is no UTF-8 then becomes replacement characters.
pub(super) fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// Names in lower case, several values joined by commas, and what API Gateway adds itself.
fn headers(headers: &HeaderMap, peer: SocketAddr, now: OffsetDateTime) -> Value {
    let own = [COOKIE, CONNECTION, TRANSFER_ENCODING];
    let mut all: BTreeMap<&str, String> = BTreeMap::new();
    for (name, value) in headers.iter().filter(|it| !own.contains(it.0)) {
        let value = String::from_utf8_lossy(value.as_bytes());
        all.entry(name.as_str())
            .and_modify(|it| it.extend([",", &value]))
            .or_insert_with(|| value.clone().into_owned());
    }
    let forwarded = all.entry("x-forwarded-for").or_default();
    *forwarded = match forwarded.as_str() {
        "" => peer.ip().to_string(),
        before => format!("{before}, {}", peer.ip()),
    };
    // AWS's important notes say that it is added, not which one.
    if all.get(CONTENT_LENGTH.as_str()).is_some_and(|it| it == "0") {
        all.entry(CONTENT_TYPE.as_str()).or_insert_with(|| "application/octet-stream".to_owned());
    }
    all.insert("x-forwarded-port", peer.port().to_string());
    all.insert("x-forwarded-proto", "http".to_owned());
    let since_1970 = Duration::from_secs(u64::try_from(now.unix_timestamp()).unwrap_or_default());
    all.insert("x-amzn-trace-id", trace_id(since_1970));
    json!(all)
}

fn cookies(headers: &HeaderMap) -> Option<Value> {
    let all: Vec<_> = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|it| it.to_str().ok())
        .flat_map(|it| it.split("; "))
        .filter(|it| !it.is_empty())
        .collect();
    (!all.is_empty()).then(|| json!(all))
}

/// Several values of one name, joined by commas.
fn joined<'a>(
    pairs: impl Iterator<Item = (std::borrow::Cow<'a, str>, std::borrow::Cow<'a, str>)>,
) -> Value {
    let mut all = Map::new();
    for (name, value) in pairs {
        match all.get_mut(name.as_ref()) {
            Some(Value::String(before)) => before.extend([",", &value]),
            _ => _ = all.insert(name.into_owned(), value.into_owned().into()),
        }
    }
    Value::Object(all)
}

/// Whether API Gateway passes a body on as it is. Forms and bodies without a type are not text to
/// it (observed on AWS; its documentation does not say).
fn is_text(headers: &HeaderMap) -> bool {
    let content_type = text(headers, CONTENT_TYPE.as_str()).unwrap_or_default();
    let media = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    media.starts_with("text/")
        || ["application/json", "application/xml", "application/javascript"]
            .contains(&media.as_str())
}

#[cfg(test)]
mod tests {
    use axum::http::Request;
    use time::macros::datetime;

    use super::*;

    fn made(request: axum::http::request::Builder, body: &'static [u8]) -> Value {
        let (parts, ()) = request.body(()).expect("a request").into_parts();
        let route = Route::new("F", "GET", "/things/{id}").expect("a route");
        let matched = Matched {
            route: &route,
            parameters: vec![("id".to_owned(), "a b".to_owned())],
            request_id: "made-up",
            path: decode(parts.uri.path()),
            query: parts.uri.query().unwrap_or_default(),
        };
        let peer = SocketAddr::from(([203, 0, 113, 7], 4711));
        let now = datetime!(2026-11-24 12:00:00.25 UTC);
        event(&parts, &Bytes::from_static(body), peer, now, &matched)
    }

    #[test]
    fn the_event_is_of_format_2() {
        let event = made(
            Request::get("/things/a%20b?x=1&y=%26&x=2")
                .header("Host", "api.example.com:9000")
                .header("X-Two", "1")
                .header("X-Two", "2")
                .header("Cookie", "a=1; b=2")
                .header("User-Agent", "tests"),
            b"",
        );
        assert_eq!(event["routeKey"], "GET /things/{id}");
        assert_eq!(event["rawPath"], "/things/a b");
        assert_eq!(event["rawQueryString"], "x=1&y=%26&x=2");
        assert_eq!(event["queryStringParameters"], json!({ "x": "1,2", "y": "&" }));
        assert_eq!(event["pathParameters"], json!({ "id": "a b" }));
        assert_eq!(event["cookies"], json!(["a=1", "b=2"]));
        assert_eq!(event["headers"]["x-two"], "1,2");
        assert_eq!(event["headers"]["x-forwarded-for"], "203.0.113.7");
        assert_eq!(event["headers"].get("cookie"), None);
        let context = &event["requestContext"];
        assert_eq!(context["domainName"], "api.example.com");
        assert_eq!(context["time"], "24/Nov/2026:12:00:00 +0000");
        assert_eq!(context["timeEpoch"], 1_795_521_600_250_i64);
        assert_eq!(context["http"]["userAgent"], "tests");
        assert_eq!(event.get("body"), None);
    }

    #[test]
    fn a_request_whose_length_is_zero_gets_a_content_type() {
        let given = |name: &'static str, value: &'static str| {
            let request = Request::post("/things/1").header("Content-Length", "0");
            made(request.header(name, value), b"")["headers"]["content-type"].clone()
        };
        assert!(given("X-Other", "1").is_string());
        assert_eq!(given("Content-Type", "text/csv"), "text/csv");
        let none = made(Request::get("/things/1"), b"");
        assert_eq!(none["headers"].get("content-type"), None);
    }

    #[test]
    fn only_text_bodies_pass_as_they_are() {
        let body = |content_type: Option<&str>, body| {
            let request = Request::post("/things/1");
            let request =
                content_type.into_iter().fold(request, |it, t| it.header("Content-Type", t));
            let event = made(request, body);
            (
                event["body"].as_str().unwrap_or_default().to_owned(),
                event["isBase64Encoded"] == true,
            )
        };
        let json = Some("Application/JSON; charset=utf-8");
        assert_eq!(body(json, b"{}"), ("{}".to_owned(), false));
        assert_eq!(body(json, b"\xff"), ("/w==".to_owned(), true));
        assert_eq!(body(None, b"{}"), ("e30=".to_owned(), true));
        assert!(body(Some("application/x-www-form-urlencoded"), b"a=1").1);
    }
}
