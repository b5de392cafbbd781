//! Works off what is to be done about billing: mails, overdue payments, refunds that were approved. A mail
//! is sent before its task goes, so it comes at least once; a task that fails is tried again later and
//! stops no other.

use std::time::Instant;

use serde::Serialize;
use stripe_shared::SubscriptionStatus;
use time::{Duration, OffsetDateTime};

use super::{
    dunning::{Step, due_by, step},
    key_changes::{KEYS, take_keys},
    mails,
    queue::Waiting,
    record::{self, RecordKind},
    refund_payment,
    stripe::{Bought, InvoiceStatus},
    sync,
    task::{self, Task, WORK, Work},
    told,
};
use crate::{
    accounts::{self, Account, Status},
    app::App,
    error::Error,
    ids::AccountId,
    inventory::Table,
    jobs::Report,
    mail::Kind,
    privacy::{Restored, is_closed, last_restore},
    store::{Store, s, unavailable},
    telemetry::Metric,
};

/// After so many failures, about two days with the pauses between them, a mail is not tried any more.
const GIVE_UP_MAILING: u32 = 12;

/// How long a mail is left to whoever has taken it.
const CLAIM: Duration = Duration::minutes(5);

/// What one run did, and what it saw waiting for the operator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Worked {
    /// Tasks that were done, or taken a step further.
    pub done: u64,
    /// Tasks that failed; they are tried again.
    pub failed: u64,
    /// Tasks that have failed three times or more.
    pub stuck: u64,
    /// Mails that were left out because they went out before a restore has brought their tasks back.
    pub skipped: u64,
    /// What waits for the operator.
    #[serde(flatten)]
    pub waiting: Waiting,
}

impl Worked {
    /// For the job's invoker and its alarms.
    pub fn report(&self) -> Result<Report, Error> {
        let mut metrics = vec![
            Metric::count("TasksDone", self.done),
            Metric::count("TasksFailed", self.failed),
            Metric::count("TasksStuck", self.stuck),
            Metric::count("MailsSkipped", self.skipped),
        ];
        metrics.extend(self.waiting.metrics());
        Report::new(self, metrics)
    }
}

/// Works off every account's tasks that are due at `now`.
pub async fn work(app: &App, now: OffsetDateTime, deadline: Instant) -> Result<Worked, Error> {
    let mut worked = Worked::default();
    // While a backup is being restored, the tables are not what the tasks go by.
    if is_closed(&app.store).await? {
        return Ok(worked);
    }
    let restored = last_restore(&app.store).await?;
    for (account, name) in task::due(&app.store, WORK, now).await? {
        if Instant::now() >= deadline {
            break;
        }
        match task::load(&app.store, &account, &name).await {
            Ok(Some(task)) if is_due(&task, now) => {
                one(app, &task, restored, now, &mut worked).await;
            }
            // Done or put off since the index was read.
            Ok(_) => {}
            Err(error) => {
                tracing::error!(error = %error, "a billing task cannot be read");
                worked.failed += 1;
                worked.stuck += 1;
            }
        }
    }
    worked.waiting = Waiting::seen(&app.store, now).await?;
    Ok(worked)
}

/// Works off the receipts of `account` and the other mails about records that are due at `now`: who has just
/// heard from Stripe need not leave them to the schedule.
pub async fn work_on(app: &App, account: &AccountId, now: OffsetDateTime) -> Result<Worked, Error> {
    let mut worked = Worked::default();
    if is_closed(&app.store).await? {
        return Ok(worked);
    }
    let mut due = task::of_account(&app.store, account).await?;
    due.retain(|it| matches!(it.work, Work::RecordMail { .. } | Work::PlanMail { .. }));
    due.retain(|it| is_due(it, now));
    if due.is_empty() {
        return Ok(worked);
    }
    let restored = last_restore(&app.store).await?;
    for task in due {
        one(app, &task, restored, now, &mut worked).await;
    }
    Ok(worked)
}

fn is_due(task: &Task, now: OffsetDateTime) -> bool {
    task.queue.as_deref() == Some(WORK) && task.next_at.is_some_and(|at| at <= now.unix_timestamp())
}

