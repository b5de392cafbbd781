//! Errors in Stripe's form.

use http::StatusCode;
use serde_json::{Value, json};

/// Why a request is not done.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    kind: &'static str,
    code: Option<&'static str>,
    decline_code: Option<&'static str>,
    param: Option<String>,
    message: String,
    /// The payment that it is about.
    payment_intent: Option<Box<Value>>,
    /// Whether it was refused before its handler did anything: such an answer is not kept for its key.
    is_unexecuted: bool,
}

impl Refusal {
    fn new(status: StatusCode, kind: &'static str, message: impl Into<String>) -> Self {
        let (code, decline_code, param, message) = (None, None, None, message.into());
        let (payment_intent, is_unexecuted) = (None, false);
        Self { status, kind, code, decline_code, param, message, payment_intent, is_unexecuted }
    }

    /// 400 without a code.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request_error", message)
    }

    pub(super) fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "invalid_request_error", message)
    }

    /// The restricted key is not set to a permission, which Stripe names.
    pub(super) fn forbidden(permission: &str) -> Self {
        let message = format!(
            "The provided key 'rk_test_***local' does not have the required permissions for this endpoint on \
             account 'acct_local'. Having the '{permission}' permission would allow this request to continue."
        );
        Self::new(StatusCode::FORBIDDEN, "invalid_request_error", message)
    }

    /// The address leads to nothing.
    pub(super) fn unknown_address(method: &str, path: &str) -> Self {
        let message = format!("Unrecognized request URL ({method}: {path}).");
        Self::new(StatusCode::NOT_FOUND, "invalid_request_error", message)
    }

    /// The object in the address does not exist.
    pub(super) fn missing(name: &str, id: &str) -> Self {
        let message = format!("No such {name}: '{id}'");
        Self::new(StatusCode::NOT_FOUND, "invalid_request_error", message)
            .code("resource_missing")
            .param("id")
    }

    /// The object named by a parameter does not exist: 400, not 404.
    pub(super) fn missing_reference(name: &str, id: &str, param: &str) -> Self {
        Self::invalid(format!("No such {name}: '{id}'")).code("resource_missing").param(param)
    }

    pub(super) fn parameter_missing(param: &str) -> Self {
        Self::invalid(format!("Missing required param: {param}."))
            .code("parameter_missing")
            .param(param)
            .unexecuted()
    }

    pub(super) fn parameter_unknown(param: &str) -> Self {
        Self::invalid(format!("Received unknown parameter: {param}"))
            .code("parameter_unknown")
            .param(param)
            .unexecuted()
    }

    /// A parameter's value is none of those possible.
    pub(super) fn parameter_invalid(param: &str, wanted: &str) -> Self {
        Self::invalid(format!("Invalid {param}: must be {wanted}")).param(param).unexecuted()
    }

    /// The key was sent before with another request.
    pub(super) fn idempotency(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "idempotency_error", message)
    }

    pub(super) fn card_declined() -> Self {
        let message = "Your card was declined.";
        let refusal = Self::new(StatusCode::PAYMENT_REQUIRED, "card_error", message);
        Self { decline_code: Some("generic_decline"), ..refusal.code("card_declined") }
    }

    /// The card's holder has to confirm the payment, and is not there: of a change of a subscription, or of an
    /// invoice.
    pub(super) fn must_confirm(code: &'static str) -> Self {
        let message = "This payment requires additional user action before it can be completed.";
        Self::new(StatusCode::PAYMENT_REQUIRED, "card_error", message).code(code)
    }

    pub(super) fn rate_limited() -> Self {
        let message = "Request rate limit exceeded.";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "invalid_request_error", message)
            .code("rate_limit")
            .unexecuted()
    }

    /// A subscription has had as many new invoices as it may have.
    pub(super) fn too_many_invoices() -> Self {
        let message = "Too many invoices were created for this subscription.";
        Self { message: message.to_owned(), ..Self::rate_limited() }
    }

    pub(super) fn down() -> Self {
        let message = "An unknown error occurred.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "api_error", message)
    }

    /// Says that it came before anything was tried.
    pub(super) fn unexecuted(self) -> Self {
        Self { is_unexecuted: true, ..self }
    }

    /// Whether the answer is kept for its idempotency key.
    pub(super) fn is_kept(&self) -> bool {
        !self.is_unexecuted
    }

    pub(super) fn code(self, code: &'static str) -> Self {
        Self { code: Some(code), ..self }
    }

    pub(super) fn param(self, param: &str) -> Self {
        Self { param: Some(param.to_owned()), ..self }
    }

    /// Shows the payment with it, as Stripe does for cards.
    pub(super) fn about(self, payment_intent: Value) -> Self {
        Self { payment_intent: Some(Box::new(payment_intent)), ..self }
    }

    pub(super) fn body(&self) -> Value {
        let mut error = json!({ "type": self.kind, "message": self.message });
        if let Some(intent) = &self.payment_intent {
            error["payment_intent"] = Value::clone(intent);
        }
        let more = [
            ("code", self.code),
            ("decline_code", self.decline_code),
            ("param", self.param.as_deref()),
        ];
        for (name, value) in more {
            if let Some(value) = value {
                error[name] = json!(value);
            }
        }
        json!({ "error": error })
    }
}
