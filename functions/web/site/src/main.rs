//! `$default`: the pages for people, and an answer to whatever no route is for.

use vidintel::{
    app::App,
    error::Error,
    http::{Call, Reply, serve},
    pages,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    serve(|app, call| Box::pin(handle(app, call))).await
}

async fn handle(app: &App, call: &Call) -> Result<Reply, Error> {
    pages::open(call, &app.config.service.support_address)
}
