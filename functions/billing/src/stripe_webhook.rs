//! `POST /webhooks/stripe`: checks who has signed an event and hands it over to the queue. Stripe waits for
//! the answer, so nothing else is done here; what it says is read back from Stripe by whoever takes it out.

use lambda_http::http::StatusCode;
use serde_json::json;
use vidintel::{
    app::App,
    billing::{BillingError, events::take_in},
    error::Error,
    http::{Call, Reply, serve},
    program::Ended,
};

/// Longest event, in bytes: an invoice has few lines here.
const LONGEST: usize = 256 * 1024;

/// Answers the requests.
pub fn main() -> Ended {
    serve(|app, call| Box::pin(handle(app, call)))
}

async fn handle(app: &App, call: &Call) -> Result<Reply, Error> {
    let credentials = app.secrets.get().await?.stripe.ok_or(BillingError::NotEnabled)?;
    let signature = call.header("stripe-signature");
    if let Some(event) = take_in(call.text(LONGEST)?, signature, &credentials, call.now())? {
        app.events.send(&event).await?;
    }
    Reply::json(StatusCode::OK, &json!({ "received": true }))
}
