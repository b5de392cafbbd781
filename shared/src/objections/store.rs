//! Objections as they are stored. Until it is proven, one waits in `sessions`, where it ends with its
//! token; from then on it is an item of `privacy-requests`, in the queue `objection` while the operator
//! is to decide. Its id is a keyed hash of the mailed token, which is stored nowhere.

use aws_sdk_dynamodb::types::{Delete, Put, ReturnValue};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{
    HONOURED_WITHIN, ObjectionKind, ObjectionState, TOKEN_VALID, username::Username,
    views::ObjectionView,
};
use crate::{
    accounts::EmailAddress,
    error::{Error, InputError},
    ids::ObjectionId,
    inventory::{self, Table},
    store::{
        Conditional, Store, conditional, deleting, from_item, n, number, putting, s, to_item,
        transact, unavailable,
    },
};

/// Queue of the objections that the operator is to decide on; see the index `by-queue`.
pub(super) const QUEUE: &str = "objection";

/// An objection that is not proven yet (`sessions`, `hash`).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Pending {
    hash: String,
    pub(super) kind: ObjectionKind,
    pub(super) username: Username,
    pub(super) email: EmailAddress,
    /// What the creator puts into the profile.
    pub(super) code: String,
    received_at: i64,
    /// When the token was first sent back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    confirmed_at: Option<i64>,
    expires_at: i64,
    expires_on: String,
}

/// An objection that was confirmed (`privacy-requests`, `id`). Times are epoch seconds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Objection {
    pub(super) id: ObjectionId,
    pub(super) kind: ObjectionKind,
    pub(super) state: ObjectionState,
    received_at: i64,
    pub(super) confirmed_at: i64,
    pub(super) due_at: i64,
    /// These three are gone once it is closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) username: Option<Username>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) email: Option<EmailAddress>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) code: Option<String>,
    /// The operator's, which names nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    closed_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    queue: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_on: Option<String>,
}

/// An objection, wherever it is.
pub(super) enum Found {
    Pending(Pending),
    Confirmed(Objection),
}

impl Pending {
    pub(super) fn new(
        id: &ObjectionId,
        kind: ObjectionKind,
        username: Username,
        email: EmailAddress,
        code: String,
        now: OffsetDateTime,
    ) -> Self {
        let expiry = inventory::NEW_OBJECTIONS.expiry(now, id.tag());
        Self {
            hash: key(id),
            kind,
            username,
            email,
            code,
            received_at: now.unix_timestamp(),
            confirmed_at: None,
            expires_at: expiry.at,
            expires_on: expiry.on,
        }
    }

    fn state(&self) -> ObjectionState {
        match self.confirmed_at {
            None => ObjectionState::Unconfirmed,
            Some(_) => ObjectionState::WaitingForCode,
        }
    }

    /// What becomes of it when it is confirmed at `now` and the operator is to decide.
    pub(super) fn queued(&self, id: &ObjectionId, now: OffsetDateTime) -> Objection {
        let due_at = (now + HONOURED_WITHIN).unix_timestamp();
        Objection {
            id: id.clone(),
            kind: self.kind,
            state: ObjectionState::Queued,
            received_at: self.received_at,
            confirmed_at: now.unix_timestamp(),
            due_at,
            username: Some(self.username.clone()),
            email: Some(self.email.clone()),
            code: Some(self.code.clone()),
            reason: None,
            closed_at: None,
            queue: Some(QUEUE.to_owned()),
            next_at: Some(due_at),
            expires_at: None,
            expires_on: None,
        }
    }

    /// What becomes of it when it is proven at `now`.
    pub(super) fn proven(&self, id: &ObjectionId, now: OffsetDateTime) -> Objection {
        self.queued(id, now).closed(self.kind.carried_out(), None, now)
    }
}

impl Objection {
    /// Itself, decided: out of the queue, with nothing left in it that names anybody.
    pub(super) fn closed(
        self,
        state: ObjectionState,
        reason: Option<String>,
        now: OffsetDateTime,
    ) -> Self {
        let expiry = inventory::OBJECTIONS.expiry(now, self.id.tag());
        Self {
            state,
            reason,
            username: None,
            email: None,
            code: None,
            queue: None,
            next_at: None,
            closed_at: Some(now.unix_timestamp()),
            expires_at: Some(expiry.at),
            expires_on: Some(expiry.on),
            ..self
        }
    }

    fn is_open(&self) -> bool {
        self.state == ObjectionState::Queued
    }
}

impl Found {
    /// Whether its token is still valid at `now`.
    pub(super) fn has_token(&self, now: OffsetDateTime) -> bool {
        let received_at = match self {
            Self::Pending(pending) => pending.received_at,
            Self::Confirmed(objection) => objection.received_at,
        };
        now.unix_timestamp() < received_at + TOKEN_VALID.whole_seconds()
    }

