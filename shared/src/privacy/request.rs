//! Requests under privacy law, as they are stored (`privacy-requests`, `id`). An open one stands in the
//! queue of its kind, under the time of its next step; a closed one ends 24 months later.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::{Put, Update};
use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use utoipa::ToSchema;

use crate::{
    accounts::{Account, EmailAddress},
    error::{Error, InputError},
    ids::{AccountId, RequestId},
    inventory::{self, Table},
    store::{
        Item, Store, from_item, n, putting, s, stored, text, to_item, transact, unavailable,
        updating,
    },
};

/// Days from receipt within which a request is answered (privacy policy §5.3, §14). Shorter than any
/// month that GDPR Art. 12(3) could mean but February; a deletion's grace period leaves two weeks to
/// spare.
const DEADLINE: Duration = Duration::days(30);

/// How long after an export was asked for another one is the same one.
const SAME_EXPORT: Duration = Duration::DAY;

/// Requests that are read at the same time.
const AT_ONCE: usize = 16;

/// How often a change starts over because somebody else has changed the request meanwhile.
const TRIES: u32 = 8;

/// The steps of a deletion before anything is deleted here.
pub(super) const BEFORE_DELETING: [&str; 5] = ["suspend", "billing", "settle", "quiet", "customer"];

const NO_SUCH_REQUEST: Error = Error::NotFound("request");

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// To erase the account (GDPR Art. 17).
    Erasure,
    /// For a copy of all data (GDPR Art. 15 and 20).
    Export,
    /// What an erasure leaves to be done: to have the payment processor redact what it may not delete
    /// yet. Nobody asks for it; the erasure opens it.
    Redaction,
}

impl Kind {
    /// Its queue in the index `by-queue`, and the attribute of the account that names the latest one.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Erasure => "erasure",
            Self::Export => "export",
            Self::Redaction => "redaction",
        }
    }

    fn noted(self, account: &Account) -> Option<&RequestId> {
        match self {
            Self::Erasure => account.erasure.as_ref(),
            Self::Export => account.export.as_ref(),
            Self::Redaction => None,
        }
    }
}

/// Where a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Not begun. A deletion can still be cancelled.
    Scheduled,
    /// Being carried out. A deletion can no longer be cancelled.
    Running,
    /// A legal hold stops it; it goes on when that is released.
    OnHold,
    /// Carried out.
    Done,
    /// Withdrawn in time; or an export of an account that is being deleted.
    Cancelled,
}

/// What a deletion waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum WaitsFor {
    /// A refund that was asked for is decided first.
    Refund,
}

/// A request.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Request {
    /// Its id.
    pub id: RequestId,
    /// What is asked for.
    pub kind: Kind,
    /// The account.
    pub account: AccountId,
    /// Where it stands.
    pub state: State,
    /// When it was confirmed (epoch seconds, as all below).
    pub received_at: i64,
    /// When the account was opened.
    pub opened_at: i64,
    /// When it begins: after the grace period of a deletion.
    pub run_at: i64,
    /// When it must be done.
    pub due_at: i64,
    /// Where a deletion's certificate goes; gone once it is sent.
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
    /// How many items each table or category had.
    pub found: BTreeMap<String, u64>,
    /// Of an erasure: the request for what the payment processor keeps for now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remainder: Option<RequestId>,
    /// Of such a request, and of an erasure whose account a restore may have lost: whom it is about there (`cus_…`,
    /// several if one was deleted there before, the present one last); gone once it is done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) customers: Vec<String>,
    /// And which invoices and payments of theirs (`in_…`, `pi_…`), if they cannot be named any more themselves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) objects: Vec<String>,
    /// And what is on its way there (`prj_…`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) redaction: Option<String>,
    /// When somebody began to send that mail; whoever did may have died.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) mailing_at: Option<i64>,
    /// Of a deletion: what it waits for, which it cannot do itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<WaitsFor>,
    /// When the mail was sent that says it is closed, if that did not arrive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undelivered_at: Option<i64>,
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

