//! What callers see of an export.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::{
    super::{
        mails::instant,
        request::{Request, State},
    },
    build::{BUILD, last_fetch},
    file,
};
use crate::{app::App, error::Error, inventory::EXPORTS, store::Store};

/// How long a link works: long enough to begin a download, too short to be found later.
const LINK_LIFETIME: Duration = Duration::from_secs(300);

/// A request for a copy of your data.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExportRequest {
    /// Its id.
    #[schema(example = "req_4kPq9ZtR2mWx")]
    pub id: String,
    /// Where it stands.
    #[schema(example = "done")]
    pub state: State,
    /// When it was asked for.
    #[schema(format = DateTime, example = "2026-11-24T12:00:00Z")]
    pub received_at: String,
    /// When it must be done.
    #[schema(format = DateTime, example = "2026-12-24T12:00:00Z")]
    pub due_at: String,
    /// When it was done or cancelled; `null` while it is open.
    #[schema(required = true, format = DateTime, example = "2026-11-24T12:03:00Z")]
    pub closed_at: Option<String>,
    /// Items of each category in the copy.
    #[schema(example = json!({ "accounts": 1, "api-logs": 120 }))]
    pub items: BTreeMap<String, u64>,
    /// The copy; `null` before it is made and after it has ended.
    #[schema(required = true)]
    pub file: Option<ExportFile>,
}

/// A copy that can be fetched.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExportFile {
    /// Length in bytes.
    #[schema(example = 18_204)]
    pub bytes: u64,
    /// SHA-256 of the file, in hexadecimal digits.
    #[schema(example = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")]
    pub sha256: String,
    /// What it shows is of this time.
    #[schema(format = DateTime, example = "2026-11-24T12:03:00Z")]
    pub created_at: String,
    /// Until when it can be fetched; it is deleted within the hour after that.
    #[schema(format = DateTime, example = "2026-12-01T12:03:00Z")]
    pub available_until: String,
    /// Where to fetch it, with your API key.
    #[schema(example = "/v1/privacy/exports/req_4kPq9ZtR2mWx/download")]
    pub download: String,
}

/// A link to a copy.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExportLink {
    /// Works for five minutes, for whoever has it: keep it to yourself.
    #[schema(
        format = "uri",
        example = "https://exports.example.com/req_4kPq9ZtR2mWx.zip?signature=made-up"
    )]
    pub url: String,
}

/// How `request` shows itself.
pub async fn export_view(
    store: &Store,
    request: &Request,
    now: OffsetDateTime,
) -> Result<ExportRequest, Error> {
    // It is done once it is made: the mail that says so may still be on its way.
    let made_at = request.done.get(BUILD).copied();
    let is_done = made_at.is_some() && request.state != State::Cancelled;
    let file = if is_done { there(store, request, now).await? } else { None };
    Ok(ExportRequest {
        id: request.id.to_string(),
        state: if is_done { State::Done } else { request.state },
        received_at: instant(request.received_at),
        due_at: instant(request.due_at),
        closed_at: request.closed_at.or(made_at).map(instant),
        items: request.found.clone(),
        file: file.map(|(file, bytes, sha256)| ExportFile {
            bytes,
            sha256,
            created_at: instant(file.created_at),
            available_until: instant(last_fetch(file.expires_at)),
            download: format!("/v1/privacy/exports/{}/download", request.id),
        }),
    })
}

/// The file of `request` with its length and checksum, if it is made and still there.
async fn there(
    store: &Store,
    request: &Request,
    now: OffsetDateTime,
) -> Result<Option<(file::ExportFile, u64, String)>, Error> {
    // Without a look where it is long over: a list may have hundreds of them.
    let made = request.done.get(BUILD).and_then(|it| OffsetDateTime::from_unix_timestamp(*it).ok());
    if made.and_then(|it| EXPORTS.keep.until(it)).is_none_or(|end| end <= now) {
        return Ok(None);
    }
    let Some(mut file) = file::load(store, &request.id).await? else { return Ok(None) };
    let made = file.bytes.zip(file.sha256.take());
    let is_fresh = file.expires_at > now.unix_timestamp();
    Ok(made.filter(|_| is_fresh).map(|(bytes, sha256)| (file, bytes, sha256)))
}

/// A link to the file of `request`.
pub async fn link(app: &App, request: &Request, now: OffsetDateTime) -> Result<ExportLink, Error> {
    if !request.done.contains_key(BUILD) && request.closed_at.is_none() {
        return Err(Error::Conflict(
            "the export is not made yet; look at the request until it has a `file`",
        ));
    }
    if there(&app.store, request, now).await?.is_none() {
        return Err(Error::Gone("the export is not there any more; ask for a new one"));
    }
    let key = file::key(&request.id);
    let url = app.files.link(&key, &key, LINK_LIFETIME).await?;
    Ok(ExportLink { url })
}
