//! What the interfaces of the Research API have in common: token, fields, envelope, allowance.

use axum::{
    Json,
    body::Bytes,
    response::{IntoResponse, Response},
};
use http::{
    HeaderMap, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use url::form_urlencoded;

use super::{CatalogueVideo, Endpoint, Fault, TikTok};

/// New videos take up to 48 hours to appear. Here they take all of them.
const APPEARS_AFTER: i64 = 48 * 3_600;

/// A request as it came.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) parameters: Option<String>,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// A request whose form is right.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    pub(super) fields: Vec<&'a str>,
    pub(super) fault: Fault,
    body: &'a [u8],
}

/// What is answered, and how many records that is.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) data: Value,
    pub(super) records: usize,
}

/// Answers with what `find` finds; its error is the message of a refusal.
pub(super) async fn respond(
    tiktok: &TikTok,
    endpoint: Endpoint,
    known_fields: &[&str],
    call: Call,
    find: impl Fn(&TikTok, &Asked<'_>) -> Result<Found, String>,
) -> Response {
    let error = |status: StatusCode, code: &str, message: &str| {
        let log_id = tiktok.log_id();
        let error = json!({"code": code, "message": message, "log_id": log_id});
        (status, Json(json!({"data": {}, "error": error}))).into_response()
    };
    let fault = match tiktok.enter(endpoint, |status, code| error(status, code, "")).await {
        Ok(fault) => fault,
        Err(answer) => return answer,
    };
    if !is_authorized(tiktok, &call.headers) {
        let message = "The access token is invalid or not found in the request.";
        return error(StatusCode::UNAUTHORIZED, "access_token_invalid", message);
    }
    let found = fields(&call, known_fields).and_then(|fields| {
        let fields = fields.iter().map(String::as_str).collect();
        find(tiktok, &Asked { fields, fault, body: &call.body })
    });
    let Found { data, records } = match found {
        Ok(found) => found,
        Err(message) => {
            let code = tiktok.state().refusal_code.unwrap_or("invalid_params");
            return error(StatusCode::BAD_REQUEST, code, &message);
        }
    };
    let today = tiktok.now().date();
    let is_left = tiktok.state().allowance.charge(records as u64, today);
    if !is_left {
        return error(StatusCode::TOO_MANY_REQUESTS, "daily_quota_limit_exceeded", "");
    }
    let error = json!({"code": "ok", "message": "", "log_id": tiktok.log_id()});
    Json(json!({"data": data, "error": error})).into_response()
}

fn is_authorized(tiktok: &TikTok, headers: &HeaderMap) -> bool {
    let value = headers.get(AUTHORIZATION).and_then(|it| it.to_str().ok());
    let token = value.and_then(|it| it.strip_prefix("Bearer "));
    let now = tiktok.now();
    token.is_some_and(|token| tiktok.state().tokens.get(token).is_some_and(|end| now < *end))
}

fn fields(call: &Call, known: &[&str]) -> Result<Vec<String>, String> {
    let kind = call.headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok()).unwrap_or_default();
    if !kind.starts_with("application/json") {
        return Err("The content type must be application/json".to_owned());
    }
    let parameters = call.parameters.as_deref().unwrap_or_default();
    let fields = form_urlencoded::parse(parameters.as_bytes()).find(|it| it.0 == "fields");
    let fields = fields.ok_or("The fields are missing")?.1;
    let fields: Vec<String> = fields.split(',').map(str::to_owned).collect();
    match fields.iter().find(|field| !known.contains(&field.as_str())) {
        Some(unknown) => Err(format!("Invalid field: {unknown}")),
        None => Ok(fields),
    }
}

impl Asked<'_> {
    /// The body. Keys that the documents do not know are refused.
    pub(super) fn body<T: DeserializeOwned>(&self) -> Result<T, String> {
        serde_json::from_slice(self.body).map_err(|_| "The body is not valid".to_owned())
    }

    /// The requested fields that `value_of` has; nothing is ever `null`.
    pub(super) fn select(&self, value_of: impl Fn(&str) -> Option<Value>) -> Map<String, Value> {
        let is_dropped = |field: &str| {
            self.fault == Fault::DropFields && (field.ends_with("_count") || field == "region_code")
        };
        let fields = self.fields.iter().filter(|field| !is_dropped(field));
        fields.filter_map(|field| Some(((*field).to_owned(), value_of(field)?))).collect()
    }
}

impl TikTok {
    /// The videos that the Research API knows by now.
    pub(super) fn researched(&self) -> impl Iterator<Item = &CatalogueVideo> {
        let visible_until = self.now().unix_timestamp() - APPEARS_AFTER;
        self.videos().filter(move |it| it.in_research && it.create_time <= visible_until)
    }
}