impl Request {
    /// A request to erase `account` after `grace`.
    pub fn erasure(account: &Account, grace: Duration, now: OffsetDateTime) -> Self {
        let mut request = Self::new(Kind::Erasure, account, now + grace, now);
        request.email = Some(account.email.clone());
        request.customers =
            account.past_customers.iter().chain(&account.customer).cloned().collect();
        request
    }

    /// A request for a copy of what is kept about `account`.
    pub fn export(account: &Account, now: OffsetDateTime) -> Self {
        Self::new(Kind::Export, account, now, now)
    }

    /// What `erasure` leaves to be done about `customers` at the payment processor, from `run` on.
    pub(super) fn redaction(
        id: RequestId,
        erasure: &Self,
        (customers, objects): (Vec<String>, Vec<String>),
        run: OffsetDateTime,
        now: OffsetDateTime,
    ) -> Self {
        let whose = (&erasure.account, erasure.opened_at);
        Self {
            id,
            due_at: (run + DEADLINE).unix_timestamp(),
            customers,
            objects,
            ..Self::about(Kind::Redaction, whose, run, now)
        }
    }

    fn new(kind: Kind, account: &Account, run: OffsetDateTime, now: OffsetDateTime) -> Self {
        Self::about(kind, (&account.id, account.created_at), run, now)
    }

    fn about(
        kind: Kind,
        (account, opened_at): (&AccountId, i64),
        run: OffsetDateTime,
        now: OffsetDateTime,
    ) -> Self {
        Self {
            id: RequestId::random(),
            kind,
            account: account.clone(),
            state: State::Scheduled,
            received_at: now.unix_timestamp(),
            opened_at,
            run_at: run.unix_timestamp(),
            due_at: (now + DEADLINE).unix_timestamp(),
            email: None,
            mailed_at: None,
            mailing_at: None,
            waits_for: None,
            version: 0,
            attempts: 0,
            done: BTreeMap::new(),
            found: BTreeMap::new(),
            remainder: None,
            customers: Vec::new(),
            objects: Vec::new(),
            redaction: None,
            undelivered_at: None,
            closed_at: None,
            queue: Some(kind.name().to_owned()),
            next_at: Some(run.unix_timestamp()),
            expires_at: None,
            expires_on: None,
        }
    }

    /// Itself, if it is `account`'s: nobody learns of another's.
    pub fn of(self, account: &Account) -> Result<Self, Error> {
        if self.account == account.id { Ok(self) } else { Err(NO_SUCH_REQUEST) }
    }

    /// Whether asking again at `now` is asking for this one.
    fn stands_for_another(&self, now: OffsetDateTime) -> bool {
        let is_young = self.received_at > (now - SAME_EXPORT).unix_timestamp();
        let is_fresh = self.kind == Kind::Export && self.state == State::Done && is_young;
        self.closed_at.is_none() || is_fresh
    }

    /// Whether its next step is due at `now`: what the index said may be of a while ago.
    pub(super) fn is_due(&self, now: OffsetDateTime) -> bool {
        let is_open = matches!(self.state, State::Scheduled | State::Running | State::OnHold);
        is_open && self.next_at.is_some_and(|at| at <= now.unix_timestamp())
    }

    /// Whether anything was done.
    pub(super) fn has_begun(&self) -> bool {
        self.state == State::Running || !self.done.is_empty()
    }

    /// Of a deletion that has begun: lets it delete once more, and, unless the account `is_known` to be on its way out,
    /// all that comes before too. Not that it was suspended: from then on it cannot be cancelled.
    pub(super) fn begin_again(&mut self, is_known: bool, now: OffsetDateTime) {
        let now = now.unix_timestamp();
        self.done.retain(|step, _| is_known && BEFORE_DELETING.contains(&step.as_str()));
        self.done.entry(BEFORE_DELETING[0].to_owned()).or_insert(now);
        self.attempts = 0;
        if self.state == State::Running {
            self.next_at = Some(now);
        }
    }

