//! What has been asked of Research already, and how a search goes on.

use serde_json::{Value, json};
use time::Duration;
use vidintel::inventory::Table;

use super::{World, plant::plant};

/// Lets the day have gone on: `who` (everybody together is `research`) has spent so many calls.
pub(crate) async fn spent(world: &World, who: &str, calls: u64, customers: u64) {
    spent_of_it(world, who, calls, customers, 0).await;
}

/// The same, so many of the calls by accounts on the free plan.
pub(crate) async fn spent_of_it(world: &World, who: &str, calls: u64, customers: u64, free: u64) {
    let now = world.cloud.clock.now();
    let item = json!({
        "account": { "S": who }, "period": { "S": format!("research#{}", now.date()) },
        "calls": { "N": calls.to_string() }, "records": { "N": "0" },
        "customers": { "N": customers.to_string() },
        "free_calls": { "N": free.to_string() },
        "expires_at": { "N": (now + Duration::days(90)).unix_timestamp().to_string() },
        "expires_on": { "S": (now + Duration::days(90)).date().to_string() },
    });
    plant(&world.cloud, Table::Quotas, &item).await;
}

/// `search` for the page after `page`.
pub(crate) fn with_cursor(search: &Value, page: &Value) -> Value {
    let mut next = search.clone();
    next["cursor"] = page["next_cursor"].clone();
    next
}
