//! Requests under privacy law, and what stands in their way.
//!
//! [`request_export`] asks for a copy, which [`build_exports`] makes. [`request_deletion`] opens a request,
//! [`process`] carries it out after the grace period, [`Deletion`] is what callers see of it.
//! [`RestoreGate`] keeps a restored backup from undoing it. Legal holds stop both a deletion and the
//! retention jobs.

mod erasable;
mod erasure;
mod export;
mod holds;
mod ledger;
mod mails;
mod payments;
mod redaction;
mod request;
mod restore;
mod undelivered;
mod views;
mod work;

use time::{Duration, OffsetDateTime};

pub(crate) use self::mails::instant;
pub use self::{
    erasure::process,
    export::{
        ExportFile, ExportLink, ExportRequest, build_exports, export_schema, export_view, link,
        request_export, serve_purge,
    },
    holds::{Hold, held_accounts, place_hold, release_hold},
    request::{Kind, Request, State, find, find_any, load, of_account},
    restore::{Guarded, Replayed, RestoreGate, close_service, guard, is_closed, replay},
    undelivered::{Undelivered, clear_undelivered, note_undelivered, undelivered},
    views::{
        CategoryOutcome, Deletion, DeletionKind, DeletionPreview, DeletionRequest, ExportKind,
        ListedDeletion, ListedExport, Remainder, RequestList, RequestView, preview,
    },
    work::Processed,
};
use crate::{
    accounts::Account,
    app::App,
    error::Error,
    ids::AccountId,
    mail::{self, Mail},
    store::Store,
};

/// Schedules the deletion of `account`, to begin after the grace period, and says so by mail, once.
/// Asking again returns the request that is open.
pub async fn request_deletion(
    app: &App,
    account: &Account,
    now: OffsetDateTime,
) -> Result<Request, Error> {
    let grace = Duration::days(app.config.service.deletion_grace_days);
    let erasure = Request::erasure(account, grace, now);
    let mut erasure = request::open(&app.store, account, erasure, now).await?;
    if erasure.state == State::Scheduled {
        let mail = mails::scheduled(&app.config.service.public_url, account, &erasure);
        tell(app, account, &mut erasure, mail, now).await?;
        payments::close_pages(app, account).await;
    }
    Ok(erasure)
}

/// Whether `account` was erased, by the ledger. Not of one that never was, or that a restored backup does not know.
pub(crate) async fn is_erased(store: &Store, account: &AccountId) -> Result<bool, Error> {
    for it in request::of_account(store, account).await? {
        if it.kind == Kind::Erasure && ledger::find(store, &it.id).await?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Cancels a deletion of `account` that has not begun, and says so by mail, once.
pub async fn cancel_deletion(
    app: &App,
    account: &Account,
    erasure: Request,
    now: OffsetDateTime,
) -> Result<Request, Error> {
    let mut erasure = request::cancel(&app.store, erasure, now).await?;
    tell(app, account, &mut erasure, mails::cancelled(), now).await?;
    Ok(erasure)
}

/// Sends `mail` about the present state, unless that was done.
async fn tell(
    app: &App,
    account: &Account,
    erasure: &mut Request,
    mail: Mail,
    now: OffsetDateTime,
) -> Result<(), Error> {
    if erasure.mailed_at.is_some() {
        return Ok(());
    }
    let about = erasure.id.to_string();
    app.mailer.tell(account, (mail::Kind::Request, Some(&about)), mail, now).await?;
    erasure.mailed_at = Some(now.unix_timestamp());
    match request::save(&app.store, erasure).await {
        // It goes on meanwhile; at worst the mail is sent once more.
        Ok(()) | Err(Error::Conflict(_)) => Ok(()),
        Err(error) => Err(error),
    }
}
