//! Reads a customer's state back from Stripe and writes down what follows: the account's subscription, its
//! billing records and what is to be done. Whatever was heard of, and in what order, the same state comes to
//! the same.
//!
//! Two that do it at once cannot leave the older state: the account's `billing_version` is read before
//! Stripe is, and written only if it is still the same.

use std::time::Duration as Wait;

use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem, Update};
use futures_util::{StreamExt, TryStreamExt, stream, try_join};
use serde::Serialize;
use time::OffsetDateTime;
use tokio::time::sleep;

use super::{
    Stripe,
    checkout::adopt,
    event::{self, StripeEvent},
    reconcile::is_reading_back,
    record::{self, Record, RecordKind, of_credit_note, records},
    refund::{credited, owed},
    standing::{live, standing},
    stripe::{Bought, Charge, CreditNote, Invoice, Paid, Read, Refund},
    task::{self, OPERATOR, RefundRequest, RefundState, Sign, Task, WORK, Work},
    told::told_of,
};
use crate::{
    accounts::{self, Account, PastPeriod, Span, Status, Subscription},
    app::App,
    dates::at,
    error::Error,
    ids::AccountId,
    inventory::Table,
    privacy,
    store::{Store, n, putting, s, to_value, transact, updating},
};

/// Parts of one transaction, with some to spare (DynamoDB takes 100).
const MOST_PARTS: usize = 90;

/// Payments that are asked about at the same time. Few: Stripe takes 25 calls of each operation in a second, and
/// other customers' events are handled meanwhile.
const AT_ONCE: usize = 2;

/// What reading a customer's state back came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Synced {
    /// Whose it is, if there is an account of the customer's.
    pub account: Option<AccountId>,
    /// Whether plan or period have changed.
    pub has_changed: bool,
    /// New billing records.
    pub records: usize,
}

/// Everything that Stripe says of a customer.
#[derive(Clone, Debug, Default)]
pub struct AtStripe {
    /// Its subscriptions, ended ones too.
    pub subscriptions: Vec<Bought>,
    /// Its invoices.
    pub invoices: Vec<Invoice>,
    /// Its payments, with what was given back and what is disputed.
    pub charges: Vec<Paid>,
    /// What was taken off its invoices.
    pub credit_notes: Vec<CreditNote>,
    /// Ids of what was not understood: all else is gone by all the same.
    pub unreadable: Vec<String>,
}

/// Reads the state of `customer` (`cus_…`) back from Stripe and writes down what follows. Doing it again
/// changes nothing.
pub async fn sync(app: &App, customer: &str, now: OffsetDateTime) -> Result<Synced, Error> {
    sync_hinted(app, customer, None, (&[], Changes::Told), now).await
}

/// As [`sync`], of the customer of `account`: a deleted customer does not say any more whose it was.
pub async fn sync_account(
    app: &App,
    account: &AccountId,
    customer: &str,
    now: OffsetDateTime,
) -> Result<Synced, Error> {
    sync_hinted(app, customer, Some(account.to_string()), (&[], Changes::Told), now).await
}

/// As [`sync_account`], where a backup may have undone what had been read before: a change of the plan was told when it
/// came about.
pub(super) async fn sync_untold(
    app: &App,
    account: &AccountId,
    customer: &str,
    now: OffsetDateTime,
) -> Result<Synced, Error> {
    sync_hinted(app, customer, Some(account.to_string()), (&[], Changes::Untold), now).await
}

/// Whether changes of the plan are told by mail.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Changes {
    Told,
    Untold,
    /// Not where a restore may have undone what was told before.
    ToldUnlessRestored,
}

/// As [`sync`], for these events: once all is done they are noted as handled.
pub(super) async fn sync_for(
    app: &App,
    customer: &str,
    events: &[StripeEvent],
    now: OffsetDateTime,
) -> Result<Synced, Error> {
    // Of a deleted customer only the event about it says whose it was.
    let hint = events.iter().find_map(|it| it.account.clone());
    sync_hinted(app, customer, hint, (events, Changes::ToldUnlessRestored), now).await
}

