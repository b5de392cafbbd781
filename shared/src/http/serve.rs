//! Runs a function: its `main` in one call.

use std::{panic::AssertUnwindSafe, time::Instant};

use futures_util::{FutureExt, future::BoxFuture};
use lambda_http::{Body, Request, Response, run, service_fn};

use super::{Call, Reply, problem};
use crate::{app::App, error::Error, telemetry};

/// What a function does with a request: `|app, call| Box::pin(handle(app, call))`.
pub type Handler = for<'a> fn(&'a App, &'a Call) -> BoxFuture<'a, Result<Reply, Error>>;

/// Answers API Gateway's requests with `handler` until Lambda ends the environment.
pub async fn serve(handler: Handler) -> Result<(), lambda_http::Error> {
    telemetry::init();
    serve_with(&App::from_env()?, handler).await
}

/// As [`serve`], for a metered endpoint: usage is logged after the answer has left, and the secret is
/// read before the first request comes.
pub async fn serve_metered(handler: Handler) -> Result<(), lambda_http::Error> {
    telemetry::init();
    let mut app = App::from_env()?;
    // What the first request would wait for, all at once, while Lambda initialises.
    let App { usage, secrets, redis, .. } = &mut app;
    let ((), secret, connected) =
        futures_util::join!(usage.defer(), secrets.get(), redis.connect());
    if let Some(error) = secret.err() {
        tracing::warn!(error = %error, "the secret could not be read ahead of the first request");
    }
    if let Some(error) = connected.err() {
        tracing::warn!(error = %error, "Redis could not be reached ahead of the first request");
    }
    serve_with(&app, handler).await
}

async fn serve_with(app: &App, handler: Handler) -> Result<(), lambda_http::Error> {
    run(service_fn(move |request: Request| async move {
        Ok::<_, lambda_http::Error>(answer(app, request, handler).await)
    }))
    .await
}

async fn answer(app: &App, request: Request, handler: Handler) -> Response<Body> {
    let started = Instant::now();
    let call = match Call::new(request) {
        Ok(call) => call,
        Err(error) => {
            log_failure(&error, "");
            app.usage.answer_ready();
            return problem(&error, "").finish("");
        }
    };
    // A panic is a fault of ours like any other: it answers 500 and the environment stays warm.
    let outcome = AssertUnwindSafe(handler(app, &call)).catch_unwind().await;
    let outcome = outcome.unwrap_or_else(|_| Err(Error::internal("the handler panicked")));
    let reply = outcome.unwrap_or_else(|error| {
        log_failure(&error, call.request_id());
        problem(&error, call.request_id())
    });
    // One line a request would cost more than the rest of it; what was asked is in `api-logs`.
    tracing::debug!(
        route = call.route(),
        request_id = call.request_id(),
        status = reply.status().as_u16(),
        ms = started.elapsed().as_millis() as u64,
        "answered"
    );
    app.usage.answer_ready();
    reply.finish(call.request_id())
}

/// Logs what is not the caller's doing, once, where it is turned into an answer.
pub(super) fn log_failure(error: &Error, request_id: &str) {
    match error {
        Error::Internal(_) => tracing::error!(error = %error, request_id, "failed"),
        Error::Unavailable { .. } | Error::Video(_) => {
            tracing::warn!(error = %error, request_id, "failed");
        }
        _ => {}
    }
}