    pub(super) fn view(&self, id: &ObjectionId) -> ObjectionView {
        match self {
            Self::Pending(pending) => ObjectionView::new(id, pending.kind, pending.state(), None),
            Self::Confirmed(objection) => objection.view(),
        }
    }
}

impl Objection {
    pub(super) fn view(&self) -> ObjectionView {
        let due_at = self.is_open().then_some(self.due_at);
        ObjectionView::new(&self.id, self.kind, self.state, due_at)
    }
}

/// Key in `sessions` of what is not proven yet.
fn key(id: &ObjectionId) -> String {
    format!("objection#{id}")
}

/// The objection whose id, as it stands in a path, is `id`, at `now`.
pub async fn find(store: &Store, id: &str, now: OffsetDateTime) -> Result<ObjectionView, Error> {
    let id: ObjectionId = id.parse().map_err(|_| {
        InputError::field(
            "objection_id",
            "must be the id of an objection, such as obj_4kPq9ZtR2mWx",
        )
    })?;
    let found = load(store, &id).await?;
    // What was never proven ends with its token, whenever the job comes by.
    let found = found.filter(|it| matches!(it, Found::Confirmed(_)) || it.has_token(now));
    found.map(|it| it.view(&id)).ok_or(Error::NotFound("objection"))
}

/// The objection `id`.
pub(super) async fn load(store: &Store, id: &ObjectionId) -> Result<Option<Found>, Error> {
    // In the order in which it moves on, so that it is not missed.
    if let Some(item) = store.get(Table::Sessions, [("hash", key(id))]).await? {
        return Ok(Some(Found::Pending(from_item(item)?)));
    }
    Ok(confirmed(store, id).await?.map(Found::Confirmed))
}

/// The objection `id`, if it was confirmed.
pub(super) async fn confirmed(store: &Store, id: &ObjectionId) -> Result<Option<Objection>, Error> {
    let item = store.get(Table::PrivacyRequests, [("id", id.to_string())]).await?;
    item.map(from_item).transpose()
}

/// Stores what was asked for just now.
pub(super) async fn insert(store: &Store, pending: &Pending) -> Result<(), Error> {
    store
        .client()
        .put_item()
        .table_name(store.name(Table::Sessions))
        .set_item(Some(to_item(pending)?))
        .send()
        .await
        .map(drop)
        .map_err(unavailable)
}

/// Notes that the token of `id` was sent back, and says how often it was by now; `None` where the
/// objection has moved on or is over.
pub(super) async fn note_confirmed(
    store: &Store,
    id: &ObjectionId,
    now: OffsetDateTime,
) -> Result<Option<i64>, Error> {
    let answer = store
        .client()
        .update_item()
        .table_name(store.name(Table::Sessions))
        .key("hash", s(key(id)))
        .update_expression("SET confirmed_at = if_not_exists(confirmed_at, :now) ADD looks :one")
        .condition_expression("attribute_exists(#hash)")
        .expression_attribute_names("#hash", "hash")
        .expression_attribute_values(":now", n(now.unix_timestamp()))
        .expression_attribute_values(":one", n(1))
        .return_values(ReturnValue::UpdatedNew)
        .send()
        .await;
    Ok(match conditional(answer)? {
        Conditional::Done(done) => done.attributes.and_then(|it| number(&it, "looks")),
        Conditional::Refused(_) => None,
    })
}

/// Moves an objection on: out of `sessions`, into `privacy-requests`. Says no where it is there already;
/// what is proven takes the place of what waits for the operator.
pub(super) async fn settle(store: &Store, objection: &Objection) -> Result<bool, Error> {
    let put = Put::builder()
        .table_name(store.name(Table::PrivacyRequests))
        .set_item(Some(to_item(objection)?));
    let put = if objection.is_open() {
        put.condition_expression("attribute_not_exists(id)")
    } else {
        put.condition_expression("attribute_not_exists(id) OR #state = :queued")
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":queued", s("queued"))
    };
    let delete = Delete::builder()
        .table_name(store.name(Table::Sessions))
        .key("hash", s(key(&objection.id)));
    match transact(store, vec![putting(put)?, deleting(delete)?]).await? {
        None => Ok(true),
        Some(reasons) if reasons.iter().any(|it| it == "ConditionalCheckFailed") => Ok(false),
        Some(reasons) => {
            Err(Error::Unavailable { dependency: "DynamoDB", detail: reasons.join(", ") })
        }
    }
}

/// Stores what the operator has decided. Says no where it was decided meanwhile.
pub(super) async fn close(store: &Store, objection: &Objection) -> Result<bool, Error> {
    let answer = store
        .client()
        .put_item()
        .table_name(store.name(Table::PrivacyRequests))
        .set_item(Some(to_item(objection)?))
        .condition_expression("#state = :queued")
        .expression_attribute_names("#state", "state")
        .expression_attribute_values(":queued", s("queued"))
        .send()
        .await;
    crate::store::stored(answer)
}
