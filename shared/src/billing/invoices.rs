//! A customer's invoices, as our own records tell them: those stay as they were, whatever Stripe shows later.

use std::{collections::HashSet, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::{
    record::{self, Record, RecordKind, RecordLine},
    views::instant,
};
use crate::{
    app::App,
    error::{Error, InputError},
    ids::AccountId,
    plans::Plan,
    store::Store,
    video::limit,
};

/// Longest wait for Stripe's addresses of an invoice: it is shown without them as well.
const LONGEST: Duration = Duration::from_secs(4);

/// Longest id of an invoice.
const MAX_ID: usize = 64;

/// A page of invoices.
#[derive(Debug, Serialize, ToSchema)]
pub struct InvoiceList {
    /// Newest first.
    pub invoices: Vec<InvoiceView>,
    /// Asks for the next page; `null` on the last one.
    #[schema(required = true, example = "MTc5NTUyMTYwMCBpbl9FeGFtcGxlMDAwMQ")]
    pub next_cursor: Option<String>,
}

/// Where an invoice stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum InvoiceState {
    /// To be paid.
    Open,
    /// Paid, in money or from the balance.
    Paid,
    /// Withdrawn.
    Void,
    /// Given up.
    Uncollectible,
}

/// An invoice. Amounts are in hundredths of the currency.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct InvoiceView {
    /// Its id.
    #[schema(example = "in_Example0001")]
    pub id: String,
    /// Its number; `null` if it has none.
    #[schema(required = true, example = "EXAMPLE-0001")]
    pub number: Option<String>,
    /// Where it stands.
    #[schema(example = "paid")]
    pub status: InvoiceState,
    /// When it was issued.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime, example = "2026-11-15T10:30:00Z")]
    pub issued_at: OffsetDateTime,
    /// When it was paid; `null` if it was not.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(required = true, value_type = Option<String>, format = DateTime, example = "2026-11-15T10:30:04Z")]
    pub paid_at: Option<OffsetDateTime>,
    /// With taxes; negative for a credit.
    #[schema(example = 2_000)]
    pub total_cents: i64,
    /// Of it, taxes.
    #[schema(example = 0)]
    pub tax_cents: i64,
    /// What your balance has paid of it; negative: what it has added to your balance.
    #[schema(example = 0)]
    pub from_balance_cents: i64,
    /// What was paid for it in money.
    #[schema(example = 2_000)]
    pub paid_cents: i64,
    /// What credit notes have taken off it since.
    #[schema(example = 0)]
    pub credited_cents: i64,
    /// Of what was paid for it, given back.
    #[schema(example = 0)]
    pub refunded_cents: i64,
    /// ISO 4217, lower case.
    #[schema(example = "usd")]
    pub currency: String,
    /// The plan that it pays for; `null` if it is for none.
    #[schema(required = true, example = "pro")]
    pub plan: Option<Plan>,
    /// What it is for.
    pub lines: Vec<InvoiceLine>,
}

/// A line of an invoice.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct InvoiceLine {
    /// What it is for.
    #[schema(example = "TikTok Video Intelligence API, pro")]
    pub description: String,
    /// Negative for a credit.
    #[schema(example = 2_000)]
    pub amount_cents: i64,
    /// First instant of the time that it pays for.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(required = true, value_type = Option<String>, format = DateTime, example = "2026-11-15T10:30:00Z")]
    pub from: Option<OffsetDateTime>,
    /// First instant after it.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(required = true, value_type = Option<String>, format = DateTime, example = "2026-12-15T10:30:00Z")]
    pub to: Option<OffsetDateTime>,
    /// The plan that it pays for; `null` if it is for none.
    #[schema(required = true, example = "pro")]
    pub plan: Option<Plan>,
}

/// One invoice, with Stripe's addresses of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct InvoiceDetail {
    #[serde(flatten)]
    invoice: InvoiceView,
    /// Page where it can be looked at and paid; `null` if Stripe does not tell.
    #[schema(
        required = true,
        format = "uri",
        example = "https://invoice.stripe.com/i/acct_Example/test_Example0001"
    )]
    page_url: Option<String>,
    /// As a file; `null` if Stripe does not tell.
    #[schema(
        required = true,
        format = "uri",
        example = "https://pay.stripe.com/invoice/acct_Example/test_Example0001/pdf"
    )]
    pdf_url: Option<String>,
}

/// A page of the account's invoices. All are read for it: where one stands follows from records that come
/// later, and in 7 years there are some hundred of them.
pub async fn list_invoices(
    store: &Store,
    account: &AccountId,
    count: Option<u64>,
    cursor: Option<&str>,
) -> Result<InvoiceList, Error> {
    let count = usize::try_from(limit(count)?).unwrap_or(usize::MAX);
    let after = cursor.map(Position::read).transpose()?;
    Ok(page(invoices(&record::of_account(store, account).await?), count, after))
}

