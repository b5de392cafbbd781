//! `GET /v1/usage`: this period's quota and use.

use lambda_http::http::StatusCode;
use vidintel::{
    app::App,
    error::Error,
    http::{Call, Reply, authenticate, serve},
    usage,
    views::UsageView,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    serve(|app, call| Box::pin(handle(app, call))).await
}

async fn handle(app: &App, call: &Call) -> Result<Reply, Error> {
    let (account, _) = authenticate(app, call).await?;
    let now = call.now();
    let period = account.period(now);
    let standing = app.gate.standing(&account.id, account.plan, &period).await?;
    let days = usage::days(&app.store, &account.id, period.start.date(), now.date(), now).await?;
    let view = UsageView {
        plan: account.plan,
        period_start: period.start,
        resets_at: period.end,
        limit: account.plan.requests_per_period(),
        used: standing.used,
        remaining: standing.remaining,
        withheld: standing.withheld,
        per_minute: account.plan.requests_per_minute(),
        days,
    };
    Reply::json(StatusCode::OK, &view)
}
