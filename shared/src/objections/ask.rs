//! Objecting: nothing but a mail happens until it is confirmed.

use time::OffsetDateTime;

use super::{
    ObjectionKind, TOKEN_VALID, mails,
    store::{Pending, insert},
    username::Username,
    views::{ObjectionAccepted, ObjectionRequest},
};
use crate::{
    accounts::EmailAddress,
    app::App,
    error::{Error, InputError},
    ids::{ObjectionId, random_base62},
    mail::{Kind, Mailer, send_token},
    privacy::instant,
};

/// A valid objection.
#[derive(Debug)]
pub struct Ask {
    username: Username,
    email: EmailAddress,
    kind: ObjectionKind,
}

impl TryFrom<ObjectionRequest> for Ask {
    type Error = InputError;

    fn try_from(request: ObjectionRequest) -> Result<Self, InputError> {
        let username = Username::parse(&request.username)?;
        let email = EmailAddress::parse(&request.email)?;
        Ok(Self { username, email, kind: request.kind })
    }
}

/// Keeps the objection until its token ends, and mails the token. `source_ip` is only counted, under a
/// keyed hash, for an hour.
pub async fn ask(
    app: &App,
    ask: Ask,
    source_ip: &str,
    now: OffsetDateTime,
) -> Result<ObjectionAccepted, Error> {
    app.gate.check_restored().await?;
    let peppers = app.secrets.get().await?.pepper;
    let pepper = &peppers.current;
    let may_send = Mailer::may_send(app, pepper, &ask.email, source_ip, now).await?;
    let token = random_base62(32);
    let id = ObjectionId::derived(pepper, &token);
    let code = format!("tvi-{}", random_base62(12));
    let pending = Pending::new(&id, ask.kind, ask.username, ask.email, code.clone(), now);
    // Also where no mail is sent: the id must not tell.
    insert(&app.store, &pending).await?;
    if may_send {
        let mail = mails::token(&app.config.service.public_url, &pending, &token);
        send_token(app, &peppers, &pending.email, Kind::Objection, mail, now).await?;
    }
    Ok(ObjectionAccepted {
        id: id.to_string(),
        code,
        expires_at: instant((now + TOKEN_VALID).unix_timestamp()),
        message: "Put the code into the profile's bio, then send the token from the mail to \
                  POST /v1/objections/confirm. If no mail comes, look among the spam, then ask again \
                  after an hour: only a few are sent to one address within an hour.",
    })
}
