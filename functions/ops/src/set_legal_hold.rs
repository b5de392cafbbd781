//! Places or releases a legal hold on an account: while it stands, nothing of the account is deleted.

use serde::Deserialize;
use serde_json::{Value, json};
use vidintel::{
    app::App,
    audit,
    error::Error,
    ids::AccountId,
    ops::{Order, serve},
    privacy::{place_hold, release_hold},
    program::Ended,
};

#[derive(Deserialize)]
struct Event {
    account: AccountId,
    /// Whether the hold is to stand.
    hold: bool,
    /// Names the matter, such as a file number, and nobody.
    reason: String,
}

/// Carries out the operator's orders.
pub fn main() -> Ended {
    serve(|app, order| Box::pin(set(app, order)))
}

async fn set(app: &App, order: Order) -> Result<Value, Error> {
    let Event { account, hold, reason } = order.read()?;
    let hold = match hold {
        true => place_hold(&app.store, &account, &reason, order.time).await?,
        false => release_hold(&app.store, &account, order.time).await?,
    };
    let details = json!({ "hold": hold, "reason": reason });
    audit::append(&app.store, "legal-holds", order.time, "set", &details).await?;
    Ok(details)
}
