use std::sync::OnceLock;

use lambda_http::{
    Body, Request, RequestExt,
    aws_lambda_events::query_map::QueryMap,
    http::{HeaderMap, Method, header},
    request::RequestContext,
};
use serde::de::DeserializeOwned;
use time::{Date, OffsetDateTime};

use super::{
    body, origin, paths,
    sender::{Sender, proof, sender},
};
use crate::{
    app::App,
    dates,
    error::{AuthError, Error, InputError},
    gate::{Class, Window},
    keys::ApiKey,
    pages::{Form, Typed},
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
    method: Method,
    at: String,
    is_any: bool,
    form: Option<&'static Form>,
    window: OnceLock<(Class, Window)>,
}

impl Call {
    /// Reads API Gateway's context of a request to the service that is at `public_url`. Fails on events that are not
    /// API Gateway's (version 2.0).
    pub fn new(request: Request, public_url: &str) -> Result<Self, Error> {
        let RequestContext::ApiGatewayV2(context) = request.request_context() else {
            return Err(Error::internal("the event is not one of an HTTP API"));
        };
        let now = i128::from(context.time_epoch) * 1_000_000;
        let now = OffsetDateTime::from_unix_timestamp_nanos(now).map_err(Error::internal)?;
        let request_id = context.request_id.unwrap_or_default();
        let key = context.route_key.unwrap_or_default();
        let (method, at) = (context.http.method, context.http.path.unwrap_or_default());
        let source_ip = context.http.source_ip.unwrap_or_default();
        let of_any = key.strip_prefix("ANY ").map(|path| format!("{method} {path}"));
        let is_any = of_any.is_some();
        let is_ours = method == Method::POST
            && is_of(request.headers(), "application/x-www-form-urlencoded")
            && origin::is_ours(request.headers(), public_url);
        Ok(Self {
            form: if is_ours { Form::sent_to(&at) } else { None },
            request,
            now,
            request_id,
            source_ip,
            country: None,
            route: of_any.unwrap_or(key),
            method,
            at,
            is_any,
            window: OnceLock::new(),
        })
    }

    /// Whether it only reads: a `GET`, or a `HEAD`, which is answered as the `GET` without its body.
    pub fn is_read(&self) -> bool {
        [Method::GET, Method::HEAD].contains(&self.method)
    }

    /// Refuses methods that only the gateway's `ANY` has let through: what has a `GET` is routed by `ANY`, so
    /// that it has a `HEAD` too, and what else there is at a path has a route of its own.
    pub(super) fn check_method(&self) -> Result<(), Error> {
        if !self.is_any || self.is_read() {
            return Ok(());
        }
        Err(Error::MethodNotAllowed(paths::allow(&self.at).unwrap_or_default()))
    }

    /// The path as it was asked for, percent-decoded.
    pub fn at(&self) -> &str {
        &self.at
    }

    /// Whether the caller names this media type among those it takes. A range such as `*/*` does not count: a
    /// browser names `text/html`, and programs do not.
    pub(crate) fn accepts(&self, media_type: &str) -> bool {
        let ranges = self.header(header::ACCEPT.as_str()).unwrap_or_default().split(',');
        let mut named = ranges.filter_map(|it| {
            let (name, parameters) = it.split_once(';').unwrap_or((it, ""));
            name.trim().eq_ignore_ascii_case(media_type).then_some(parameters)
        });
        named.any(|parameters| !parameters.split(';').any(|it| is_zero_weight(it.trim())))
    }

    /// Whether who asks is a person with a browser, and not at an address that is for programs.
    pub(super) fn is_for_people(&self) -> bool {
        !self.at.starts_with("/v1/") && self.accepts("text/html")
    }

    /// The form that was sent, if it was one of our pages.
    pub(super) fn form(&self) -> Option<&'static Form> {
        self.form
    }

    /// What was typed into the form.
    pub(crate) fn typed(&self) -> Typed {
        let bytes = self.bytes();
        if bytes.len() > MAX_BODY { Typed::default() } else { Typed::parse(bytes) }
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

    /// All query parameters. Not from the request's address: the gateway has decoded its path, which may hold a `#`
    /// or `?` then.
    pub(super) fn parameters(&self) -> QueryMap {
        self.request.query_string_parameters()
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

    /// The body as JSON, or a form of ours as the JSON that it stands for. Unknown fields are refused where the
    /// type says so.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, InputError> {
        let form = self.form();
        if form.is_none() && !is_of(self.headers(), "application/json") {
            return Err(InputError::MediaType);
        }
        let bytes = self.bytes();
        if bytes.len() > MAX_BODY {
            return Err(InputError::TooLarge(MAX_BODY));
        }
        match form {
            Some(form) => body::read_value(form.json(&self.typed())),
            None => body::read(bytes),
        }
    }

    /// The API key in `X-API-Key` or `Authorization: Bearer`, or in a form of ours. It may be there more than
    /// once, and in both; two that differ are refused: which of them counts would be a guess.
    pub fn api_key(&self) -> Result<ApiKey, Error> {
        let bearer = |text: &str| {
            let (scheme, token) = text.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
        };
        let own = self.each("x-api-key").map(|it| Some(it?.to_owned()));
        let bearers = self.each("authorization").map(|it| bearer(it?));
        let mut keys: Vec<Option<String>> = own.chain(bearers).collect();
        keys.sort_unstable();
        keys.dedup();
        // What is not a key at all (`Basic …`) is none that differs.
        let mut told = keys.iter().flatten();
        match (told.next(), told.next()) {
            (Some(_), Some(_)) => Err(InputError::Parameter(
                "the request carries two different API keys, in `X-API-Key` or `Authorization`; send one"
                    .to_owned(),
            )
            .into()),
            (Some(key), None) => Ok(key.parse::<ApiKey>()?),
            (None, _) if keys.is_empty() && self.form().is_some() => {
                Ok(self.typed().get("api_key").ok_or(AuthError::Missing)?.parse::<ApiKey>()?)
            }
            (None, _) if keys.is_empty() => Err(AuthError::Missing.into()),
            (None, _) => Err(AuthError::Malformed.into()),
        }
    }

    /// Each value of a header, trimmed, `None` for one that is not printable ASCII. API Gateway joins the
    /// values of headers that are there more than once by commas, which no key has.
    fn each(&self, name: &str) -> impl Iterator<Item = Option<&str>> {
        let values = self.request.headers().get_all(name).iter();
        values.flat_map(|value| match value.to_str() {
            Ok(text) => text.split(',').map(|it| Some(it.trim())).collect::<Vec<_>>(),
            Err(_) => vec![None],
        })
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

/// Whether the body is said to be of this type.
fn is_of(headers: &HeaderMap, media_type: &str) -> bool {
    let given = headers.get(header::CONTENT_TYPE).and_then(|it| it.to_str().ok());
    let essence = given.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case(media_type)
}

/// Whether it is a weight of zero: `q=0`, with or without places.
fn is_zero_weight(parameter: &str) -> bool {
    let weight = parameter.strip_prefix("q=").or_else(|| parameter.strip_prefix("Q="));
    weight.is_some_and(|it| it.parse::<f32>() == Ok(0.0))
}