async fn sync_hinted(
    app: &App,
    customer: &str,
    hint: Option<String>,
    (events, changes): (&[StripeEvent], Changes),
    now: OffsetDateTime,
) -> Result<Synced, Error> {
    let stripe = app.stripe().await?;
    let found = stripe.customer(customer).await?;
    let named = found.as_ref().and_then(|it| it.account.clone()).or(hint);
    let Some(account) = named.and_then(|it| it.parse::<AccountId>().ok()) else {
        event::note(&app.store, events, "no account", now).await?;
        return Ok(Synced::default());
    };
    let mut pause = Wait::from_millis(10);
    for _ in 0..8 {
        let known = accounts::get(&app.store, &account).await?;
        let is_unknown = known.as_ref().is_some_and(|it| it.customer.is_none());
        if found.is_some()
            && is_unknown
            && adopt(app, &stripe, &account, customer, now).await?.is_some()
        {
            continue;
        }
        if known.is_none() && found.is_some() && privacy::is_erased(&app.store, &account).await? {
            // Made for an account that was erased before anybody had noted it: nobody else would delete it.
            stripe.delete_customer(customer).await?;
            event::note(&app.store, events, "deleted", now).await?;
            return Ok(Synced::default());
        }
        let Some(known) = known.filter(|it| it.customer.as_deref() == Some(customer)) else {
            // Erased, or another customer has taken its place.
            event::note(&app.store, events, "no account", now).await?;
            return Ok(Synced::default());
        };
        // Only one that was deleted has nothing any more. One that is not known is no customer of this key: then
        // it is the key that is wrong, and nobody's plan.
        if found.is_none() && !stripe.is_deleted(customer).await? {
            return Err(Error::internal(
                "Stripe has never heard of an account's customer: is the key of another account of Stripe's?",
            ));
        }
        let at_stripe = AtStripe::read(&stripe, customer).await?;
        if let Some(synced) =
            write(app, &known, found.is_none(), &at_stripe, (events, changes), now).await?
        {
            return Ok(synced);
        }
        // Somebody was faster: what is there now is read again.
        sleep(pause).await;
        pause *= 2;
    }
    Err(Error::Unavailable {
        dependency: "DynamoDB",
        detail: "the account kept changing".to_owned(),
    })
}

/// The customer's payments, tried or done.
pub(super) async fn payments(stripe: &Stripe, customer: &str) -> Result<Read<Paid>, Error> {
    let Read { all: charges, mut unreadable } = stripe.read_charges(customer).await?;
    let details = charges.into_iter().map(|mut charge| async move {
        let refunds = match (charge.refunds.take(), charge.has_refunds) {
            (Some(all), _) => Read::of(all),
            (None, false) => Read::of(Vec::new()),
            (None, true) => stripe.read_refunds(&charge.id).await?,
        };
        let disputes = match charge.is_disputed {
            false => Read::of(Vec::new()),
            true => stripe.read_disputes(&charge.id).await?,
        };
        Ok::<_, Error>((charge, refunds, disputes))
    });
    let details: Vec<_> = stream::iter(details).buffered(AT_ONCE).try_collect().await?;
    let mut all = Vec::new();
    for (charge, refunds, disputes) in details {
        unreadable.extend(refunds.unreadable);
        unreadable.extend(disputes.unreadable);
        all.push((charge, refunds.all, disputes.all));
    }
    Ok(Read { all, unreadable })
}

impl AtStripe {
    /// Reads it.
    pub async fn read(stripe: &Stripe, customer: &str) -> Result<Self, Error> {
        let (subscriptions, invoices, payments, credit_notes) = try_join!(
            stripe.read_subscriptions(customer),
            stripe.read_invoices(customer),
            payments(stripe, customer),
            stripe.read_credit_notes(customer)
        )?;
        let unreadable = [
            subscriptions.unreadable,
            invoices.unreadable,
            payments.unreadable,
            credit_notes.unreadable,
        ];
        Ok(Self {
            subscriptions: subscriptions.all,
            invoices: invoices.all,
            charges: payments.all,
            credit_notes: credit_notes.all,
            unreadable: unreadable.concat(),
        })
    }

    /// What the customer is entitled to. A payment that has gone back whole, by the bank or by the operator,
    /// has paid for nothing.
    pub fn standing(&self) -> Option<Subscription> {
        let has_lasted = |it: &&Invoice| !self.has_gone_back(it);
        let invoices: Vec<Invoice> = self.invoices.iter().filter(has_lasted).cloned().collect();
        standing(&self.subscriptions, &invoices)
    }

