//! The days of use as a table that any spreadsheet reads.

use time::{Duration, OffsetDateTime};

use crate::{error::Error, ids::AccountId, store::Store, usage};

/// How far back statistics can reach, and a little more.
const REACH: Duration = Duration::days(400);

/// RFC 4180, with a line of names.
pub(super) async fn usage(
    store: &Store,
    account: &AccountId,
    now: OffsetDateTime,
) -> Result<Vec<u8>, Error> {
    let first = (now - REACH).date();
    let last = (now + Duration::DAY).date();
    let mut table = csv::Writer::from_writer(Vec::new());
    let names = [
        "date",
        "requests",
        "charged",
        "client_errors",
        "server_errors",
        "limited",
        "cache_hits",
        "latency_ms_p50",
        "latency_ms_p95",
        "latency_ms_p99",
    ];
    table.write_record(names).map_err(Error::internal)?;
    for day in usage::days(store, account, first, last, now).await? {
        let latency = |pick: fn(&usage::Latency) -> u64| day.latency_ms.as_ref().map(pick);
        let row = (
            &day.date,
            [day.requests, day.charged, day.client_errors, day.server_errors, day.limited],
            day.cache_hits,
            [latency(|it| it.p50), latency(|it| it.p95), latency(|it| it.p99)],
        );
        table.serialize(row).map_err(Error::internal)?;
    }
    table.into_inner().map_err(Error::internal)
}
