//! What has happened, in Stripe's words.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    api::Answer,
    list::Window,
    params::Params,
    render::rows,
    state::{Object, State},
    table::{Row, Table},
};

/// The API version whose forms these are.
pub const API_VERSION: &str = "2026-09-30.endive";

/// The version of the same day with previews.
pub const PREVIEW_VERSION: &str = "2026-09-30.preview";

/// The request that brought an event about.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct RequestRef {
    pub(super) id: String,
    pub(super) idempotency_key: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Event {
    pub(super) id: String,
    pub(super) kind: String,
    pub(super) created: i64,
    pub(super) data: Value,
    pub(super) request: Option<RequestRef>,
    /// Whether the service has not yet been told, as far as is known.
    pub(super) is_pending: bool,
}

rows! { Event, "evt_", "event", events, None, event; }

impl Event {
    pub(super) fn new(
        id: String,
        kind: &str,
        created: i64,
        data: Value,
        request: Option<RequestRef>,
    ) -> Self {
        Self { id, kind: kind.to_owned(), created, data, request, is_pending: true }
    }
}

fn event(it: &Event, _: &State) -> Value {
    let request = it.request.as_ref();
    json!({
        "id": it.id,
        "object": "event",
        "api_version": API_VERSION,
        "created": it.created,
        "data": it.data,
        "livemode": false,
        "pending_webhooks": i64::from(it.is_pending),
        "request": {
            "id": request.map(|it| &it.id),
            "idempotency_key": request.and_then(|it| it.idempotency_key.as_ref()),
        },
        "type": it.kind,
    })
}

pub(super) fn retrieve(state: &mut State, id: &str, params: &mut Params) -> Answer {
    params.finish()?;
    Ok(state.find::<Event>(id)?.render(state))
}

pub(super) fn list(state: &mut State, _: &str, params: &mut Params) -> Answer {
    let kind = params.text("type");
    let kinds = params.list("types");
    let window = Window::take(params)?;
    params.finish()?;
    window.cut::<Event>(state, "/v1/events", |it| {
        kind.as_ref().is_none_or(|kind| match kind.strip_suffix('*') {
            Some(start) => it.kind.starts_with(start),
            None => it.kind == *kind,
        }) && (kinds.is_empty() || kinds.contains(&it.kind))
    })
}
