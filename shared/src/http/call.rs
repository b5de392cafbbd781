use std::sync::OnceLock;

use lambda_http::{
    Body, Request, RequestExt,
    http::{HeaderMap, header},
    request::RequestContext,
};
use serde::de::DeserializeOwned;
use time::{Date, OffsetDateTime};

use super::sender::{Sender, proof, sender};
use crate::{
    app::App,
    dates,
    error::{AuthError, Error, InputError},
    gate::{Class, Window},
    keys::ApiKey,
};

/// Longest body that any endpoint accepts, in bytes: a batch of 100 addresses.
const MAX_BODY: usize = 64 * 1024;

/// One request, with what API Gateway says of it.
#[derive(Debug)]
pub struct Call {
    request: Request,
    now: OffsetDateTime,
    request_id: String,
    source_ip: String,
    country: Option<String>,
    route: String,
    window: OnceLock<(Class, Window)>,
}

impl Call {
    /// Reads API Gateway's context. Fails on events that are not API Gateway's (version 2.0).
    pub fn new(request: Request) -> Result<Self, Error> {
        let RequestContext::ApiGatewayV2(context) = request.request_context() else {
            return Err(Error::internal("the event is not one of an HTTP API"));
        };
        let now = i128::from(context.time_epoch) * 1_000_000;
        let now = OffsetDateTime::from_unix_timestamp_nanos(now).map_err(Error::internal)?;
        let request_id = context.request_id.unwrap_or_default();
        let route = context.route_key.unwrap_or_default();
        let source_ip = context.http.source_ip.unwrap_or_default();
        let (country, window) = (None, OnceLock::new());
        Ok(Self { request, now, request_id, source_ip, country, route, window })
    }

    /// Looks whether the request came through the CDN, if there is one, and who sent it then. Fails where it has
    /// to and did not.
    pub(super) async fn recognise(&mut self, app: &App) -> Result<(), Error> {
        let cdn = &app.config.cdn;
        // Whoever looks after the service asks for its health past the CDN too; and it must not depend on the
        // secret.
        if !cdn.is_there() || self.route.ends_with(" /health") {
            return Ok(());
        }
        let secret = match proof(self.headers(), cdn) {
            Some(_) => app.secrets.get().await?.cdn,
            None => None,
        };
        match sender(self.headers(), cdn, secret.as_ref()) {
            Some(Sender { address, country }) => {
                if let Some(address) = address {
                    self.source_ip = address;
                } else if cdn.address_header.is_some() {
                    tracing::error!("the CDN does not say where a request comes from");
                }
                self.country = country;
                Ok(())
            }
            None if cdn.is_required => Err(Error::WrongAddress),
            None => Ok(()),
        }
    }

    /// When the request arrived at API Gateway.
    pub fn now(&self) -> OffsetDateTime {
        self.now
    }

    /// API Gateway's id of the request.
    pub fn request_id(&self) -> &str {
        &self.request_id
    }

    /// Network address of the client: what API Gateway saw, or what the CDN says.
    pub fn source_ip(&self) -> &str {
        &self.source_ip
    }

    /// Country of the client (ISO 3166-1), if the CDN says.
    pub fn country(&self) -> Option<&str> {
        self.country.as_deref()
    }

    /// The route that matched, as the template has it: `GET /v1/videos/{video_id}`.
    pub fn route(&self) -> &str {
        &self.route
    }

    /// Where the limit stands that the call has counted against, if it is not metered.
    pub(super) fn window(&self) -> Option<&(Class, Window)> {
        self.window.get()
    }

    /// Notes that the call has counted against the limit of `class`. The first one stays.
    pub(super) fn note(&self, class: Class, window: Window) {
        let _ = self.window.set((class, window));
    }

    /// A path parameter, percent-decoded; empty if there is none.
    pub fn path(&self, name: &str) -> String {
        self.request.path_parameters().first(name).unwrap_or_default().to_owned()
    }

    /// A query parameter, percent-decoded.
    pub fn query(&self, name: &str) -> Option<String> {
        self.request.query_string_parameters().first(name).map(str::to_owned)
    }

