//! The client token. Errors are flat here.

use axum::{
    Json,
    body::Bytes,
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode, header::CONTENT_TYPE};
use serde_json::json;
use time::Duration;
use url::form_urlencoded;

use super::{CLIENT_KEY, CLIENT_SECRET, Endpoint, TikTok};

/// Seconds for which a token is good.
const EXPIRES_IN: i64 = 7_200;

pub(super) async fn token(
    State(tiktok): State<TikTok>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let error = |status: StatusCode, code: &str, description: &str| {
        let log_id = tiktok.log_id();
        let error = json!({"error": code, "error_description": description, "log_id": log_id});
        (status, Json(error)).into_response()
    };
    if let Err(answer) = tiktok.enter(Endpoint::Token, |status, code| error(status, code, "")).await
    {
        return answer;
    }
    let invalid = |description| error(StatusCode::BAD_REQUEST, "invalid_request", description);
    let kind = headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok()).unwrap_or_default();
    if !kind.starts_with("application/x-www-form-urlencoded") {
        return invalid("Only `application/x-www-form-urlencoded` is supported as Content-Type.");
    }
    let field = |name: &str| {
        form_urlencoded::parse(&body).find(|it| it.0 == name).map(|it| it.1.into_owned())
    };
    let Some(key) = field("client_key") else {
        return invalid("Client key is missed in request.");
    };
    let Some(secret) = field("client_secret") else {
        return invalid("Client secret is missed in request.");
    };
    match field("grant_type").as_deref() {
        Some("client_credentials") => {}
        _ => {
            let status = StatusCode::BAD_REQUEST;
            return error(status, "unsupported_grant_type", "Grant type is not supported.");
        }
    }
    if key != CLIENT_KEY || secret != CLIENT_SECRET {
        let description = "Client key or secret is incorrect.";
        return error(StatusCode::UNAUTHORIZED, "invalid_client", description);
    }
    let now = tiktok.now();
    let mut state = tiktok.state();
    if state.has_one_token {
        state.tokens.clear();
    }
    state.tokens_issued += 1;
    let token = format!("clt.local{:032}", state.tokens_issued);
    state.tokens.insert(token.clone(), now + Duration::seconds(EXPIRES_IN));
    Json(json!({"access_token": token, "expires_in": EXPIRES_IN, "token_type": "Bearer"}))
        .into_response()
}
