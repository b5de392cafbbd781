//! Shows the refunds and signs that wait for the operator, or decides on one of them.

use serde::Deserialize;
use serde_json::Value;
use vidintel::{
    app::App,
    billing::{Decision, decide, queue},
    error::Error,
    ids::AccountId,
    ops::{Order, serve},
    program::Ended,
};

#[derive(Deserialize)]
struct Event {
    /// Without it, the queue is shown.
    account: Option<AccountId>,
    task: Option<String>,
    decision: Option<Decision>,
    /// For the customer to read, with a refusal.
    reason: Option<String>,
}

/// Carries out the operator's orders.
pub fn main() -> Ended {
    serve(|app, order| Box::pin(work(app, order)))
}

async fn work(app: &App, order: Order) -> Result<Value, Error> {
    let Event { account, task, decision, reason } = order.read()?;
    let answer = match (account, task, decision) {
        (None, None, None) => serde_json::to_value(queue(app, order.time).await?),
        (Some(account), Some(task), Some(decision)) => {
            let decided = decide(app, &account, &task, decision, reason, order.time).await?;
            serde_json::to_value(decided)
        }
        _ => {
            return Err(Error::internal(
                "the event is not valid: `account`, `task` and `decision` go together",
            ));
        }
    };
    answer.map_err(Error::internal)
}
