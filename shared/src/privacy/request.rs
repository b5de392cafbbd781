//! Requests to erase an account, as they are stored (`privacy-requests`, `id`). An open one stands in
//! the queue `erasure`, under the time of its next step; a closed one ends 24 months later.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::{Put, Update};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use utoipa::ToSchema;

use crate::{
    accounts::{Account, EmailAddress},
    error::Error,
    ids::{AccountId, RequestId},
    inventory::{self, Table},
    store::{
        Store, from_item, n, putting, s, stored, text, to_item, transact, unavailable, updating,
    },
};

/// Days from receipt within which data is deleted (privacy policy §5.3). Shorter than any month that
/// GDPR Art. 12(3) could mean but February; the grace period leaves two weeks to spare.
pub(super) const DEADLINE: Duration = Duration::days(30);

const QUEUE: &str = "erasure";

/// Where a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Confirmed; can still be cancelled.
    Scheduled,
    /// Being carried out; can no longer be cancelled.
    Running,
    /// A legal hold stops it; it goes on when that is released.
    OnHold,
    /// Carried out.
    Done,
    /// Withdrawn in time.
    Cancelled,
}

/// A request to erase an account.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Erasure {
    /// Its id.
    pub id: RequestId,
    /// `erasure`.
    pub kind: String,
    /// The account.
    pub account: AccountId,
    /// Where it stands.
    pub state: State,
    /// When it was confirmed (epoch seconds, as all below).
    pub received_at: i64,
    /// When the account was opened.
    pub opened_at: i64,
    /// When the grace period ends.
    pub run_at: i64,
    /// When it must be done.
    pub due_at: i64,
    /// Where the certificate goes; gone once it is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<EmailAddress>,
    /// When the mail about its present state was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mailed_at: Option<i64>,
    /// Counts up with every change.
    pub version: u64,
    /// Failures of the present step.
    pub attempts: u32,
    /// When each step was done.
    pub done: BTreeMap<String, i64>,
    /// How many items each table had.
    pub found: BTreeMap<String, u64>,
    /// When it was closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    queue: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) next_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_on: Option<String>,
}

impl Erasure {
    /// A request of `account`, to be carried out after `grace`.
    pub fn new(account: &Account, grace: Duration, now: OffsetDateTime) -> Self {
        Self {
            id: RequestId::random(),
            kind: "erasure".to_owned(),
            account: account.id.clone(),
            state: State::Scheduled,
            received_at: now.unix_timestamp(),
            opened_at: account.created_at,
            run_at: (now + grace).unix_timestamp(),
            due_at: (now + DEADLINE).unix_timestamp(),
            email: Some(account.email.clone()),
            mailed_at: None,
            version: 0,
            attempts: 0,
            done: BTreeMap::new(),
            found: BTreeMap::new(),
            closed_at: None,
            queue: Some(QUEUE.to_owned()),
            next_at: Some((now + grace).unix_timestamp()),
            expires_at: None,
            expires_on: None,
        }
    }

    /// Whether its next step is due at `now`: what the index said may be of a while ago.
    pub(super) fn is_due(&self, now: OffsetDateTime) -> bool {
        let is_open = matches!(self.state, State::Scheduled | State::Running | State::OnHold);
        is_open && self.next_at.is_some_and(|at| at <= now.unix_timestamp())
    }

    /// Takes it out of the queue; its record ends in time.
    pub(super) fn close(&mut self, state: State, now: OffsetDateTime) {
        let expiry = inventory::PRIVACY_REQUESTS.expiry(now, self.id.tag());
        self.state = state;
        self.closed_at = Some(now.unix_timestamp());
        self.email = None;
        self.mailed_at = None;
        self.queue = None;
        self.next_at = None;
        self.expires_at = Some(expiry.at);
        self.expires_on = Some(expiry.on);
    }
}

/// The request `id`.
pub async fn load(store: &Store, id: &RequestId) -> Result<Option<Erasure>, Error> {
    let item = store.get(Table::PrivacyRequests, [("id", id.to_string())]).await?;
    item.map(from_item).transpose()
}

