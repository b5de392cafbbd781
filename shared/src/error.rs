//! What can go wrong, without a word of HTTP. `http::problem` turns it into an answer, in one place.
//!
//! A rule returns its own domain's error; a handler returns [`Error`], into which each converts.
//! What a user reads and what the log keeps are apart: only [`Error::Unavailable`] and
//! [`Error::Internal`] carry internal detail, and that is never shown.

use std::fmt;

use crate::{
    billing::BillingError,
    gate::Denial,
    inventory::{OBJECTION_HOURS, RECOVERY_HOURS},
    video::FetchError,
};

/// Everything a handler can fail with.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request cannot be understood or breaks a rule of its form.
    #[error(transparent)]
    Input(#[from] InputError),
    /// The request carries no usable credential.
    #[error(transparent)]
    Auth(#[from] AuthError),
    /// The gate said no.
    #[error(transparent)]
    Denied(#[from] Denial),
    /// What was asked for does not exist, or not for this caller.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// The address is right and the method is not; names those that are.
    #[error("this address does not take that method; it takes {0}")]
    MethodNotAllowed(String),
    /// What was asked for was there and is not any more; the text says what to do.
    #[error("{0}")]
    Gone(&'static str),
    /// The request conflicts with what is there; the text says what to do.
    #[error("{0}")]
    Conflict(&'static str),
    /// The request did not come through the CDN, where it has to.
    #[error(
        "requests are taken at the service's public address only, which mails and documentation name; this \
         one came past it"
    )]
    WrongAddress,
    /// More mails were asked for than are sent in an hour.
    #[error("too many mails were asked for from your network within an hour; try again later")]
    TooManyMails,
    /// As many mails as are sent in an hour were asked for by everybody together.
    #[error(
        "so many mails were asked for within an hour, by all together, that none is sent for now; try \
         again in an hour"
    )]
    MailsPaused,
    /// Something about billing cannot be done.
    #[error(transparent)]
    Billing(#[from] BillingError),
    /// The video could not be had.
    #[error(transparent)]
    Video(#[from] FetchError),
    /// Data was restored from a backup, and later erasures have not been repeated yet.
    #[error(
        "data is being restored from a backup; the service stays closed until everything that was \
         erased since then has been erased again"
    )]
    Restoring,
    /// Something that we depend on does not answer; trying again helps.
    #[error("{dependency} is not available: {detail}")]
    Unavailable {
        /// For the log.
        dependency: &'static str,
        /// For the log.
        detail: String,
    },
    /// A fault of ours.
    #[error("internal error: {0}")]
    Internal(String),
}

impl Error {
    /// A dependency failed with `error`.
    pub fn unavailable(
        dependency: &'static str,
        error: &(dyn std::error::Error + 'static),
    ) -> Self {
        Self::Unavailable { dependency, detail: chain(error) }
    }

    /// A fault of ours, described for the log.
    pub fn internal(detail: impl fmt::Display) -> Self {
        Self::Internal(detail.to_string())
    }
}

/// An error with all its causes, in one line.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Why a request could not be understood. Messages are shown and say what to do.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum InputError {
    /// The body's media type is not JSON.
    #[error("send the body as JSON with `Content-Type: application/json`")]
    MediaType,
    /// The body is longer than any valid one.
    #[error("the body is longer than the {0} bytes that are accepted")]
    TooLarge(usize),
    /// Not JSON, a wrong type, a missing or an unknown field.
    #[error("the body is not valid: {0}")]
    Body(String),
    /// A field or parameter has a value that is not accepted.
    #[error("`{name}` {reason}")]
    Field {
        /// Name of the field or parameter.
        name: &'static str,
        /// What is expected instead.
        reason: String,
    },
    /// A query parameter or a header that there is not, or that is there more than once.
    #[error("{0}")]
    Parameter(String),
    /// The service is for people of 13 and older (privacy policy §8).
    #[error(
        "the service is not intended for children under 13, so no account can be opened; nothing \
         of this request has been kept"
    )]
    UnderAge,
    /// The idempotency key was used for another request.
    #[error("this `Idempotency-Key` was already used for a different request; use a new one")]
    IdempotencyKeyReused,
}

impl InputError {
    /// `name` has a value that is not accepted.
    pub fn field(name: &'static str, reason: impl Into<String>) -> Self {
        Self::Field { name, reason: reason.into() }
    }
}

/// Why a credential was not accepted.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone, Copy)]
pub enum AuthError {
    /// There is none.
    #[error("send your API key in the `X-API-Key` header or as `Authorization: Bearer`")]
    Missing,
    /// It is not of the form of an API key: a typo or a cut-off copy.
    #[error("this is not an API key of this service; check that it was copied whole")]
    Malformed,
    /// No live key: never made, or revoked.
    #[error("this API key is not valid; it may have been revoked")]
    Unknown,
    /// The mailed token is unknown, used or too old.
    #[error(
        "this token is not valid; it may have been used or be older than 24 hours: sign up again"
    )]
    Token,
    /// The token mailed for getting back into an account is unknown, used or too old.
    #[error(
        "this token is not valid; it may have been used or be older than {RECOVERY_HOURS} hours: for a new \
         one, sign up again with your address"
    )]
    RecoveryToken,
    /// A key of the sandbox where real things are done.
    #[error(
        "this is a sandbox key (`tvi_test_…`): it opens the video endpoints and nothing else; send a live key"
    )]
    Sandbox,
    /// The token mailed for an objection is unknown or too old.
    #[error("this token is not valid; it may be older than {OBJECTION_HOURS} hours: object again")]
    ObjectionToken,
}
