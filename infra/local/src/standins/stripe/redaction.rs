//! Redaction (a preview at Stripe): personal data of customers is overwritten, for good.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    api::Answer,
    model::{Charge, Customer, DisputeStatus, Invoice, InvoiceStatus, PaymentIntent},
    params::Params,
    refusal::Refusal,
    render::{list, rows},
    state::{Object, State},
    table::{Row, Table},
};

/// What stands where personal data was.
const REDACTED: &str = "[redacted]";

/// How old the last transaction must be, seconds.
const OLD_ENOUGH: i64 = 90 * 86_400;

/// How long checking takes, and redacting, seconds.
const STEP: i64 = 60;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum JobStatus {
    Validating,
    Ready,
    Failed,
    Redacting,
    Succeeded,
}

/// One order to redact.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct RedactionJob {
    pub(super) id: String,
    created: i64,
    customers: Vec<String>,
    #[serde(default)]
    invoices: Vec<String>,
    #[serde(default)]
    payment_intents: Vec<String>,
    fixes: bool,
    status: JobStatus,
    /// Since when it is in this status.
    since: i64,
    /// What is in the way: code, message and the customer.
    errors: Vec<(String, String, String)>,
}

rows! {
    RedactionJob, "prj_", "privacy.redaction_job", redaction_jobs, None, job;
}

impl RedactionJob {
    /// When it gets to its next status by itself.
    pub(super) fn goes_on_at(&self) -> Option<i64> {
        let goes_on = matches!(self.status, JobStatus::Validating | JobStatus::Redacting);
        goes_on.then_some(self.since + STEP)
    }

    /// Whose objects these are.
    fn owners(&self, state: &State) -> BTreeSet<String> {
        let invoices = self.invoices.iter().filter_map(|id| state.invoices.get(id));
        let intents = self.payment_intents.iter().filter_map(|id| state.payment_intents.get(id));
        let owners = invoices.map(|it| it.customer.clone());
        let owners = owners.chain(intents.map(|it| it.customer.clone()));
        owners.chain(self.customers.iter().cloned()).collect()
    }
}

fn job(it: &RedactionJob, _: &State) -> Value {
    json!({
        "id": it.id,
        "object": "privacy.redaction_job",
        "created": it.created,
        "livemode": false,
        "objects": {
            "charges": [],
            "checkout_sessions": [],
            "customers": it.customers,
            "identity_verification_sessions": [],
            "invoices": it.invoices,
            "issuing_cardholders": [],
            "payment_intents": it.payment_intents,
            "radar_value_list_items": [],
            "setup_intents": [],
        },
        "status": it.status,
        "validation_behavior": if it.fixes { "fix" } else { "error" },
        "validation_errors": errors_of(it, 10),
    })
}

/// What is in the way, as a list of so many at most.
fn errors_of(job: &RedactionJob, most: usize) -> Value {
    let errors = job.errors.iter().enumerate().map(|(at, (code, message, customer))| {
        json!({
            "id": format!("prve_{at}{}", job.id),
            "object": "privacy.redaction_job_validation_error",
            "code": code,
            "erroring_object": { "id": customer, "object_type": "customer" },
            "message": message,
        })
    });
    let url = format!("/v1/privacy/redaction_jobs/{}/validation_errors", job.id);
    list(errors.take(most).collect(), &url, job.errors.len() > most)
}

pub(super) fn create(state: &mut State, _: &str, params: &mut Params) -> Answer {
    let customers = params.list("objects[customers]");
    let invoices = params.list("objects[invoices]");
    let payment_intents = params.list("objects[payment_intents]");
    let fixes =
        params.choice("validation_behavior", &[("error", false), ("fix", true)])?.unwrap_or(false);
    params.finish()?;
    let count = customers.len() + invoices.len() + payment_intents.len();
    if count == 0 {
        return Err(Refusal::parameter_missing("objects"));
    }
    // docs.stripe.com/privacy/redaction/example
    if count > 10 {
        return Err(Refusal::parameter_invalid("objects", "10 identifiers or fewer"));
    }
    for customer in &customers {
        // Whether a deleted one is taken, Stripe's documents do not say.
        let found = state.refer::<Customer>(customer, "objects[customers]")?;
        if found.is_deleted && !state.knows_deleted {
            let name = Customer::NAME;
            return Err(Refusal::missing_reference(name, customer, "objects[customers]"));
        }
    }
    for invoice in &invoices {
        state.refer::<Invoice>(invoice, "objects[invoices]")?;
    }
    for intent in &payment_intents {
        state.refer::<PaymentIntent>(intent, "objects[payment_intents]")?;
    }
    let (id, now) = (state.id(RedactionJob::PREFIX), state.now);
    let status = JobStatus::Validating;
    let errors = Vec::new();
    state.add(RedactionJob {
        id: id.clone(),
        created: now,
        customers,
        invoices,
        payment_intents,
        fixes,
        status,
        since: now,
        errors,
    });
    Ok(state.show::<RedactionJob>(&id))
}

/// Each look brings an unfinished job a step on, as waiting does.
pub(super) fn retrieve(state: &mut State, id: &str, params: &mut Params) -> Answer {
    params.finish()?;
    let shown = state.find::<RedactionJob>(id)?.render(state);
    go_on(state, id);
    Ok(shown)
}

pub(super) fn run(state: &mut State, id: &str, params: &mut Params) -> Answer {
    let job = state.find::<RedactionJob>(id)?;
    params.finish()?;
    if job.status != JobStatus::Ready {
        return Err(Refusal::invalid("Only a redaction job that is ready can be run."));
    }
    enter(state, id, JobStatus::Redacting);
    Ok(state.show::<RedactionJob>(id))
}

