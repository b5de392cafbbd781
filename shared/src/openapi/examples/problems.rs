//! The problems that an operation may answer with, each made of an error that leads to it.

use std::time::Duration;

use serde_json::Value;

use super::Place;
use crate::{
    accounts::Status,
    billing::BillingError,
    error::{AuthError, Error, InputError},
    gate::{Class, Denial, Limits, Window},
    http::{Kind, Problem, kind},
    openapi::EXAMPLE_SITE,
    plans::Plan,
    video::{FetchError, Source},
};

/// The longest body that is accepted, in bytes.
const MAX_BODY: usize = 64 * 1024;

const REQUEST_ID: &str = "JKJaXmPLvHcESHA=";

/// An example of each kind that the operation may answer with `status`.
pub(super) fn examples(place: &Place<'_>, status: &str) -> Vec<(&'static Kind, Value)> {
    let all = errors(place).into_iter();
    let of_status = all.filter(|error| kind(error).status().as_str() == status);
    of_status
        .filter_map(|error| {
            let problem = Problem::of(&error, EXAMPLE_SITE, REQUEST_ID);
            let problem = serde_json::to_value(problem).ok()?;
            Some((kind(&error), problem))
        })
        .collect()
}

/// What is asked for by its path alone.
const WITHOUT_BODY: [&str; 3] =
    ["/v1/billing/portal", "/v1/billing/refunds", "/v1/privacy/exports"];

/// What is said of a query parameter where there are none.
const NO_PARAMETERS: &str = "`limit` is no parameter of this endpoint; there are none here";

/// Every error that the operation can end in, and some that it cannot: those are of a status that it
/// does not answer with.
fn errors(place: &Place<'_>) -> Vec<Error> {
    let mut errors = vec![
        Error::Restoring,
        Error::WrongAddress,
        Error::Unavailable { dependency: "", detail: String::new() },
        Error::internal(""),
        Error::NotFound(thing(place)),
        Error::Gone("the export is not there any more; ask for a new one"),
        InputError::MediaType.into(),
        InputError::TooLarge(MAX_BODY).into(),
        InputError::IdempotencyKeyReused.into(),
    ];
    errors.extend(place.body_error());
    let no_parameters = InputError::Parameter(NO_PARAMETERS.to_owned());
    // What a key is made with is no matter for the list of keys.
    let value_error = value_error(place).filter(|_| !place.is("get /v1/keys"));
    errors.push(value_error.unwrap_or(no_parameters).into());
    errors.extend(conflict(place).map(Error::Conflict));
    if place.is("post /v1/billing/refunds") {
        errors.push(BillingError::RefundOver.into());
    }
    errors.extend(billing(place).iter().map(|it| Error::from(*it)));
    if place.needs_key {
        errors.push(AuthError::Unknown.into());
        if !place.is_for_any_holder() {
            errors.push(Denial::Inactive(Status::Suspended.name().to_owned()).into());
        }
        if !place.is_metered {
            errors.push(AuthError::Sandbox.into());
            errors.push(unmetered(place).into());
        }
    } else {
        errors.extend([InputError::UnderAge.into(), Error::TooManyMails]);
        errors.push(match place.path {
            "/v1/accounts/verify" => AuthError::Token.into(),
            "/v1/accounts/recover" => AuthError::RecoveryToken.into(),
            _ => AuthError::ObjectionToken.into(),
        });
    }
    if place.is_metered {
        errors.retain(|it| !matches!(it, Error::NotFound(_) | Error::Gone(_)));
        errors.extend(metered(place));
    }
    errors
}

/// Over the limit of what is not metered.
fn unmetered(place: &Place<'_>) -> Denial {
    let asks_stripe = ["/v1/billing/checkout", "/v1/billing/plan", "/v1/billing/portal"];
    let is_payment =
        asks_stripe.contains(&place.path) || place.path == "/v1/billing/invoices/{invoice_id}";
    let class = if is_payment { Class::Payment } else { Class::Account };
    let limit = class.requests_per_minute();
    let window = Window { limit, remaining: 0, reset_seconds: 12 };
    Denial::Unmetered { class, retry_after: Duration::from_secs(12), window }
}

/// What only metered operations end in.
fn metered(place: &Place<'_>) -> Vec<Error> {
    let minute = Window { limit: 60, remaining: 0, reset_seconds: 12 };
    let period = Window { limit: 10_000, remaining: 8_766, reset_seconds: 561_600 };
    let limits = Limits { minute, period, period_seconds: 2_592_000 };
    let mut errors: Vec<Error> = Vec::new();
    if let Ok(key_id) = "key_3cRt0pQ9sLmX".parse() {
        let retry_after = Duration::from_secs(12);
        errors.push(Denial::Rate { retry_after, limits, key_id }.into());
    }
    if place.is("post /v1/videos/search") {
        errors.push(Denial::LacksCountry(Plan::Basic).into());
    }
    if place.is("post /v1/videos/batch") {
        errors.push(Denial::TooMany { asked: 100, allowed: 60 }.into());
    }
    let missing = match place.path.starts_with("/v1/creators/") {
        true => FetchError::NoCreator,
        false => FetchError::NotFound,
    };
    let minute = Duration::from_secs(60);
    let ends = [
        missing,
        FetchError::NeedsResearch,
        FetchError::CursorExpired,
        FetchError::Objected,
        FetchError::Timeout,
        FetchError::RateLimited { retry_after: minute },
        FetchError::Exhausted { retry_after: 720 * minute },
        FetchError::Upstream { retryable: true, by: Source::Research },
    ];
    errors.extend(ends.map(Error::from));
    if place.is("get /v1/videos") {
        errors.push(FetchError::LinkLeadsNowhere.into());
    }
    errors
}

