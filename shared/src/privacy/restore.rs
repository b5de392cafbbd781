//! The restore gate: closes the service when a table has been restored to a point before an erasure, or another table
//! was put in place of one. [`replay()`](super::replay()) opens it again.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use aws_sdk_dynamodb::operation::put_item::builders::PutItemFluentBuilder;
use serde::Serialize;
use time::OffsetDateTime;

use super::{ledger, restored};
use crate::{
    app::App,
    error::Error,
    gate,
    ids::random_base62,
    inventory::Table,
    store::{Store, n, s, stored, text, unavailable},
};

/// Item of the table `jobs` that says whether the service is closed.
const STATE: &str = "restore-gate";

const OPEN: &str = "open";
const CLOSED: &str = "closed";

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

/// A closing of the service. Opening it opens this one: a later one stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Closing(Option<String>);

impl Closing {
    fn new() -> Self {
        Self(Some(random_base62(12)))
    }

    /// Its id, as a replay names it. One that an earlier release has noted has none.
    pub(super) fn id(&self) -> Option<&str> {
        self.0.as_deref()
    }

    /// Lets `put` through only as long as this is the last one.
    fn last(&self, put: PutItemFluentBuilder) -> PutItemFluentBuilder {
        match &self.0 {
            Some(id) => put
                .condition_expression("closing = :closing")
                .expression_attribute_values(":closing", s(id)),
            None => put.condition_expression("attribute_not_exists(closing)"),
        }
    }
}

/// What is noted of the gate.
pub(super) struct Known {
    pub(super) is_closed: bool,
    /// The last closing, which stays noted once the service is open.
    pub(super) closing: Closing,
    /// The tables' names when it was opened.
    tables: Option<String>,
}

pub(super) async fn known(store: &Store) -> Result<Known, Error> {
    let item = store.get(Table::Jobs, [("name", STATE.to_owned())]).await?.unwrap_or_default();
    let noted = |name| text(&item, name).map(str::to_owned);
    Ok(Known {
        is_closed: text(&item, "state") == Some(CLOSED),
        closing: Closing(noted("closing")),
        tables: noted("tables"),
    })
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

/// Notes `state`, which is that of `closing`.
fn putting(
    store: &Store,
    state: &str,
    closing: &Closing,
    now: OffsetDateTime,
) -> PutItemFluentBuilder {
    let put = store.client().put_item().table_name(store.name(Table::Jobs)).item("name", s(STATE));
    let put = put.item("state", s(state)).item("done_to", n(now.unix_timestamp()));
    let put = closing.id().into_iter().fold(put, |put, id| put.item("closing", s(id)));
    if state == OPEN { put.item("tables", s(names(store))) } else { put }
}

/// Opens the service, with the tables that it has now, unless it was closed once more after `closing`; whether it
/// did.
pub(super) async fn open(
    store: &Store,
    closing: &Closing,
    now: OffsetDateTime,
) -> Result<bool, Error> {
    stored(closing.last(putting(store, OPEN, closing, now)).send().await)
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
    // Before the look at the tables: what a replay has opened in between was looked at by that.
    let known = known(store).await?;
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
    match &known.tables {
        // A restored table was put in place, and nobody has closed the service before.
        Some(tables) => differ |= is_replaced(&names(store), tables),
        // The first run of all: these are the tables, unless it was closed since.
        None if !known.is_closed => _ = open(store, &known.closing, now).await?,
        None => {}
    }
    let mut closed = known.is_closed;
    if closed {
        // Whoever closed it may have died before this; and a refill that began before then may have come in
        // after it.
        gate::forget_all(&app.redis).await?;
    } else if differ {
        // One that was closed since is left to who has closed it.
        closed = close_after(app, &known.closing, now).await?.is_some() || is_closed(store).await?;
    }
    Ok(Guarded { ledger, tables, closed })
}

/// Closes the service by the operator's order, before tables are restored. A replay that is running, and an earlier
/// closing, do not open it any more.
pub async fn close_service(app: &App, now: OffsetDateTime) -> Result<(), Error> {
    restored::note_closing(&app.store, is_closed(&app.store).await?, now).await?;
    let put = putting(&app.store, CLOSED, &Closing::new(), now);
    put.send().await.map_err(unavailable)?;
    let_everybody_know(app).await
}

/// Closes the service, which is open, unless that was done after the closing `last`; the closing.
pub(super) async fn close_after(
    app: &App,
    last: &Closing,
    now: OffsetDateTime,
) -> Result<Option<Closing>, Error> {
    restored::note_closing(&app.store, false, now).await?;
    let closing = Closing::new();
    let put = last.last(putting(&app.store, CLOSED, &closing, now));
    if !stored(put.send().await)? && known(&app.store).await?.closing != closing {
        return Ok(None);
    }
    let_everybody_know(app).await?;
    Ok(Some(closing))
}

async fn let_everybody_know(app: &App) -> Result<(), Error> {
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
