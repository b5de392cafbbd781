//! The restore gate: closes the service when a table has been restored to a point before an erasure, or another table
//! was put in place of one. [`replay()`] opens it again.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use aws_sdk_dynamodb::operation::put_item::builders::PutItemFluentBuilder;
use serde::Serialize;
use time::OffsetDateTime;

use super::{ledger, replay, restored};
use crate::{
    app::App,
    error::Error,
    gate,
    inventory::Table,
    store::{Store, n, s, stored, text, unavailable},
};

/// Item of the table `jobs` that says whether the service is closed.
const STATE: &str = "restore-gate";

const OPEN: &str = "open";

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
    Ok(known(store).await?.is_closed)
}

/// What is noted of the gate.
struct Known {
    is_closed: bool,
    /// The tables' names when it was opened.
    tables: Option<String>,
}

async fn known(store: &Store) -> Result<Known, Error> {
    let item = store.get(Table::Jobs, [("name", STATE.to_owned())]).await?.unwrap_or_default();
    let is_closed = text(&item, "state") == Some("closed");
    Ok(Known { is_closed, tables: text(&item, "tables").map(str::to_owned) })
}

/// The names by which the functions know the tables: others after a restored one was put in place.
pub(super) fn names(store: &Store) -> String {
    Table::ALL.map(|table| format!("{}={}", table.name(), store.name(table))).join(",")
}

/// Whether a table has another name than in `noted`. A table that was not there then does not count: a release
/// that adds one is no restore.
fn is_replaced(present: &str, noted: &str) -> bool {
    let pairs = |names: &str| -> BTreeMap<String, String> {
        let pairs = names.split(',').filter_map(|it| it.split_once('='));
        pairs.map(|(table, name)| (table.to_owned(), name.to_owned())).collect()
    };
    let noted = pairs(noted);
    pairs(present).iter().any(|(table, name)| noted.get(table).is_some_and(|it| it != name))
}

fn putting(store: &Store, state: &str, now: OffsetDateTime) -> PutItemFluentBuilder {
    let put = store.client().put_item().table_name(store.name(Table::Jobs)).item("name", s(STATE));
    let put = put.item("state", s(state)).item("done_to", n(now.unix_timestamp()));
    if state == OPEN { put.item("tables", s(names(store))) } else { put }
}

async fn set(store: &Store, state: &str, now: OffsetDateTime) -> Result<(), Error> {
    putting(store, state, now).send().await.map(drop).map_err(unavailable)
}

/// Opens the service, with the tables that it has now.
pub(super) async fn open(store: &Store, now: OffsetDateTime) -> Result<(), Error> {
    set(store, OPEN, now).await
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

/// Compares the numbers, and the tables' names with those that it was opened with, and closes the service where they
/// differ. Never opens it: only a replay does.
pub async fn guard(app: &App, now: OffsetDateTime) -> Result<Guarded, Error> {
    let store = &app.store;
    let look = async || {
        let positions = ledger::Positions::read(store).await?;
        Ok::<_, Error>((positions.range(), ledger::head(store).await?))
    };
    let (mut tables, mut ledger) = look().await?;
    let mut differ = tables != (ledger, ledger);
    if differ {
        // An erasure between the two readings is no restore: then the second look is another.
        let before = (tables, ledger);
        (tables, ledger) = look().await?;
        differ = before == (tables, ledger);
    }
    let known = known(store).await?;
    match known.tables {
        // A restored table was put in place, and nobody has closed the service before.
        Some(tables) => differ |= is_replaced(&names(store), &tables),
        // The first run of all: these are the tables. Whoever has closed it meanwhile has done so.
        None if !known.is_closed => {
            let first =
                putting(store, OPEN, now).condition_expression("attribute_not_exists(#name)");
            stored(first.expression_attribute_names("#name", "name").send().await)?;
        }
        None => {}
    }
    let mut closed = known.is_closed;
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
    restored::note_closing(&app.store, now).await?;
    set(&app.store, "closed", now).await?;
    // Whatever an earlier replay has come to, it was of other tables.
    replay::forget_progress(&app.store).await?;
    // Until every environment has seen it, one may still load an account into the gate…
    tokio::time::sleep(KEEP + Duration::from_secs(1)).await;
    // …and who is in the gate would be let through without a look at the tables.
    gate::forget_all(&app.redis).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_of_another_name_was_put_in_place_and_a_new_one_was_not() {
        let noted = "accounts=x-accounts,jobs=x-jobs";
        for (present, expected) in [
            (noted, false),
            ("accounts=x-accounts,audit=x-audit,jobs=x-jobs", false),
            ("jobs=x-jobs,accounts=x-accounts", false),
            ("accounts=x-accounts-r1,jobs=x-jobs", true),
        ] {
            assert_eq!(is_replaced(present, noted), expected, "{present}");
        }
    }
}