/// Stores a new request and notes it at the account. The one that is open there already is returned in
/// its place: asking twice is asking once.
pub(super) async fn open(
    store: &Store,
    account: &Account,
    erasure: Erasure,
) -> Result<Erasure, Error> {
    let noted = match &account.erasure {
        Some(id) => load(store, id).await?,
        None => None,
    };
    if let Some(open) = noted.filter(|it| it.closed_at.is_none()) {
        return Ok(open);
    }
    let put = Put::builder()
        .table_name(store.name(Table::PrivacyRequests))
        .set_item(Some(to_item(&erasure)?))
        .condition_expression("attribute_not_exists(id)");
    let note = Update::builder()
        .table_name(store.name(Table::Accounts))
        .key("id", s(erasure.account.to_string()))
        .update_expression("SET erasure = :id")
        // A note of a closed request (the account was restored from a backup) gives way.
        .condition_expression(
            "attribute_exists(id) AND (attribute_not_exists(erasure) OR erasure = :closed)",
        )
        .expression_attribute_values(":id", s(erasure.id.to_string()))
        .expression_attribute_values(
            ":closed",
            s(account.erasure.as_ref().map(ToString::to_string).unwrap_or_default()),
        );
    let items = vec![putting(put)?, updating(note)?];
    let Some(reasons) = transact(store, items).await? else { return Ok(erasure) };
    let account = crate::accounts::get(store, &erasure.account).await?;
    match account.and_then(|it| it.erasure) {
        Some(id) => load(store, &id).await?.ok_or(Error::NotFound("request")),
        None => Err(Error::Unavailable { dependency: "DynamoDB", detail: reasons.join(", ") }),
    }
}

/// Withdraws a request that has not begun. Withdrawing it again changes nothing.
pub(super) async fn cancel(
    store: &Store,
    mut erasure: Erasure,
    now: OffsetDateTime,
) -> Result<Erasure, Error> {
    let version = erasure.version;
    match erasure.state {
        State::Scheduled => {}
        State::Cancelled => return Ok(erasure),
        State::OnHold if erasure.done.is_empty() => {}
        _ => {
            return Err(Error::Conflict("the deletion has begun and can no longer be cancelled"));
        }
    }
    erasure.close(State::Cancelled, now);
    erasure.version += 1;
    let put = Put::builder()
        .table_name(store.name(Table::PrivacyRequests))
        .set_item(Some(to_item(&erasure)?))
        .condition_expression("version = :version")
        .expression_attribute_values(":version", n(version));
    let note = Update::builder()
        .table_name(store.name(Table::Accounts))
        .key("id", s(erasure.account.to_string()))
        .update_expression("REMOVE erasure")
        .condition_expression("attribute_exists(id)");
    match transact(store, vec![putting(put)?, updating(note)?]).await? {
        None => Ok(erasure),
        Some(_) => Err(Error::Conflict("the request has changed meanwhile; look at it again")),
    }
}

/// Stores what has changed, unless somebody else has changed it.
pub(super) async fn save(store: &Store, erasure: &mut Erasure) -> Result<(), Error> {
    let next = Erasure { version: erasure.version + 1, ..erasure.clone() };
    let answer = store
        .client()
        .put_item()
        .table_name(store.name(Table::PrivacyRequests))
        .set_item(Some(to_item(&next)?))
        .condition_expression("version = :version")
        .expression_attribute_values(":version", n(erasure.version))
        .send()
        .await;
    if !stored(answer)? {
        return Err(Error::Conflict("another run is at this request"));
    }
    *erasure = next;
    Ok(())
}

/// Ids of the open requests whose next step is due, the longest due first.
pub(super) async fn due(store: &Store, now: OffsetDateTime) -> Result<Vec<RequestId>, Error> {
    let query = store
        .client()
        .query()
        .table_name(store.name(Table::PrivacyRequests))
        .index_name("by-queue")
        .key_condition_expression("queue = :queue AND next_at <= :now")
        .expression_attribute_values(":queue", s(QUEUE))
        .expression_attribute_values(":now", n(now.unix_timestamp()));
    ids(query).await
}

/// The account's requests.
pub async fn of_account(store: &Store, account: &AccountId) -> Result<Vec<Erasure>, Error> {
    let query = store
        .client()
        .query()
        .table_name(store.name(Table::PrivacyRequests))
        .index_name("by-account")
        .key_condition_expression("account = :account")
        .expression_attribute_values(":account", s(account.to_string()));
    let mut requests = Vec::new();
    for id in ids(query).await? {
        requests.extend(load(store, &id).await?);
    }
    requests.sort_by_key(|it| std::cmp::Reverse(it.received_at));
    Ok(requests)
}

async fn ids(
    query: aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder,
) -> Result<Vec<RequestId>, Error> {
    let mut items = query.into_paginator().items().send();
    let mut ids = Vec::new();
    while let Some(item) = items.next().await {
        let item = item.map_err(unavailable)?;
        // Legal holds are in the same table; they are the operator's.
        ids.extend(text(&item, "id").and_then(|it| it.parse().ok()));
    }
    Ok(ids)
}