pub(super) fn validation_errors(state: &mut State, id: &str, params: &mut Params) -> Answer {
    let job = state.find::<RedactionJob>(id)?;
    params.finish()?;
    Ok(errors_of(&job, usize::MAX))
}

/// Brings a job to its next status, where that comes by itself.
pub(super) fn go_on(state: &mut State, id: &str) {
    let Some(job) = state.redaction_jobs.get(id).cloned() else { return };
    match job.status {
        JobStatus::Validating => {
            let errors: Vec<_> =
                job.owners(state).iter().flat_map(|it| hindrances(state, it)).collect();
            let status = if errors.is_empty() { JobStatus::Ready } else { JobStatus::Failed };
            state.edit::<RedactionJob>(id, |it| it.errors = errors);
            enter(state, id, status);
        }
        JobStatus::Redacting => {
            job.customers.iter().for_each(|customer| redact(state, customer));
            redact_objects(state, &job);
            enter(state, id, JobStatus::Succeeded);
        }
        JobStatus::Ready | JobStatus::Failed | JobStatus::Succeeded => {}
    }
}

fn enter(state: &mut State, id: &str, status: JobStatus) {
    let since = state.now;
    state.edit::<RedactionJob>(id, |it| {
        it.status = status;
        it.since = since;
    });
}

/// Why a customer cannot be redacted.
fn hindrances(state: &State, customer: &str) -> Vec<(String, String, String)> {
    let is_running = state.subscriptions.iter().any(|it| it.customer == customer && !it.is_over());
    let unfinished = |it: &Invoice| {
        it.customer == customer
            && (it.status == InvoiceStatus::Open
                || it.status == InvoiceStatus::Draft && it.finalizes_at.is_some())
    };
    let charges: Vec<&Charge> = state.charges.iter().filter(|it| it.customer == customer).collect();
    let is_disputed = state.disputes.iter().any(|it| {
        matches!(it.status, DisputeStatus::NeedsResponse | DisputeStatus::Inquiry)
            && charges.iter().any(|charge| charge.id == it.charge)
    });
    let is_recent = |at: i64| state.now < at + OLD_ENOUGH;
    let has_recent = charges.iter().any(|it| is_recent(it.created))
        || state
            .refunds
            .iter()
            .any(|it| is_recent(it.created) && charges.iter().any(|charge| charge.id == it.charge));
    let reasons = [
        (is_running, "invalid_state", "The customer has subscriptions that are not canceled."),
        (
            state.invoices.iter().any(unfinished),
            "invalid_state",
            "The customer has invoices that are not closed.",
        ),
        (is_disputed, "invalid_state", "The customer has open disputes."),
        (has_recent, "invalid_state", "The customer has transactions of the last 90 days."),
    ];
    let found = reasons.into_iter().filter(|it| it.0);
    found.map(|(_, code, text)| (code.to_owned(), text.to_owned(), customer.to_owned())).collect()
}

fn hide(field: &mut Option<String>) {
    if field.is_some() {
        *field = Some(REDACTED.to_owned());
    }
}

/// Invoices and payments that are named themselves, with what belongs to them.
fn redact_objects(state: &mut State, job: &RedactionJob) {
    let mut ids: BTreeSet<String> =
        job.invoices.iter().chain(&job.payment_intents).cloned().collect();
    for it in state.invoices.iter_mut().filter(|it| ids.contains(&it.id)) {
        hide(&mut it.customer_email);
        hide(&mut it.customer_name);
    }
    for it in state.charges.iter_mut() {
        if ids.contains(&it.payment_intent) {
            hide(&mut it.email);
            hide(&mut it.name);
            ids.insert(it.id.clone());
        }
    }
    for event in state.events.iter_mut() {
        let (id, kind) =
            (event.data["object"]["id"].clone(), event.data["object"]["object"].clone());
        if id.as_str().is_some_and(|id| ids.contains(id)) {
            event.data = json!({ "object": { "id": id, "object": kind, "redacted": true } });
        }
    }
    state.remembered.clear();
}

fn redact(state: &mut State, customer: &str) {
    state.edit::<Customer>(customer, |it| {
        hide(&mut it.email);
        hide(&mut it.name);
        hide(&mut it.country);
        it.metadata.values_mut().for_each(|it| REDACTED.clone_into(it));
    });
    for it in state.invoices.iter_mut().filter(|it| it.customer == customer) {
        hide(&mut it.customer_email);
        hide(&mut it.customer_name);
    }
    for it in state.charges.iter_mut().filter(|it| it.customer == customer) {
        hide(&mut it.email);
        hide(&mut it.name);
    }
    for it in state.sessions.iter_mut().filter(|it| it.customer.as_deref() == Some(customer)) {
        hide(&mut it.customer_email);
        hide(&mut it.client_reference_id);
        it.metadata.values_mut().for_each(|it| REDACTED.clone_into(it));
    }
    // What events and kept answers say of the customer goes as a whole.
    let is_of_it = |data: &Value| {
        let object = &data["object"];
        object["id"] == *customer || object["customer"] == *customer
    };
    for event in state.events.iter_mut().filter(|it| is_of_it(&it.data)) {
        let (id, kind) =
            (event.data["object"]["id"].clone(), event.data["object"]["object"].clone());
        event.data = json!({ "object": { "id": id, "object": kind, "redacted": true } });
    }
    state.remembered.clear();
}
