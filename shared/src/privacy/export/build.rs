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
        work::{Advance, Processed, work_off},
    },
    archive::{Archive, Finished},
    file,
    items::Items,
    manifest::Manifest,
    page, schema, table,
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

/// Items in one file of a category; the rest goes into another one. Nobody's tools should have to read
/// gigabytes at once.
const ITEMS_IN_A_FILE: u64 = 500_000;

/// Makes every export that is asked for. One that fails stops no other.
pub async fn build_exports(
    app: &App,
    now: OffsetDateTime,
    deadline: Instant,
) -> Result<Processed, Error> {
    let advance: Advance =
        |app, request, now, deadline| Box::pin(advance(app, request, now, deadline));
    work_off(app, Kind::Export, now, deadline, advance).await
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
        let (file, found) = build(app, request, now, deadline).await?;
        file::complete(app, &request.id, &file).await?;
        let details = serde_json::json!({
            "request": request.id.to_string(), "bytes": file.bytes, "items": found,
        });
        audit::append(&app.store, "exports", now, "exported", &details).await?;
        request.found = found;
        request.done.insert(BUILD.to_owned(), now.unix_timestamp());
        request.attempts = 0;
        save(&app.store, request).await?;
    }
    if let Some(account) = accounts::get(&app.store, &request.account).await? {
        let mail = mails::exported(&app.config.service.public_url, request);
        tell(app, &account, request, mail, now).await?;
    }
    request.close(State::Done, now);
    save(&app.store, request).await
}

/// Makes the file; how many items of each category are in it.
async fn build(
    app: &App,
    request: &Request,
    now: OffsetDateTime,
    deadline: Instant,
) -> Result<(Finished, BTreeMap<String, u64>), Error> {
    let upload = file::begin(app, request, now).await?;
    let key = file::key(&request.id);
    let mut archive = Archive::new(&app.files, &key, &upload, now);
    let subject = Subject {
        account: request.account.clone(),
        since: OffsetDateTime::from_unix_timestamp(request.opened_at).map_err(Error::internal)?,
        until: now,
    };
    let mut found = BTreeMap::new();
    for category in CATEGORIES.iter() {
        if let Export::Fields(_) = category.export {
            let count = add_category(app, &mut archive, category, &subject, now, deadline).await?;
            found.insert(category.id.to_owned(), count);
        }
    }
    let usage = table::usage(&app.store, &request.account, now).await?;
    archive.add("usage.csv", &usage).await?;
    archive.add("schema.json", schema::text()?.as_bytes()).await?;
    let mut manifest = Manifest::new(request, &found, now);
    archive.add("index.html", page::index(&manifest, &archive.entries).as_bytes()).await?;
    manifest.files = archive.entries.clone();
    let manifest = serde_json::to_vec_pretty(&manifest).map_err(Error::internal)?;
    archive.add("manifest.json", &manifest).await?;
    Ok((archive.finish().await?, found))
}

async fn add_category(
    app: &App,
    archive: &mut Archive<'_>,
    category: &'static Category,
    subject: &Subject,
    now: OffsetDateTime,
    deadline: Instant,
) -> Result<u64, Error> {
    let (Place::Table(table), Export::Fields(fields)) = (category.place, category.export) else {
        return Err(Error::internal(format!("{} cannot be exported", category.id)));
    };
    let mut items = Items::new(&app.store, table, subject, fields, now);
    let (mut total, mut in_file, mut files) = (0, 0, 0);
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
        while let Some(some) = next.take_if(|_| in_file < ITEMS_IN_A_FILE) {
            for item in some {
                let separator: &[u8] = if in_file == 0 { b"\n" } else { b",\n" };
                archive.write_all(separator).map_err(Error::internal)?;
                serde_json::to_writer(&mut *archive, &item).map_err(Error::internal)?;
                in_file += 1;
            }
            archive.pass_on().await?;
            if Instant::now() >= deadline {
                return Err(Error::internal("the time of a run is not enough for this export"));
            }
            next = items.next().await?;
        }
        archive.write_all(b"\n]}\n").map_err(Error::internal)?;
        archive.end(Some(in_file));
        total += in_file;
        in_file = 0;
    }
    Ok(total)
}

/// How long a file can be fetched for certain: the job that deletes it looks ahead.
pub(super) fn last_fetch(expires_at: i64) -> i64 {
    let ahead = inventory::Table::Exports.retention_job().map_or(Duration::ZERO, |it| it.every);
    expires_at - ahead.whole_seconds()
}