/// Whether the mail of `task`, about what happened at `at` (epoch seconds), was sent before a restore has brought the task
/// back, or had it made once more. One that had failed before is tried again: at worst it comes twice. What is heard of
/// for the first time long after the opening is not the restore's doing.
fn was_mailed(task: &Task, restored: Option<Restored>, at: i64) -> bool {
    let is_first = |it: Restored| task.attempts == 0 || task.created_at >= it.opened_at();
    let is_its_doing = |it: Restored| is_first(it) && task.created_at < it.read_back_to();
    restored.is_some_and(|it| at <= it.mailed_to() && is_its_doing(it))
}

/// As [`was_mailed`], of a mail that is left out then: the log and the job's report say so.
fn is_left_out(task: &Task, restored: Option<Restored>, at: i64, worked: &mut Worked) -> bool {
    let was_mailed = was_mailed(task, restored, at);
    if was_mailed {
        worked.skipped += 1;
        tracing::info!(task = %task.task, "a mail from before a restore is left out");
    }
    was_mailed
}

async fn one(
    app: &App,
    task: &Task,
    restored: Option<Restored>,
    now: OffsetDateTime,
    worked: &mut Worked,
) {
    let claimed = match claim(app, task, now).await {
        Ok(Some(claimed)) => claimed,
        // Somebody else is at it.
        Ok(None) => return,
        Err(error) => {
            tracing::warn!(error = %error, "a billing task could not be claimed");
            worked.failed += 1;
            return;
        }
    };
    let task = &claimed;
    let Err(error) = advance(app, task, restored, now, worked).await else {
        worked.done += 1;
        return;
    };
    worked.failed += 1;
    // Nobody is named by it.
    tracing::error!(error = %error, task = %task.task, "a billing task failed");
    if let Err(error) = put_off(app, task, now, worked).await {
        tracing::warn!(error = %error, "the failure could not be noted");
    }
}

/// Takes a mail for itself, so that two who come to it at the same time do not both send it. Who dies then
/// leaves it to a later run.
async fn claim(app: &App, task: &Task, now: OffsetDateTime) -> Result<Option<Task>, Error> {
    if !task.work.is_mail() {
        return Ok(Some(task.clone()));
    }
    let until = (now + CLAIM).unix_timestamp();
    if task.task == KEYS {
        return take_keys(&app.store, task, until, now).await;
    }
    let next_at = Some(until);
    let claimed = Task { next_at, ..task.clone() };
    Ok(task::save(&app.store, &claimed, task).await?.then_some(claimed))
}

/// Notes a failure: the task is tried again after a pause, a mail not for ever.
async fn put_off(
    app: &App,
    task: &Task,
    now: OffsetDateTime,
    worked: &mut Worked,
) -> Result<(), Error> {
    let attempts = task.attempts + 1;
    worked.stuck += u64::from(attempts >= 3);
    if task.work.is_mail() && attempts >= GIVE_UP_MAILING {
        tracing::error!(task = %task.task, "a mail about billing is not tried any more");
        return remove(&app.store, task).await;
    }
    let pause = Duration::minutes(5) * 2_i32.pow(attempts.min(6));
    let next_at = Some((now + pause).unix_timestamp());
    // What the try of a refund has noted itself stays.
    let noted = match task.work {
        Work::Refund(_) => task::load(&app.store, &task.account, &task.task).await?,
        _ => None,
    };
    let put_off = Task { attempts, next_at, ..noted.unwrap_or_else(|| task.clone()) };
    // What another run has stored meanwhile stands.
    task::save(&app.store, &put_off, task).await.map(drop)
}

