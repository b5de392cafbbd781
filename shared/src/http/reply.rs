use lambda_http::{
    Body, Response,
    http::{HeaderName, HeaderValue, StatusCode, header},
};
use serde::Serialize;

use super::headers;
use crate::error::Error;

/// An answer.
#[derive(Debug)]
pub struct Reply(Response<Body>);

impl Reply {
    /// `status` with `value` as JSON.
    pub fn json(status: StatusCode, value: &impl Serialize) -> Result<Self, Error> {
        let body = serde_json::to_string(value).map_err(Error::internal)?;
        Ok(Self::text(status, "application/json", body))
    }

    /// `status` with a ready body of the given media type.
    pub fn text(status: StatusCode, media_type: &'static str, body: String) -> Self {
        let mut response = Response::new(Body::Text(body));
        *response.status_mut() = status;
        let reply = Self(response);
        reply.with(header::CONTENT_TYPE, HeaderValue::from_static(media_type))
    }

    /// A ready document that is the same for everybody: browsers of other sites may read it, and it may
    /// be kept for five minutes.
    pub fn document(media_type: &'static str, body: String) -> Self {
        Self::text(StatusCode::OK, media_type, body)
            .with(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"))
            .with(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"))
    }

    /// 204, nothing to say.
    pub fn no_content() -> Self {
        Self::empty(StatusCode::NO_CONTENT)
    }

    /// `status` without a body.
    pub fn empty(status: StatusCode) -> Self {
        let mut response = Response::new(Body::Empty);
        *response.status_mut() = status;
        Self(response)
    }

    /// With a header set.
    pub fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers_mut().insert(name, value);
        self
    }

    /// Its body, where that is text.
    pub(crate) fn body(&self) -> &str {
        match self.0.body() {
            Body::Text(text) => text,
            _ => "",
        }
    }

    /// Its status.
    pub fn status(&self) -> StatusCode {
        self.0.status()
    }

    /// With what every answer carries.
    pub(super) fn finish(mut self, request_id: &str) -> Response<Body> {
        headers::common(self.0.headers_mut(), request_id);
        self.0
    }
}
