//! Makes exports: reads what an account has, category by category, and writes it into a ZIP file that
//! goes to S3 while it grows. A run that is killed leaves parts that the next one drops; it starts anew.

use std::{collections::BTreeMap, io::Write, time::Instant};

use time::{Duration, OffsetDateTime};

use super::{
    super::{
        erasable::Subject,
        mails,
        request::{Kind, Request, State, save},
        tell,
        work::{GIVE_UP_MAILING, Processed, work_off},
    },
    archive::{Archive, Finished},
    file,
    items::Items,
    manifest::Manifest,
    page, schema, table,
    told::Told,
};
use crate::{
    accounts,
    app::App,
    audit,
    error::Error,
    inventory::{self, CATEGORIES, Category, Export, Place},
};

/// How long a request is left to the run that has taken it: longer than one may last.
const TAKEN_FOR: Duration = Duration::minutes(20);

/// The step in which the file is made.
pub(super) const BUILD: &str = "build";

/// The step in which it is entered into the audit trail.
const RECORD: &str = "record";

/// Makes every export that is asked for. One that fails stops no other.
pub async fn build_exports(
    app: &App,
    now: OffsetDateTime,
    deadline: Instant,
) -> Result<Processed, Error> {
    work_off(app, Kind::Export, now, deadline, |app, request, now, deadline| {
        Box::pin(advance(app, request, now, deadline))
    })
    .await
}

async fn advance(
    app: &App,
    request: &mut Request,
    now: OffsetDateTime,
    deadline: Instant,
) -> Result<(), Error> {
    request.state = State::Running;
    request.next_at = Some((now + TAKEN_FOR).unix_timestamp());
    save(&app.store, request).await?;
    if !request.done.contains_key(BUILD) {
        request.found = build(app, request, now, deadline).await?;
        request.attempts = 0;
        note(app, request, BUILD, now).await?;
    }
    if !request.done.contains_key(RECORD) {
        let id = request.id.to_string();
        let details = serde_json::json!({ "request": id, "items": request.found });
        audit::append(&app.store, "exports", now, "exported", &details).await?;
        note(app, request, RECORD, now).await?;
    }
    if let Err(error) = announce(app, request, now).await {
        // Whoever asked can see it all the same: it must not stay open for ever.
        if request.attempts < GIVE_UP_MAILING {
            return Err(error);
        }
        tracing::warn!(error = %error, request = %request.id, "an export was not announced");
    }
    request.close(State::Done, now);
    save(&app.store, request).await
}

async fn note(
    app: &App,
    request: &mut Request,
    step: &str,
    now: OffsetDateTime,
) -> Result<(), Error> {
    request.done.insert(step.to_owned(), now.unix_timestamp());
    save(&app.store, request).await
}

/// Says by mail that the file can be fetched, if it still can.
async fn announce(app: &App, request: &mut Request, now: OffsetDateTime) -> Result<(), Error> {
    let Some(account) = accounts::get(&app.store, &request.account).await? else { return Ok(()) };
    let Some(file) = file::load(&app.store, &request.id).await? else { return Ok(()) };
    let mail =
        mails::exported(&app.config.service.public_url, request, last_fetch(file.expires_at));
    tell(app, &account, request, mail, now).await
}

/// Makes the file; how many items of each category are in it. What a failure leaves is dropped at once.
async fn build(
    app: &App,
    request: &Request,
    now: OffsetDateTime,
    deadline: Instant,
) -> Result<BTreeMap<String, u64>, Error> {
    let upload = file::begin(app, request, now).await?;
    let made = async {
        let (file, found) = write(app, request, &upload, now, deadline).await?;
        file::complete(app, &request.id, &upload, &file).await?;
        Ok(found)
    };
    let made = made.await;
    if made.is_err()
        && let Err(error) = file::give_up(app, &request.id, &upload).await
    {
        // The next run, the purge job or an erasure finds its upload noted.
        tracing::warn!(error = %error, request = %request.id, "parts of an export are left");
    }
    made
}

