//! What the operator decides, having looked at the profile in TikTok's own app.

use serde::Deserialize;
use serde_json::json;
use time::OffsetDateTime;

use super::{
    ObjectionState, Objections,
    confirm::CHAIN,
    mails,
    store::{close, confirmed},
    views::ObjectionView,
};
use crate::{app::App, audit, error::Error, ids::ObjectionId, mail::Kind};

/// What the operator says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// The code is in the bio.
    Accept,
    /// It is not.
    Refuse,
}

/// Carries out what was decided on the queued objection `id`, and says so by mail. The same decision
/// again changes nothing. `reason` goes into the mail and names nobody.
pub async fn decide(
    app: &App,
    id: &ObjectionId,
    decision: Decision,
    reason: Option<String>,
    now: OffsetDateTime,
) -> Result<ObjectionView, Error> {
    let objection = confirmed(&app.store, id).await?.ok_or(Error::NotFound("objection"))?;
    let state = match decision {
        Decision::Accept => objection.kind.carried_out(),
        Decision::Refuse => ObjectionState::Refused,
    };
    if objection.state == state {
        return Ok(objection.view());
    }
    let (Some(username), Some(email)) = (&objection.username, &objection.email) else {
        return Err(Error::Conflict("the objection was decided otherwise already"));
    };
    let mail = match decision {
        Decision::Accept => {
            let peppers = app.secrets.get().await?.pepper;
            let objections = Objections::new(app.store.clone(), app.redis.clone(), peppers);
            objections.carry_out(objection.kind, username, now).await?;
            mails::accepted(objection.kind)
        }
        Decision::Refuse => mails::refused(&app.config.service.public_url, reason.as_deref()),
    };
    // While the address is still there: whoever dies here sends the mail once more. An address that takes
    // no mail must not keep handle and address here.
    let is_told =
        match app.mailer.send(email, (Kind::ObjectionAnswer, Some(&id.to_string())), mail).await {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(error = %error, "a decision could not be mailed");
                false
            }
        };
    // Without the reason, which may name somebody: this cannot be taken back for seven years.
    let details = json!({ "objection": id.to_string(), "state": state, "is_told": is_told });
    audit::append(&app.store, CHAIN, now, "decided", &details).await?;
    let closed = objection.closed(state, reason, now);
    if close(&app.store, &closed).await? {
        return Ok(closed.view());
    }
    Err(Error::Conflict("the objection was decided meanwhile; look at it again"))
}
