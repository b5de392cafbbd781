use super::{ObjectionKind, store::Pending};
use crate::{
    inventory::OBJECTION_HOURS,
    mail::{Invitation, Mail},
};

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
    let first = "If the profile is yours, put this code anywhere into its bio, and save it:";
    let end = format!(
        "The link works for {OBJECTION_HOURS} hours. If you did not ask for this, ignore this mail: nothing has \
         been changed, and this address is forgotten with the link."
    );
    let invitation = Invitation {
        subject: "Confirm that the profile is yours",
        before: &[asked, first.to_owned(), code.clone()],
        page: &format!("{public_url}/object/confirm"),
        label: "Then open this page",
        after: &[end],
        endpoint: &format!("{public_url}/v1/objections/confirm"),
    };
    invitation.mail(token)
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
        "You can ask again at {public_url}/object and put the new code into the profile's bio before you confirm. \
         Your address and the handle have been forgotten; this is the last mail about it."
    ));
    Mail::of("Your request could not be granted", &paragraphs)
}
