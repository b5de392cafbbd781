//! Requests under privacy law, and what stands in their way.
//!
//! [`request_export`] asks for a copy, which [`build_exports`] makes. [`request_deletion`] opens a request,
//! [`process`] carries it out after the grace period, [`Deletion`] is what callers see of it.
//! [`RestoreGate`] keeps a restored backup from undoing it, [`replay()`] repeats it. Legal holds stop both a deletion and the
//! retention jobs.

mod acts;
mod erasable;
mod erasure;
mod export;
mod holds;
mod ledger;
mod mails;
mod payments;
mod redaction;
mod replay;
mod request;
mod restore;
mod restored;
mod undelivered;
mod views;
mod work;

use time::{Duration, OffsetDateTime};

pub(crate) use self::{
    acts::{Act, note, noting},
    mails::instant,
};
pub use self::{
    erasure::process,
    export::{
        ExportFile, ExportLink, ExportRequest, build_exports, export_schema, export_view, link,
        request_export, serve_purge,
    },
    holds::{Hold, held_accounts, place_hold, release_hold},
    replay::{Replayed, replay},
    request::{Kind, Request, State, WaitsFor, find, find_any, load, of_account},
    restore::{Guarded, RestoreGate, close_service, guard, is_closed},
    restored::{Restored, last_restore},
    undelivered::{Notice, Undelivered, clear_undelivered, note_undelivered, undelivered},
    views::{
        CategoryOutcome, Deletion, DeletionKind, DeletionPreview, DeletionRequest, ExportKind,
        ListedDeletion, ListedExport, Remainder, RequestList, RequestView, preview,
    },
    work::Processed,
};
use crate::{
    accounts::Account,
    app::App,
    billing::task::awaits_refund,
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
        let awaits_refund = awaits_refund(&app.store, &account.id).await?;
        let mail = mails::scheduled(&app.config.service, account, &erasure, awaits_refund);
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

/// How often, and how long each time, whoever finds another at the mail looks whether it was sent.
const LOOKS: u32 = 20;
const LOOK_AFTER: std::time::Duration = std::time::Duration::from_millis(100);

/// Sends `mail` about the present state, unless that was done. Of several at the same moment one sends it; should it
/// die over it, the next one does.
async fn tell(
    app: &App,
    account: &Account,
    erasure: &mut Request,
    mail: Mail,
    now: OffsetDateTime,
) -> Result<(), Error> {
    let state = erasure.state;
    let mut looks = 0;
    loop {
        if erasure.mailed_at.is_some() || erasure.state != state {
            return Ok(());
        }
        if erasure.mailing_at.is_none() || looks == LOOKS {
            erasure.mailing_at = Some(now.unix_timestamp());
            match request::save(&app.store, erasure).await {
                Ok(()) => break,
                // Another has begun to, or it goes on.
                Err(Error::Conflict(_)) => {}
                Err(error) => return Err(error),
            }
        } else {
            looks += 1;
            tokio::time::sleep(LOOK_AFTER).await;
        }
        match load(&app.store, &erasure.id).await? {
            Some(found) => *erasure = found,
            None => return Ok(()),
        }
    }
    let about = erasure.id.to_string();
    let sent = app.mailer.tell(account, (mail::Kind::Request, Some(&about)), mail, now).await;
    match &sent {
        Ok(_) => erasure.mailed_at = Some(now.unix_timestamp()),
        // Whoever asks again sends it at once.
        Err(_) => erasure.mailing_at = None,
    }
    match request::save(&app.store, erasure).await {
        // It goes on meanwhile; at worst the mail is sent once more.
        Ok(()) | Err(Error::Conflict(_)) => sent.map(drop),
        Err(error) => Err(error),
    }
}
