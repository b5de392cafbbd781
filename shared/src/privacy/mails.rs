use time::format_description::well_known::Rfc3339;

use super::{payments::REDACTED_AFTER, request::Request, views::REFUND_FIRST};
use crate::{
    accounts::Account,
    config::ServiceConfig,
    dates::{at, day},
    mail::Mail,
};

/// What a deletion does to a subscription.
pub(super) const SUBSCRIPTION_ENDS: &str = "Your subscription is cancelled at once when the deletion begins, and what you have paid is not \
     refunded automatically: if a refund is due to you, ask for it before.";

/// Says that a deletion has been scheduled, and how to stop it: whoever did not ask for it learns of it.
pub(super) fn scheduled(
    service: &ServiceConfig,
    account: &Account,
    erasure: &Request,
    awaits_refund: bool,
) -> Mail {
    let (public_url, support) = (&service.public_url, &service.support_address);
    let run = day(erasure.run_at);
    let mut text = vec![
        format!("You asked to delete your account. It will be deleted on {run} (UTC)."),
        format!(
            "Until then you can change your mind, with your API key: {public_url}/deletions/{} (programs send \
             DELETE {public_url}/v1/privacy/deletions/{}). If you did not ask for this, do so now and revoke your \
             keys.",
            erasure.id, erasure.id
        ),
        format!(
            "Does your key not work any more? Sign up again with this address at {public_url}/sign-up: the mail \
             that comes gets you a new key, revokes all others and keeps the account, if you say so."
        ),
    ];
    if account.subscription.is_some() {
        text.push(SUBSCRIPTION_ENDS.to_owned());
    }
    if awaits_refund {
        text.push(REFUND_FIRST.to_owned());
    }
    text.push(format!("Do you need help? Write to {support}."));
    Mail::of("Your account will be deleted", &text)
}

/// Says that a deletion was cancelled.
pub(super) fn cancelled() -> Mail {
    let text = "The deletion of your account was cancelled. Nothing has been deleted.".to_owned();
    Mail::of("Your account stays", &[text])
}

/// Says that a copy of the data can be fetched. The way there needs a key: a link that works by itself
/// would be at home in a mailbox for good.
pub(super) fn exported(public_url: &str, request: &Request, until: i64) -> Mail {
    Mail::of(
        "Your data is ready",
        &[
            "You asked for a copy of what we keep about you. It is made.".to_owned(),
            format!(
                "Fetch it with your API key: {public_url}/exports/{} (programs: GET \
                 {public_url}/v1/privacy/exports/{}/download). It is there until {} (UTC), and then deleted. If \
                 you did not ask for this, revoke your keys.",
                request.id,
                request.id,
                instant(until)
            ),
        ],
    )
}

/// Says what was deleted, what stays, and until when.
pub(super) fn certificate(
    service: &ServiceConfig,
    erasure: &Request,
    remainder: Option<&Request>,
) -> Mail {
    let (public_url, support) = (&service.public_url, &service.support_address);
    let found = erasure.found.iter().map(|(store, count)| format!("{store}: {count}"));
    let mut text = vec![
        "Your account and what belonged to it have been deleted. This is the last mail to this \
         address."
            .to_owned(),
        format!("Items found in each store: {}.", found.collect::<Vec<_>>().join(", ")),
    ];
    if let Some(remainder) = remainder {
        let (from, by) = (day(remainder.run_at), day(remainder.due_at));
        text.push(format!(
            "Nothing is charged any more, and your cards and your address were deleted at Stripe, the \
             payment processor. Past payments are redacted there {} days after the last one, from {from} on \
             and by {by} (UTC), when banks take no more disputes about them: a payment that is redacted \
             cannot be refunded, and is lost in a dispute. Where that stands: \
             {public_url}/v1/privacy/deletions/{}.",
            REDACTED_AFTER.whole_days(),
            remainder.id
        ));
    }
    text.push(format!(
        "What the law makes us keep, and until when, is in the certificate: \
         {public_url}/v1/privacy/deletions/{}. It names nobody and needs no key.",
        erasure.id
    ));
    text.push(format!("Questions about it are answered at {support}."));
    Mail::of("Your account has been deleted", &text)
}

/// RFC 3339, for views.
pub(crate) fn instant(seconds: i64) -> String {
    at(seconds).format(&Rfc3339).unwrap_or_default()
}