    /// Takes it out of the queue; its record ends in time.
    pub(super) fn close(&mut self, state: State, now: OffsetDateTime) {
        let expiry = inventory::PRIVACY_REQUESTS.expiry(now, self.id.tag());
        self.state = state;
        self.closed_at = Some(now.unix_timestamp());
        self.email = None;
        self.customers.clear();
        self.objects.clear();
        (self.mailed_at, self.mailing_at, self.waits_for) = (None, None, None);
        self.queue = None;
        self.next_at = None;
        self.expires_at = Some(expiry.at);
        self.expires_on = Some(expiry.on);
    }
}

/// The request `id`.
pub async fn load(store: &Store, id: &RequestId) -> Result<Option<Request>, Error> {
    let item = store.get(Table::PrivacyRequests, [("id", id.to_string())]).await?;
    item.map(from_item).transpose()
}

/// The request of this kind whose id, as it stands in a path, is `id`.
pub async fn find(store: &Store, kind: Kind, id: &str) -> Result<Request, Error> {
    find_any(store, &[kind], id).await
}

/// As [`find`], of one of several kinds.
pub async fn find_any(store: &Store, kinds: &[Kind], id: &str) -> Result<Request, Error> {
    let id = id.parse().map_err(|_| {
        InputError::field("request_id", "must be the id of a request, such as req_4kPq9ZtR2mWx")
    })?;
    let found = load(store, &id).await?.filter(|it| kinds.contains(&it.kind));
    found.ok_or(NO_SUCH_REQUEST)
}

/// Stores a new request and notes it at the account. One that stands for it already is returned in its
/// place: asking twice is asking once.
pub(super) async fn open(
    store: &Store,
    account: &Account,
    request: Request,
    now: OffsetDateTime,
) -> Result<Request, Error> {
    let mut account = account.clone();
    // Somebody may ask at the same time, or change the account: then it is looked at again.
    for _ in 0..5 {
        let noted = request.kind.noted(&account);
        if let Some(id) = noted
            && let Some(known) = load(store, id).await?
            && known.stands_for_another(now)
        {
            return Ok(known);
        }
        if note(store, &request, noted).await? {
            return Ok(request);
        }
        let found = crate::accounts::get(store, &request.account).await?;
        account = found.ok_or(Error::NotFound("account"))?;
    }
    let detail = "the account kept changing".to_owned();
    Err(Error::Unavailable { dependency: "DynamoDB", detail })
}

/// Stores `request` and notes it in place of `over`, which is over or not there any more (the account was
/// restored from a backup). Says no where something else is noted.
async fn note(store: &Store, request: &Request, over: Option<&RequestId>) -> Result<bool, Error> {
    let put = Put::builder()
        .table_name(store.name(Table::PrivacyRequests))
        .set_item(Some(to_item(request)?))
        .condition_expression("attribute_not_exists(id)");
    let note = Update::builder()
        .table_name(store.name(Table::Accounts))
        .key("id", s(request.account.to_string()))
        .update_expression("SET #kind = :id")
        .condition_expression(
            "attribute_exists(id) AND (attribute_not_exists(#kind) OR #kind = :over)",
        )
        .expression_attribute_names("#kind", request.kind.name())
        .expression_attribute_values(":id", s(request.id.to_string()))
        .expression_attribute_values(":over", s(over.map(ToString::to_string).unwrap_or_default()));
    Ok(transact(store, vec![putting(put)?, updating(note)?]).await?.is_none())
}

