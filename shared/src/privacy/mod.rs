//! Requests under privacy law, and what stands in their way.
//!
//! [`request_deletion`] opens a request, [`process`] carries it out after the grace period, [`Deletion`]
//! is what callers see of it. [`RestoreGate`] keeps a restored backup from undoing it. Legal holds stop
//! both it and the retention jobs.

mod erasable;
mod erasure;
mod holds;
mod ledger;
mod mails;
mod request;
mod restore;
mod views;

use time::{Duration, OffsetDateTime};

pub use self::{
    erasure::{Processed, process},
    holds::{Hold, held_accounts, place_hold, release_hold},
    request::{Erasure, State, load, of_account},
    restore::{Guarded, Replayed, RestoreGate, guard, is_closed, replay},
    views::{CategoryOutcome, Deletion, DeletionPreview, DeletionRequest, RequestList, preview},
};
use crate::{accounts::Account, app::App, error::Error};

/// Schedules the deletion of `account`, to begin after the grace period, and says so by mail. Asking
/// again returns the request that is open.
pub async fn request_deletion(
    app: &App,
    account: &Account,
    now: OffsetDateTime,
) -> Result<Erasure, Error> {
    let grace = Duration::days(app.config.service.deletion_grace_days);
    let erasure = request::open(&app.store, Erasure::new(account, grace, now)).await?;
    // Also when it was open already: the mail of the first time may not have been sent.
    if let Some(email) = erasure.email.as_ref().filter(|_| erasure.state == State::Scheduled) {
        let mail = mails::scheduled(&app.config.service.public_url, &erasure);
        app.mailer.send(email, mail).await?;
    }
    Ok(erasure)
}

/// Cancels a deletion that has not begun, and says so by mail.
pub async fn cancel_deletion(
    app: &App,
    erasure: Erasure,
    now: OffsetDateTime,
) -> Result<Erasure, Error> {
    let email = erasure.email.clone();
    let erasure = request::cancel(&app.store, erasure, now).await?;
    if let Some(email) = email {
        app.mailer.send(&email, mails::cancelled()).await?;
    }
    Ok(erasure)
}
