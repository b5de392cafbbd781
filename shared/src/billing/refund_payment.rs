//! Pays refunds that were approved. Each step can be done again: whoever dies is followed by the next
//! decision of the operator, or by `work-billing`.

use serde_json::json;
use time::OffsetDateTime;

use super::{
    mails, record,
    refund::{credited, owed},
    stripe::{Failed, InvoiceStatus, Stripe},
    sync,
    task::{self, RefundRequest, RefundState, Task, Work},
};
use crate::{accounts::Account, app::App, audit, error::Error, mail::Kind};

/// The audit chain of decisions about billing. It names nobody.
pub const CHAIN: &str = "billing";

/// Pays the approved refund in `task`, ends the plan that it was paid for, and says so. `account` is `None`
/// where it is gone: the money is owed all the same.
pub(super) async fn pay(
    app: &App,
    account: Option<&Account>,
    task: &Task,
    now: OffsetDateTime,
) -> Result<RefundRequest, Error> {
    let Work::Refund(request) = &task.work else {
        return Err(Error::internal("the task is not a refund"));
    };
    if request.state != RefundState::Approved {
        return Err(Error::internal("the refund is not approved"));
    }
    let stripe = app.stripe().await?;
    let (task, given) = give_back(app, &stripe, task, request).await?;
    let request = &given;
    end_plan(&stripe, account, request, now).await?;
    if let Some(customer) = account.and_then(|it| it.customer.as_deref()) {
        sync(app, customer, now).await?;
    }
    let paid = RefundRequest { state: RefundState::Paid, ..request.clone() };
    if let Some(account) = account {
        let mail = mails::refund_approved(&paid);
        if let Err(error) = app.mailer.tell(account, (Kind::Refund, None), mail, now).await {
            // An address that takes no mail must not keep it open; the refund's record is mailed besides.
            tracing::warn!(error = %error, "a refund could not be mailed");
        }
    }
    note(app, &paid, "paid", now).await?;
    let mut closed = Task { work: Work::Refund(paid.clone()), ..task.clone() };
    closed.close(now);
    // Where another run has closed it meanwhile, it has closed it in the same way.
    task::save(&app.store, &closed, &task).await?;
    Ok(paid)
}

/// A refund ends the plan. Its invoice is of one subscription, whatever was bought since. What else was paid
/// for it, a larger plan or another month, is not given back with it and runs out with its period.
async fn end_plan(
    stripe: &Stripe,
    account: Option<&Account>,
    request: &RefundRequest,
    now: OffsetDateTime,
) -> Result<(), Error> {
    let invoice = stripe.invoice(&request.invoice).await?;
    let Some(subscription) = invoice.and_then(|it| it.subscription) else { return Ok(()) };
    let paid_besides = match account.and_then(|it| it.customer.as_deref()) {
        Some(customer) => {
            let invoices = stripe.invoices(customer).await?;
            let mut others = invoices.iter().filter(|it| it.id != request.invoice);
            others.any(|it| {
                it.subscription.as_ref() == Some(&subscription)
                    && it.status == InvoiceStatus::Paid
                    && it.total_cents > 0
                    && it.lines.iter().any(|it| it.period.end > now.unix_timestamp())
            })
        }
        None => false,
    };
    if !paid_besides {
        return stripe.cancel(&subscription).await;
    }
    // Another one each time: to set it again does nothing, and a failure would be remembered with it.
    let key = format!("refunded {} {}", request.invoice, now.unix_timestamp());
    stripe.cancel_at_period_end(&subscription, true, &key).await.map(drop)
}

/// Enters into the audit trail what became of a refund. Without the reason, which may name somebody: this
/// cannot be taken back for seven years.
pub(super) async fn note(
    app: &App,
    request: &RefundRequest,
    act: &str,
    now: OffsetDateTime,
) -> Result<(), Error> {
    let RefundRequest { invoice, cents, currency, .. } = request;
    let details = json!({ "refund": invoice, "cents": cents, "currency": currency });
    audit::append(&app.store, CHAIN, now, act, &details).await.map(drop)
}

/// Gives back what is still owed of it: the task, and the request with what it came to. What was given back or
/// credited since it was asked for counts, by whomever: the operator may have done it at Stripe, and Stripe forgets a
/// key after a while.
async fn give_back(
    app: &App,
    stripe: &Stripe,
    task: &Task,
    request: &RefundRequest,
) -> Result<(Task, RefundRequest), Error> {
    let made = stripe.refunds(&request.charge).await?;
    let records = record::of_account(&app.store, &task.account).await?;
    let credited = credited(&records, &request.invoice);
    let owed = owed(request, &made, credited);
    // What was credited since is none of what is given back.
    let since = (credited - request.credited_cents).clamp(0, request.cents);
    let given = RefundRequest { cents: request.cents - since, ..request.clone() };
    if owed == 0 {
        return Ok((task.clone(), given));
    }
    // Another key after each that has failed, and after each answer that it cannot be paid: the same one would be
    // answered as before. Never another one where no answer came: it may have been paid.
    let key = match request.failures {
        0 => format!("refund {} {}", request.invoice, made.len()),
        failures => format!("refund {} {} {failures}", request.invoice, made.len()),
    };
    match stripe.refund(&request.charge, owed, &key).await {
        Ok(refund) if refund.has_failed() => Err(Error::internal("Stripe could not pay a refund")),
        Ok(_) => Ok((task.clone(), given)),
        Err(Failed { error, is_answered }) => {
            if is_answered {
                let failures = request.failures + 1;
                let work = Work::Refund(RefundRequest { failures, ..request.clone() });
                task::save(&app.store, &Task { work, ..task.clone() }, task).await?;
            }
            Err(error)
        }
    }
}
