//! What the operator decides: refunds, and signs that were looked at.

use serde::{Deserialize, Serialize};
use serde_json::json;
use time::OffsetDateTime;

use super::{
    mails, record,
    refund::{RefundView, credited, owed},
    refund_payment::{CHAIN, note, pay},
    task::{self, OPERATOR, RefundRequest, RefundState, Sign, Task, WORK, Work},
};
use crate::{
    accounts::{self, Status},
    app::App,
    audit,
    error::Error,
    ids::AccountId,
    mail::Kind,
};

/// What the operator says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// The refund is paid.
    Approve,
    /// It is not.
    Refuse,
    /// The sign was looked at.
    Clear,
}

/// What a decision came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Decided {
    /// The refund as it stands.
    Refund(RefundView),
    /// The sign that is closed.
    Cleared {
        /// What was seen.
        cleared: Sign,
    },
}

/// Carries out what was decided on `task` of `account`. The same decision again finishes what was begun and
/// changes nothing else. A refusal needs a `reason`, which goes to the customer.
pub async fn decide(
    app: &App,
    account: &AccountId,
    task: &str,
    decision: Decision,
    reason: Option<String>,
    now: OffsetDateTime,
) -> Result<Decided, Error> {
    let found = task::load(&app.store, account, task).await?.ok_or(Error::NotFound("task"))?;
    match (&found.work, decision) {
        (Work::Refund(request), Decision::Approve) => {
            let request = approve(app, &found, request, now).await?;
            Ok(Decided::Refund(RefundView::from(&request)))
        }
        (Work::Refund(request), Decision::Refuse) => {
            let request = refuse(app, &found, request, reason, now).await?;
            Ok(Decided::Refund(RefundView::from(&request)))
        }
        (Work::Flag { sign, .. }, Decision::Clear) => {
            clear(app, &found, *sign, now).await?;
            Ok(Decided::Cleared { cleared: *sign })
        }
        _ => Err(Error::Conflict("a refund is approved or refused, a sign is cleared")),
    }
}

async fn approve(
    app: &App,
    found: &Task,
    request: &RefundRequest,
    now: OffsetDateTime,
) -> Result<RefundRequest, Error> {
    let account = accounts::get(&app.store, &found.account).await?;
    let account = account.filter(|it| it.status != Status::Erasing);
    let approved = match request.state {
        RefundState::Paid => return Ok(request.clone()),
        RefundState::Refused => return Err(DECIDED_OTHERWISE),
        RefundState::Approved => found.clone(),
        RefundState::Open => {
            let stripe = app.stripe().await?;
            let disputes = stripe.disputes(&request.charge).await?;
            if disputes.iter().any(|it| it.takes_money && !it.is_won) {
                return Err(Error::Conflict(
                    "the payment is disputed, so its bank decides: refuse the refund",
                ));
            }
            let records = record::of_account(&app.store, &found.account).await?;
            let made = stripe.refunds(&request.charge).await?;
            let credited = credited(&records, &request.invoice);
            if credited > request.credited_cents && owed(request, &made, credited) == 0 {
                return Err(Error::Conflict(
                    "nothing is outstanding: a larger plan that was bought since has used all of it; refuse the \
                     refund with that as the reason",
                ));
            }
            let request = RefundRequest {
                state: RefundState::Approved,
                decided_at: Some(now.unix_timestamp()),
                ..request.clone()
            };
            note(app, &request, "approved", now).await?;
            // From here on `work-billing` pays it, whatever becomes of this call.
            let approved = Task {
                work: Work::Refund(request),
                queue: Some(WORK.to_owned()),
                next_at: Some(now.unix_timestamp()),
                ..found.clone()
            };
            if !task::save(&app.store, &approved, found).await? {
                return Err(DECIDED_MEANWHILE);
            }
            approved
        }
    };
    pay(app, account.as_ref(), &approved, now).await
}

async fn refuse(
    app: &App,
    found: &Task,
    request: &RefundRequest,
    reason: Option<String>,
    now: OffsetDateTime,
) -> Result<RefundRequest, Error> {
    match request.state {
        RefundState::Open => {}
        RefundState::Refused => return Ok(request.clone()),
        // Stripe may have refused it for good: it is disputed since, for example.
        RefundState::Approved => {
            let made = app.stripe().await?.refunds(&request.charge).await?;
            if owed(request, &made, request.credited_cents) < request.cents {
                return Err(DECIDED_OTHERWISE);
            }
        }
        RefundState::Paid => return Err(DECIDED_OTHERWISE),
    }
    let Some(reason) = reason.filter(|it| !it.trim().is_empty()) else {
        return Err(Error::Conflict("a refusal needs a `reason`, which the customer reads"));
    };
    let refused = RefundRequest {
        state: RefundState::Refused,
        decided_at: Some(now.unix_timestamp()),
        reason: Some(reason),
        ..request.clone()
    };
    let account = accounts::get(&app.store, &found.account).await?;
    if let Some(account) = account.filter(|it| it.status != Status::Erasing) {
        // Before it is closed: whoever dies here sends the mail once more. An address that takes no mail
        // must not keep it open.
        let mail = mails::refund_refused(&refused, &app.config.service.support_address);
        let about = (Kind::Refund, None);
        if let Err(error) = app.mailer.tell(&account, about, mail, now).await {
            tracing::warn!(error = %error, "a decision could not be mailed");
        }
    }
    note(app, &refused, "refused", now).await?;
    close(app, found, Work::Refund(refused.clone()), now).await?;
    Ok(refused)
}

async fn clear(app: &App, found: &Task, sign: Sign, now: OffsetDateTime) -> Result<(), Error> {
    if found.queue.as_deref() != Some(OPERATOR) {
        return Ok(());
    }
    audit::append(&app.store, CHAIN, now, "cleared", &json!({ "sign": sign })).await?;
    close(app, found, found.work.clone(), now).await
}

async fn close(app: &App, found: &Task, work: Work, now: OffsetDateTime) -> Result<(), Error> {
    let mut closed = Task { work, ..found.clone() };
    closed.close(now);
    match task::save(&app.store, &closed, found).await? {
        true => Ok(()),
        false => Err(DECIDED_MEANWHILE),
    }
}

const DECIDED_OTHERWISE: Error = Error::Conflict("the refund was decided otherwise already");
const DECIDED_MEANWHILE: Error = Error::Conflict("it was decided meanwhile; look at it again");