async fn advance(
    app: &App,
    task: &Task,
    restored: Option<Restored>,
    now: OffsetDateTime,
    worked: &mut Worked,
) -> Result<(), Error> {
    let account = accounts::get(&app.store, &task.account).await?;
    let account = account.filter(|it| it.status != Status::Erasing);
    match (&task.work, account) {
        // What was approved is paid, whoever goes meanwhile.
        (Work::Refund(_), account) => {
            refund_payment::pay(app, account.as_ref(), task, now).await.map(drop)
        }
        // Nobody is there any more to be written to; the erasure ends what was bought.
        (_, None) => remove(&app.store, task).await,
        (Work::PlanMail { .. } | Work::RefundMail { .. }, Some(_))
            if is_left_out(task, restored, task.created_at, worked) =>
        {
            remove(&app.store, task).await
        }
        (Work::RecordMail { record }, Some(account)) => {
            mail_record(app, &account, (task, record), restored, now, worked).await?;
            remove(&app.store, task).await
        }
        (Work::EndedMail { unpaid }, Some(account)) => {
            let ended = task.task.strip_prefix("ended#");
            // Paid at last, and going on: there is nothing to be told.
            if account.subscription.as_ref().map(|it| it.id.as_str()) != ended {
                end(app, &account, (task, *unpaid), restored, now, worked).await?;
            }
            remove(&app.store, task).await
        }
        (Work::PlanMail { change, plan, from }, Some(account)) => {
            let mail = told::plan_changed(*change, *plan, *from);
            app.mailer.tell(&account, (Kind::Plan, None), mail, now).await?;
            remove(&app.store, task).await
        }
        (Work::RefundMail { cents, currency }, Some(account)) => {
            let mail = told::refund_asked(*cents, currency);
            app.mailer.tell(&account, (Kind::Refund, None), mail, now).await?;
            remove(&app.store, task).await
        }
        (Work::KeysMail { made, revoked }, Some(account)) => {
            let mail = told::keys_changed(&app.config.service.public_url, made, revoked);
            app.mailer.tell(&account, (Kind::Keys, None), mail, now).await?;
            remove(&app.store, task).await
        }
        (Work::Dunning { subscription, since, sent }, Some(account)) => {
            // Those before a restore were sent, even if the task does not say so.
            let sent = match restored {
                Some(it) if was_mailed(task, restored, *since) => {
                    (*sent).max(due_by(*since, it.mailed_to()))
                }
                _ => *sent,
            };
            dun(app, &account, task, (subscription, *since, sent), now).await
        }
        (Work::Flag { .. }, Some(_)) => Err(Error::internal("a flag is the operator's to clear")),
    }
}

async fn mail_record(
    app: &App,
    account: &Account,
    (task, name): (&Task, &str),
    restored: Option<Restored>,
    now: OffsetDateTime,
    worked: &mut Worked,
) -> Result<(), Error> {
    let records = record::of_account(&app.store, &account.id).await?;
    let Some(record) = records.iter().find(|it| it.record == name) else {
        return Err(Error::internal("the record that a mail is about is not there"));
    };
    let at = match record.kind {
        // It says when it was made at Stripe, and is written down once it has succeeded, maybe days later.
        RecordKind::Refund => task.created_at,
        _ => record.issued_at,
    };
    if is_left_out(task, restored, at, worked) {
        return Ok(());
    }
    // A credit note's is another object.
    let of = match record.kind {
        RecordKind::CreditNote => record.of.as_ref(),
        _ => Some(&record.source),
    };
    let invoice =
        records.iter().find(|it| it.kind == RecordKind::Invoice && Some(&it.source) == of);
    match mails::of_record(&app.config.service.public_url, record, invoice) {
        Some(mail) => {
            let about = (Kind::Receipt, Some(record.source.as_str()));
            app.mailer.tell(account, about, mail, now).await.map(drop)
        }
        None => Ok(()),
    }
}

