//! After a restore from a backup: does again what the backup has undone, and opens the service. First the erasures, by
//! their numbers; then what is noted beside the ledger (revoked keys, suspensions, refunds and the others of
//! [`acts`]); then what the requests under privacy law say of accounts. Each run goes further than the one before, however
//! short it is.

use std::{collections::BTreeMap, time::Instant};

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::{StreamExt, TryStreamExt, future::try_join_all, stream};
use serde::Serialize;
use time::{Duration, OffsetDateTime};

use super::{
    acts::{self, Noted},
    erasable::{DELETED, Subject},
    export, ledger,
    request::{self, Kind, Request, State},
    restore::{Closing, close_after, known, names, open},
    restored,
};
use crate::{
    accounts::{self, Status},
    app::App,
    billing::reconcile,
    error::Error,
    inventory::{BACKUP_DAYS, Table},
    retention::forget_done_to,
    store::{Conditional, Item, Store, conditional, n, s, text, unavailable},
};

/// Item of the table `jobs` that says how far it has come with what has no numbers.
const PROGRESS: &str = "replay-erasures";

/// Erasures that are repeated at the same time: each looks at 16 partitions at once.
const ERASURES: usize = 2;

/// Erasures after which the tables' numbers are moved on.
const NUMBERS_AFTER: usize = 8;

/// Other acts and requests that are repeated at the same time.
const AT_ONCE: usize = 16;

/// A request that was closed longer ago than this is older than any backup.
const CLOSED_FOR: Duration = Duration::days(BACKUP_DAYS + 5);

/// What a replay did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Replayed {
    /// The closing of the service that it opens, and no later one.
    pub closing: Option<String>,
    /// Erasures that were repeated.
    pub erasures: u64,
    /// Items that had come back and are gone again.
    pub items: u64,
    /// Acts noted beside the ledger (revoked keys, suspensions, refunds, stops of mail and more) that had been undone.
    pub acts: u64,
    /// Requests under privacy law that an account did not know of any more, or still knew of.
    pub requests: u64,
    /// Whether all is done and the service open; if not, run it again.
    pub complete: bool,
    /// Whether it has stopped because the service was closed once more, or a table was put in place of another: the
    /// service stays closed. Finish what it was closed for, then run it again.
    pub overtaken: bool,
}

impl Replayed {
    fn overtaken(self) -> Self {
        Self { overtaken: true, ..self }
    }
}

/// Repeats what a restored table does not know of, checks that nothing of an erased account is left, and opens the
/// service; closes it first, if it is not. May be killed and run again. Goes by account and not by address: an
/// account that was opened later with the same address is another one. `closing` is the one that an earlier run of
/// the same order began with: it goes on with no later one.
pub async fn replay(
    app: &App,
    closing: Option<&str>,
    now: OffsetDateTime,
    deadline: Instant,
) -> Result<Replayed, Error> {
    let (store, mut replayed) = (&app.store, Replayed::default());
    // Before anything is read of the tables: a later closing may be there to restore them.
    let noted = known(store).await?;
    if closing.is_some() && closing != noted.closing.id() {
        return Ok(replayed.overtaken());
    }
    let mut positions = ledger::Positions::read(store).await?;
    let (lowest, highest) = positions.range();
    let head = ledger::head(store).await?;
    if highest > head {
        return Err(Error::internal(
            "the ledger is older than the tables: restore it to a later point in time first",
        ));
    }
    let closing = match noted.is_closed {
        true => noted.closing,
        false => match close_after(app, &noted.closing, now).await? {
            Some(closing) => closing,
            None => return Ok(replayed.overtaken()),
        },
    };
    replayed.closing = closing.id().map(str::to_owned);
    for some in ledger::entries_after(store, lowest).await?.chunks(NUMBERS_AFTER) {
        let work: Vec<_> = some.iter().map(|it| erase_again(app, it, deadline)).collect();
        let outcomes: Vec<_> = stream::iter(work).buffer_unordered(ERASURES).collect().await;
        let repeated = outcomes.into_iter().collect::<Result<Vec<_>, Error>>()?;
        replayed.items += repeated.iter().map(|it| it.items).sum::<u64>();
        if repeated.iter().any(|it| !it.is_done) {
            // What is left of these is fewer now.
            return Ok(replayed);
        }
        replayed.erasures += some.len() as u64;
        if let Some(last) = some.last()
            && !move_on(store, &closing, &mut positions, last.sequence).await?
        {
            return Ok(replayed.overtaken());
        }
        if Instant::now() >= deadline {
            return Ok(replayed);
        }
    }
    if !move_on(store, &closing, &mut positions, head).await? {
        return Ok(replayed.overtaken());
    }
    let mut progress = Progress::read(store, &closing).await?;
    while progress.phase != Phase::Done {
        let next = match progress.phase {
            Phase::Acts => repeat_acts(store, &progress, &mut replayed).await?,
            _ => note_requests(store, &progress, &mut replayed, now).await?,
        };
        progress.move_on(store, &closing, next).await?;
        if Instant::now() >= deadline {
            return Ok(replayed);
        }
    }
    // Items whose period has ended may have come back too: the jobs look at the days again.
    for table in Table::ALL {
        if let Some(job) = table.retention_job() {
            forget_done_to(store, job.name).await?;
        }
    }
    // An order to close that came since is older than what would be noted of the opening.
    if known(store).await?.closing != closing {
        return Ok(replayed.overtaken());
    }
    // What was bought since is not in the restored tables, and the day's comparison may have been before. While the service
    // is closed none begins.
    forget_done_to(store, reconcile::JOB).await?;
    restored::note_opening(store, now).await?;
    if !open(store, &closing, now).await? {
        return Ok(replayed.overtaken());
    }
    forget_done_to(store, PROGRESS).await?;
    replayed.complete = true;
    Ok(replayed)
}

