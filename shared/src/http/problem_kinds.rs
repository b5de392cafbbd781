//! The kinds of problem, each declared once: the answers, the description of the API and its pages at
//! `/problems/{kind}` all come from here. The fields are private, so an answer can only name a kind of
//! this list.

use lambda_http::http::StatusCode;

/// A kind of problem.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    name: &'static str,
    status: StatusCode,
    title: &'static str,
    about: &'static str,
}

impl Kind {
    /// The kind of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        KINDS.iter().copied().find(|kind| kind.name == name)
    }

    /// Its name, as in `/problems/{kind}`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The status that it is answered with.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The kind in words.
    pub fn title(&self) -> &'static str {
        self.title
    }

    /// What happened and what to do.
    pub fn about(&self) -> &'static str {
        self.about
    }

    /// The `type` of a problem of this kind: an absolute address, as RFC 9457 §3.1.1 recommends. At the
    /// service's own, `public_url`, each has its page.
    pub fn uri(&self, public_url: &str) -> String {
        if *self == QUOTA_EXCEEDED {
            // Registered with IANA by draft-ietf-httpapi-ratelimit-headers.
            "https://iana.org/assignments/http-problem-types#quota-exceeded".to_owned()
        } else {
            format!("{public_url}/problems/{}", self.name)
        }
    }
}

/// Declares a constant for each kind, and the list of all of them.
macro_rules! kinds {
    ($($constant:ident = $name:literal, $status:ident, $title:literal: $about:literal;)+) => {
        $(pub(super) const $constant: Kind =
            Kind { name: $name, status: StatusCode::$status, title: $title, about: $about };)+

        /// Every kind, by status.
        pub const KINDS: &[&Kind] = &[$(&$constant),+];
    };
}

