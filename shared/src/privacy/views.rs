//! What callers see of a deletion: what goes, what stays, why, and until when. All of it comes from the
//! inventory.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::{
    erasable::{DELETED, STRIPPED, Subject},
    export::{ExportRequest, export_view},
    mails::{SUBSCRIPTION_ENDS, instant},
    payments::{self, REDACTED_AFTER},
    request::{Kind, Request, State, WaitsFor},
};
use crate::{
    accounts::Account,
    billing::task::awaits_refund,
    error::Error,
    inventory::{CATEGORIES, Category, Erasure as Rule, Keep, Place, Table},
    store::Store,
};

/// What a deletion does to past payments.
fn payments_stay() -> String {
    format!(
        "Invoices, receipts and payments are kept for 7 years, without your address and company. Cards and \
         address are deleted at Stripe, the payment processor; past payments are redacted there {} days \
         after the last one.",
        REDACTED_AFTER.whole_days()
    )
}

/// What a refund that is not decided does to a deletion.
pub(super) const REFUND_FIRST: &str = "You asked for a refund: it is decided first. Until then the deletion waits, and nothing is charged any \
     more.";

/// What asking for a deletion takes.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeletionRequest {
    /// Without it nothing happens: the answer is a preview.
    #[serde(default)]
    pub confirm: bool,
}

/// What a deletion does to one category of data.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct CategoryOutcome {
    /// Name of the category.
    #[schema(example = "api-logs")]
    pub category: &'static str,
    /// What it is.
    #[schema(example = "Each API request: endpoint, parameters, time, outcome, key, IP address")]
    pub description: &'static str,
    /// `deleted`, `expires` (by itself, soon) or `kept`.
    #[schema(example = "deleted")]
    pub action: &'static str,
    /// How many items there are or were; `null` where they are not counted.
    #[schema(required = true, example = 120)]
    pub items: Option<u64>,
    /// Why it is kept; `null` if it is not.
    #[schema(required = true, example = json!(null))]
    pub reason: Option<&'static str>,
    /// When the last of it will be gone; `null` if it is deleted, or kept until it is withdrawn.
    #[schema(required = true, example = json!(null))]
    pub until: Option<String>,
}

/// What a deletion would do. Nothing has happened.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeletionPreview {
    /// Days in which a confirmed deletion can be cancelled.
    #[schema(example = 7)]
    pub grace_days: i64,
    /// Each category of personal data.
    pub categories: Vec<CategoryOutcome>,
    /// What becomes of a refund, of a subscription and of past payments; empty for who never bought anything.
    #[schema(example = json!([SUBSCRIPTION_ENDS]))]
    pub notes: Vec<String>,
}

/// A deletion; once it is done, its certificate.
#[derive(Debug, Serialize, ToSchema)]
pub struct Deletion {
    /// Its id.
    #[schema(example = "req_4kPq9ZtR2mWx")]
    pub id: String,
    /// Where it stands.
    #[schema(example = "done")]
    pub state: State,
    /// When it was confirmed.
    #[schema(format = DateTime, example = "2026-11-24T12:00:00Z")]
    pub received_at: String,
    /// Until when it can be cancelled.
    #[schema(format = DateTime, example = "2026-12-01T12:00:00Z")]
    pub cancel_until: String,
    /// When it must be done.
    #[schema(format = DateTime, example = "2026-12-24T12:00:00Z")]
    pub due_at: String,
    /// When it was done or cancelled; `null` while it is open.
    #[schema(required = true, format = DateTime, example = "2026-12-01T12:04:10Z")]
    pub closed_at: Option<String>,
    /// What it waits for: `refund`, if a refund that you asked for must be decided first, which support does;
    /// `null` if nothing.
    #[schema(required = true, example = json!(null))]
    pub waits_for: Option<WaitsFor>,
    /// What was or will be done to each category.
    pub categories: Vec<CategoryOutcome>,
    /// What the payment processor keeps for now; `null` if it keeps nothing.
    #[schema(required = true)]
    pub remainder: Option<Remainder>,
}

/// What a deletion leaves to be done.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Remainder {
    /// Its id: to be asked for as the deletion itself, without a key.
    #[schema(example = "req_7mWx4kPq9ZtR")]
    pub id: String,
    /// Where it stands.
    #[schema(example = "scheduled")]
    pub state: State,
    /// What is kept, and why.
    #[schema(example = "past payments at Stripe")]
    pub kept: String,
    /// From when on it is redacted.
    #[schema(format = DateTime, example = "2027-03-24T12:00:00Z")]
    pub from: String,
    /// When it must be done.
    #[schema(format = DateTime, example = "2027-04-23T12:00:00Z")]
    pub due_at: String,
    /// When it was done; `null` while it is open.
    #[schema(required = true, format = DateTime, example = json!(null))]
    pub closed_at: Option<String>,
}

/// The account's requests under privacy law.
#[derive(Debug, Serialize, ToSchema)]
pub struct RequestList {
    /// Newest first.
    pub requests: Vec<RequestView>,
}

/// One request under privacy law.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum RequestView {
    /// For the deletion of the account.
    Deletion(ListedDeletion),
    /// For a copy of your data.
    Export(ListedExport),
}

