//! What is still to be done about an account's billing: mails to send, payments that are overdue, refunds and
//! signals that wait for the operator. Table `billing-tasks`, `account` / `task`; open tasks stand in the
//! index `by-queue`.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{
    error::Error,
    ids::AccountId,
    inventory::{self, Table},
    plans::Plan,
    store::{Item, Store, from_item, n, putting, s, stored, text, to_item, unavailable, write},
};

use aws_sdk_dynamodb::{
    operation::put_item::PutItemError,
    types::{Delete, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem},
};

/// Queue of what `work-billing` does by itself.
pub const WORK: &str = "work";
/// Queue of what waits for the operator.
pub const OPERATOR: &str = "operator";

/// What there is to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Work {
    /// A mail about a record (its sort key in `billing-records`): a receipt, a withdrawn invoice, a refund.
    RecordMail {
        /// Which record.
        record: String,
    },
    /// A mail that the account is back on the free plan.
    EndedMail {
        /// Whether it was for want of payment.
        unpaid: bool,
    },
    /// A mail that what was bought has changed.
    PlanMail {
        /// What has changed.
        change: PlanChange,
        /// The plan that it is about.
        plan: Plan,
        /// From when on (epoch seconds), where it is not at once.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<i64>,
    },
    /// A mail that a refund was asked for.
    RefundMail {
        /// How much, in minor units of `currency`.
        cents: i64,
        /// ISO 4217, lower case.
        currency: String,
    },
    /// A mail that keys were made or revoked: what has gathered since the last one.
    KeysMail {
        /// Names of those that were made.
        made: Vec<String>,
        /// Names of those that were revoked.
        revoked: Vec<String>,
    },
    /// A payment is overdue: mails, then the end.
    Dunning {
        /// The subscription.
        subscription: String,
        /// Since when (epoch seconds).
        since: i64,
        /// Mails sent so far.
        sent: u32,
    },
    /// A refund that the customer asks for.
    Refund(RefundRequest),
    /// A sign of fraud or of a fault, for the operator to look at.
    Flag {
        /// What was seen.
        sign: Sign,
        /// Which dispute or subscription, or how many sign-ups; names nobody.
        detail: String,
    },
}

impl Work {
    /// Whether it ends with a mail, which one alone shall send.
    pub fn is_mail(&self) -> bool {
        matches!(
            self,
            Self::RecordMail { .. }
                | Self::EndedMail { .. }
                | Self::PlanMail { .. }
                | Self::RefundMail { .. }
                | Self::KeysMail { .. }
        )
    }
}

/// How what was bought has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlanChange {
    /// A larger plan, at once.
    Raised,
    /// A smaller plan, from the next period on.
    Lower,
    /// The smaller plan to come was taken back.
    Kept,
    /// It ends.
    Ends,
    /// The end was taken back.
    GoesOn,
}

/// A refund that is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefundRequest {
    /// The first purchase's invoice.
    pub invoice: String,
    /// The payment that it comes out of.
    pub charge: String,
    /// How much, in minor units of `currency`.
    pub cents: i64,
    /// What had been given back of the payment before, in minor units: that is not of this refund.
    #[serde(default)]
    pub returned_cents: i64,
    /// What a larger plan that was bought since had credited for the same time by then, in minor units: that is not
    /// of it either.
    #[serde(default)]
    pub credited_cents: i64,
    /// How often Stripe has answered that it cannot be paid. It says so to the same idempotency key for a day.
    #[serde(default)]
    pub failures: u32,
    /// ISO 4217, lower case.
    pub currency: String,
    /// When it was asked for (epoch seconds).
    pub asked_at: i64,
    /// Where it stands.
    pub state: RefundState,
    /// Why it was refused, for the customer to read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it was decided (epoch seconds).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<i64>,
}

/// Where a refund stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum RefundState {
    /// It waits for the operator.
    Open,
    /// It is being paid.
    Approved,
    /// It was paid.
    Paid,
    /// It is not paid.
    Refused,
}

/// Signs that the operator looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sign {
    /// The card's holder disputes a payment.
    Dispute,
    /// Many accounts were opened from one network within a day.
    ManySignUps,
    /// The account has more than one running subscription.
    SeveralSubscriptions,
    /// Money that was given back has not reached its owner.
    RefundFailed,
    /// The payments of a subscription are not collected, so that it entitles to nothing new.
    CollectionPaused,
    /// An object of Stripe's was not understood.
    Unreadable,
    /// A receipt has come back: its owner has none.
    Undelivered,
}