/// Moves the tables' numbers on, if the service was not closed once more and no table is another one; whether it
/// did.
async fn move_on(
    store: &Store,
    closing: &Closing,
    positions: &mut ledger::Positions,
    to: i64,
) -> Result<bool, Error> {
    Ok(known(store).await?.closing == *closing && positions.move_on(store, to).await?)
}

/// What became of one erasure.
struct Repeated {
    items: u64,
    is_done: bool,
}

async fn erase_again(
    app: &App,
    entry: &ledger::Entry,
    deadline: Instant,
) -> Result<Repeated, Error> {
    let (store, mut items) = (&app.store, 0);
    let until = OffsetDateTime::from_unix_timestamp(entry.erased_at).map_err(Error::internal)?;
    let subject = Subject::new(store, entry.account.clone(), entry.opened_at, until).await?;
    for table in DELETED {
        let found = subject.count(store, table).await?;
        if found == 0 {
            continue;
        }
        let is_done = subject.delete(store, table, deadline).await?;
        let left = subject.count(store, table).await?;
        items += found.saturating_sub(left);
        if !is_done {
            return Ok(Repeated { items, is_done });
        }
        if left > 0 {
            return Err(Error::internal("an erased account's items are still there"));
        }
    }
    items += export::count(app, &subject.account).await?;
    export::remove(app, &subject.account).await?;
    subject.strip(store).await?;
    if let Some(account) = accounts::get(store, &subject.account).await? {
        for id in [accounts::own_marker(store, &account).await?, Some(account.id.to_string())] {
            let Some(id) = id else { continue };
            let request = store.client().delete_item().table_name(store.name(Table::Accounts));
            request.key("id", s(id)).send().await.map_err(unavailable)?;
            items += 1;
        }
    }
    Ok(Repeated { items, is_done: true })
}

/// Repeats the next acts; after which to go on.
async fn repeat_acts(
    store: &Store,
    progress: &Progress,
    replayed: &mut Replayed,
) -> Result<Option<String>, Error> {
    let (noted, next) = acts::page(store, progress.offset.as_deref()).await?;
    // Those of one account one after the other: each counts the account's gate up, and they would keep each other
    // from it.
    let mut by_account: BTreeMap<String, Vec<Noted>> = BTreeMap::new();
    for act in noted {
        by_account.entry(act.account().to_owned()).or_default().push(act);
    }
    let each = by_account.into_values().map(|acts| async move {
        let mut repeated = 0;
        for act in acts {
            repeated += u64::from(act.repeat(store).await?);
        }
        Ok::<_, Error>(repeated)
    });
    let counts: Vec<u64> = stream::iter(each).buffer_unordered(AT_ONCE).try_collect().await?;
    replayed.acts += counts.iter().sum::<u64>();
    Ok(next)
}

/// Lets accounts know of the next requests what they should; after which to go on.
async fn note_requests(
    store: &Store,
    progress: &Progress,
    replayed: &mut Replayed,
    now: OffsetDateTime,
) -> Result<Option<String>, Error> {
    let (requests, next) = request::page(store, progress.offset.as_deref()).await?;
    let since = (now - CLOSED_FOR).unix_timestamp();
    let recent: Vec<_> =
        requests.into_iter().filter(|it| it.closed_at.is_none_or(|at| at >= since)).collect();
    for some in recent.chunks(AT_ONCE) {
        let noted = try_join_all(some.iter().map(|it| note_again(store, it, now))).await?;
        replayed.requests += noted.iter().filter(|it| **it).count() as u64;
    }
    Ok(next)
}

