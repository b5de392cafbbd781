//! Runs a function: its `main` in one call.

use std::{panic::AssertUnwindSafe, time::Instant};

use futures_util::{FutureExt, future::BoxFuture};
use lambda_http::{
    Adapter, Body, Request, Response, Service,
    http::{Extensions, HeaderMap, Method, StatusCode, Version, header},
    lambda_runtime::{LambdaEvent, LambdaInvocation, Runtime},
    request::LambdaRequest,
    service_fn,
    tower::layer::layer_fn,
};
use tower_http::{
    CompressionLevel,
    compression::{
        Compression, CompressionBody,
        predicate::{Predicate, SizeAbove},
    },
};

use super::{Call, Reply, event, headers, parameters, problem};
use crate::{
    app::App,
    error::Error,
    pages,
    program::{Ended, drive},
    telemetry,
};

/// Answers that are longer are compressed, where the caller takes that: a shorter one is a packet either way.
const COMPRESSED_ABOVE: u16 = 1024;

/// What a function does with a request: `|app, call| Box::pin(handle(app, call))`.
pub type Handler = for<'a> fn(&'a App, &'a Call) -> BoxFuture<'a, Result<Reply, Error>>;

/// Answers API Gateway's requests with `handler` until Lambda ends the environment.
pub fn serve(handler: Handler) -> Ended {
    telemetry::init();
    drive(async { serve_with(App::from_env()?, handler).await })
}

/// As [`serve`], for a metered endpoint: the secret and the connection to Redis, which the first
/// request would wait for, are fetched while Lambda initialises.
pub fn serve_metered(handler: Handler) -> Ended {
    telemetry::init();
    drive(async {
        let app = App::from_env()?;
        let (secret, connected) = futures_util::join!(app.secrets.get(), app.redis.connect());
        if let Some(error) = secret.err() {
            tracing::warn!(error = %error, "the secret could not be read ahead of the first request");
        }
        if let Some(error) = connected.err() {
            tracing::warn!(error = %error, "Redis could not be reached ahead of the first request");
        }
        serve_with(app, handler).await
    })
}

async fn serve_with(app: App, handler: Handler) -> Result<(), lambda_http::Error> {
    // It lives as long as the process.
    let app: &'static App = Box::leak(Box::new(app));
    let mut requests =
        Adapter::from(service_fn(move |request| whole_answer(app, request, handler)));
    let events = service_fn(move |event: LambdaEvent<LambdaRequest>| {
        let LambdaEvent { payload, context } = event;
        Service::call(&mut requests, LambdaEvent::new(event::readable(payload), context))
    });
    // The client has its answer once the innermost service is done; Lambda sends the next request, or
    // freezes the environment, only when this one is. So what is written here delays nobody, and no
    // extension is needed.
    let then_log = layer_fn(move |mut answering| {
        service_fn(move |invocation: LambdaInvocation| {
            let answered = Service::call(&mut answering, invocation);
            async move {
                let outcome: Result<(), lambda_http::Error> = answered.await;
                futures_util::join!(app.usage.flush(), app.gate.settle());
                outcome
            }
        })
    });
    Runtime::new(events).layer(then_log).run().await
}

/// The answer as it goes out: compressed where the caller takes that, and without its body to a `HEAD`.
async fn whole_answer(
    app: &'static App,
    request: Request,
    handler: Handler,
) -> Result<Response<CompressionBody<Body>>, lambda_http::Error> {
    let is_head = request.method() == Method::HEAD;
    let plain = service_fn(move |request: Request| async move {
        Ok::<_, lambda_http::Error>(answer(app, request, handler).await)
    });
    // Of a batch of 100, level 6 saves another tenth of the bytes for more than twice the work.
    let mut compressing = Compression::new(plain)
        .quality(CompressionLevel::Fastest)
        .compress_when(SizeAbove::new(COMPRESSED_ABOVE).and(has_body));
    let mut response = Service::call(&mut compressing, request).await?;
    if is_head {
        *response.body_mut() = CompressionBody::default();
    }
    Ok(response)
}

/// Whether there is something to compress; nothing, as with 304, has no length to go by.
fn has_body(_: StatusCode, _: Version, headers: &HeaderMap, _: &Extensions) -> bool {
    headers.contains_key(header::CONTENT_TYPE)
}

async fn answer(app: &App, request: Request, handler: Handler) -> Response<Body> {
    let started = Instant::now();
    let site = app.config.service.site();
    let mut call = match Call::new(request, site.url) {
        Ok(call) => call,
        Err(error) => {
            log_failure(&error, "");
            return problem(&error, site, "").finish("");
        }
    };
    let recognised = call.recognise(app).await;
    let work = async {
        recognised?;
        call.check_method()?;
        parameters::check(&call)?;
        handler(app, &call).await
    };
    let outcome = unless_panicking(work).await;
    if let Err(error) = &outcome {
        log_failure(error, call.request_id());
    }
    let reply = match (call.form(), outcome) {
        (None, Ok(reply)) => reply,
        (Some(form), Ok(reply)) => pages::answered(form, &call, reply),
        (Some(form), Err(error)) => pages::refused(form, &call, &error, site.support),
        (None, Err(error)) if call.is_for_people() => pages::problem(&call, &error, site),
        (None, Err(error)) => problem(&error, site, call.request_id()),
    };
    let reply = match call.window() {
        Some((class, window)) => headers::unmetered_limit(reply, *class, window),
        None => reply,
    };
    // One line a request would cost more than the rest of it; what was asked is in `api-logs`.
    tracing::debug!(
        route = call.route(),
        request_id = call.request_id(),
        status = reply.status().as_u16(),
        ms = started.elapsed().as_millis() as u64,
        "answered"
    );
    reply.finish(call.request_id())
}

/// What `work` comes to. A panic is a fault of ours like any other: it answers 500 and the environment
/// stays warm.
pub(super) async fn unless_panicking<T>(
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let outcome = AssertUnwindSafe(work).catch_unwind().await;
    outcome.unwrap_or_else(|_| Err(Error::internal("the handler panicked")))
}

/// Logs what is not the caller's doing, once, where it is turned into an answer.
pub(super) fn log_failure(error: &Error, request_id: &str) {
    match error {
        Error::Internal(_) => tracing::error!(error = %error, request_id, "failed"),
        Error::Unavailable { .. } | Error::Restoring | Error::Video(_) => {
            tracing::warn!(error = %error, request_id, "failed");
        }
        _ => {}
    }
}