    fn has_gone_back(&self, invoice: &Invoice) -> bool {
        let pays = |charge: &Charge| {
            let intent = charge.payment_intent.as_ref();
            charge.is_paid && intent.is_some_and(|it| invoice.payment_intents.contains(it))
        };
        let left = |(charge, refunds, disputes): &Paid| {
            let refunded = refunds.iter().filter(|it| !it.has_failed()).map(|it| it.cents);
            let taken = disputes.iter().filter(|it| it.takes_money && !it.is_won);
            charge.cents - refunded.sum::<i64>() - taken.map(|it| it.cents).sum::<i64>()
        };
        let mut payments = self.charges.iter().filter(|it| pays(&it.0)).peekable();
        payments.peek().is_some() && payments.map(left).sum::<i64>() <= 0
    }

    /// The records that follow from it.
    pub fn records(&self, account: &AccountId) -> Vec<Record> {
        let mut all = records(account, &self.invoices, &self.charges);
        all.extend(self.credit_notes.iter().flat_map(|it| of_credit_note(account, it)));
        all.sort_by(|a, b| a.record.cmp(&b.record));
        all
    }
}

/// Writes down what follows from `at_stripe`; `None` where the account or a record has changed meanwhile.
async fn write(
    app: &App,
    account: &Account,
    is_deleted: bool,
    at_stripe: &AtStripe,
    (events, changes): (&[StripeEvent], Changes),
    now: OffsetDateTime,
) -> Result<Option<Synced>, Error> {
    let store = &app.store;
    let (known, tasks) =
        try_join!(record::names(store, &account.id), task::of_account(store, &account.id))?;
    let all = at_stripe.records(&account.id);
    let new: Vec<&Record> = all.iter().filter(|it| !known.contains(&it.record)).collect();
    let mut parts = Vec::new();
    let mut written = 0;
    for record in new {
        let Some(item) = record.item(now)? else { continue };
        let put = Put::builder()
            .table_name(store.name(Table::BillingRecords))
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(#record)")
            .expression_attribute_names("#record", "record");
        parts.push(putting(put)?);
        written += 1;
        if tells(record, &all)
            && !is_given_up(record, at_stripe)
            && account.status != Status::Erasing
        {
            let work = Work::RecordMail { record: record.record.clone() };
            let name = format!("mail#{}", record.record);
            parts.push(Task::new(&account.id, name, work, WORK, now).put(store)?);
        }
        // What happened stays true, whoever else writes the account.
        if parts.len() >= MOST_PARTS && transact(store, std::mem::take(&mut parts)).await?.is_some()
        {
            return Ok(None);
        }
    }
    let subscription = if is_deleted { None } else { entitled(account, at_stripe) };
    let bought = subscription.as_ref();
    // Asked for only where there is something to tell.
    let changes = match changes {
        Changes::ToldUnlessRestored if told_of(account, bought).is_none() => Changes::Untold,
        Changes::ToldUnlessRestored if is_reading_back(store, now).await? => Changes::Untold,
        Changes::ToldUnlessRestored => Changes::Told,
        changes => changes,
    };
    parts.extend(todo(store, account, (bought, changes), (at_stripe, &all), &tasks, now)?);
    if parts.len() >= MOST_PARTS {
        let rest = parts.split_off(MOST_PARTS);
        if transact(store, std::mem::replace(&mut parts, rest)).await?.is_some() {
            return Ok(None);
        }
    }
    let has_changed = !is_as(subscription.as_ref(), account.subscription.as_ref());
    let past = past_period(account, subscription.as_ref(), &at_stripe.subscriptions, now);
    parts.push(update(store, account, subscription.as_ref(), past, is_deleted)?);
    if transact(store, parts).await?.is_some() {
        return Ok(None);
    }
    // Always: whoever was here before may have died just before this.
    app.gate.invalidate_now(&account.id).await?;
    // Last: what has come only so far comes again.
    event::note(store, events, "handled", now).await?;
    Ok(Some(Synced { account: Some(account.id.clone()), has_changed, records: written }))
}

/// What `account` is entitled to. Nothing is taken from it because an answer of Stripe's was not understood.
pub(super) fn entitled(account: &Account, at_stripe: &AtStripe) -> Option<Subscription> {
    let is_unreadable = |id: &str| at_stripe.unreadable.iter().any(|it| it.is_empty() || it == id);
    let known = account.subscription.as_ref();
    let kept = || known.filter(|it| is_unreadable(&it.id)).cloned();
    let mut subscription = at_stripe.standing().or_else(kept)?;
    if let Some(known) = known.filter(|_| !at_stripe.unreadable.is_empty())
        && (&known.id, known.period, known.plan)
            == (&subscription.id, subscription.period, subscription.plan)
    {
        // What paid for it may be what was not understood.
        subscription.paid_to = subscription.paid_to.max(known.paid_to);
    }
    Some(subscription)
}

/// The refund in `task`, to be decided on again: it was paid, and the money did not reach its owner.
fn unpaid(
    task: &Task,
    (at_stripe, records): (&AtStripe, &[Record]),
    now: OffsetDateTime,
) -> Option<Task> {
    let Work::Refund(request) = &task.work else { return None };
    let of_it = |it: &&Paid| it.0.id == request.charge;
    let (_, made, _) = at_stripe.charges.iter().find(of_it)?;
    let has_failed = made.iter().any(Refund::has_failed)
        && owed(request, made, credited(records, &request.invoice)) > 0;
    (request.state == RefundState::Paid && has_failed).then(|| {
        let open = RefundRequest { state: RefundState::Open, decided_at: None, ..request.clone() };
        Task::new(&task.account, task.task.clone(), Work::Refund(open), OPERATOR, now)
    })
}

/// Whether it withdraws what nobody was told to pay: a change of plan that was not confirmed in time (who asked
/// for it was told until when it would wait), or what the operator does not collect.
fn is_given_up(record: &Record, at_stripe: &AtStripe) -> bool {
    let is_it = |it: &&Invoice| it.id == record.source;
    record.kind == RecordKind::Void
        && at_stripe
            .invoices
            .iter()
            .find(is_it)
            .is_some_and(|it| it.is_of_change || !it.is_attempted)
}

fn is_as(a: Option<&Subscription>, b: Option<&Subscription>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => a.is_as(b),
        (a, b) => a.is_none() && b.is_none(),
    }
}

