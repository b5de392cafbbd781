//! The console: the mailbox page, and the controls that `local advance` and `local invoke` use.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, Result, bail};
use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;

use crate::{
    clock::Clock,
    dynamodb::DynamoDb,
    http::Client,
    runtime::Runtime,
    standins::{mailbox, ses::Ses},
    template::Template,
    timeline::{AdvanceReport, Pace, Timeline},
};

/// What the controls reach.
#[derive(Clone, Debug)]
pub(crate) struct Controls {
    pub(crate) runtime: Runtime,
    pub(crate) timeline: Timeline,
    pub(crate) clock: Clock,
    pub(crate) dynamodb: DynamoDb,
    pub(crate) template: Arc<Template>,
}

#[derive(Debug, Deserialize, Serialize)]
struct Advance {
    seconds: u64,
    /// Seconds between two runs of one schedule; see [`Pace`].
    pace: Option<u64>,
}

/// The mailbox under `/mailbox`, the controls under `/control`.
pub(crate) fn router(controls: Controls, ses: &Ses) -> Router {
    Router::new()
        .route("/", get(|| async { Redirect::temporary("/mailbox") }))
        .route("/control/time", get(time))
        .route("/control/tables", get(tables))
        // Bodies must be declared as JSON, which no page of another site can do unasked.
        .route("/control/advance", post(advance))
        .route("/control/invoke/{function}", post(invoke))
        .with_state(controls)
        .nest("/mailbox", mailbox::router(ses.clone()))
}

async fn time(State(controls): State<Controls>) -> Json<Value> {
    Json(json!({ "now": controls.clock.now().format(&Rfc3339).unwrap_or_default() }))
}

/// How many items each table holds.
async fn tables(State(controls): State<Controls>) -> Response {
    let mut counts = BTreeMap::new();
    for table in &controls.template.tables {
        let count = json!({ "TableName": table.name, "Select": "COUNT" });
        match controls.dynamodb.call("Scan", &count).await {
            Ok(answer) => counts.insert(&table.name, answer["Count"].clone()),
            Err(error) => return failed(&error),
        };
    }
    Json(json!(counts)).into_response()
}

async fn advance(State(controls): State<Controls>, Json(by): Json<Advance>) -> Response {
    // A task of its own: a jump is finished even if the caller does not wait for it.
    let timeline = controls.timeline.clone();
    let pace = by.pace.map_or(Pace::Every, |it| Pace::OncePer(Duration::from_secs(it)));
    let jump =
        tokio::spawn(async move { timeline.advance(Duration::from_secs(by.seconds), pace).await });
    match jump.await.map_err(anyhow::Error::from).flatten() {
        Ok(report) => Json(report).into_response(),
        Err(error) => failed(&error),
    }
}

async fn invoke(
    State(controls): State<Controls>,
    Path(function): Path<String>,
    Json(event): Json<Value>,
) -> Response {
    match controls.runtime.invoke(&function, Bytes::from(event.to_string())).await {
        Ok(answer) => answer.into_response(),
        // As Lambda's own interface marks an error of the function.
        Err(error) => {
            ([("x-amz-function-error", "Unhandled")], Json(error.to_json())).into_response()
        }
    }
}

fn failed(error: &anyhow::Error) -> Response {
    let message = json!({ "message": format!("{error:#}") });
    (StatusCode::INTERNAL_SERVER_ERROR, Json(message)).into_response()
}

/// Where a running `local up` says how to reach it.
#[derive(Debug)]
pub struct Beacon(PathBuf);

impl Beacon {
    fn path() -> PathBuf {
        crate::workspace().join(".local/control.json")
    }

    /// Says that a cloud's console is at `url`, until dropped.
    pub fn light(url: &str) -> Result<Self> {
        let path = Self::path();
        std::fs::create_dir_all(path.parent().context("the file has a folder")?)?;
        std::fs::write(&path, json!({ "url": url }).to_string())?;
        Ok(Self(path))
    }

    /// The console of the cloud that is running, if one is.
    pub async fn find() -> Option<Client> {
        let text = std::fs::read(Self::path()).ok()?;
        let content: Value = serde_json::from_slice(&text).ok()?;
        let client = Client::new(content.get("url")?.as_str()?);
        // Left behind, perhaps, by one that was killed.
        client.get("/control/time").send().await.ok().filter(|it| it.status.is_success())?;
        Some(client)
    }
}

impl Drop for Beacon {
    fn drop(&mut self) {
        // Already gone is as good.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Moves the clock of the cloud whose console `client` reaches.
pub async fn advance_by(client: &Client, by: Duration, pace: Pace) -> Result<AdvanceReport> {
    let pace = match pace {
        Pace::Every => None,
        Pace::OncePer(rest) => Some(rest.as_secs()),
    };
    let body = json!(Advance { seconds: by.as_secs(), pace });
    let response = client.post("/control/advance", &body).send().await?;
    if !response.status.is_success() {
        bail!("the clock was not moved: {}", response.text());
    }
    Ok(serde_json::from_slice(&response.body)?)
}

/// How many items each table holds in the cloud whose console `client` reaches.
pub async fn tables_at(client: &Client) -> Result<BTreeMap<String, u64>> {
    let response = client.get("/control/tables").send().await?;
    if !response.status.is_success() {
        bail!("the tables could not be counted: {}", response.text());
    }
    Ok(serde_json::from_slice(&response.body)?)
}

/// Gives `event` to a function of the cloud whose console `client` reaches. `Err` holds the
/// function's own error.
pub async fn invoke_at(
    client: &Client,
    function: &str,
    event: &Value,
) -> Result<Result<Value, Value>> {
    let response = client.post(format!("/control/invoke/{function}"), event).send().await?;
    let has_failed = response.header("x-amz-function-error").is_some();
    Ok(if has_failed { Err(response.json()) } else { Ok(response.json()) })
}
