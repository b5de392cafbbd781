//! Makes at Stripe what is sold: the product and the price of each plan that it does not have yet. Says what the key
//! may not do there and should, and which events the webhook endpoint must be sent.

use serde_json::{Value, json};
use vidintel::{
    app::App,
    billing::events::KINDS,
    error::Error,
    ops::{Order, serve},
    program::Ended,
};

/// Carries out the operator's orders.
pub fn main() -> Ended {
    serve(|app, order| Box::pin(work(app, order)))
}

async fn work(app: &App, _: Order) -> Result<Value, Error> {
    let stripe = app.stripe().await?;
    let lacking = stripe.lacking().await?;
    let made = stripe.prepare().await?;
    Ok(json!({ "made": made, "lacking": lacking, "webhook_events": KINDS.to_vec() }))
}
