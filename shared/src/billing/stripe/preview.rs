//! The client for what is a preview at Stripe: it is reached with a version of its own, and async-stripe sends
//! one and the same version with everything.

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use hyper::body::Bytes;
use secrecy::{ExposeSecret, SecretString};
use stripe::StripeError;
use stripe_client_core::{CustomizedStripeRequest, StripeClient, StripeMethod};
use url::Url;

use super::TIMEOUT;
use crate::{
    error::Error,
    secrets::StripeCredentials,
    upstream::{self, Limits},
};

/// The version with previews of the one that async-stripe sends.
const VERSION: HeaderValue = HeaderValue::from_static("2026-09-30.preview");

const STRIPE: &str = "https://api.stripe.com/";

/// Longest answer that is read.
const MAX_BYTES: usize = 1 << 20;

/// Sends each request once: those who ask try again by themselves.
#[derive(Clone, Debug)]
pub(super) struct Preview {
    client: upstream::Client,
    base: Url,
    key: SecretString,
}

impl Preview {
    pub(super) fn new(credentials: &StripeCredentials, url: Option<&str>) -> Result<Self, Error> {
        let base = Url::parse(url.unwrap_or(STRIPE)).map_err(Error::internal)?;
        Ok(Self { client: upstream::Client::new(), base, key: credentials.secret_key.clone() })
    }

    fn headers(&self, idempotency_key: Option<&str>) -> Result<HeaderMap, StripeError> {
        // The value could be shown with the error.
        let value = |it: &str| {
            HeaderValue::from_str(it)
                .map_err(|_| StripeError::ConfigError("a header cannot be sent".to_owned()))
        };
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        let mut headers = HeaderMap::from_iter([
            (header::AUTHORIZATION, value(&format!("Bearer {}", self.key.expose_secret()))?),
            (header::CONTENT_TYPE, form),
            (HeaderName::from_static("stripe-version"), VERSION),
        ]);
        if let Some(key) = idempotency_key {
            headers.insert(HeaderName::from_static("idempotency-key"), value(key)?);
        }
        Ok(headers)
    }
}

impl StripeClient for Preview {
    type Err = StripeError;

    async fn execute(&self, request: CustomizedStripeRequest) -> Result<Bytes, StripeError> {
        let (request, settings) = request.into_pieces();
        let key = settings.request_strategy.and_then(|it| it.get_key());
        let headers = self.headers(key.as_ref().map(|it| it.as_str()))?;
        let wrong = |error: url::ParseError| StripeError::ConfigError(error.to_string());
        let mut url = self.base.join(&format!("v1{}", request.path)).map_err(wrong)?;
        url.set_query(request.query.as_deref());
        let method = match request.method {
            StripeMethod::Get => Method::GET,
            StripeMethod::Post => Method::POST,
            StripeMethod::Delete => Method::DELETE,
        };
        let body = request.body.unwrap_or_default().into();
        let limits = Limits { timeout: TIMEOUT, max_bytes: MAX_BYTES };
        let answer = self.client.send(method, &url, headers, body, limits).await;
        let answer = answer.map_err(|error| match error {
            upstream::Error::Timeout => StripeError::Timeout,
            error => StripeError::ClientError(error.to_string()),
        })?;
        if answer.status.is_success() {
            return Ok(answer.body);
        }
        let unreadable = || StripeError::JSONDeserialize("an error was not understood".to_owned());
        let text = std::str::from_utf8(&answer.body).map_err(|_| unreadable())?;
        let error: stripe_shared::Error =
            miniserde::json::from_str(text).map_err(|_| unreadable())?;
        Err(StripeError::Stripe(error.error, answer.status.as_u16()))
    }
}
