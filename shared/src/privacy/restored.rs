//! Up to when mails were sent before the last restore from a backup. What is read back of that time is written down again,
//! and not mailed again.

use time::{Duration, OffsetDateTime};

use crate::{
    error::Error,
    inventory::Table,
    store::{Item, Store, n, number, s, stored, unavailable},
};

/// Item of the table `jobs` that says when the service was closed, and opened again.
const STATE: &str = "restore-mails";

/// What happened so shortly before the service was closed may not have been mailed yet: events take their time, and the
/// job runs every five minutes. It is mailed once more rather than never.
const ON_ITS_WAY: Duration = Duration::minutes(15);

/// How long differences from Stripe are taken for the restore's after the opening.
const READ_BACK_FOR: Duration = Duration::days(2);

/// The last restore, as far as mails go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restored {
    closed_at: i64,
    opened_at: i64,
}

impl Restored {
    /// Up to when (epoch seconds) what happened was mailed.
    pub fn mailed_to(self) -> i64 {
        self.closed_at - ON_ITS_WAY.whole_seconds()
    }

    /// When the service was opened again (epoch seconds).
    pub fn opened_at(self) -> i64 {
        self.opened_at
    }

    /// Until when (epoch seconds) what is found may well be what the restore has undone.
    pub fn read_back_to(self) -> i64 {
        self.opened_at + READ_BACK_FOR.whole_seconds()
    }

    /// Whether a difference from Stripe that is found at `now` may well be what the restore has undone.
    pub fn is_recent(self, now: OffsetDateTime) -> bool {
        now.unix_timestamp() < self.read_back_to()
    }
}

/// The last restore that is over, if there ever was one.
pub async fn last_restore(store: &Store) -> Result<Option<Restored>, Error> {
    let item = read(store).await?;
    let times = (number(&item, "began_at"), number(&item, "completed_at"));
    let (Some(closed_at), Some(opened_at)) = times else { return Ok(None) };
    Ok(Some(Restored { closed_at, opened_at }))
}

/// Notes that the service is about to be closed, or `is_closed` already. Closed once more before it is opened, it has sent
/// no mail in between; soon after it was opened, it may not have come to all that waited: what was mailed since comes twice
/// then, at worst.
pub(super) async fn note_closing(
    store: &Store,
    is_closed: bool,
    now: OffsetDateTime,
) -> Result<(), Error> {
    let last = read(store).await?;
    let (closed_at, opened_at) = (number(&last, "began_at"), number(&last, "completed_at"));
    let since = (now - READ_BACK_FOR).unix_timestamp();
    let is_over = !is_closed && opened_at.is_some_and(|at| at <= since);
    let began_at = closed_at.filter(|_| !is_over).unwrap_or(now.unix_timestamp());
    let put = store
        .client()
        .put_item()
        .table_name(store.name(Table::Jobs))
        .item("name", s(STATE))
        .item("began_at", n(began_at))
        .condition_expression("attribute_not_exists(#name) OR attribute_exists(completed_at)")
        .expression_attribute_names("#name", "name");
    stored(put.send().await).map(drop)
}

/// Notes that the service is about to be opened.
pub(super) async fn note_opening(store: &Store, now: OffsetDateTime) -> Result<(), Error> {
    let mut item = read(store).await?;
    item.insert("name".to_owned(), s(STATE));
    // One that an earlier release has closed did not say when.
    item.entry("began_at".to_owned()).or_insert_with(|| n(now.unix_timestamp()));
    item.insert("completed_at".to_owned(), n(now.unix_timestamp()));
    let put = store.client().put_item().table_name(store.name(Table::Jobs));
    put.set_item(Some(item)).send().await.map(drop).map_err(unavailable)
}

async fn read(store: &Store) -> Result<Item, Error> {
    let item = store.get(Table::Jobs, [("name", STATE.to_owned())]).await?;
    Ok(item.unwrap_or_default())
}