/// Whether its owner is written to about it: receipts (with the invoice), withdrawn invoices, refunds that
/// have not failed.
fn tells(record: &Record, all: &[Record]) -> bool {
    let has_failed = || {
        let mut others = all.iter().filter(|it| it.source == record.source);
        others.any(|it| it.kind == RecordKind::RefundFailed)
    };
    let kinds = [RecordKind::Receipt, RecordKind::Void, RecordKind::Refund, RecordKind::CreditNote];
    kinds.contains(&record.kind) && record.amount_cents != 0 && !has_failed()
}

/// The account with what it has bought, if nobody else has written it since.
fn update(
    store: &Store,
    account: &Account,
    subscription: Option<&Subscription>,
    past: Option<PastPeriod>,
    is_deleted: bool,
) -> Result<TransactWriteItem, Error> {
    let has_changed = !is_as(subscription, account.subscription.as_ref());
    let mut set = vec!["billing_version = :next"];
    let mut remove = Vec::new();
    let mut update = Update::builder()
        .table_name(store.name(Table::Accounts))
        .key("id", s(account.id.to_string()))
        .condition_expression(
            "attribute_exists(id) AND (billing_version = :version OR \
             (:version = :zero AND attribute_not_exists(billing_version)))",
        )
        .expression_attribute_values(":version", n(account.billing_version))
        .expression_attribute_values(":next", n(account.billing_version + 1))
        .expression_attribute_values(":zero", n(0));
    match subscription {
        Some(subscription) => {
            set.push("subscription = :subscription");
            update = update.expression_attribute_values(":subscription", to_value(subscription)?);
        }
        None => remove.push("subscription"),
    }
    if let Some(past) = past {
        set.push("past_period = :past");
        update = update.expression_attribute_values(":past", to_value(&past)?);
    }
    if is_deleted && let Some(customer) = &account.customer {
        remove.push("customer");
        // What was paid is there still, and is redacted with the account.
        set.push("past_customers = list_append(if_not_exists(past_customers, :none), :customer)");
        update = update
            .expression_attribute_values(":none", AttributeValue::L(Vec::new()))
            .expression_attribute_values(":customer", AttributeValue::L(vec![s(customer)]));
    }
    let mut expression = format!("SET {}", set.join(", "));
    if !remove.is_empty() {
        expression += &format!(" REMOVE {}", remove.join(", "));
    }
    if has_changed {
        expression += " ADD gate_version :one";
        update = update.expression_attribute_values(":one", n(1));
    }
    updating(update.update_expression(expression))
}

