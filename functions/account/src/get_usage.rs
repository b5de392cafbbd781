//! `GET /v1/usage`: this period's quota, and the use of its days or of any others kept.

use lambda_http::http::StatusCode;
use vidintel::{
    app::App,
    error::{Error, InputError},
    gate::Class,
    http::{Call, Reply, authenticate, serve},
    program::Ended,
    usage,
    views::UsageView,
};

/// Statistics are kept for 12 months.
const LONGEST_DAYS: i64 = 366;

/// Answers the requests.
pub fn main() -> Ended {
    serve(|app, call| Box::pin(handle(app, call)))
}

async fn handle(app: &App, call: &Call) -> Result<Reply, Error> {
    let (account, _) = authenticate(app, call, Class::Account).await?;
    let now = call.now();
    let (plan, limit, period) = (account.plan_at(now), account.quota_at(now), account.period(now));
    let standing = app.gate.standing(&account.id, limit, &period).await?;
    let from = call.date("from")?.unwrap_or(period.start.date());
    let to = call.date("to")?.unwrap_or(now.date());
    if from > to || (to - from).whole_days() > LONGEST_DAYS {
        let reason = "must not be after `to`, nor more than 366 days before it";
        return Err(InputError::field("from", reason).into());
    }
    let days = usage::days(&app.store, &account.id, from, to, now).await?;
    let view = UsageView {
        plan,
        period_start: period.start,
        resets_at: period.end,
        limit,
        used: standing.used,
        remaining: standing.remaining,
        withheld: standing.withheld,
        per_minute: plan.requests_per_minute(),
        mail_stopped: account.mail_stopped.map(Into::into),
        days,
    };
    Reply::json(StatusCode::OK, &view)
}