/// Writes the file's parts and has them made one.
async fn write(
    app: &App,
    request: &Request,
    upload: &str,
    now: OffsetDateTime,
    deadline: Instant,
) -> Result<(Finished, BTreeMap<String, u64>), Error> {
    let key = file::key(&request.id);
    let mut archive = Archive::new(&app.files, &key, upload, now);
    let subject = Subject::new(&app.store, request.account.clone(), request.opened_at, now).await?;
    let (mut found, mut told) = (BTreeMap::new(), Told::default());
    for category in CATEGORIES.iter() {
        if let Export::Items { .. } = category.export {
            let mut items = Added { category, told: &mut told, total: 0 };
            add_category(app, &mut archive, &mut items, &subject, now, deadline).await?;
            let count = items.total;
            found.insert(category.id.to_owned(), count);
        }
    }
    let usage = table::usage(&app.store, &request.account, now).await?;
    archive.add("usage.csv", &usage).await?;
    archive.add("schema.json", schema::text()?.as_bytes()).await?;
    let contact = &app.config.service.support_address;
    let mut manifest = Manifest::new(request, &found, &told, contact, now);
    let index = page::index(&manifest, &told, &archive.entries);
    archive.add("index.html", index.as_bytes()).await?;
    manifest.files = archive.entries.clone();
    let manifest = serde_json::to_vec_pretty(&manifest).map_err(Error::internal)?;
    archive.add("manifest.json", &manifest).await?;
    Ok((archive.finish().await?, found))
}

/// A category as it is written.
struct Added<'a> {
    category: &'static Category,
    told: &'a mut Told,
    /// Items so far.
    total: u64,
}

async fn add_category(
    app: &App,
    archive: &mut Archive<'_>,
    added: &mut Added<'_>,
    subject: &Subject,
    now: OffsetDateTime,
    deadline: Instant,
) -> Result<(), Error> {
    let category = added.category;
    let (Place::Table(table), Export::Items { fields, .. }) = (category.place, category.export)
    else {
        return Err(Error::internal(format!("{} cannot be exported", category.id)));
    };
    let mut items = Items::new(&app.store, table, subject, fields, now);
    let (mut in_file, mut files) = (0, 0);
    let mut next = items.next().await?;
    // Also without an item there is a file, which says so.
    while next.is_some() || files == 0 {
        files += 1;
        let path = match files {
            1 => format!("data/{}.json", category.id),
            n => format!("data/{}-{n}.json", category.id),
        };
        archive.begin(path)?;
        let head = format!("{{\"category\":\"{}\",\"items\":[", category.id);
        archive.write_all(head.as_bytes()).map_err(Error::internal)?;
        while let Some(some) = next.take_if(|_| !archive.is_full()) {
            // In one piece: each write goes through two checksums and the compression.
            let mut text = Vec::new();
            for item in some {
                text.extend_from_slice(if in_file == 0 { b"\n" } else { b",\n" });
                added.told.take(category, &item);
                serde_json::to_writer(&mut text, &item).map_err(Error::internal)?;
                in_file += 1;
            }
            archive.write_all(&text).map_err(Error::internal)?;
            archive.pass_on().await?;
            if Instant::now() >= deadline {
                return Err(Error::internal("the time of a run is not enough for this export"));
            }
            next = items.next().await?;
        }
        archive.write_all(b"\n]}\n").map_err(Error::internal)?;
        archive.end(Some(in_file));
        added.total += in_file;
        in_file = 0;
    }
    Ok(())
}

/// How long a file can be fetched for certain: the job that deletes it looks ahead.
pub(super) fn last_fetch(expires_at: i64) -> i64 {
    let ahead = inventory::Table::Exports.retention_job().map_or(Duration::ZERO, |it| it.every);
    expires_at - ahead.whole_seconds()
}