/// Lets the account of `request` know of it, or not any more; whether that was to be done. A deletion that had begun
/// begins once more: what it had deleted may have come back.
async fn note_again(store: &Store, request: &Request, now: OffsetDateTime) -> Result<bool, Error> {
    let Some(account) = accounts::get(store, &request.account).await? else { return Ok(false) };
    let id = || s(request.id.to_string());
    let change = Change { store, request };
    match (request.kind, request.closed_at) {
        (Kind::Erasure, None) if request.has_begun() => {
            let is_noted = account.erasure.as_ref() == Some(&request.id);
            let is_known = is_noted && account.status == Status::Erasing;
            let mut again = request.clone();
            again.begin_again(is_known, now);
            request::save(store, &mut again).await?;
            if is_known {
                return Ok(false);
            }
            let values = [(":id", id()), (":status", s(Status::Erasing.name()))];
            change.make("SET #noted = :id, #status = :status", "attribute_exists(id)", values).await
        }
        (Kind::Erasure | Kind::Export, None) => {
            let unknown =
                "attribute_exists(id) AND (attribute_not_exists(#noted) OR #noted <> :id)";
            change.make("SET #noted = :id", unknown, [(":id", id())]).await
        }
        (Kind::Erasure, Some(_)) if request.state == State::Cancelled => {
            change.make("REMOVE #noted", "#noted = :id", [(":id", id())]).await
        }
        _ => Ok(false),
    }
}

/// A change of the account of a request.
struct Change<'a> {
    store: &'a Store,
    request: &'a Request,
}

impl Change<'_> {
    /// Makes it, if `condition` holds; whether it did.
    async fn make<const N: usize>(
        &self,
        update: &str,
        condition: &str,
        values: [(&str, AttributeValue); N],
    ) -> Result<bool, Error> {
        let mut request = self
            .store
            .client()
            .update_item()
            .table_name(self.store.name(Table::Accounts))
            .key("id", s(self.request.account.to_string()))
            .update_expression(format!("{update} ADD gate_version :one"))
            .condition_expression(condition)
            // Some of the names are reserved.
            .expression_attribute_names("#noted", self.request.kind.name())
            .expression_attribute_values(":one", n(1));
        if update.contains("#status") {
            request = request.expression_attribute_names("#status", "status");
        }
        for (name, value) in values {
            request = request.expression_attribute_values(name, value);
        }
        Ok(matches!(conditional(request.send().await)?, Conditional::Done(_)))
    }
}

/// What of the work without numbers it is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Acts,
    Requests,
    Done,
}

/// How far it has come with that, after which closing and with which tables: of others it starts from the beginning.
struct Progress {
    phase: Phase,
    /// After which item to go on.
    offset: Option<String>,
}

impl Progress {
    async fn read(store: &Store, closing: &Closing) -> Result<Self, Error> {
        let item = store.get(Table::Jobs, [("name", PROGRESS.to_owned())]).await?;
        let item = item.filter(|it| {
            text(it, "tables") == Some(names(store).as_str()) && text(it, "closing") == closing.id()
        });
        let Some(item) = item else { return Ok(Self { phase: Phase::Acts, offset: None }) };
        let phase = match text(&item, "state") {
            Some("requests") => Phase::Requests,
            Some("done") => Phase::Done,
            _ => Phase::Acts,
        };
        Ok(Self { phase, offset: text(&item, "offset").map(str::to_owned) })
    }

    /// Notes that it goes on after `next`, or with what comes then.
    async fn move_on(
        &mut self,
        store: &Store,
        closing: &Closing,
        next: Option<String>,
    ) -> Result<(), Error> {
        if next.is_none() {
            self.phase = match self.phase {
                Phase::Acts => Phase::Requests,
                Phase::Requests | Phase::Done => Phase::Done,
            };
        }
        self.offset = next;
        let state = match self.phase {
            Phase::Acts => "acts",
            Phase::Requests => "requests",
            Phase::Done => "done",
        };
        let mut item = Item::from([
            ("name".to_owned(), s(PROGRESS)),
            ("tables".to_owned(), s(names(store))),
            ("state".to_owned(), s(state)),
        ]);
        item.extend(closing.id().map(|it| ("closing".to_owned(), s(it))));
        item.extend(self.offset.iter().map(|it| ("offset".to_owned(), s(it))));
        let put = store.client().put_item().table_name(store.name(Table::Jobs));
        put.set_item(Some(item)).send().await.map(drop).map_err(unavailable)
    }
}
