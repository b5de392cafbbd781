//! Shows the objections of creators that wait for the operator, or decides on one of them.

use serde::Deserialize;
use serde_json::{Value, json};
use vidintel::{
    app::App,
    error::Error,
    ids::ObjectionId,
    objections::{Decision, decide, queued},
    ops::{Order, serve},
};

#[derive(Deserialize)]
struct Event {
    /// Without it, the queue is shown.
    id: Option<ObjectionId>,
    decision: Option<Decision>,
    /// For the creator to read; names nobody.
    reason: Option<String>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    serve(|app, order| Box::pin(work(app, order))).await
}

async fn work(app: &App, order: Order) -> Result<Value, Error> {
    let Event { id, decision, reason } = order.read()?;
    match (id, decision) {
        (None, None) => Ok(json!({ "queued": queued(&app.store).await? })),
        (Some(id), Some(decision)) => {
            let objection = decide(app, &id, decision, reason, order.time).await?;
            serde_json::to_value(objection).map_err(Error::internal)
        }
        _ => Err(Error::internal("the event is not valid: `id` and `decision` go together")),
    }
}
