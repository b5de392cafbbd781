//! Shows the objections of creators that wait for the operator, or decides on one of them; shows what answers did
//! not arrive, or notes that the operator has seen it.

use serde::Deserialize;
use serde_json::{Value, json};
use vidintel::{
    app::App,
    error::Error,
    ids::ObjectionId,
    objections::{Decision, decide, queued},
    ops::{Order, serve},
    privacy::{clear_undelivered, undelivered},
    program::Ended,
};

#[derive(Deserialize)]
struct Event {
    /// Without it, the queue is shown.
    id: Option<ObjectionId>,
    decision: Option<Decision>,
    /// For the creator to read; names nobody.
    reason: Option<String>,
    /// A request or objection whose answer did not arrive: it was looked at.
    seen: Option<String>,
}

/// Carries out the operator's orders.
pub fn main() -> Ended {
    serve(|app, order| Box::pin(work(app, order)))
}

async fn work(app: &App, order: Order) -> Result<Value, Error> {
    let Event { id, decision, reason, seen } = order.read()?;
    match (id, decision, seen) {
        (None, None, None) => Ok(json!({
            "queued": queued(&app.store).await?,
            "undelivered": undelivered(&app.store).await?,
        })),
        (None, None, Some(id)) => {
            clear_undelivered(&app.store, &id, order.time).await?;
            Ok(json!({ "seen": id }))
        }
        (Some(id), Some(decision), None) => {
            let objection = decide(app, &id, decision, reason, order.time).await?;
            serde_json::to_value(objection).map_err(Error::internal)
        }
        _ => Err(Error::internal("the event is not valid: `id` and `decision` go together")),
    }
}