kinds! {
    INVALID_BODY = "invalid-body", BAD_REQUEST, "Invalid body":
        "The body is not JSON, lacks a field, or has one that is unknown or of another type. `detail` \
         says where: mend it and send it again.";
    INVALID_VALUE = "invalid-value", BAD_REQUEST, "Invalid value":
        "A field, a parameter or a header has a value that is not accepted. `detail` names it and says \
         what is expected instead.";
    TOO_MANY_AT_ONCE = "too-many-at-once", BAD_REQUEST, "Too many at once":
        "The request counts as more requests than the plan allows in any minute, so waiting would not \
         help. Ask for fewer at a time.";
    INVALID_API_KEY = "invalid-api-key", UNAUTHORIZED, "Invalid API key":
        "The request carries no API key, or one that is cut off, unknown or revoked. Send a live key in \
         `X-API-Key` or as `Authorization: Bearer`.";
    INVALID_TOKEN = "invalid-token", UNAUTHORIZED, "Invalid token":
        "The mailed token is unknown, was used, or is too old: that of a sign-up is good for 24 hours, that \
         for a new key for 6, that of an objection for 72. Ask for a new one.";
    CARD_DECLINED = "card-declined", PAYMENT_REQUIRED, "Card declined":
        "The bank did not let the payment through, and nothing has changed. Change the card on the page that \
         `POST /v1/billing/portal` opens, then try again.";
    ACCOUNT_INACTIVE = "account-inactive", FORBIDDEN, "Account inactive":
        "The key is fine, but its account is suspended or being deleted. The rights under `/v1/privacy` \
         can still be used; for anything else write to support.";
    SANDBOX_KEY = "sandbox-key", FORBIDDEN, "Sandbox key":
        "A key that begins with `tvi_test_` opens the video endpoints, which it answers from the sandbox, and \
         nothing else: what is about the account itself, its money or its data needs a live key.";
    PLAN_DOES_NOT_INCLUDE = "plan-does-not-include", FORBIDDEN, "Plan does not include this":
        "What is asked for needs something that the account's plan does not include, such as the country. \
         `detail` names it: leave it out, or move to a plan that includes it at `POST /v1/billing/plan`. \
         Not charged.";
    UNDER_AGE = "under-age", FORBIDDEN, "Under age":
        "The service is not intended for children under 13, so no account can be opened. Nothing of the \
         request has been kept.";
    WRONG_ADDRESS = "wrong-address", FORBIDDEN, "Wrong address":
        "The request came past the public address of the service, to one that only its own network uses. \
         Send it to the public address, which mails and documentation name. Not charged.";
    CREATOR_NOT_FOUND = "creator-not-found", NOT_FOUND, "Creator not found":
        "No source shows such a creator; whether there is none, or one who is private, cannot be told. \
         Check the handle. Not charged.";
    LINK_LEADS_NOWHERE = "link-leads-nowhere", NOT_FOUND, "Link leads to no video":
        "The short link leads away from TikTok, to a page that is no video, or nowhere. Check that it was \
         copied whole, or send the video's own address. Not charged.";
    NOT_FOUND = "not-found", NOT_FOUND, "Not found":
        "There is no such thing, or it is not yours. Check the id in the address.";
    VIDEO_NOT_FOUND = "video-not-found", NOT_FOUND, "Video not found":
        "No source shows such a video; whether it never existed, was deleted, or is private cannot be \
         told. Check the id. Not charged.";
    METHOD_NOT_ALLOWED = "method-not-allowed", METHOD_NOT_ALLOWED, "Method not allowed":
        "There is something at this address, but it does not take this method. `Allow` names those that it \
         takes.";
    BILLING_NOT_ENABLED = "billing-not-enabled", CONFLICT, "Payment not set up":
        "This service's operator has not set up payment, so no plan can be bought here. Asking again does \
         not help; write to support.";
    CONFLICT = "conflict", CONFLICT, "Conflict":
        "The request conflicts with what is there, for example a deletion that has begun. `detail` says \
         with what, and what to do.";
    SOURCE_NOT_ENABLED = "source-not-enabled", CONFLICT, "Source not enabled":
        "Only TikTok's Research API could tell, and this service's operator has not switched it on. \
         Asking again does not help. Not charged.";
    CURSOR_EXPIRED = "cursor-expired", GONE, "Cursor has expired":
        "The search that the cursor belongs to has ended at the source. Begin it anew, without `cursor`.";
    GONE = "gone", GONE, "Gone":
        "What was asked for was there and is not any more. `detail` says how to get it anew.";
    BODY_TOO_LARGE = "body-too-large", PAYLOAD_TOO_LARGE, "Body too large":
        "The body is longer than the 64 KiB that are accepted; no valid one is. Send less.";
    UNSUPPORTED_MEDIA_TYPE = "unsupported-media-type", UNSUPPORTED_MEDIA_TYPE, "Unsupported media type":
        "The body is not declared as JSON. Send it with `Content-Type: application/json`.";
    IDEMPOTENCY_KEY_REUSED = "idempotency-key-reused", UNPROCESSABLE_ENTITY, "Idempotency key reused":
        "The `Idempotency-Key` was used for a different request before. Make a new one for each new \
         request, and repeat it only with the same body.";
    QUOTA_EXCEEDED = "quota-exceeded", TOO_MANY_REQUESTS, "Quota exceeded":
        "A limit is passed; `violated-policies` names it: `minute` or `month` of the plan, or `account` or \
         `payment` of what is not metered. Wait for the seconds in `Retry-After`. Not charged.";
    TOO_MANY_SIGN_UPS = "too-many-sign-ups", TOO_MANY_REQUESTS, "Too many mails":
        "Too many mails were asked for within an hour, from your network or by everybody together; `detail` says \
         which. Wait for the seconds in `Retry-After`.";
    CREATOR_OBJECTED = "creator-objected", UNAVAILABLE_FOR_LEGAL_REASONS, "Creator objected":
        "The creator has objected to being looked up here, which the law entitles them to. There is \
         nothing to be done about it.";
    INTERNAL = "internal", INTERNAL_SERVER_ERROR, "Internal error":
        "Something went wrong on our side. Try again; if it happens again, write to support with the \
         `request_id`. Not charged.";
    SOURCE_FAILED = "source-failed", BAD_GATEWAY, "Source failed":
        "The source answered with an error, and no other could take its place. Try again in a while. \
         Not charged.";
    RESTORING = "restoring", SERVICE_UNAVAILABLE, "Restoring from a backup":
        "Data was restored from a backup, and what was erased since then is being erased again; until \
         then the service is closed. Wait for the seconds in `Retry-After`.";
    SOURCE_ALLOWANCE_USED = "source-allowance-used", SERVICE_UNAVAILABLE, "Source's allowance is used up":
        "Your share of what TikTok allows this service in a day is used up: it depends on the plan, and on \
         what others ask; requests that are not charged have a share of their own. It starts anew at 00:00 \
         UTC: wait for the seconds in `Retry-After`. Not charged.";
    SOURCE_BUSY = "source-busy", SERVICE_UNAVAILABLE, "Source is busy":
        "The source wants to be left alone for a while, or has not made the page ready yet that was asked \
         for, as may happen for minutes after a search began. Wait for the seconds in `Retry-After`, then \
         send the same request again: its `cursor` stays valid. Not charged.";
    UNAVAILABLE = "unavailable", SERVICE_UNAVAILABLE, "Service unavailable":
        "A part of the service does not answer. Try again after the seconds in `Retry-After`; `/health` \
         tells how the parts are. Not charged.";
    SOURCE_TIMEOUT = "source-timeout", GATEWAY_TIMEOUT, "Source did not answer in time":
        "The source took too long. Try again in a while. Not charged.";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_kind_has_its_own_name_and_type_and_is_found_by_it() {
        let names: BTreeSet<_> = KINDS.iter().map(|kind| kind.name()).collect();
        let types: BTreeSet<_> = KINDS.iter().map(|kind| kind.uri("https://a.example")).collect();
        assert_eq!((names.len(), types.len()), (KINDS.len(), KINDS.len()));
        for &kind in KINDS {
            assert_eq!(Kind::named(kind.name()), Some(kind));
            let plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'-';
            assert!(kind.name().bytes().all(plain), "{} goes into an address", kind.name());
        }
        assert!(types.iter().all(|it| it.starts_with("https://")), "{types:?}");
        assert_eq!(Kind::named("no-such-kind"), None);
    }

    #[test]
    fn each_kind_is_an_error_and_says_what_to_do() {
        assert!(KINDS.is_sorted_by_key(|kind| kind.status()));
        for kind in KINDS {
            let status = kind.status();
            assert!(status.is_client_error() || status.is_server_error(), "{}", kind.name());
            assert!(!kind.title().is_empty() && kind.about().ends_with('.'), "{}", kind.name());
        }
    }
}
