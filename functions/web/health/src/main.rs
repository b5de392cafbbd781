//! `GET /health`: own state and that of what the service depends on, without secrets.

use lambda_http::http::StatusCode;
use vidintel::{
    app::App,
    error::Error,
    http::{Call, Reply, serve},
    inventory::Table,
    views::{Health, PartHealth},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    serve(|app, call| Box::pin(handle(app, call))).await
}

async fn handle(app: &App, _: &Call) -> Result<Reply, Error> {
    let mut ping = redis::pipe();
    ping.cmd("PING");
    let (redis, dynamodb) = futures_util::join!(
        app.redis.query::<(String,)>(ping),
        // A read of an item that need not be there.
        app.store.get(Table::Jobs, [("name", "health".to_owned())]),
    );
    let (redis, dynamodb) = (redis.is_ok(), dynamodb.is_ok());
    let state = |ok| if ok { "ok" } else { "down" };
    let mut parts = vec![
        PartHealth { name: "redis", status: state(redis) },
        PartHealth { name: "dynamodb", status: state(dynamodb) },
    ];
    // Not asked here: whoever calls this often would use the sources' allowance up.
    for (source, enabled) in app.sources().await?.enabled() {
        parts.push(PartHealth { name: source.name(), status: if enabled { "on" } else { "off" } });
    }
    let (status, code) = match (redis, dynamodb) {
        (true, true) => ("ok", StatusCode::OK),
        (false, true) => ("degraded", StatusCode::OK),
        (_, false) => ("down", StatusCode::SERVICE_UNAVAILABLE),
    };
    Reply::json(code, &Health { status, version: env!("CARGO_PKG_VERSION"), parts })
}
