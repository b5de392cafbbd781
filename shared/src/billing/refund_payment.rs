//! Pays refunds that were approved. Each step can be done again: whoever dies is followed by the next
//! decision of the operator, or by `work-billing`.

use serde_json::json;
use time::OffsetDateTime;

use super::{
    mails,
    stripe::{Refund, Stripe},
    sync,
    task::{self, RefundRequest, RefundState, Task, Work},
};
use crate::{accounts::Account, app::App, audit, error::Error};

/// The audit chain of decisions about billing. It names nobody.
pub const CHAIN: &str = "billing";

/// Seconds that Stripe's clock may be behind ours.
const CLOCKS_DIFFER: i64 = 5 * 60;

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
    give_back(&stripe, request).await?;
    // A refund ends the plan. Its invoice is of one subscription, whatever was bought since.
    if let Some(subscription) =
        stripe.invoice(&request.invoice).await?.and_then(|it| it.subscription)
    {
        stripe.cancel(&subscription).await?;
    }
    if let Some(customer) = account.and_then(|it| it.customer.as_deref()) {
        sync(app, customer, now).await?;
    }
    let paid = RefundRequest { state: RefundState::Paid, ..request.clone() };
    if let Some(account) = account
        && let Err(error) = app.mailer.send(&account.email, mails::refund_approved(&paid)).await
    {
        // An address that takes no mail must not keep it open; the refund's record is mailed besides.
        tracing::warn!(error = %error, "a refund could not be mailed");
    }
    note(app, &paid, "paid", now).await?;
    let mut closed = Task { work: Work::Refund(paid.clone()), ..task.clone() };
    closed.close(now);
    // Where another run has closed it meanwhile, it has closed it in the same way.
    task::save(&app.store, &closed, task).await?;
    Ok(paid)
}

/// Enters into the audit trail what became of a refund. Without the reason, which may name somebody: this cannot be taken back for seven years.
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

/// Gives the money back, unless that was done: Stripe forgets a key after a while, so that the key alone
/// would not keep it from being paid twice.
async fn give_back(stripe: &Stripe, request: &RefundRequest) -> Result<(), Error> {
    let paid = stripe.refunds(&request.charge).await?;
    if paid.iter().any(|it| is_of(it, request)) {
        return Ok(());
    }
    let key = format!("refund {}", request.invoice);
    let refund = stripe.refund(&request.charge, request.cents, &key).await?;
    match has_failed(&refund) {
        true => Err(Error::internal("Stripe could not pay a refund")),
        false => Ok(()),
    }
}

fn has_failed(refund: &Refund) -> bool {
    matches!(refund.status.as_str(), "failed" | "canceled")
}

/// Whether `refund` is what was approved.
fn is_of(refund: &Refund, request: &RefundRequest) -> bool {
    let since = request.decided_at.unwrap_or(request.asked_at) - CLOCKS_DIFFER;
    refund.cents == request.cents && refund.created >= since && !has_failed(refund)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refund_is_known_again_by_amount_and_time() {
        let request = RefundRequest {
            invoice: "in_1".to_owned(),
            charge: "ch_1".to_owned(),
            cents: 2_000,
            currency: "usd".to_owned(),
            asked_at: 1_000,
            state: RefundState::Approved,
            reason: None,
            decided_at: Some(100_000),
        };
        let refund = |cents, created, status: &str| Refund {
            id: "re_1".to_owned(),
            cents,
            currency: "usd".to_owned(),
            created,
            status: status.to_owned(),
        };
        for status in ["succeeded", "pending", "requires_action"] {
            assert!(is_of(&refund(2_000, 100_000, status), &request), "{status}");
        }
        assert!(is_of(&refund(2_000, 100_000 - CLOCKS_DIFFER, "succeeded"), &request));
        assert!(!is_of(&refund(2_000, 100_000 - CLOCKS_DIFFER - 1, "succeeded"), &request));
        assert!(!is_of(&refund(1_999, 100_000, "succeeded"), &request));
        for status in ["failed", "canceled"] {
            assert!(!is_of(&refund(2_000, 100_000, status), &request), "{status}");
        }
    }
}
