//! Signing up: nothing but a mail happens until the address is confirmed.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::{
    EmailAddress, POLICY_VERSION,
    recover::{self, PendingRecovery},
    store::{get, owner},
};
use crate::{
    app::App,
    error::{Error, InputError},
    ids::{AccountId, random_base62},
    inventory::{self, Table},
    mail::{Invitation, Kind, Mail, Mailer, send_token},
    secrets::Pepper,
    store::{to_item, unavailable},
};

const ACCEPTED: &str = "Read the mail that was sent to the address: it holds a link and a token, and says what to do with them. \
                        If none comes, look among the spam, then ask again after an hour: only a few are sent \
                        to one address within an hour.";

/// What signing up asks for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignUpRequest {
    /// Where the confirmation is sent.
    #[schema(example = "ada@example.com", format = "email", max_length = 254)]
    pub email: String,
    /// Company, if you like: at most 100 characters.
    #[serde(default)]
    #[schema(example = "Example Ltd", max_length = 100)]
    pub company: Option<String>,
    /// Version of the privacy policy that you have read and accept: `1.0`.
    #[schema(example = "1.0")]
    pub policy_version: String,
    /// That you are 13 or older. The service is not intended for children under 13.
    pub is_13_or_older: bool,
    /// Whether we may send you news. No, unless you say so.
    #[serde(default)]
    #[schema(example = false)]
    pub marketing_consent: bool,
}

/// The same answer whether or not the address is known.
#[derive(Debug, Serialize, ToSchema)]
pub struct SignUpAccepted {
    /// What to do next.
    #[schema(
        example = "Read the mail that was sent to the address: it holds a link and a token, and says what to do with them. If none comes, look among the spam, then ask again after an hour: only a few are sent to one address within an hour."
    )]
    pub message: &'static str,
}

/// A valid sign-up.
#[derive(Debug)]
pub struct SignUp {
    email: EmailAddress,
    company: Option<String>,
    marketing_consent: bool,
}

impl TryFrom<SignUpRequest> for SignUp {
    type Error = InputError;

    fn try_from(request: SignUpRequest) -> Result<Self, InputError> {
        // First: of a child, nothing is even looked at (privacy policy §8).
        if !request.is_13_or_older {
            return Err(InputError::UnderAge);
        }
        if request.policy_version != POLICY_VERSION {
            let reason = format!("must be the current version, `{POLICY_VERSION}`");
            return Err(InputError::field("policy_version", reason));
        }
        let company = request.company.map(|it| it.trim().to_owned()).filter(|it| !it.is_empty());
        if company
            .as_ref()
            .is_some_and(|it| it.chars().count() > 100 || it.chars().any(char::is_control))
        {
            return Err(InputError::field("company", "must be at most 100 printable characters"));
        }
        let email = EmailAddress::parse(&request.email)?;
        Ok(Self { email, company, marketing_consent: request.marketing_consent })
    }
}

/// A sign-up as it waits (`sessions`, `hash`).
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct PendingSignUp {
    pub(super) hash: String,
    pub(super) email: Option<EmailAddress>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) company: Option<String>,
    pub(super) policy_version: String,
    pub(super) policy_accepted_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) marketing_consent_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) used_at: Option<i64>,
    pub(super) expires_at: i64,
    pub(super) expires_on: String,
}

/// Stored form of a mailed token.
pub(super) fn token_hash(pepper: &Pepper, token: &str) -> String {
    pepper.hash("sign-up token", token)
}

/// Sends the confirmation, or to an address that has an account a way back into it: the same answer, and the
/// same work. `source_ip` is only counted, under a keyed hash, for an hour.
pub async fn sign_up(
    app: &App,
    sign_up: SignUp,
    source_ip: &str,
    now: OffsetDateTime,
) -> Result<SignUpAccepted, Error> {
    app.gate.check_restored().await?;
    let accepted = SignUpAccepted { message: ACCEPTED };
    let peppers = app.secrets.get().await?.pepper;
    let pepper = &peppers.current;
    if !Mailer::may_send(app, pepper, &sign_up.email, source_ip, now).await? {
        // Saying so would tell whether somebody else has just signed up with it.
        return Ok(accepted);
    }
    let owner = owner(&app.store, &sign_up.email, peppers.all()).await?;
    // Where there is no account, one is looked for that cannot be there.
    let known = get(&app.store, &owner.unwrap_or_else(AccountId::random)).await?;
    let (token, url) = (random_base62(32), &app.config.service.public_url);
    let (item, to, mail) = match known {
        Some(account) => {
            let waiting = PendingRecovery::new(&account.id, pepper, &token, now);
            // To the address on file: what was asked for with may be another spelling of it.
            (to_item(&waiting)?, account.email, recover::way_back(url, &token))
        }
        None => {
            let mail = confirmation(url, &token);
            let email = sign_up.email.clone();
            (to_item(pending(sign_up, pepper, &token, now))?, email, mail)
        }
    };
    app.store
        .client()
        .put_item()
        .table_name(app.store.name(Table::Sessions))
        .set_item(Some(item))
        .send()
        .await
        .map_err(unavailable)?;
    send_token(app, &peppers, &to, Kind::SignUp, mail, now).await?;
    Ok(accepted)
}

fn pending(sign_up: SignUp, pepper: &Pepper, token: &str, now: OffsetDateTime) -> PendingSignUp {
    let hash = token_hash(pepper, token);
    let expiry = inventory::SIGN_UPS.expiry(now, &hash);
    let at = now.unix_timestamp();
    PendingSignUp {
        hash,
        email: Some(sign_up.email),
        company: sign_up.company,
        policy_version: POLICY_VERSION.to_owned(),
        policy_accepted_at: at,
        marketing_consent_at: sign_up.marketing_consent.then_some(at),
        used_at: None,
        expires_at: expiry.at,
        expires_on: expiry.on,
    }
}

fn confirmation(public_url: &str, token: &str) -> Mail {
    let invitation = Invitation {
        subject: "Confirm your e-mail address",
        before: &["Welcome to the TikTok Video Intelligence API.".to_owned()],
        page: &format!("{public_url}/confirm"),
        label: "Confirm your address on this page, and get your first API key",
        after: &["The link works for 24 hours. If you did not sign up, ignore this mail: nothing has been opened, \
                  and the sign-up ends with the link."
            .to_owned()],
        endpoint: &format!("{public_url}/v1/accounts/verify"),
    };
    invitation.mail(token)
}
