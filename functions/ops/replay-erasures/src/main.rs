//! After a restore from a backup: erases again what was erased since then, and opens the service.

use serde_json::Value;
use vidintel::{
    app::App,
    audit,
    error::Error,
    ops::{Order, serve},
    privacy::replay,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    serve(|app, order| Box::pin(run(app, order))).await
}

async fn run(app: &App, order: Order) -> Result<Value, Error> {
    let replayed = replay(&app.store, order.time, order.deadline).await?;
    let details = serde_json::to_value(replayed).map_err(Error::internal)?;
    audit::append(&app.store, "restores", order.time, "replayed", &details).await?;
    Ok(details)
}