/// A subscription has ended: withdraws what is still open of it, and says so.
async fn end(
    app: &App,
    account: &Account,
    (task, unpaid): (&Task, bool),
    restored: Option<Restored>,
    now: OffsetDateTime,
    worked: &mut Worked,
) -> Result<(), Error> {
    let mut ended_at = None;
    if let Some(customer) = &account.customer {
        let stripe = app.stripe().await?;
        let (bought, invoices) =
            tokio::try_join!(stripe.subscriptions(customer), stripe.invoices(customer))?;
        let is_it = |it: &&Bought| Some(it.id.as_str()) == task.task.strip_prefix("ended#");
        ended_at = bought.iter().find(is_it).and_then(|it| it.ended_at);
        let mut has_changed = false;
        // Which entitles to nothing, and would be charged for again.
        let unpaid = bought.iter().filter(|it| it.status == SubscriptionStatus::Unpaid);
        for subscription in unpaid.clone() {
            stripe.cancel(&subscription.id).await?;
            has_changed = true;
        }
        let is_over = |id: &String| {
            unpaid.clone().any(|it| it.id == *id)
                || !bought.iter().any(|it| it.id == *id && it.is_open())
        };
        let open = invoices.iter().filter(|it| it.status == InvoiceStatus::Open);
        for invoice in open.filter(|it| it.subscription.as_ref().is_some_and(is_over)) {
            stripe.void(&invoice.id).await?;
            has_changed = true;
        }
        if has_changed {
            sync(app, customer, now).await?;
        }
    }
    if is_left_out(task, restored, ended_at.unwrap_or(task.created_at), worked) {
        return Ok(());
    }
    let mail = mails::ended(&app.config.service.public_url, unpaid, account.plan_at(now));
    app.mailer.tell(account, (Kind::Plan, None), mail, now).await.map(drop)
}

/// Reminds of an overdue payment, or ends its subscription once the grace is over.
async fn dun(
    app: &App,
    account: &Account,
    task: &Task,
    (subscription, since, sent): (&str, i64, u32),
    now: OffsetDateTime,
) -> Result<(), Error> {
    let is_it = |it: &&accounts::Subscription| it.id == subscription && it.past_due_since.is_some();
    let Some(overdue) = account.subscription.as_ref().filter(is_it) else {
        // Paid or ended; were it overdue again, the next reading of Stripe would say so.
        return remove(&app.store, task).await;
    };
    let (sent, next_at, mail) = match step(since, sent, now) {
        Step::Mail { sent: count, next_at } => {
            let url = &app.config.service.public_url;
            let requests = overdue.quota_at(now).unwrap_or_default();
            (count, next_at, Some(mails::overdue(url, overdue, requests, (since, sent))))
        }
        Step::Wait { next_at } => (sent, next_at, None),
        Step::End => return end_overdue(app, account, task, subscription, now).await,
    };
    match mail {
        // An address that takes no mail must not keep the next one, or the end, from coming.
        Some(_) if task.attempts >= GIVE_UP_MAILING => {
            tracing::error!(task = %task.task, "a reminder could not be mailed and is left out");
        }
        // One that is not sent counts as sent: the end comes all the same.
        Some(mail) => app.mailer.tell(account, (Kind::Overdue, None), mail, now).await.map(drop)?,
        None => {}
    }
    let subscription = subscription.to_owned();
    let after = Task {
        work: Work::Dunning { subscription, since, sent },
        next_at: Some(next_at),
        attempts: 0,
        ..task.clone()
    };
    task::save(&app.store, &after, task).await.map(drop)
}

async fn end_overdue(
    app: &App,
    account: &Account,
    task: &Task,
    subscription: &str,
    now: OffsetDateTime,
) -> Result<(), Error> {
    let Some(customer) = &account.customer else { return remove(&app.store, task).await };
    // The payment may have come in at last, and only its event be late.
    sync(app, customer, now).await?;
    if task::load(&app.store, &task.account, &task.task).await?.is_none() {
        return Ok(());
    }
    // Not the invoice first: without one that is open, the subscription would go on as if it were paid.
    // It is withdrawn with the mail about the end, which is made by reading the end back.
    app.stripe().await?.cancel(subscription).await?;
    sync(app, customer, now).await?;
    remove(&app.store, task).await
}

/// The task is done.
async fn remove(store: &Store, task: &Task) -> Result<(), Error> {
    store
        .client()
        .delete_item()
        .table_name(store.name(Table::BillingTasks))
        .key("account", s(task.account.to_string()))
        .key("task", s(&task.task))
        .send()
        .await
        .map(drop)
        .map_err(unavailable)
}
