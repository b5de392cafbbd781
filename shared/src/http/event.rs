//! Makes an event of API Gateway's readable for `lambda_http`, which builds a URI of it and panics where that is none:
//! in the environment's own task, before anything of ours is asked.

use lambda_http::{
    http::{Uri, header},
    request::LambdaRequest,
};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use url::Url;

/// Header in which API Gateway names the scheme.
const SCHEME: &str = "x-forwarded-proto";

/// What a URI's query has only percent-encoded; `#` would end it. API Gateway passes on what the client has sent.
const ENCODED: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>');

/// The same request, of which a URI can be made. Its parameters are what they were: they are decoded anyway.
pub(super) fn readable(mut event: LambdaRequest) -> LambdaRequest {
    let LambdaRequest::ApiGatewayV2(request) = &mut event else { return event };
    if let Some(query) = &mut request.raw_query_string {
        *query = utf8_percent_encode(query, ENCODED).to_string();
    }
    let text = |name| request.headers.get(name).and_then(|it| it.to_str().ok());
    let host = text(header::HOST.as_str()).or(request.request_context.domain_name.as_deref());
    if let Some(host) = host
        && !is_base(text(SCHEME).unwrap_or("https"), host)
    {
        request.headers.remove(SCHEME);
        request.headers.remove(header::HOST);
        request.request_context.domain_name = None;
    }
    event
}

/// Whether a URI can begin so.
fn is_base(scheme: &str, host: &str) -> bool {
    let url = Url::parse(&format!("{scheme}://{host}/"));
    url.is_ok_and(|it| !it.cannot_be_a_base() && it.as_str().parse::<Uri>().is_ok())
}

#[cfg(test)]
mod tests {
    use lambda_http::{Request, RequestExt};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(path: &str, query: &str, host: &str, scheme: &str) -> Request {
        let mut event: serde_json::Value =
            serde_json::from_str(include_str!("../../../events/get-video.json")).expect("JSON");
        event["rawPath"] = json!(path);
        event["rawQueryString"] = json!(query);
        event["headers"] = json!({ "host": host, "x-forwarded-proto": scheme });
        let event: LambdaRequest = serde_json::from_value(event).expect("an event");
        readable(event).into()
    }

    #[test]
    fn a_query_that_is_not_encoded_is_read_as_it_was_meant() {
        for (query, expected) in [
            ("a=<b>", "<b>"),
            ("a=\"b\"", "\"b\""),
            ("a=b c", "b c"),
            ("a=%3Cb%3E", "<b>"),
            ("a=%3c<", "<<"),
            ("a={|}^`[]\\", "{|}^`[]\\"),
            ("a=b#c", "b#c"),
            ("a=\u{7f}\n\0", "\u{7f}\n\0"),
            ("a=ä", "ä"),
            ("a=%", "%"),
        ] {
            let request = read("/v1/videos/7", query, "api.example.com", "https");
            assert_eq!(request.query_string_parameters().first("a"), Some(expected), "{query}");
        }
        // What needs nothing stays as it is.
        let request = read("/v1/videos/7", "a=%3Cb%3E&c=1", "api.example.com", "https");
        assert_eq!(request.uri(), "https://api.example.com/v1/videos/7?a=%3Cb%3E&c=1");
    }

    proptest! {
        #[test]
        fn any_event_is_survived(
            path in "\\PC{0,20}|/[ -~]{0,20}", query in "\\PC{0,30}|[\0-\u{ff}]{0,30}",
            host in "[ -~]{0,12}|[a-z.]{1,9}(:[0-9]{1,6})?", scheme in "https|[ -~]{0,8}",
        ) {
            let request = read(&format!("/{path}"), &query, &host, &scheme);
            let expected: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).collect();
            for (name, value) in expected {
                let found = request.query_string_parameters();
                let all = found.all(&name).unwrap_or_default();
                prop_assert!(all.contains(&&*value), "{name}={value} of {query:?}");
            }
        }
    }
}
