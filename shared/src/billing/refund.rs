//! Refunds of the first purchase: all of it within 7 days, half until day 14, nothing after. The customer
//! asks, the operator decides.

use serde::Serialize;
use time::{Duration, OffsetDateTime};
use utoipa::ToSchema;

use super::{
    BillingError,
    queue::REFUND,
    record::{self, Record, RecordKind, RecordLine},
    stripe::Refund,
    task::{self, OPERATOR, RefundRequest, RefundState, Task, WORK, Work},
};
use crate::{
    accounts::Account,
    error::Error,
    privacy::{Act, instant, noting},
    store::{Store, transact},
};

/// Until so long after the first purchase, everything is given back…
const FULL_WITHIN: Duration = Duration::days(7);
/// …and until so long, half of it.
const HALF_WITHIN: Duration = Duration::days(14);

/// How much of the first purchase is given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// All of it.
    Full,
    /// Half of it.
    Half,
}

/// The share that is given back to who asks at `now`, having paid first at `first_paid_at` (epoch seconds).
pub fn share(first_paid_at: i64, now: OffsetDateTime) -> Option<Share> {
    let since = Duration::seconds(now.unix_timestamp().saturating_sub(first_paid_at));
    if since <= FULL_WITHIN {
        Some(Share::Full)
    } else if since <= HALF_WITHIN {
        Some(Share::Half)
    } else {
        None
    }
}

impl Share {
    /// What of `paid` (minor units) is still to be given back, after `returned`. Half of an odd amount is
    /// rounded up.
    pub fn of(self, paid: i64, returned: i64) -> i64 {
        let paid = paid.max(0);
        let due = match self {
            Self::Full => paid,
            Self::Half => paid - paid / 2,
        };
        due.saturating_sub(returned.max(0)).max(0)
    }
}

/// What of `request` is still to be given back after `made`, in minor units, where `credited` was credited in all.
/// Whatever was given back or credited since it was asked for counts, by whomever.
pub(super) fn owed(request: &RefundRequest, made: &[Refund], credited: i64) -> i64 {
    let given: i64 = made.iter().filter(|it| !it.has_failed()).map(|it| it.cents).sum();
    let since = (credited - request.credited_cents).max(0);
    (request.returned_cents + request.cents - given - since).clamp(0, request.cents)
}

/// What was credited of `invoice`, with taxes: by later invoices for the time that it had paid for, because a larger
/// plan was bought, and by credit notes to the customer's balance.
pub(super) fn credited(records: &[Record], invoice: &str) -> i64 {
    let of_kind = |kind| records.iter().filter(move |it| it.kind == kind);
    let noted: i64 = of_kind(RecordKind::CreditNote)
        .filter(|it| it.of.as_deref() == Some(invoice))
        .map(|it| -it.balance_cents.unwrap_or_default())
        .sum();
    let Some(first) = of_kind(RecordKind::Invoice).find(|it| it.source == invoice) else {
        return noted;
    };
    let paid_for = |line: &RecordLine| {
        let mut paid = first.lines.iter().filter(|it| it.cents > 0);
        line.cents < 0
            && paid.any(|it| it.plan == line.plan && it.from <= line.from && line.to <= it.to)
    };
    let is_paid = |it: &&Record| of_kind(RecordKind::Receipt).any(|paid| paid.source == it.source);
    let later = of_kind(RecordKind::Invoice)
        .filter(|it| it.source != invoice && it.of == first.of && it.of.is_some())
        .filter(is_paid);
    let by_lines: i64 = later
        .map(|it| {
            let cents = it.lines.iter().filter(|line| paid_for(line)).map(|line| -line.cents).sum();
            with_tax(cents, it)
        })
        .sum();
    noted + by_lines
}

/// What of the payment `charge` was given back, by these records.
pub(super) fn returned(records: &[Record], charge: &str) -> i64 {
    let about_it = records.iter().filter(|it| it.of.as_deref() == Some(charge));
    let given =
        about_it.filter(|it| matches!(it.kind, RecordKind::Refund | RecordKind::RefundFailed));
    -given.map(|it| it.kind.money(it.amount_cents)).sum::<i64>()
}

/// `cents` of an invoice's lines with their share of its taxes.
fn with_tax(cents: i64, invoice: &Record) -> i64 {
    let tax = invoice.tax_cents.unwrap_or_default();
    match invoice.amount_cents - tax {
        0 => cents,
        net => cents + cents * tax / net,
    }
}

/// The payment that was an account's first.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Purchase {
    invoice: String,
    charge: String,
    paid_at: i64,
    cents: i64,
    currency: String,
    /// Given back, or taken by the bank.
    gone: i64,
    /// Of it, given back.
    returned: i64,
}

