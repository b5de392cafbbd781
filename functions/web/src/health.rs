//! `GET /health`: own state and that of what the service depends on, without secrets.

use std::iter::repeat;

use lambda_http::http::StatusCode;
use vidintel::{
    app::App,
    error::Error,
    gate::probe,
    http::{Call, Reply, serve},
    privacy::is_closed,
    program::Ended,
    video::{SourceState, source_states},
    views::{Health, PartHealth},
};

/// Answers the requests.
pub fn main() -> Ended {
    serve(|app, call| Box::pin(handle(app, call)))
}

async fn handle(app: &App, _: &Call) -> Result<Reply, Error> {
    let sources = app.sources().await?;
    let (redis, dynamodb, states) =
        futures_util::join!(probe(&app.redis), is_closed(&app.store), source_states(&app.redis));
    // After a restore from a backup nothing is served for a while.
    let closed = matches!(dynamodb, Ok(true));
    let may_evict = redis.is_ok() && app.redis.may_evict().await.unwrap_or(false);
    let (part, dynamodb) = (PartHealth::redis(&redis, may_evict), dynamodb.is_ok());
    let mut parts = vec![part, PartHealth::asked("dynamodb", dynamodb)];
    let states = states.unwrap_or_default().into_iter().chain(repeat(SourceState::default()));
    for ((source, enabled), state) in sources.enabled().into_iter().zip(states) {
        parts.push(PartHealth::source(source.name(), enabled, state));
    }
    if closed {
        parts.push(PartHealth::asked("restore", false));
    }
    let is_ailing = parts.iter().any(|it| matches!(it.status, "degraded" | "down" | "failing"));
    let (status, code) = match (dynamodb && !closed, is_ailing) {
        (false, _) => ("down", StatusCode::SERVICE_UNAVAILABLE),
        (true, false) => ("ok", StatusCode::OK),
        (true, true) => ("degraded", StatusCode::OK),
    };
    Reply::json(code, &Health { status, version: env!("CARGO_PKG_VERSION"), parts })
}