impl Place<'_> {
    /// Whether the account need not be served.
    fn is_for_any_holder(&self) -> bool {
        ["/v1/privacy", "/v1/billing/portal", "/v1/billing/invoices"]
            .iter()
            .any(|it| self.path.starts_with(it))
    }

    /// A body that lacks a field, or is none at all.
    fn body_error(&self) -> Option<Error> {
        let detail = match &self.field {
            Some(field) => format!("the field `{field}` is missing"),
            None if self.method == "post" && !WITHOUT_BODY.contains(&self.path) => {
                "it is not JSON at line 1, column 1".to_owned()
            }
            None => return None,
        };
        Some(InputError::Body(detail).into())
    }
}

/// A value that the operation does not take.
fn value_error(place: &Place<'_>) -> Option<InputError> {
    let (name, reason) = match place.path {
        "/v1/accounts" => ("email", "must be an e-mail address"),
        "/v1/keys" => ("name", "must be 1 to 64 printable characters"),
        "/v1/keys/{key_id}" => ("key_id", "must be the id of a key, as `GET /v1/keys` lists it"),
        "/v1/usage" => ("from", "must be a date such as 2026-11-24"),
        "/v1/billing/checkout" => {
            ("plan", "must be one that is paid for: `basic`, `pro` or `business`")
        }
        "/v1/billing/invoices" => ("limit", "must be a number from 1 to 100"),
        "/v1/billing/invoices/{invoice_id}" => {
            ("invoice_id", "must be the id of an invoice, as `GET /v1/billing/invoices` lists it")
        }
        "/v1/videos" => ("include", "must be `creator`"),
        "/v1/videos/batch" => ("videos", "must have 1 to 100 items"),
        "/v1/videos/search" => ("limit", "must be a number from 1 to 50"),
        path if path.ends_with("{request_id}") || path.ends_with("/download") => {
            ("request_id", "must be the id of a request, such as req_4kPq9ZtR2mWx")
        }
        path if path.ends_with("{objection_id}") => {
            ("objection_id", "must be the id of an objection, such as obj_4kPq9ZtR2mWx")
        }
        path if path.starts_with("/v1/videos/{video_id}") => {
            ("video_id", "must be the number in the video's address, such as 7565919548239514898")
        }
        path if path.starts_with("/v1/hashtags/") => {
            ("name", "must be a hashtag of 1 to 100 characters without spaces")
        }
        "/v1/objections" => ("username", HANDLE),
        path if path.starts_with("/v1/creators/{username}") => ("username", HANDLE),
        _ => return None,
    };
    Some(InputError::field(name, reason))
}

const HANDLE: &str = "must be a TikTok handle: 1 to 25 letters, digits, underscores and dots";

/// What is not there.
fn thing(place: &Place<'_>) -> &'static str {
    match place.path {
        "/problems/{kind}" => "kind of problem",
        "/billing/{page}" => "page",
        "/v1/keys/{key_id}" => "key of yours",
        "/v1/billing/invoices/{invoice_id}" => "invoice",
        "/v1/objections/{objection_id}" => "objection",
        _ => "request",
    }
}

/// With what the operation conflicts.
fn conflict(place: &Place<'_>) -> Option<&'static str> {
    match place.path {
        "/v1/accounts/verify" => {
            Some("this address has an account already; for a new API key, sign up again with it")
        }
        "/v1/accounts/recover" => Some(
            "the account has 20 live keys, the most there can be; to revoke them all, send \
             `revoke_other_keys`: true",
        ),
        "/v1/keys/{key_id}" => Some(
            "this is the last key that opens your account: make another one first. To revoke it all the same, \
             repeat the request with `?confirm=last`; you get a new key only by mail then, by signing up again \
             with your address",
        ),
        "/v1/keys" => Some("this `Idempotency-Key` was used more than a day ago; use a new one"),
        "/v1/privacy/deletions/{request_id}" => {
            Some("the deletion has begun and can no longer be cancelled")
        }
        "/v1/privacy/exports" => {
            Some("the account is being deleted; there is no copy of it any more")
        }
        "/v1/privacy/exports/{request_id}/download" => {
            Some("the export is not made yet; look at the request until it has a `file`")
        }
        _ => None,
    }
}

/// What about billing stands in the way of the operation.
fn billing(place: &Place<'_>) -> &'static [BillingError] {
    match place.path {
        "/v1/billing/checkout" => &[BillingError::AlreadySubscribed, BillingError::NotEnabled],
        "/v1/billing/portal" => &[BillingError::NotSubscribed, BillingError::NotEnabled],
        "/v1/billing/plan" => &[
            BillingError::CardDeclined,
            BillingError::SamePlan,
            BillingError::MustConfirm,
            BillingError::ByHand,
            BillingError::PeriodNotPaid,
            BillingError::NotEnabled,
        ],
        _ => &[],
    }
}
