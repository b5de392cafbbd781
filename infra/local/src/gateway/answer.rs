//! The HTTP response that API Gateway makes of what a function returned: payload format 2.0.

use axum::{
    body::Body,
    http::{
        HeaderMap, HeaderName, HeaderValue, StatusCode,
        header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, SET_COOKIE, TRANSFER_ENCODING},
    },
    response::{IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Map, Value};

/// `None`: API Gateway could make nothing of it.
pub(super) fn response(returned: &[u8]) -> Option<Response> {
    let value: Value = serde_json::from_slice(returned).ok()?;
    match value.as_object().filter(|it| it.contains_key("statusCode")) {
        Some(object) => structured(object),
        // Whatever JSON else is the body of a 200.
        None => {
            let body = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            Some(([(CONTENT_TYPE, "application/json")], body).into_response())
        }
    }
}

fn structured(object: &Map<String, Value>) -> Option<Response> {
    let status = match object.get("statusCode")? {
        Value::Number(code) => code.as_u64()?,
        Value::String(code) => code.parse().ok()?,
        _ => return None,
    };
    let status = u16::try_from(status).ok().and_then(|it| StatusCode::from_u16(it).ok())?;
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain;charset=UTF-8"));
    if let Some(given) = object.get("headers").and_then(Value::as_object) {
        for (name, value) in given {
            let name = HeaderName::try_from(name.as_str()).ok()?;
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            headers.insert(name, HeaderValue::try_from(value).ok()?);
        }
    }
    // These are for the connection, which is not the function's.
    for own in [CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING] {
        headers.remove(own);
    }
    for cookie in object.get("cookies").and_then(Value::as_array).into_iter().flatten() {
        headers.append(SET_COOKIE, HeaderValue::try_from(cookie.as_str()?).ok()?);
    }
    let body = match object.get("body") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::String(text)) if object.get("isBase64Encoded") == Some(&Value::Bool(true)) => {
            BASE64_STANDARD.decode(text).ok()?
        }
        Some(Value::String(text)) => text.clone().into_bytes(),
        Some(_) => return None,
    };
    Some((status, headers, Body::from(body)).into_response())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    async fn answer(returned: Value) -> Option<(u16, HeaderMap, String)> {
        let response = response(returned.to_string().as_bytes())?;
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, 1000).await.ok()?;
        Some((parts.status.as_u16(), parts.headers, String::from_utf8_lossy(&body).into_owned()))
    }

    #[tokio::test]
    async fn structured_answers_become_responses() {
        let returned = json!({
            "statusCode": 201,
            "headers": { "X-A": "1", "X-N": 2, "content-length": "99" },
            "multiValueHeaders": { "X-Ignored": ["1"] },
            "cookies": ["a=1; HttpOnly", "b=2"],
            "body": "aGk=",
            "isBase64Encoded": true,
        });
        let (status, headers, body) = answer(returned).await.expect("a response");
        assert_eq!((status, body.as_str()), (201, "hi"));
        assert_eq!(headers["x-n"], "2");
        assert_eq!(headers[CONTENT_TYPE], "text/plain;charset=UTF-8");
        assert_eq!(headers.get_all(SET_COOKIE).iter().count(), 2);
        assert!(!headers.contains_key("x-ignored") && !headers.contains_key(CONTENT_LENGTH));
    }

    #[tokio::test]
    async fn other_json_is_the_body() {
        let (status, headers, body) = answer(json!({ "a": 1 })).await.expect("a response");
        assert_eq!((status, body.as_str()), (200, r#"{"a":1}"#));
        assert_eq!(headers[CONTENT_TYPE], "application/json");
        assert_eq!(answer(json!("hi")).await.expect("a response").2, "hi");
    }

    #[tokio::test]
    async fn nonsense_is_no_response() {
        for nonsense in [
            json!({ "statusCode": 99 }),
            json!({ "statusCode": "x" }),
            json!({ "statusCode": 200, "body": {} }),
            json!({ "statusCode": 200, "body": "!", "isBase64Encoded": true }),
            json!({ "statusCode": 200, "headers": { "a b": "1" } }),
        ] {
            assert!(answer(nonsense.clone()).await.is_none(), "{nonsense}");
        }
        assert!(response(b"not json").is_none());
    }
}