/// A task as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Whose.
    pub account: AccountId,
    /// What makes it one: `mail#…`, `dunning#sub_…`, `refund#in_…`, `flag#…`.
    pub task: String,
    /// What there is to do.
    #[serde(flatten)]
    pub work: Work,
    /// The queue it stands in; a closed one is in none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// When it is to be looked at (epoch seconds).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_at: Option<i64>,
    /// When it was made (epoch seconds).
    pub created_at: i64,
    /// Tries that failed.
    #[serde(default)]
    pub attempts: u32,
    /// When a closed one is deleted (epoch seconds).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
    /// Its day and partition in the index `by-expiry`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_on: Option<String>,
}

impl Task {
    /// A task for `queue`, to be looked at from `now` on.
    pub fn new(
        account: &AccountId,
        task: String,
        work: Work,
        queue: &str,
        now: OffsetDateTime,
    ) -> Self {
        Self {
            account: account.clone(),
            task,
            work,
            queue: Some(queue.to_owned()),
            next_at: Some(now.unix_timestamp()),
            created_at: now.unix_timestamp(),
            attempts: 0,
            expires_at: None,
            expires_on: None,
        }
    }

    /// Takes it out of its queue; it is kept for the inventory's time.
    pub fn close(&mut self, now: OffsetDateTime) {
        let expiry = inventory::BILLING_TASKS.expiry(now, self.account.tag());
        (self.queue, self.next_at) = (None, None);
        self.expires_at = Some(expiry.at);
        self.expires_on = Some(expiry.on);
    }

    /// Stores it if none of its name is there; whether it did.
    pub async fn store_new(&self, store: &Store) -> Result<bool, Error> {
        write(store, self.put_new(store)?).await
    }

    /// As a part of a transaction: put, if none of its name is there.
    pub(super) fn put_new(&self, store: &Store) -> Result<TransactWriteItem, Error> {
        putting(
            Put::builder()
                .table_name(store.name(Table::BillingTasks))
                .set_item(Some(to_item(self)?))
                .condition_expression("attribute_not_exists(task)"),
        )
    }

    /// As a part of a transaction: put, whatever is there.
    pub fn put(&self, store: &Store) -> Result<TransactWriteItem, Error> {
        putting(
            Put::builder()
                .table_name(store.name(Table::BillingTasks))
                .set_item(Some(to_item(self)?)),
        )
    }
}

/// As a part of a transaction: the task `task` of `account` is not there any more.
pub fn removing(
    store: &Store,
    account: &AccountId,
    task: &str,
) -> Result<TransactWriteItem, Error> {
    crate::store::deleting(
        Delete::builder()
            .table_name(store.name(Table::BillingTasks))
            .key("account", s(account.to_string()))
            .key("task", s(task)),
    )
}

/// The task, strongly consistent.
pub async fn load(store: &Store, account: &AccountId, task: &str) -> Result<Option<Task>, Error> {
    let key = [("account", account.to_string()), ("task", task.to_owned())];
    store.get(Table::BillingTasks, key).await?.map(from_item).transpose()
}

/// Stores `task` if none of its name is there; otherwise the one that is.
pub async fn put_or_find(store: &Store, task: &Task) -> Result<Option<Task>, Error> {
    let put = store
        .client()
        .put_item()
        .table_name(store.name(Table::BillingTasks))
        .set_item(Some(to_item(task)?))
        .condition_expression("attribute_not_exists(task)")
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
    let error = match put.send().await {
        Ok(_) => return Ok(None),
        Err(error) => error,
    };
    if let Some(PutItemError::ConditionalCheckFailedException(refused)) = error.as_service_error() {
        return refused.item.clone().map(from_item).transpose();
    }
    Err(unavailable(error))
}