/// Withdraws a deletion that has not begun. Withdrawing it again, or at the same moment, changes nothing.
pub(super) async fn cancel(
    store: &Store,
    erasure: Request,
    now: OffsetDateTime,
) -> Result<Request, Error> {
    let mut found = erasure;
    for _ in 0..TRIES {
        match found.state {
            State::Scheduled => {}
            State::Cancelled => return Ok(found),
            State::OnHold if found.done.is_empty() => {}
            _ => {
                return Err(Error::Conflict(
                    "the deletion has begun and can no longer be cancelled",
                ));
            }
        }
        let id = found.id.clone();
        if let Some(cancelled) = try_cancel(store, found, now).await? {
            return Ok(cancelled);
        }
        // Its mail was sent, or another has cancelled it, or it has begun.
        found = load(store, &id).await?.ok_or(NO_SUCH_REQUEST)?;
    }
    Err(Error::Unavailable {
        dependency: "DynamoDB",
        detail: "the request kept changing".to_owned(),
    })
}

/// Cancels it, unless somebody has changed it since.
async fn try_cancel(
    store: &Store,
    mut erasure: Request,
    now: OffsetDateTime,
) -> Result<Option<Request>, Error> {
    let version = erasure.version;
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
    let refused = transact(store, vec![putting(put)?, updating(note)?]).await?;
    Ok(refused.is_none().then_some(erasure))
}

/// Stores a new request, unless one of its id is there.
pub(super) async fn put_new(store: &Store, request: &Request) -> Result<(), Error> {
    let put = store
        .client()
        .put_item()
        .table_name(store.name(Table::PrivacyRequests))
        .set_item(Some(to_item(request)?))
        .condition_expression("attribute_not_exists(id)");
    stored(put.send().await).map(drop)
}

/// Stores what has changed, unless somebody else has changed it.
pub(super) async fn save(store: &Store, request: &mut Request) -> Result<(), Error> {
    let next = Request { version: request.version + 1, ..request.clone() };
    let answer = store
        .client()
        .put_item()
        .table_name(store.name(Table::PrivacyRequests))
        .set_item(Some(to_item(&next)?))
        .condition_expression("version = :version")
        .expression_attribute_values(":version", n(request.version))
        .send()
        .await;
    if !stored(answer)? {
        return Err(Error::Conflict("another run is at this request"));
    }
    *request = next;
    Ok(())
}

/// Ids of the open requests of this kind whose next step is due, the longest due first.
pub(super) async fn due(
    store: &Store,
    kind: Kind,
    now: OffsetDateTime,
) -> Result<Vec<RequestId>, Error> {
    let query = store
        .client()
        .query()
        .table_name(store.name(Table::PrivacyRequests))
        .index_name("by-queue")
        .key_condition_expression("queue = :queue AND next_at <= :now")
        .expression_attribute_values(":queue", s(kind.name()))
        .expression_attribute_values(":now", n(now.unix_timestamp()));
    ids(query).await
}

/// The account's requests, newest first.
pub async fn of_account(store: &Store, account: &AccountId) -> Result<Vec<Request>, Error> {
    let query = store
        .client()
        .query()
        .table_name(store.name(Table::PrivacyRequests))
        .index_name("by-account")
        .key_condition_expression("account = :account")
        .expression_attribute_values(":account", s(account.to_string()));
    let mut requests = Vec::new();
    for some in ids(query).await?.chunks(AT_ONCE) {
        requests.extend(
            try_join_all(some.iter().map(|id| load(store, id))).await?.into_iter().flatten(),
        );
    }
    requests.sort_by_key(|it| std::cmp::Reverse(it.received_at));
    Ok(requests)
}

/// Those among the next items of the table after `after` that accounts know of, and after which to go on.
pub(super) async fn page(
    store: &Store,
    after: Option<&str>,
) -> Result<(Vec<Request>, Option<String>), Error> {
    let (items, last) = store.page(Table::PrivacyRequests, after).await?;
    let kinds = [Kind::Erasure.name(), Kind::Export.name()];
    let is_of_account = |it: &Item| text(it, "kind").is_some_and(|kind| kinds.contains(&kind));
    let items = items.into_iter().filter(is_of_account);
    Ok((items.map(from_item).collect::<Result<_, _>>()?, last))
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
