//! The restore gate: closes the service when a table has been restored to a point before an erasure,
//! and opens it again when the erasures since then have been repeated.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use serde::Serialize;
use time::OffsetDateTime;

use super::{
    erasable::{DELETED, Subject},
    export, ledger,
};
use crate::{
    accounts,
    app::App,
    error::Error,
    gate,
    inventory::Table,
    retention::forget_done_to,
    store::{Store, n, s, text, unavailable},
};

/// Item of the table `jobs` that says whether the service is closed.
const STATE: &str = "restore-gate";

/// How long an environment goes by what it has read.
const KEEP: Duration = Duration::from_secs(5);

/// What an environment knows of the gate. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct RestoreGate(Arc<Mutex<Option<(Instant, bool)>>>);

impl RestoreGate {
    /// Fails while the service is closed.
    pub async fn check(&self, store: &Store) -> Result<(), Error> {
        let known = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let closed = match known {
            Some((read, closed)) if read.elapsed() < KEEP => closed,
            _ => {
                let closed = is_closed(store).await?;
                *self.0.lock().unwrap_or_else(PoisonError::into_inner) =
                    Some((Instant::now(), closed));
                closed
            }
        };
        if closed { Err(Error::Restoring) } else { Ok(()) }
    }
}

/// Whether the service is closed.
pub async fn is_closed(store: &Store) -> Result<bool, Error> {
    let item = store.get(Table::Jobs, [("name", STATE.to_owned())]).await?;
    Ok(item.is_some_and(|it| text(&it, "state") == Some("closed")))
}

async fn set(store: &Store, state: &str, now: OffsetDateTime) -> Result<(), Error> {
    store
        .client()
        .put_item()
        .table_name(store.name(Table::Jobs))
        .item("name", s(STATE))
        .item("state", s(state))
        .item("done_to", n(now.unix_timestamp()))
        .send()
        .await
        .map(drop)
        .map_err(unavailable)
}

/// Where the ledger and the tables stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Guarded {
    /// Number of the last erasure in the ledger.
    pub ledger: i64,
    /// Lowest and highest number in the protected tables.
    pub tables: (i64, i64),
    /// Whether the service is closed.
    pub closed: bool,
}

/// Compares the numbers and closes the service where they differ. Never opens it: only a replay does.
pub async fn guard(app: &App, now: OffsetDateTime) -> Result<Guarded, Error> {
    let store = &app.store;
    let look =
        async || Ok::<_, Error>((ledger::positions(store).await?, ledger::head(store).await?));
    let (mut tables, mut ledger) = look().await?;
    let mut differ = tables != (ledger, ledger);
    if differ {
        // An erasure between the two readings is no restore: then the second look is another.
        let before = (tables, ledger);
        (tables, ledger) = look().await?;
        differ = before == (tables, ledger);
    }
    let mut closed = is_closed(store).await?;
    if closed {
        // Whoever closed it may have died before this; and a refill that began before then may have come in
        // after it.
        gate::forget_all(&app.redis).await?;
    } else if differ {
        close_service(app, now).await?;
        closed = true;
    }
    Ok(Guarded { ledger, tables, closed })
}

/// Closes the service: by [`guard`], or by the operator before tables are restored.
pub async fn close_service(app: &App, now: OffsetDateTime) -> Result<(), Error> {
    set(&app.store, "closed", now).await?;
    // Until every environment has seen it, one may still load an account into the gate…
    tokio::time::sleep(KEEP + Duration::from_secs(1)).await;
    // …and who is in the gate would be let through without a look at the tables.
    gate::forget_all(&app.redis).await
}

/// What a replay did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Replayed {
    /// Erasures that were repeated.
    pub erasures: u64,
    /// Items that had come back and are gone again.
    pub items: u64,
    /// Whether all is done and the service open; if not, run it again.
    pub complete: bool,
}

/// Repeats every erasure that a restored table does not know of, checks that nothing is left, and opens
/// the service. May be killed and run again. Goes by account and not by address: an account that was
/// opened later with the same address is another one.
pub async fn replay(app: &App, now: OffsetDateTime, deadline: Instant) -> Result<Replayed, Error> {
    let (store, mut replayed) = (&app.store, Replayed::default());
    let (lowest, highest) = ledger::positions(store).await?;
    let head = ledger::head(store).await?;
    if highest > head {
        return Err(Error::internal(
            "the ledger is older than the tables: restore it to a later point in time first",
        ));
    }
    for entry in ledger::entries_after(store, lowest).await? {
        let since = OffsetDateTime::from_unix_timestamp(entry.opened_at).unwrap_or(now);
        let until = OffsetDateTime::from_unix_timestamp(entry.erased_at).unwrap_or(now);
        let subject = Subject { account: entry.account, since, until };
        for table in DELETED {
            replayed.items += subject.count(store, table).await?;
            if !subject.delete(store, table, deadline).await? {
                return Ok(replayed);
            }
            if subject.count(store, table).await? > 0 {
                return Err(Error::internal("an erased account's items are still there"));
            }
        }
        replayed.items += export::count(app, &subject.account).await?;
        export::remove(app, &subject.account).await?;
        subject.strip(store).await?;
        if let Some(account) = accounts::get(store, &subject.account).await? {
            for id in [accounts::own_marker(store, &account).await?, Some(account.id.to_string())] {
                let Some(id) = id else { continue };
                let request = store.client().delete_item().table_name(store.name(Table::Accounts));
                request.key("id", s(id)).send().await.map_err(unavailable)?;
                replayed.items += 1;
            }
        }
        replayed.erasures += 1;
    }
    // Items whose period has ended may have come back too: the jobs look at the days again.
    for table in Table::ALL {
        if let Some(job) = table.retention_job() {
            forget_done_to(store, job.name).await?;
        }
    }
    ledger::set_positions(store, head).await?;
    set(store, "open", now).await?;
    replayed.complete = true;
    Ok(replayed)
}