/// Stores `task` in place of the one that was read, if that is still there as it was: `before` is its
/// `next_at` and `attempts`. Whether it did.
pub async fn save(store: &Store, task: &Task, before: &Task) -> Result<bool, Error> {
    let put = store
        .client()
        .put_item()
        .table_name(store.name(Table::BillingTasks))
        .set_item(Some(to_item(task)?))
        .expression_attribute_values(":attempts", n(before.attempts));
    let put = match before.next_at {
        Some(at) => put
            .condition_expression("attempts = :attempts AND next_at = :at")
            .expression_attribute_values(":at", n(at)),
        None => put.condition_expression("attempts = :attempts AND attribute_not_exists(next_at)"),
    };
    stored(put.send().await)
}

/// Every task of `account`.
pub async fn of_account(store: &Store, account: &AccountId) -> Result<Vec<Task>, Error> {
    let query = store
        .client()
        .query()
        .table_name(store.name(Table::BillingTasks))
        .key_condition_expression("account = :account")
        .expression_attribute_values(":account", s(account.to_string()))
        .consistent_read(true);
    let mut items = query.into_paginator().items().send();
    let mut tasks = Vec::new();
    while let Some(item) = items.next().await {
        tasks.push(from_item(item.map_err(unavailable)?)?);
    }
    Ok(tasks)
}

/// Whether `account` has asked for a refund that is neither refused nor paid yet.
pub async fn awaits_refund(store: &Store, account: &AccountId) -> Result<bool, Error> {
    let is_awaited = |task: &Task| match &task.work {
        Work::Refund(it) => matches!(it.state, RefundState::Open | RefundState::Approved),
        _ => false,
    };
    Ok(of_account(store, account).await?.iter().any(is_awaited))
}

/// Keys (account, task) of what stands in `queue` and is to be looked at by `now`, the longest due first.
pub async fn due(
    store: &Store,
    queue: &str,
    now: OffsetDateTime,
) -> Result<Vec<(AccountId, String)>, Error> {
    let query = store
        .client()
        .query()
        .table_name(store.name(Table::BillingTasks))
        .index_name("by-queue")
        .key_condition_expression("queue = :queue AND next_at <= :now")
        .expression_attribute_values(":queue", s(queue))
        .expression_attribute_values(":now", n(now.unix_timestamp()));
    let mut items = query.into_paginator().items().send();
    let mut keys = Vec::new();
    while let Some(item) = items.next().await {
        keys.extend(key(&item.map_err(unavailable)?));
    }
    Ok(keys)
}

fn key(item: &Item) -> Option<(AccountId, String)> {
    Some((text(item, "account")?.parse().ok()?, text(item, "task")?.to_owned()))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::inventory::BILLING_TASKS;

    #[test]
    fn each_task_comes_back_as_it_was_stored_and_stores_what_is_declared() {
        let account: AccountId = "acc_4kPq9ZtR2mWx".parse().expect("an id");
        let refund = RefundRequest {
            invoice: "in_1".to_owned(),
            charge: "ch_1".to_owned(),
            cents: 1_000,
            returned_cents: 0,
            credited_cents: 0,
            failures: 0,
            currency: "usd".to_owned(),
            asked_at: 1_795_521_600,
            state: RefundState::Refused,
            reason: Some("used".to_owned()),
            decided_at: Some(1_795_521_700),
        };
        let all = [
            Work::RecordMail { record: "2026-11-24#receipt#in_1".to_owned() },
            Work::EndedMail { unpaid: true },
            Work::PlanMail { change: PlanChange::Raised, plan: Plan::Pro, from: None },
            Work::PlanMail { change: PlanChange::Ends, plan: Plan::Pro, from: Some(1_795_521_600) },
            Work::RefundMail { cents: 500, currency: "usd".to_owned() },
            Work::KeysMail { made: vec!["ci".to_owned()], revoked: Vec::new() },
            Work::Dunning { subscription: "sub_1".to_owned(), since: 1_795_521_600, sent: 2 },
            Work::Refund(refund),
            Work::Flag { sign: Sign::Dispute, detail: "du_1".to_owned() },
        ];
        let now = datetime!(2026-11-24 12:00 UTC);
        for work in all {
            let mut task = Task::new(&account, "a task".to_owned(), work, WORK, now);
            for _ in 0..2 {
                let item = to_item(&task).expect("an item");
                for name in item.keys() {
                    assert!(
                        BILLING_TASKS.fields.contains(&name.as_str()),
                        "{name} is not declared"
                    );
                }
                assert_eq!(from_item::<Task>(item).expect("a task"), task);
                task.close(now);
            }
        }
    }
}