/// A deletion, in the list of all requests.
#[derive(Debug, Serialize, ToSchema)]
pub struct ListedDeletion {
    kind: DeletionKind,
    #[serde(flatten)]
    deletion: Deletion,
}

/// An export, in the list of all requests.
#[derive(Debug, Serialize, ToSchema)]
pub struct ListedExport {
    kind: ExportKind,
    #[serde(flatten)]
    export: ExportRequest,
}

/// Tells a deletion from other requests.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DeletionKind {
    /// The deletion of the account.
    Deletion,
}

/// Tells an export from other requests.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ExportKind {
    /// A copy of your data.
    Export,
}

impl RequestList {
    /// How an account's `requests` show themselves.
    pub async fn new(
        store: &Store,
        requests: &[Request],
        now: OffsetDateTime,
    ) -> Result<Self, Error> {
        let mut views = Vec::new();
        for request in requests {
            views.push(match request.kind {
                // Of an account that is gone: nobody is left who could ask for the list.
                Kind::Redaction => continue,
                Kind::Erasure => RequestView::Deletion(ListedDeletion {
                    kind: DeletionKind::Deletion,
                    deletion: Deletion::new(request),
                }),
                Kind::Export => RequestView::Export(ListedExport {
                    kind: ExportKind::Export,
                    export: export_view(store, request, now).await?,
                }),
            });
        }
        Ok(Self { requests: views })
    }
}

impl Deletion {
    /// How a request shows itself, an erasure with what it has left to be done, or that alone.
    pub async fn read(store: &Store, request: &Request) -> Result<Self, Error> {
        if request.kind == Kind::Redaction {
            return Ok(Self {
                // From the beginning it could not be.
                cancel_until: instant(request.received_at),
                categories: Vec::new(),
                remainder: Some(Remainder::new(request)),
                ..Self::new(request)
            });
        }
        let remainder = payments::remainder(store, request).await?;
        Ok(Self { remainder: remainder.as_ref().map(Remainder::new), ..Self::new(request) })
    }

    /// How `erasure` shows itself that has not begun.
    pub fn new(erasure: &Request) -> Self {
        let counted = |table: Table| erasure.found.get(table.name()).copied();
        let end = erasure.closed_at.unwrap_or(erasure.run_at);
        Self {
            id: erasure.id.to_string(),
            state: erasure.state,
            received_at: instant(erasure.received_at),
            cancel_until: instant(erasure.run_at),
            due_at: instant(erasure.due_at),
            closed_at: erasure.closed_at.map(instant),
            waits_for: erasure.waits_for,
            categories: outcomes(counted, end),
            remainder: None,
        }
    }
}

impl Remainder {
    fn new(request: &Request) -> Self {
        Self {
            id: request.id.to_string(),
            state: request.state,
            kept: format!(
                "past payments and invoices at Stripe, the payment processor, where they are redacted {} days \
                 after the last one (from then on they cannot be refunded, and are lost in a dispute); cards \
                 and address are deleted",
                REDACTED_AFTER.whole_days()
            ),
            from: instant(request.run_at),
            due_at: instant(request.due_at),
            closed_at: request.closed_at.map(instant),
        }
    }
}

/// What deleting `account` would do.
pub async fn preview(
    store: &Store,
    account: &Account,
    grace_days: i64,
    now: OffsetDateTime,
) -> Result<DeletionPreview, Error> {
    let subject = Subject::new(store, account.id.clone(), account.created_at, now).await?;
    let mut counts = std::collections::BTreeMap::new();
    for table in DELETED.into_iter().chain([STRIPPED]) {
        counts.insert(table, subject.count(store, table).await?);
    }
    let end = now.unix_timestamp() + grace_days * 86_400;
    let categories = outcomes(|table| counts.get(&table).copied(), end);
    let awaits_refund = awaits_refund(store, &account.id).await?;
    let notes = [
        awaits_refund.then(|| REFUND_FIRST.to_owned()),
        account.subscription.as_ref().map(|_| SUBSCRIPTION_ENDS.to_owned()),
        account.customer.as_ref().map(|_| payments_stay()),
    ];
    Ok(DeletionPreview { grace_days, categories, notes: notes.into_iter().flatten().collect() })
}

fn outcomes(counted: impl Fn(Table) -> Option<u64>, end: i64) -> Vec<CategoryOutcome> {
    let told = CATEGORIES.iter().filter(|it| it.is_told());
    told.map(|category| outcome(category, &counted, end)).collect()
}

fn outcome(
    category: &'static Category,
    counted: &impl Fn(Table) -> Option<u64>,
    end: i64,
) -> CategoryOutcome {
    let last = || {
        let end = OffsetDateTime::from_unix_timestamp(end).ok()?;
        Some(instant(category.keep.until(end)?.unix_timestamp()))
    };
    let (action, reason, until) = match category.erasure {
        Rule::Delete | Rule::NotPersonal => ("deleted", None, None),
        Rule::Expires => ("expires", None, last()),
        Rule::Keep(reason) => ("kept", Some(reason), last()),
    };
    let items = match category.place {
        Place::Table(Table::Accounts) => Some(1),
        // Where two categories share a table, neither is counted by it.
        Place::Table(table) if category.keep != Keep::Hours(12) => counted(table),
        _ => None,
    };
    let (id, description) = (category.id, category.description);
    CategoryOutcome { category: id, description, action, items, reason, until }
}