/// One invoice of the account's.
pub async fn invoice(app: &App, account: &AccountId, id: &str) -> Result<InvoiceDetail, Error> {
    let is_id = |text: &str| {
        text.strip_prefix("in_").is_some_and(|it| {
            !it.is_empty() && it.len() <= MAX_ID && it.bytes().all(|it| it.is_ascii_alphanumeric())
        })
    };
    if !is_id(id) {
        let reason = "must be the id of an invoice, as `GET /v1/billing/invoices` lists it";
        return Err(InputError::field("invoice_id", reason).into());
    }
    let all = invoices(&record::of_account(&app.store, account).await?);
    let invoice = all.into_iter().find(|it| it.id == id).ok_or(Error::NotFound("invoice"))?;
    let asked = async { app.stripe().await?.invoice(id).await };
    let found = match tokio::time::timeout(LONGEST, asked).await {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => {
            tracing::warn!(error = %error, "an invoice is shown without Stripe's addresses");
            None
        }
        Err(_) => {
            tracing::warn!("an invoice is shown without Stripe's addresses: no answer in time");
            None
        }
    };
    let (page_url, pdf_url) = found.map_or((None, None), |it| (it.page, it.pdf));
    Ok(InvoiceDetail { invoice, page_url, pdf_url })
}

/// The invoices that `records` tell of, newest first.
fn invoices(records: &[Record]) -> Vec<InvoiceView> {
    let issued = records.iter().filter(|it| it.kind == RecordKind::Invoice);
    let mut all: Vec<_> = issued.filter_map(|it| view(it, records)).collect();
    all.sort_by_key(|it| std::cmp::Reverse(Position::of(it)));
    all
}

fn view(issued: &Record, records: &[Record]) -> Option<InvoiceView> {
    let of_it = |kind| records.iter().find(|it| it.kind == kind && it.source == issued.source);
    let paid = of_it(RecordKind::Receipt);
    let status = if paid.is_some() {
        // Also one that had been given up.
        InvoiceState::Paid
    } else if of_it(RecordKind::Void).is_some() {
        InvoiceState::Void
    } else if of_it(RecordKind::WrittenOff).is_some() {
        InvoiceState::Uncollectible
    } else {
        InvoiceState::Open
    };
    let is_payment =
        |it: &&Record| it.kind == RecordKind::Payment && it.of.as_ref() == Some(&issued.source);
    let payments: HashSet<&str> =
        records.iter().filter(is_payment).map(|it| it.source.as_str()).collect();
    let refunded =
        records.iter().filter(|it| it.of.as_deref().is_some_and(|of| payments.contains(of)));
    let refunded_cents = refunded
        .map(|it| match it.kind {
            RecordKind::Refund => it.amount_cents,
            RecordKind::RefundFailed => -it.amount_cents,
            _ => 0,
        })
        .sum();
    let from_balance_cents = issued.balance_cents.unwrap_or_default();
    // Older records do not say what was paid in money.
    let in_money = |it: &Record| it.paid_cents.unwrap_or(it.amount_cents.max(0));
    let notes = records.iter().filter(|it| it.of.as_ref() == Some(&issued.source));
    let credited_cents = notes
        .map(|it| match it.kind {
            RecordKind::CreditNote => it.amount_cents,
            RecordKind::CreditNoteVoid => -it.amount_cents,
            _ => 0,
        })
        .sum();
    Some(InvoiceView {
        id: issued.source.clone(),
        number: issued.number.clone(),
        status,
        issued_at: instant(Some(issued.issued_at))?,
        paid_at: instant(paid.map(|it| it.issued_at)),
        total_cents: issued.amount_cents,
        tax_cents: issued.tax_cents.unwrap_or_default(),
        from_balance_cents,
        paid_cents: paid.map_or(0, in_money),
        credited_cents,
        refunded_cents,
        currency: issued.currency.clone(),
        plan: issued.plan(),
        lines: issued.lines.iter().map(line).collect(),
    })
}

fn line(it: &RecordLine) -> InvoiceLine {
    InvoiceLine {
        description: it.description.clone(),
        amount_cents: it.cents,
        from: instant(Some(it.from)),
        to: instant(Some(it.to)),
        plan: it.plan,
    }
}

/// Up to `count` of `all` after the place `after`.
fn page(all: Vec<InvoiceView>, count: usize, after: Option<Position>) -> InvoiceList {
    let is_left = |it: &InvoiceView| after.as_ref().is_none_or(|after| Position::of(it) < *after);
    let mut invoices: Vec<_> = all.into_iter().filter(is_left).collect();
    let is_last = invoices.len() <= count;
    invoices.truncate(count);
    let next = invoices.last().filter(|_| !is_last).map(|it| Position::of(it).cursor());
    InvoiceList { invoices, next_cursor: next }
}

/// An invoice's place among all: one that is issued later comes before it, and moves nothing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Position {
    issued_at: i64,
    id: String,
}

impl Position {
    fn of(it: &InvoiceView) -> Self {
        Self { issued_at: it.issued_at.unix_timestamp(), id: it.id.clone() }
    }

    fn cursor(&self) -> String {
        URL_SAFE_NO_PAD.encode(format!("{} {}", self.issued_at, self.id))
    }

    fn read(cursor: &str) -> Result<Self, InputError> {
        let read = || {
            let bytes = URL_SAFE_NO_PAD.decode(cursor).ok().filter(|it| it.len() <= 128)?;
            let text = String::from_utf8(bytes).ok()?;
            let (issued_at, id) = text.split_once(' ')?;
            Some(Self { issued_at: issued_at.parse().ok()?, id: id.to_owned() })
        };
        let reason = "must be a `next_cursor` of an earlier answer";
        read().ok_or_else(|| InputError::field("cursor", reason))
    }
}

#[cfg(test)]
mod tests;
