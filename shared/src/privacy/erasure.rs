//! Erasing an account: a saga of small steps, each recorded when it is done, each safe to repeat. It may
//! be killed between any two calls; the next run goes on. Whatever is found again at the end stops it:
//! it never says "done" when it is not.

use std::time::Instant;

use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use time::{Duration, OffsetDateTime};

use super::{
    erasable::{DELETED, STRIPPED, Subject},
    export,
    holds::is_held,
    ledger, mails, payments, redaction,
    request::{Kind, Request, State, WaitsFor, save},
    work::{GIVE_UP_MAILING, HELD_FOR, Processed, work_off},
};
use crate::{
    accounts::{self, Status},
    app::App,
    audit,
    billing::task::awaits_refund,
    error::Error,
    gate,
    inventory::Table,
    mail,
    store::{Conditional, Store, conditional, n, s},
    usage,
};

/// How long after the account is suspended data is deleted: whatever was on its way has arrived by then,
/// and is deleted with the rest.
const SETTLE: Duration = Duration::minutes(5);

/// How long after the stream is empty: longer than a roll-up may run.
const QUIET: Duration = Duration::minutes(2);

/// The steps, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// No key works any more.
    Suspend,
    /// Nothing more is charged.
    Billing,
    /// What was on its way has arrived.
    Settle,
    /// No roll-up is at work any more that could have read it before.
    Quiet,
    /// What was paid is written down, and the payment processor has no customer any more.
    Customer,
    /// Nothing is left in the cache.
    Cache,
    /// No copy is left or on its way.
    Exports,
    /// Nothing is left in one table.
    Delete(Table),
    /// What stays names nobody.
    Strip,
    /// Nothing has come back.
    Check,
    /// The account is gone, and the ledger says so.
    Close,
    /// The certificate has been sent, and with it the address is gone.
    Certify,
}

impl Step {
    fn all() -> impl Iterator<Item = Self> {
        let first = [
            Self::Suspend,
            Self::Billing,
            Self::Settle,
            Self::Quiet,
            Self::Customer,
            Self::Cache,
            Self::Exports,
        ];
        let last = [Self::Strip, Self::Check, Self::Close, Self::Certify];
        first.into_iter().chain(DELETED.map(Self::Delete)).chain(last)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Suspend => "suspend",
            Self::Billing => "billing",
            Self::Settle => "settle",
            Self::Quiet => "quiet",
            Self::Customer => "customer",
            Self::Cache => "cache",
            Self::Exports => Table::Exports.name(),
            Self::Delete(table) => table.name(),
            Self::Strip => STRIPPED.name(),
            Self::Check => "check",
            Self::Close => "close",
            Self::Certify => "certify",
        }
    }
}

/// What a step came to.
enum Outcome {
    Done,
    /// Not yet: look again at this time.
    Wait(OffsetDateTime),
}

/// Takes every erasure whose time has come as far as it goes, and what earlier ones have left to be done.
/// One that fails stops no other.
pub async fn process(
    app: &App,
    now: OffsetDateTime,
    deadline: Instant,
) -> Result<Processed, Error> {
    let erasures = work_off(app, Kind::Erasure, now, deadline, |app, request, now, deadline| {
        Box::pin(advance(app, request, now, deadline))
    });
    let erasures = erasures.await?;
    Ok(erasures.and(redaction::process(app, now, deadline).await?))
}

async fn advance(
    app: &App,
    erasure: &mut Request,
    now: OffsetDateTime,
    deadline: Instant,
) -> Result<(), Error> {
    for step in Step::all() {
        if erasure.done.contains_key(step.name()) {
            continue;
        }
        // Looked at before each step, so that a hold acts at once.
        if is_held(&app.store, &erasure.account).await? {
            erasure.state = State::OnHold;
            erasure.next_at = Some((now + HELD_FOR).unix_timestamp());
            save(&app.store, erasure).await?;
            if erasure.done.contains_key(Step::Billing.name()) {
                return Ok(());
            }
            return payments::stop_renewals(app, &erasure.account, now).await;
        }
        if erasure.state != State::Running {
            // Before anything happens: from here on it cannot be cancelled.
            erasure.state = State::Running;
            save(&app.store, erasure).await?;
        }
        match run(app, erasure, step, now, deadline).await? {
            Outcome::Wait(until) => {
                erasure.next_at = Some(until.unix_timestamp());
                return save(&app.store, erasure).await;
            }
            Outcome::Done => {
                erasure.done.insert(step.name().to_owned(), now.unix_timestamp());
                erasure.waits_for = None;
                // Deleting may be a second try after something had come back.
                if !matches!(step, Step::Exports | Step::Delete(_) | Step::Strip) {
                    erasure.attempts = 0;
                }
                if step == Step::Certify {
                    erasure.close(State::Done, now);
                }
                save(&app.store, erasure).await?;
            }
        }
    }
    Ok(())
}

