//! The file of an export, as it is known (`exports`, `id`) and as it lies in the bucket. The item is there
//! before the first byte of the file and until after its last, so that no file is ever forgotten.

use aws_sdk_dynamodb::types::{ConditionCheck, Put, TransactWriteItem};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{super::request::Request, archive::Finished};
use crate::{
    app::App,
    error::Error,
    ids::RequestId,
    inventory::{self, Table},
    store::{
        Conditional, Item, Store, conditional, from_item, n, putting, s, text, to_item, transact,
        unavailable,
    },
};

/// A file that is made or being made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ExportFile {
    pub(super) id: RequestId,
    /// What it shows is of this time (epoch seconds).
    pub(super) created_at: i64,
    /// While it is being made, the upload that its parts go into.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) upload: Option<String>,
    /// Once it is made, its length.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) bytes: Option<u64>,
    /// And its checksum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) sha256: Option<String>,
    pub(super) expires_at: i64,
    expires_on: String,
}

/// Its key in the bucket. Cannot be guessed, and names nobody.
pub(super) fn key(id: &RequestId) -> String {
    format!("{id}.zip")
}

/// The file of the request `id`, if there is one.
pub(super) async fn load(store: &Store, id: &RequestId) -> Result<Option<ExportFile>, Error> {
    let item = store.get(Table::Exports, [("id", id.to_string())]).await?;
    item.map(from_item).transpose()
}

/// Begins the file of `request` anew; the upload's id. Says no where the request has changed: it may
/// have been cancelled.
pub(super) async fn begin(
    app: &App,
    request: &Request,
    now: OffsetDateTime,
) -> Result<String, Error> {
    let (store, key) = (&app.store, key(&request.id));
    // What a run that was killed has left behind.
    remove_contents(app, &request.id).await?;
    // Empty until its id is noted; an empty one that is not ends by the bucket's own rule.
    let upload = app.files.begin(&key).await?;
    let expiry = inventory::EXPORTS.expiry(now, request.id.tag());
    let file = ExportFile {
        id: request.id.clone(),
        created_at: now.unix_timestamp(),
        upload: Some(upload.clone()),
        bytes: None,
        sha256: None,
        expires_at: expiry.at,
        expires_on: expiry.on,
    };
    let put = Put::builder().table_name(store.name(Table::Exports)).set_item(Some(to_item(&file)?));
    let unchanged = ConditionCheck::builder()
        .table_name(store.name(Table::PrivacyRequests))
        .key("id", s(request.id.to_string()))
        .condition_expression("version = :version")
        .expression_attribute_values(":version", n(request.version))
        .build()
        .map_err(Error::internal)?;
    let unchanged = TransactWriteItem::builder().condition_check(unchanged).build();
    if transact(store, vec![putting(put)?, unchanged]).await?.is_some() {
        app.files.abort(&key, &upload).await?;
        return Err(Error::Conflict("the request has changed meanwhile"));
    }
    Ok(upload)
}

/// Notes that the file of this upload is made. Says no where it has been removed meanwhile, or another run
/// is making it: then what was made is no use.
pub(super) async fn complete(
    app: &App,
    id: &RequestId,
    upload: &str,
    file: &Finished,
) -> Result<(), Error> {
    let answer = app
        .store
        .client()
        .update_item()
        .table_name(app.store.name(Table::Exports))
        .key("id", s(id.to_string()))
        .update_expression("SET #bytes = :bytes, sha256 = :sha256 REMOVE upload")
        .condition_expression("upload = :upload")
        .expression_attribute_names("#bytes", "bytes")
        .expression_attribute_values(":upload", s(upload))
        .expression_attribute_values(":bytes", n(file.bytes))
        .expression_attribute_values(":sha256", s(&file.sha256))
        .send()
        .await;
    match conditional(answer)? {
        Conditional::Done(_) => Ok(()),
        Conditional::Refused(_) => Err(Error::Conflict("the file is not wanted any more")),
    }
}

/// Drops what was made by a run that failed. Where nothing is known of a file any more, S3 may have been
/// making it of its parts while it was removed: it goes too.
pub(super) async fn give_up(app: &App, id: &RequestId, upload: &str) -> Result<(), Error> {
    app.files.abort(&key(id), upload).await?;
    if load(&app.store, id).await?.is_none() {
        app.files.delete(&key(id)).await?;
    }
    Ok(())
}

/// Removes the file of `id` and what is known of it. Doing it again changes nothing.
pub(super) async fn remove(app: &App, id: &RequestId) -> Result<(), Error> {
    remove_contents(app, id).await?;
    let request = app.store.client().delete_item().table_name(app.store.name(Table::Exports));
    request.key("id", s(id.to_string())).send().await.map(drop).map_err(unavailable)
}

/// Removes the files of the items with these keys; the keys of those whose file is gone.
pub(super) async fn remove_all_contents(app: &App, keys: Vec<Item>) -> Vec<Item> {
    let mut gone = Vec::new();
    for key in keys {
        let id = text(&key, "id").and_then(|it| it.parse().ok());
        let removed = match id {
            Some(id) => remove_contents(app, &id).await,
            None => Err(Error::internal("an export without the id of its request")),
        };
        match removed {
            Ok(()) => gone.push(key),
            Err(error) => tracing::error!(error = %error, "the file of an export is still there"),
        }
    }
    gone
}

async fn remove_contents(app: &App, id: &RequestId) -> Result<(), Error> {
    let Some(file) = load(&app.store, id).await? else { return Ok(()) };
    let key = key(id);
    if let Some(upload) = file.upload {
        app.files.abort(&key, &upload).await?;
    }
    app.files.delete(&key).await
}
