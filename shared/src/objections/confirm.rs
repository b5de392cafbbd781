//! Confirming an objection: whoever has the token looks after the mailbox, and whoever can put the code
//! into the bio is the creator.

use serde_json::json;
use time::OffsetDateTime;

use super::{
    Objections,
    store::{Found, Pending, confirmed, load, note_confirmed, settle},
    views::ObjectionView,
};
use crate::{
    app::App,
    audit,
    error::{AuthError, Error},
    ids::ObjectionId,
    mail,
    video::Asker,
};

/// Audit chain of objections.
pub(super) const CHAIN: &str = "objections";

/// How often the profile is looked at for one objection: each look is a call out of the 1,000 that TikTok
/// allows the whole service in a day. After that a person looks.
const MAX_LOOKS: i64 = 20;

/// What the creator's profile says.
enum Profile {
    /// The code is in its bio.
    HasCode,
    /// It can be read, and the code is not there.
    HasNoCode,
    /// It cannot be read.
    Unreadable,
}

/// Takes the objection that `token` was mailed for as far as it goes. The same token again comes to the
/// same, or further where the code was missing.
pub async fn confirm(app: &App, token: &str, now: OffsetDateTime) -> Result<ObjectionView, Error> {
    app.gate.check_restored().await?;
    let peppers = app.secrets.get().await?.pepper;
    // A token mailed just before a rotation is still found.
    for pepper in peppers.all() {
        let id = ObjectionId::derived(pepper, token);
        match load(&app.store, &id).await? {
            Some(found) if !found.has_token(now) => break,
            Some(Found::Pending(pending)) => {
                let objections =
                    Objections::new(app.store.clone(), app.redis.clone(), peppers.clone());
                return prove(app, &objections, &id, &pending, now).await;
            }
            Some(Found::Confirmed(objection)) => return Ok(objection.view()),
            None => {}
        }
    }
    Err(AuthError::ObjectionToken.into())
}

async fn prove(
    app: &App,
    objections: &Objections,
    id: &ObjectionId,
    pending: &Pending,
    now: OffsetDateTime,
) -> Result<ObjectionView, Error> {
    let Some(looks) = note_confirmed(&app.store, id, now).await? else {
        return again(app, id).await;
    };
    // The token has come through.
    mail::lift(&app.store, objections.peppers(), &pending.email).await?;
    let profile =
        if looks > MAX_LOOKS { Profile::Unreadable } else { look(app, pending, now).await };
    let objection = match profile {
        Profile::HasNoCode => return again(app, id).await,
        Profile::Unreadable => pending.queued(id, now),
        Profile::HasCode => {
            let proven = pending.proven(id, now);
            // First, so that whoever dies in between is made up for by confirming again.
            objections.carry_out(pending.kind, &pending.username, now).await?;
            let details = json!({ "objection": id.to_string(), "state": proven.state });
            audit::append(&app.store, CHAIN, now, "proven", &details).await?;
            proven
        }
    };
    if settle(&app.store, &objection).await? {
        return Ok(objection.view());
    }
    // Somebody else has come further with the same token at the same moment.
    let objection = confirmed(&app.store, id).await?;
    objection.map(|it| it.view()).ok_or_else(|| AuthError::ObjectionToken.into())
}

/// Where it stands now, whoever has taken it there.
async fn again(app: &App, id: &ObjectionId) -> Result<ObjectionView, Error> {
    let found = load(&app.store, id).await?;
    found.map(|it| it.view(id)).ok_or_else(|| AuthError::ObjectionToken.into())
}

/// Looks for the code in the creator's bio, where TikTok's Research API can be asked.
async fn look(app: &App, pending: &Pending, now: OffsetDateTime) -> Profile {
    let sources = match app.sources().await {
        Ok(sources) => sources,
        Err(error) => {
            tracing::warn!(error = %error, "a profile could not be looked at");
            return Profile::Unreadable;
        }
    };
    if !sources.has_research() {
        return Profile::Unreadable;
    }
    // The service's own question: it is no customer's share of the allowance.
    let asker = Asker { payer: None, now };
    match sources.profile(pending.username.expose(), asker).await {
        Ok(Some(profile)) => match profile.bio {
            Some(bio) if bio.contains(&pending.code) => Profile::HasCode,
            _ => Profile::HasNoCode,
        },
        Ok(None) => Profile::Unreadable,
        Err(error) => {
            tracing::warn!(error = %error, "a profile could not be read");
            Profile::Unreadable
        }
    }
}