async fn run(
    app: &App,
    erasure: &mut Request,
    step: Step,
    now: OffsetDateTime,
    deadline: Instant,
) -> Result<Outcome, Error> {
    let store = &app.store;
    match step {
        Step::Suspend => suspend(app, erasure).await?,
        // Money that was asked back must not be forgotten with who asked for it.
        Step::Billing | Step::Customer if awaits_refund(store, &erasure.account).await? => {
            payments::stop_renewals(app, &erasure.account, now).await?;
            // Stored with the time of the next look.
            erasure.waits_for = Some(WaitsFor::Refund);
            return Ok(Outcome::Wait(now + Duration::hours(1)));
        }
        Step::Billing => payments::stop(app, &erasure.account, now).await?,
        Step::Settle => {
            if let Some(until) = wait_after(erasure, Step::Suspend, SETTLE, now)? {
                return Ok(Outcome::Wait(until));
            }
            if usage::is_waiting(&app.redis, &erasure.account).await? {
                // The roll-up has not come to it yet.
                return Ok(Outcome::Wait(now + Duration::minutes(1)));
            }
        }
        Step::Quiet => {
            if let Some(until) = wait_after(erasure, Step::Settle, QUIET, now)? {
                return Ok(Outcome::Wait(until));
            }
        }
        Step::Customer => payments::delete_customer(app, erasure, now).await?,
        Step::Cache => gate::forget(&app.redis, &erasure.account).await?,
        Step::Exports => {
            if !erasure.found.contains_key(step.name()) {
                let count = export::count(app, &erasure.account).await?;
                erasure.found.insert(step.name().to_owned(), count);
                save(store, erasure).await?;
            }
            export::cancel(app, &erasure.account, now).await?;
            export::remove(app, &erasure.account).await?;
        }
        Step::Delete(table) => {
            let subject = subject(store, erasure, now).await?;
            // Counted before anything is deleted, so that a run that was killed does not count anew.
            if !erasure.found.contains_key(table.name()) {
                let count = subject.count(store, table).await?;
                erasure.found.insert(table.name().to_owned(), count);
                save(store, erasure).await?;
            }
            if !subject.delete(store, table, deadline).await? {
                return Ok(Outcome::Wait(now));
            }
        }
        Step::Strip => {
            let subject = subject(store, erasure, now).await?;
            let count = subject.count(store, STRIPPED).await?;
            erasure.found.insert(STRIPPED.name().to_owned(), count);
            subject.strip(store).await?;
        }
        Step::Check => {
            let subject = subject(store, erasure, now).await?;
            let mut again = Vec::new();
            for table in DELETED {
                if subject.count(store, table).await? > 0 {
                    // It is deleted again, and then looked for again.
                    erasure.done.remove(Step::Delete(table).name());
                    again.push(table.name());
                }
            }
            if export::count(app, &erasure.account).await? > 0 {
                erasure.done.remove(Step::Exports.name());
                again.push(Step::Exports.name());
            }
            if subject.is_named(store).await? {
                // Written down by whoever was at it since.
                erasure.done.remove(Step::Strip.name());
                again.push(STRIPPED.name());
            }
            if !again.is_empty() {
                let detail = format!("something has come back into {}", again.join(", "));
                return Err(Error::internal(detail));
            }
        }
        Step::Close => close(store, erasure, now).await?,
        Step::Certify => certify(app, erasure, now).await?,
    }
    Ok(Outcome::Done)
}

async fn subject(store: &Store, erasure: &Request, now: OffsetDateTime) -> Result<Subject, Error> {
    Subject::new(store, erasure.account.clone(), erasure.opened_at, now).await
}