/// The first receipt that money was paid for.
fn first_purchase(records: &[Record]) -> Option<Purchase> {
    let of_kind = |kind| {
        let mut all: Vec<&Record> =
            records.iter().filter(|it| it.kind == kind && it.amount_cents > 0).collect();
        all.sort_by_key(|it| (it.issued_at, &it.record));
        all
    };
    let receipts = of_kind(RecordKind::Receipt);
    let (payment, receipt) = of_kind(RecordKind::Payment).into_iter().find_map(|payment| {
        let is_paid_by = |it: &&&Record| match &payment.of {
            Some(invoice) => it.source == *invoice,
            // Stripe did not say yet what it is for.
            None => it.amount_cents == payment.amount_cents && it.currency == payment.currency,
        };
        Some((payment, *receipts.iter().find(is_paid_by)?))
    })?;
    let moved_by = |kinds: &[RecordKind]| -> i64 {
        let about_it = records.iter().filter(|it| it.of.as_ref() == Some(&payment.source));
        about_it
            .filter(|it| kinds.contains(&it.kind))
            .map(|it| it.kind.money(it.amount_cents))
            .sum()
    };
    let returned = -moved_by(&[RecordKind::Refund, RecordKind::RefundFailed]);
    let taken = -moved_by(&[RecordKind::Dispute, RecordKind::DisputeWon]);
    Some(Purchase {
        invoice: receipt.source.clone(),
        charge: payment.source.clone(),
        paid_at: payment.issued_at,
        cents: payment.amount_cents,
        currency: payment.currency.clone(),
        gone: returned + taken,
        returned,
    })
}

/// A refund, as its customer sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct RefundView {
    /// Its id: that of the invoice which was paid.
    #[schema(example = "in_1QExample00000000000001")]
    pub id: String,
    /// Where it stands.
    pub state: RefundState,
    /// How much, in minor units of `currency`.
    #[schema(example = 2000)]
    pub amount_cents: i64,
    /// ISO 4217 code, lower case.
    #[schema(example = "usd")]
    pub currency: String,
    /// When it was asked for.
    #[schema(format = "date-time", example = "2026-11-24T12:00:00Z")]
    pub asked_at: String,
    /// When it was decided; null until then.
    #[schema(format = "date-time", example = json!(null))]
    pub decided_at: Option<String>,
    /// Why it was refused; null otherwise.
    #[schema(example = json!(null))]
    pub reason: Option<String>,
}

/// The refunds that an account has asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct RefundList {
    /// The oldest first.
    pub refunds: Vec<RefundView>,
}

impl From<&RefundRequest> for RefundView {
    fn from(it: &RefundRequest) -> Self {
        Self {
            id: it.invoice.clone(),
            state: it.state,
            amount_cents: it.cents,
            currency: it.currency.clone(),
            asked_at: instant(it.asked_at),
            decided_at: it.decided_at.map(instant),
            reason: it.reason.clone(),
        }
    }
}

/// Asks for the refund of the account's first purchase; whether it is a new one. Asking again shows where
/// the same one stands.
pub async fn request_refund(
    store: &Store,
    account: &Account,
    now: OffsetDateTime,
) -> Result<(RefundView, bool), Error> {
    let records = record::of_account(store, &account.id).await?;
    let purchase = first_purchase(&records).ok_or(BillingError::RefundOver)?;
    let name = format!("{REFUND}{}", purchase.invoice);
    if let Some(view) = find(store, account, &name, now).await? {
        return Ok((view, false));
    }
    let share = share(purchase.paid_at, now).ok_or(BillingError::RefundOver)?;
    let credited = credited(&records, &purchase.invoice);
    let cents = share.of(purchase.cents, purchase.gone + credited);
    if cents == 0 {
        return Err(BillingError::RefundOver.into());
    }
    let request = RefundRequest {
        invoice: purchase.invoice,
        charge: purchase.charge,
        cents,
        returned_cents: purchase.returned,
        credited_cents: credited,
        failures: 0,
        currency: purchase.currency,
        asked_at: now.unix_timestamp(),
        state: RefundState::Open,
        reason: None,
        decided_at: None,
    };
    let view = RefundView::from(&request);
    let told = Work::RefundMail { cents, currency: request.currency.clone() };
    let mail = Task::new(&account.id, format!("mail#{name}"), told, WORK, now);
    let task = Task::new(&account.id, name, Work::Refund(request), OPERATOR, now);
    // Noted where no backup can undo it: money that was asked back must not be forgotten.
    let act = Act::RefundAsked { refund: Box::new(task.clone()) };
    let items = vec![task.put_new(store)?, mail.put(store)?, noting(store, &account.id, act, now)?];
    if transact(store, items).await?.is_none() {
        return Ok((view, true));
    }
    // Asked for at the same moment.
    let found = find(store, account, &task.task, now).await?;
    Ok((found.unwrap_or(view), false))
}

async fn find(
    store: &Store,
    account: &Account,
    name: &str,
    now: OffsetDateTime,
) -> Result<Option<RefundView>, Error> {
    let found = task::load(store, &account.id, name).await?;
    Ok(found.filter(|it| is_kept(it, now)).and_then(|it| view_of(&it)))
}

/// The refunds that `account` has asked for.
pub async fn refunds_of(
    store: &Store,
    account: &Account,
    now: OffsetDateTime,
) -> Result<RefundList, Error> {
    let tasks = task::of_account(store, &account.id).await?;
    let mut refunds: Vec<RefundView> =
        tasks.iter().filter(|it| is_kept(it, now)).filter_map(view_of).collect();
    refunds.sort_by(|a, b| (&a.asked_at, &a.id).cmp(&(&b.asked_at, &b.id)));
    Ok(RefundList { refunds })
}

fn is_kept(task: &Task, now: OffsetDateTime) -> bool {
    task.expires_at.is_none_or(|at| at > now.unix_timestamp())
}

fn view_of(task: &Task) -> Option<RefundView> {
    match &task.work {
        Work::Refund(request) => Some(request.into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
