//! Suspends an account, or lets it go on.

use serde::Deserialize;
use serde_json::Value;
use vidintel::{
    accounts::{Status, set_status},
    app::App,
    error::Error,
    ids::AccountId,
    ops::{Order, serve},
    program::Ended,
};

#[derive(Deserialize)]
struct Event {
    account: AccountId,
    /// `active` or `suspended`.
    status: Status,
    /// For the customer to read, such as a file number; names nobody.
    reason: String,
}

/// Carries out the operator's orders.
pub fn main() -> Ended {
    serve(|app, order| Box::pin(set(app, order)))
}

async fn set(app: &App, order: Order) -> Result<Value, Error> {
    let Event { account, status, reason } = order.read()?;
    let set = set_status(app, &account, status, &reason, order.time).await?;
    serde_json::to_value(set).map_err(Error::internal)
}
