//! After a restore from a backup: erases again what was erased since then, and opens the service. With
//! `close`, before it: closes the service.

use serde::Deserialize;
use serde_json::{Value, json};
use vidintel::{
    app::App,
    audit,
    error::Error,
    ops::{Order, serve},
    privacy::{close_service, replay},
    program::Ended,
};

#[derive(Deserialize)]
struct Event {
    #[serde(default)]
    close: bool,
    /// The closing that an earlier run of the order has named: a later one is not opened.
    closing: Option<String>,
}

/// Carries out the operator's orders.
pub fn main() -> Ended {
    serve(|app, order| Box::pin(run(app, order)))
}

async fn run(app: &App, order: Order) -> Result<Value, Error> {
    let Event { close, closing } = order.read()?;
    if close {
        close_service(app, order.time).await?;
        return Ok(json!({ "closed": true }));
    }
    let replaying = replay(app, closing.as_deref(), order.time, order.deadline);
    let replayed = order.alone(&app.store, "replay-erasures", replaying).await?;
    let details = serde_json::to_value(replayed).map_err(Error::internal)?;
    audit::append(&app.store, "restores", order.time, "replayed", &details).await?;
    Ok(details)
}
