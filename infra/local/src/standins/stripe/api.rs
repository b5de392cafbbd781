//! The way of a request: key, fault, idempotency, and the one who answers it.

use axum::{
    Json,
    body::Bytes,
    extract::{Request, State as Shared},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header::AUTHORIZATION};
use http_body_util::{BodyExt, Limited};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    SECRET_KEY, Stripe, catalogue, checkout, credit_notes, customers, events,
    events::{API_VERSION, PREVIEW_VERSION, RequestRef},
    expand,
    fault::Course,
    invoices,
    params::Params,
    payments, portal, redaction,
    refusal::Refusal,
    state::State,
    subscriptions,
};

/// What a request comes to.
pub(super) type Answer = Result<Value, Refusal>;

/// What is a preview.
const PREVIEWS: &str = "/v1/privacy/";

type Handler = fn(&mut State, &str, &mut Params) -> Answer;

/// Largest body taken.
const MAX_BODY: usize = 1 << 20;

/// How long an answer is kept for its idempotency key, seconds.
const REMEMBERED_FOR: i64 = 24 * 3_600;

const ROUTES: &[(&str, &str, Handler)] = &[
    ("POST", "/v1/billing_portal/sessions", portal::create),
    ("GET", "/v1/charges", payments::charges::list),
    ("GET", "/v1/charges/{id}", payments::charges::retrieve),
    ("GET", "/v1/checkout/sessions", checkout::list),
    ("POST", "/v1/checkout/sessions", checkout::create),
    ("GET", "/v1/checkout/sessions/{id}", checkout::retrieve),
    ("POST", "/v1/checkout/sessions/{id}/expire", checkout::expire),
    ("GET", "/v1/credit_notes", credit_notes::list),
    ("GET", "/v1/credit_notes/{id}", credit_notes::retrieve),
    ("GET", "/v1/customers", customers::list),
    ("POST", "/v1/customers", customers::create),
    ("GET", "/v1/customers/{id}", customers::retrieve),
    ("POST", "/v1/customers/{id}", customers::update),
    ("DELETE", "/v1/customers/{id}", customers::delete),
    ("GET", "/v1/disputes", payments::disputes::list),
    ("GET", "/v1/disputes/{id}", payments::disputes::retrieve),
    ("GET", "/v1/events", events::list),
    ("GET", "/v1/events/{id}", events::retrieve),
    ("GET", "/v1/invoices", invoices::list),
    ("GET", "/v1/invoices/{id}", invoices::retrieve),
    ("GET", "/v1/invoices/{id}/lines", invoices::lines),
    ("POST", "/v1/invoices/{id}/pay", invoices::pay),
    ("POST", "/v1/invoices/{id}/void", invoices::void),
    ("GET", "/v1/payment_intents/{id}", payments::charges::retrieve_intent),
    ("GET", "/v1/prices", catalogue::list_prices),
    ("POST", "/v1/prices", catalogue::create_price),
    ("GET", "/v1/prices/{id}", catalogue::retrieve_price),
    ("POST", "/v1/prices/{id}", catalogue::update_price),
    ("POST", "/v1/privacy/redaction_jobs", redaction::create),
    ("GET", "/v1/privacy/redaction_jobs/{id}", redaction::retrieve),
    ("POST", "/v1/privacy/redaction_jobs/{id}/run", redaction::run),
    ("GET", "/v1/privacy/redaction_jobs/{id}/validation_errors", redaction::validation_errors),
    ("POST", "/v1/products", catalogue::create_product),
    ("GET", "/v1/products/{id}", catalogue::retrieve_product),
    ("GET", "/v1/refunds", payments::refunds::list),
    ("POST", "/v1/refunds", payments::refunds::create),
    ("GET", "/v1/refunds/{id}", payments::refunds::retrieve),
    ("GET", "/v1/subscriptions", subscriptions::list),
    ("GET", "/v1/subscriptions/{id}", subscriptions::retrieve),
    ("POST", "/v1/subscriptions/{id}", subscriptions::update),
    ("DELETE", "/v1/subscriptions/{id}", subscriptions::cancel),
    ("POST", "/v1/subscriptions/{id}/resume", subscriptions::resume),
];

/// An answer that is given again when its key is sent again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Remembered {
    at: i64,
    path: String,
    params: String,
    status: u16,
    body: Value,
    request: String,
}

/// A request that is known to lead somewhere.
struct Call {
    handler: Handler,
    pattern: &'static str,
    path: String,
    id: String,
    params: Params,
    idempotency_key: Option<String>,
}

pub(super) async fn answer(Shared(stripe): Shared<Stripe>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = match Limited::new(body, MAX_BODY).collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => return refused(&Refusal::invalid("The request is too large.")),
    };
    let query = parts.uri.query().unwrap_or_default();
    match Call::read(&parts.method, parts.uri.path(), query, &parts.headers, &body) {
        Ok(call) => {
            if call.path.starts_with(PREVIEWS) && stripe.has_no_previews() {
                return refused(&Refusal::unknown_address(parts.method.as_str(), &call.path));
            }
            if let Some(lacking) = stripe.lacks(&parts.method, call.pattern) {
                return refused(&Refusal::forbidden(&lacking));
            }
            let name = format!("{} {}", parts.method, call.pattern);
            match stripe.enter(name).await {
                Ok(course) => {
                    let made = stripe.with(|state| call.make(state, course));
                    if course == Course::Mute {
                        return std::future::pending().await;
                    }
                    made.respond(&stripe)
                }
                Err(refusal) => refused(&refusal),
            }
        }
        Err(refusal) => refused(&refusal),
    }
}

