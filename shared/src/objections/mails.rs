use maud::html;

use super::{ObjectionKind, store::Pending};
use crate::{inventory::OBJECTION_HOURS, mail::Mail};

/// Brings the token that confirms an objection.
pub(super) fn token(public_url: &str, pending: &Pending, token: &str) -> Mail {
    let (name, code) = (pending.username.expose(), &pending.code);
    let wish = match pending.kind {
        ObjectionKind::Object => "is not looked up here any more",
        ObjectionKind::Withdraw => "can be looked up here again",
    };
    let asked = format!(
        "Somebody, perhaps you, asked at {public_url} that what the TikTok profile {name} publishes \
         {wish}."
    );
    let first = "If the profile is yours, put this code anywhere into its bio:";
    let then = "Then confirm with this token:";
    let body = format!("{{\"token\":\"{token}\"}}");
    let command = format!(
        "curl -X POST {public_url}/v1/creators/objections/confirm -H 'Content-Type: application/json' \
         -d '{body}'"
    );
    let end = format!(
        "The token is valid for {OBJECTION_HOURS} hours. If you did not ask for this, ignore this mail: \
         nothing has been changed, and this address is forgotten with the token."
    );
    Mail {
        subject: "Confirm that the profile is yours".to_owned(),
        text: format!(
            "{asked}\n\n{first}\n\n    {code}\n\n{then}\n\n    {token}\n\nFrom a terminal:\n\n    \
             {command}\n\n{end}\n"
        ),
        html: html! {
            p { (asked) }
            p { (first) }
            p { code { (code) } }
            p { (then) }
            p { code { (token) } }
            p { "From a terminal:" }
            pre { (command) }
            p { (end) }
        },
    }
}

/// Says that what was asked for is done.
pub(super) fn accepted(kind: ObjectionKind) -> Mail {
    let (subject, done) = match kind {
        ObjectionKind::Object => (
            "Your profile is left out",
            "Your objection is honoured: what your profile publishes is \
                not looked up here any more.",
        ),
        ObjectionKind::Withdraw => (
            "Your profile is not left out any more",
            "Your objection is withdrawn: what your \
                profile publishes can be looked up here again.",
        ),
    };
    let end = "You can take the code out of the bio. Your address and your handle have been \
               forgotten; this is the last mail about it.";
    Mail::of(subject, &[done.to_owned(), end.to_owned()])
}

/// Says that it was refused, and how to come back.
pub(super) fn refused(public_url: &str, reason: Option<&str>) -> Mail {
    let mut paragraphs = vec![
        "It could not be seen that your request comes from the creator, so nothing has been changed."
            .to_owned(),
    ];
    paragraphs.extend(reason.map(|it| format!("The reason: {it}")));
    paragraphs.push(format!(
        "You can ask again at {public_url}: put the new code into the profile's bio before you confirm. \
         Your address and the handle have been forgotten; this is the last mail about it."
    ));
    Mail::of("Your request could not be granted", &paragraphs)
}