    /// The whole number in query parameter `name`, if there is one.
    pub fn number(&self, name: &'static str) -> Result<Option<u64>, InputError> {
        let wrong = |_| InputError::field(name, "must be a whole number");
        self.query(name).map(|text| text.parse().map_err(wrong)).transpose()
    }

    /// The date (UTC) in query parameter `name`, if there is one.
    pub fn date(&self, name: &'static str) -> Result<Option<Date>, InputError> {
        self.query(name).map(|text| dates::parse(name, &text)).transpose()
    }

    /// A header that is there once and is printable ASCII.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.request.headers().get(name)?.to_str().ok()
    }

    /// Every header.
    pub fn headers(&self) -> &HeaderMap {
        self.request.headers()
    }

    /// The body as it came, if it is UTF-8 text of `most` bytes or less.
    pub fn text(&self, most: usize) -> Result<&str, InputError> {
        let bytes = self.bytes();
        if bytes.len() > most {
            return Err(InputError::TooLarge(most));
        }
        let wrong = |_| InputError::Body("it is not UTF-8 text".to_owned());
        std::str::from_utf8(bytes).map_err(wrong)
    }

    fn bytes(&self) -> &[u8] {
        match self.request.body() {
            Body::Text(text) => text.as_bytes(),
            Body::Binary(bytes) => bytes,
            _ => &[],
        }
    }

    /// The body as JSON. Unknown fields are refused where the type says so.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, InputError> {
        let media_type = self.header(header::CONTENT_TYPE.as_str()).unwrap_or_default();
        let essence = media_type.split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/json") {
            return Err(InputError::MediaType);
        }
        let bytes = self.bytes();
        if bytes.len() > MAX_BODY {
            return Err(InputError::TooLarge(MAX_BODY));
        }
        serde_json::from_slice(bytes).map_err(|error| InputError::Body(describe(&error)))
    }

    /// The API key in `X-API-Key` or `Authorization: Bearer`.
    pub fn api_key(&self) -> Result<ApiKey, AuthError> {
        let bearer = || {
            let (scheme, token) = self.header("authorization")?.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
        };
        let has = |name| self.request.headers().contains_key(name);
        match self.header("x-api-key").map(str::trim).or_else(bearer) {
            Some(text) => text.parse(),
            None if has("x-api-key") || has("authorization") => Err(AuthError::Malformed),
            None => Err(AuthError::Missing),
        }
    }

    /// The `Idempotency-Key`: 1 to 128 printable ASCII characters, with or without the quotes of the
    /// draft standard (draft-ietf-httpapi-idempotency-key-header).
    pub fn idempotency_key(&self) -> Result<Option<&str>, InputError> {
        let Some(value) = self.headers().get("idempotency-key") else { return Ok(None) };
        let text = value.to_str().unwrap_or_default().trim();
        let text = text.strip_prefix('"').and_then(|it| it.strip_suffix('"')).unwrap_or(text);
        if text.is_empty() || text.len() > 128 {
            let reason = "must be 1 to 128 printable ASCII characters";
            return Err(InputError::field("Idempotency-Key", reason));
        }
        Ok(Some(text))
    }
}

/// What is wrong with a body and where, without repeating any of it: a value could be personal.
fn describe(error: &serde_json::Error) -> String {
    let place = format!("line {}, column {}", error.line(), error.column());
    let text = error.to_string();
    let named = |start: &str| text.starts_with(start).then(|| first_quoted(&text)).flatten();
    match error.classify() {
        serde_json::error::Category::Data => {
            if let Some(field) = named("missing field") {
                format!("the field `{field}` is missing")
            } else if text.starts_with("unknown field") {
                let expected = text.split_once("expected ").map(|it| it.1).unwrap_or_default();
                let expected = expected.split(" at line").next().unwrap_or_default();
                format!("there is an unknown field at {place}; expected {expected}")
            } else if let Some(field) = named("duplicate field") {
                format!("the field `{field}` is there twice")
            } else {
                format!("a value at {place} is not of the documented type")
            }
        }
        serde_json::error::Category::Eof => {
            "it ends too early; it must be one JSON object".to_owned()
        }
        _ => format!("it is not JSON at {place}"),
    }
}

fn first_quoted(text: &str) -> Option<&str> {
    text.split('`').nth(1)
}