impl Call {
    fn read(
        method: &Method,
        path: &str,
        query: &str,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Result<Self, Refusal> {
        let header = |name: HeaderName| headers.get(name).and_then(|it| it.to_str().ok());
        match header(AUTHORIZATION).and_then(|it| it.strip_prefix("Bearer ")) {
            Some(SECRET_KEY) => {}
            Some(_) => return Err(Refusal::unauthorized("Invalid API Key provided.")),
            None => return Err(Refusal::unauthorized("You did not provide an API key.")),
        }
        let version = header(HeaderName::from_static("stripe-version"));
        // What is a preview is unknown to the version of general availability, and the other way round nothing
        // here is written for the version with previews.
        let expected = match path.starts_with(PREVIEWS) {
            true if version != Some(PREVIEW_VERSION) => {
                return Err(Refusal::unknown_address(method.as_str(), path));
            }
            true => PREVIEW_VERSION,
            false => API_VERSION,
        };
        if version.is_some_and(|it| it != expected) {
            return Err(Refusal::invalid("This is a stand-in for one API version only."));
        }
        let found = ROUTES.iter().find_map(|(verb, pattern, handler)| {
            let id = if method.as_str() == *verb { matched(pattern, path) } else { None };
            id.map(|id| (*handler, *pattern, id))
        });
        let Some((handler, pattern, id)) = found else {
            return Err(Refusal::unknown_address(method.as_str(), path));
        };
        let is_post = method == Method::POST;
        let params =
            Params::parse(if is_post || !body.is_empty() { body } else { query.as_bytes() });
        let key = header(HeaderName::from_static("idempotency-key")).filter(|_| is_post);
        if key.is_some_and(|it| it.is_empty() || it.len() > 255) {
            return Err(Refusal::idempotency("Idempotency keys have 1 to 255 characters."));
        }
        let idempotency_key = key.map(str::to_owned);
        Ok(Self { handler, pattern, path: path.to_owned(), id, params, idempotency_key })
    }

    fn make(mut self, state: &mut State, course: Course) -> Made {
        let request = state.id("req_");
        let params = self.params.canonical();
        if let Some(key) = &self.idempotency_key {
            let now = state.now;
            state.remembered.retain(|_, it| now < it.at + REMEMBERED_FOR);
            if let Some(it) = state.remembered.get(key) {
                if it.path != self.path || it.params != params {
                    let message = "Keys for idempotent requests can only be used with the same \
                                   endpoint and parameters they were first used with.";
                    let refusal = Refusal::idempotency(message);
                    let (status, body) = (refusal.status, refusal.body());
                    return Made { status, body, request, is_replayed: false };
                }
                let status = StatusCode::from_u16(it.status).unwrap_or_default();
                let (body, request) = (it.body.clone(), it.request.clone());
                return Made { status, body, request, is_replayed: true };
            }
        }
        let idempotency_key = self.idempotency_key.clone();
        state.request = Some(RequestRef { id: request.clone(), idempotency_key });
        let paths = self.params.list("expand");
        let outcome = match course {
            Course::FailsInside => Err(Refusal::down()),
            Course::Well | Course::Mute => (self.handler)(state, &self.id, &mut self.params)
                .and_then(|object| expand::expand(state, object, &paths)),
        };
        state.request = None;
        let (status, body) = match &outcome {
            Ok(body) => (StatusCode::OK, body.clone()),
            Err(refusal) => (refusal.status, refusal.body()),
        };
        // All that a handler has answered is kept, failures too (docs.stripe.com/api/idempotent_requests). What
        // was refused before anything was tried is not: it may be sent again, put right.
        let is_kept = outcome.as_ref().err().is_none_or(Refusal::is_kept);
        if let Some(key) = self.idempotency_key.filter(|_| is_kept) {
            let (at, status, body) = (state.now, status.as_u16(), body.clone());
            let it =
                Remembered { at, path: self.path, params, status, body, request: request.clone() };
            state.remembered.insert(key, it);
        }
        Made { status, body, request, is_replayed: false }
    }
}

/// What a call came to.
struct Made {
    status: StatusCode,
    body: Value,
    request: String,
    is_replayed: bool,
}

impl Made {
    fn respond(self, stripe: &Stripe) -> Response {
        let body = stripe.shown(self.body);
        if !self.is_replayed {
            return respond(self.status, &body, &self.request, &[]);
        }
        let original = [("original-request", self.request.as_str())];
        let mut response = respond(self.status, &body, &self.request, &original);
        let replayed = HeaderValue::from_static("true");
        response.headers_mut().insert("idempotent-replayed", replayed);
        response
    }
}

/// What stands in `path` for `{id}` in the pattern; empty where it has none.
fn matched(pattern: &str, path: &str) -> Option<String> {
    let (mut wanted, mut given) = (pattern.split('/'), path.trim_end_matches('/').split('/'));
    let mut id = String::new();
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return Some(id),
            (Some("{id}"), Some(part)) if !part.is_empty() => part.clone_into(&mut id),
            (Some(one), Some(other)) if one == other => {}
            _ => return None,
        }
    }
}

fn refused(refusal: &Refusal) -> Response {
    respond(refusal.status, &refusal.body(), "req_refused", &[])
}

fn respond(
    status: StatusCode,
    body: &Value,
    request: &str,
    more: &[(&'static str, &str)],
) -> Response {
    let mut response = (status, Json(body)).into_response();
    let headers = response.headers_mut();
    for (name, value) in more.iter().chain(&[("request-id", request)]) {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(*name, value);
        }
    }
    headers.insert("stripe-version", HeaderValue::from_static(API_VERSION));
    response
}