/// The quota period that is over by the change, so that what is left of its leases is still credited to it.
pub(super) fn past_period(
    account: &Account,
    next: Option<&Subscription>,
    bought: &[Bought],
    now: OffsetDateTime,
) -> Option<PastPeriod> {
    let before = account.subscription.as_ref()?;
    if next.is_some_and(|it| it.period.start == before.period.start) {
        return None;
    }
    let ended = bought.iter().find(|it| it.id == before.id).and_then(|it| it.ended_at);
    let over = match next {
        Some(next) => next.period.start,
        None => ended.unwrap_or(now.unix_timestamp()),
    };
    let last = at(over.min(before.ends_at.unwrap_or(over)) - 1);
    // The last one there was, by the clock too.
    let period = before.period_at(last)?;
    let span = Span { end: period.end.unix_timestamp().min(over), ..Span::of(&period) };
    Some(PastPeriod { span, quota: before.quota_at(last) })
}

/// What is to be done from here on, and what is not any more.
fn todo(
    store: &Store,
    account: &Account,
    (subscription, changes): (Option<&Subscription>, Changes),
    (at_stripe, records): (&AtStripe, &[Record]),
    tasks: &[Task],
    now: OffsetDateTime,
) -> Result<Vec<TransactWriteItem>, Error> {
    let mut parts = Vec::new();
    let is_there = |name: &str| tasks.iter().any(|it| it.task == name);
    let mut new = |name: String, work: Work, queue: &str| {
        if is_there(&name) {
            return Ok(());
        }
        parts.push(Task::new(&account.id, name, work, queue, now).put(store)?);
        Ok::<_, Error>(())
    };
    let overdue = subscription.and_then(|it| Some((it, it.past_due_since?)));
    let dunning = overdue.map(|(it, _)| format!("dunning#{}", it.id));
    if let (Some((it, since)), Some(name)) = (overdue, &dunning) {
        let work = Work::Dunning { subscription: it.id.clone(), since, sent: 0 };
        new(name.clone(), work, WORK)?;
    }
    let uncollected: Vec<&Bought> =
        at_stripe.subscriptions.iter().filter(|it| it.is_uncollected && it.is_open()).collect();
    for bought in &uncollected {
        let work = Work::Flag { sign: Sign::CollectionPaused, detail: bought.id.clone() };
        new(format!("flag#uncollected#{}", bought.id), work, OPERATOR)?;
    }
    // Where the operator has paused payments, nobody has cancelled anything.
    if let (Some(before), None) = (&account.subscription, subscription)
        && account.status != Status::Erasing
        && !uncollected.iter().any(|it| it.id == before.id)
    {
        let work = Work::EndedMail { unpaid: before.past_due_since.is_some() };
        new(format!("ended#{}", before.id), work, WORK)?;
    }
    // What the operator holds back changes nothing that its holder has done.
    let is_held = |id: &str| {
        uncollected.iter().any(|it| it.id == id) || is_there(&format!("flag#uncollected#{id}"))
    };
    if changes == Changes::Told
        && let Some(work) = told_of(account, subscription)
        && !subscription.is_some_and(|it| is_held(&it.id))
    {
        // Once for each change: with the version that the account has then.
        new(format!("mail#plan#{}", account.billing_version + 1), work, WORK)?;
    }
    for dispute in at_stripe.charges.iter().flat_map(|(_, _, disputes)| disputes) {
        let detail = format!("{} {}", dispute.id, dispute.reason);
        let work = Work::Flag { sign: Sign::Dispute, detail };
        new(format!("flag#dispute#{}", dispute.id), work, OPERATOR)?;
    }
    if let (Some(it), 2..) = (subscription, live(&at_stripe.subscriptions)) {
        let detail = it.id.clone();
        let work = Work::Flag { sign: Sign::SeveralSubscriptions, detail };
        new(format!("flag#several#{}", it.id), work, OPERATOR)?;
    }
    let failed = at_stripe.charges.iter().flat_map(|(_, refunds, _)| refunds);
    for refund in failed.filter(|it| it.has_failed()) {
        let work = Work::Flag { sign: Sign::RefundFailed, detail: refund.id.clone() };
        new(format!("flag#refund#{}", refund.id), work, OPERATOR)?;
    }
    for id in &at_stripe.unreadable {
        let work = Work::Flag { sign: Sign::Unreadable, detail: id.clone() };
        new(format!("flag#unreadable#{id}"), work, OPERATOR)?;
    }
    for task in tasks {
        if let Some(again) = unpaid(task, (at_stripe, records), now) {
            parts.push(again.put(store)?);
        }
        let is_dunning = matches!(task.work, Work::Dunning { .. });
        if is_dunning && dunning.as_deref() != Some(task.task.as_str()) {
            parts.push(task::removing(store, &account.id, &task.task)?);
        }
    }
    Ok(parts)
}