/// When `pause` after the step `after` is over, if it is not yet.
fn wait_after(
    erasure: &Request,
    after: Step,
    pause: Duration,
    now: OffsetDateTime,
) -> Result<Option<OffsetDateTime>, Error> {
    let done = erasure.done.get(after.name()).copied().unwrap_or_default();
    let until = OffsetDateTime::from_unix_timestamp(done).map_err(Error::internal)? + pause;
    Ok((now < until).then_some(until))
}

/// Lets no key work any more: in the tables first, then in the gate.
async fn suspend(app: &App, erasure: &Request) -> Result<(), Error> {
    let answer = app
        .store
        .client()
        .update_item()
        .table_name(app.store.name(Table::Accounts))
        .key("id", s(erasure.account.to_string()))
        .update_expression("SET #status = :status ADD gate_version :one")
        .condition_expression("erasure = :request")
        .expression_attribute_names("#status", "status")
        .expression_attribute_values(":status", s(Status::Erasing.name()))
        .expression_attribute_values(":one", n(1))
        .expression_attribute_values(":request", s(erasure.id.to_string()))
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
        .send()
        .await;
    // An account that is not there lost its item in a restore; what else there is of it goes all the same.
    if let Conditional::Refused(Some(_)) = conditional(answer)? {
        return Err(Error::internal("the account does not know of this request"));
    }
    app.gate.invalidate_now(&erasure.account).await
}

async fn close(store: &Store, erasure: &Request, now: OffsetDateTime) -> Result<(), Error> {
    for _ in 0..10 {
        if ledger::find(store, &erasure.id).await?.is_some() {
            return Ok(());
        }
        let marker = match accounts::get(store, &erasure.account).await? {
            Some(account) => accounts::own_marker(store, &account).await?,
            None => None,
        };
        let sequence = ledger::head(store).await? + 1;
        let (id, account) = (erasure.id.clone(), erasure.account.clone());
        let entry = ledger::Entry::new(id, account, erasure.opened_at, now, sequence);
        if ledger::close(store, &entry, marker).await? {
            return Ok(());
        }
    }
    Err(Error::Unavailable { dependency: "DynamoDB", detail: "the ledger kept growing".to_owned() })
}

async fn certify(app: &App, erasure: &mut Request, now: OffsetDateTime) -> Result<(), Error> {
    // Who went on asking meanwhile may have left a trace there.
    gate::forget(&app.redis, &erasure.account).await?;
    let mut mailed = erasure.email.is_some();
    if let Some(email) = &erasure.email {
        let remainder = payments::remainder(&app.store, erasure).await?;
        let mail = mails::certificate(&app.config.service, erasure, remainder.as_ref());
        let about = erasure.id.to_string();
        if let Err(error) =
            app.mailer.send(email, (mail::Kind::Certificate, Some(&about)), mail).await
        {
            // An address that takes no mail must not be kept for it.
            if erasure.attempts < GIVE_UP_MAILING {
                return Err(error);
            }
            tracing::warn!(error = %error, request = %erasure.id, "a certificate was not mailed");
            mailed = false;
        }
    }
    let details = serde_json::json!({
        "request": erasure.id.to_string(), "found": erasure.found, "mailed": mailed,
    });
    audit::append(&app.store, "erasures", now, "erased", &details).await?;
    erasure.email = None;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{super::request::BEFORE_DELETING, *};
    use crate::inventory::{CATEGORIES, Erasure as Rule, Place};

    #[test]
    fn what_comes_before_deleting_is_what_comes_first() {
        let names: Vec<_> = Step::all().map(Step::name).collect();
        assert_eq!(names[..BEFORE_DELETING.len()], BEFORE_DELETING);
        assert_eq!(names[BEFORE_DELETING.len()], Step::Cache.name());
    }

    #[test]
    fn the_saga_covers_what_the_inventory_says() {
        // Closing deletes the account, and exports have a step of their own. Whoever writes sessions
        // brings their step along.
        let elsewhere = [Table::Accounts, Table::Exports, Table::Sessions];
        for category in CATEGORIES.iter() {
            let Place::Table(table) = category.place else { continue };
            match category.erasure {
                Rule::Delete => assert!(
                    DELETED.contains(&table) || elsewhere.contains(&table),
                    "{} is not deleted",
                    category.id
                ),
                Rule::Keep(_) | Rule::Expires | Rule::NotPersonal => {
                    assert!(!DELETED.contains(&table), "{} is deleted", category.id);
                }
            }
        }
    }
}
