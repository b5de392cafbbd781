//! Exports: a copy of everything that is kept about an account (GDPR Art. 15 and 20, CCPA §1798.110).
//!
//! [`request_export`] opens a request, [`build_exports`] makes its file, [`link`] lets it be fetched, and
//! the file is gone within 7 days. Which categories and fields are in it, the inventory says.

mod archive;
mod build;
mod file;
mod items;
mod manifest;
mod page;
mod schema;
mod table;
mod told;
mod view;

use futures_util::future::BoxFuture;
use time::OffsetDateTime;

pub use self::{
    build::build_exports,
    schema::text as export_schema,
    view::{ExportFile, ExportLink, ExportRequest, export_view, link},
};
use super::request::{self, Kind, Request, State, of_account};
use crate::{
    accounts::{Account, Status},
    app::App,
    error::Error,
    ids::AccountId,
    program::Ended,
    retention,
};

/// Asks for a copy of what is kept about `account`. While one is open, and for a day after it was asked
/// for, asking again is asking for the same one.
pub async fn request_export(
    app: &App,
    account: &Account,
    now: OffsetDateTime,
) -> Result<Request, Error> {
    if account.status == Status::Erasing {
        return Err(Error::Conflict(
            "the account is being deleted; there is no copy of it any more",
        ));
    }
    request::open(&app.store, account, Request::export(account, now), now).await
}

/// Deletes exports that come due, each with its file, for each event of the schedule.
pub fn serve_purge() -> Ended {
    retention::serve_with(crate::inventory::Table::Exports, |app, keys| {
        Box::pin(file::remove_all_contents(app, keys)) as BoxFuture<'_, _>
    })
}

/// How many exports of `account` are there or on their way.
pub(super) async fn count(app: &App, account: &AccountId) -> Result<u64, Error> {
    let mut count = 0;
    for request in exports_of(app, account).await? {
        let is_there = file::load(&app.store, &request.id).await?.is_some();
        count += u64::from(is_there || request.closed_at.is_none());
    }
    Ok(count)
}

/// Cancels the exports of `account` that are on their way. Whoever makes one finds the request changed.
pub(super) async fn cancel(
    app: &App,
    account: &AccountId,
    now: OffsetDateTime,
) -> Result<(), Error> {
    for mut request in exports_of(app, account).await? {
        if request.closed_at.is_none() {
            request.close(State::Cancelled, now);
            request::save(&app.store, &mut request).await?;
        }
    }
    Ok(())
}

/// Removes the files of all exports of `account`, finished or not.
pub(super) async fn remove(app: &App, account: &AccountId) -> Result<(), Error> {
    for request in exports_of(app, account).await? {
        file::remove(app, &request.id).await?;
    }
    Ok(())
}

async fn exports_of(app: &App, account: &AccountId) -> Result<Vec<Request>, Error> {
    let mut all = of_account(&app.store, account).await?;
    all.retain(|it| it.kind == Kind::Export);
    Ok(all)
}
