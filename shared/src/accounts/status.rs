//! Suspending an account, or letting it go on: the operator's decision.

use serde::Serialize;
use serde_json::json;
use time::OffsetDateTime;

use super::{
    Status,
    store::{get, note_told, set_status as store_status},
};
use crate::{
    app::App,
    audit,
    error::Error,
    ids::AccountId,
    mail::{Kind, Mail},
};

/// Audit chain of these decisions.
const CHAIN: &str = "account-status";

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Set {
    /// The account's status now.
    pub status: Status,
    /// Whether it had another one before.
    pub changed: bool,
}

/// Makes `status` the account's: in the table first, then in the gate, so that it acts on the next request;
/// then the customer is told, with `reason`. If it fails anywhere, doing it again makes up for it; the mail
/// is sent once for each change.
pub async fn set_status(
    app: &App,
    id: &AccountId,
    status: Status,
    reason: &str,
    now: OffsetDateTime,
) -> Result<Set, Error> {
    let reason = reason.trim();
    if reason.is_empty() {
        return Err(Error::internal("the event is not valid: `reason` is empty"));
    }
    if status == Status::Erasing {
        return Err(Error::internal("the event is not valid: `status` is active or suspended"));
    }
    let changed = store_status(&app.store, id, status, now).await?;
    app.gate.invalidate_now(id).await?;
    let set = Set { status, changed };
    // The account is in no link: what it was about is found by the file that the reason names.
    let details = json!({ "status": status, "changed": changed, "reason": reason });
    audit::append(&app.store, CHAIN, now, "set", &details).await?;
    let account = get(&app.store, id).await?.ok_or(Error::NotFound("account"))?;
    if account.status_untold && account.status == status {
        let mail = mail(status, reason, &app.config.service.support_address);
        app.mailer.tell(&account, (Kind::Suspension, None), mail, now).await?;
        note_told(&app.store, id, status).await?;
    }
    Ok(set)
}

fn mail(status: Status, reason: &str, support: &str) -> Mail {
    if status.is_served() {
        let text = "Your account is active again: your API keys work as before.".to_owned();
        return Mail::of("Your account is active again", &[text, format!("Reason: {reason}")]);
    }
    Mail::of(
        "Your account is suspended",
        &[
            "We have suspended your account. Requests with your API keys are refused until that is over."
                .to_owned(),
            format!("Reason: {reason}"),
            format!(
                "With your key you can still ask for a copy of your data, for the deletion of your account, and \
                 for your invoices, and open the payment page to end a subscription. If you think that this is \
                 wrong, write to {support}."
            ),
        ],
    )
}
