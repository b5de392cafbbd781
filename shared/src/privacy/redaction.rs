//! What an erasure has left to be done: to have Stripe redact past payments, 120 days after the last one.
//! Stripe looks whether it can be done, then does it, each in its own time.

use std::time::Instant;

use time::{Duration, OffsetDateTime};

use super::{
    holds::is_held,
    request::{Kind, Request, State, save},
    work::{HELD_FOR, Processed, work_off},
};
use crate::{
    app::App,
    audit,
    billing::{
        Stripe,
        stripe::{MOST_OBJECTS, RedactionState},
    },
    error::Error,
};

/// When Stripe is asked again how far it is.
const WAIT: Duration = Duration::minutes(5);

/// When it is tried again after a refusal: a dispute is open, for example, which takes weeks.
const REFUSED_FOR: Duration = Duration::days(7);

/// Entry of `done` for the last refusal.
const REFUSED: &str = "refused";

/// Entry of `done` for the redaction itself.
const REDACTED: &str = "redacted";

/// Takes every redaction whose time has come as far as it goes.
pub(super) async fn process(
    app: &App,
    now: OffsetDateTime,
    deadline: Instant,
) -> Result<Processed, Error> {
    work_off(app, Kind::Redaction, now, deadline, |app, request, now, _| {
        Box::pin(advance(app, request, now))
    })
    .await
}

async fn advance(app: &App, request: &mut Request, now: OffsetDateTime) -> Result<(), Error> {
    if is_held(&app.store, &request.account).await? {
        request.state = State::OnHold;
        return wait(app, request, now + HELD_FOR).await;
    }
    request.state = State::Running;
    let stripe = app.stripe().await?;
    let id = match &request.redaction {
        Some(id) => id.clone(),
        None => match begin(app, &stripe, request).await? {
            Some(id) => id,
            None => return finish(app, request, now).await,
        },
    };
    let found = stripe.redaction(&id).await?;
    match found.as_ref().map(|it| it.state) {
        Some(RedactionState::Working) => wait(app, request, now + WAIT).await,
        Some(RedactionState::Ready) => {
            stripe.run_redaction(&id).await?;
            wait(app, request, now + WAIT).await
        }
        Some(RedactionState::Done) => {
            // With a customer all that is theirs is redacted. The next few follow.
            let of = match request.customers.is_empty() {
                true => &mut request.objects,
                false => &mut request.customers,
            };
            let rest = of.split_off(of.len().min(MOST_OBJECTS));
            if rest.is_empty() {
                return finish(app, request, now).await;
            }
            *of = rest;
            request.redaction = None;
            wait(app, request, now).await
        }
        // Stripe forgets what was never started.
        Some(RedactionState::Refused) | None => {
            let hindrances = found.map(|it| it.hindrances).unwrap_or_default();
            tracing::warn!(?hindrances, "Stripe does not redact past payments yet");
            request.redaction = None;
            request.done.insert(REFUSED.to_owned(), now.unix_timestamp());
            wait(app, request, now + REFUSED_FOR).await
        }
    }
}

/// Has Stripe look at the customers, or where it takes them for such as never were because they are deleted, at some
/// of their invoices and payments: its number. `None`: there is nothing to be redacted.
async fn begin(app: &App, stripe: &Stripe, request: &mut Request) -> Result<Option<String>, Error> {
    let refused = request.done.get(REFUSED).copied().unwrap_or_default();
    // The same look until it is refused or fails; then another one. One look too many does nothing.
    let key = |what: &str, attempts| format!("redact {} {refused} {attempts} {what}", request.id);
    let mut made = None;
    if let Some(some) = some(&request.customers) {
        let key = key(&format!("customers {}", some[0]), request.attempts);
        made = stripe.create_redaction(some, &key).await?;
    }
    if made.is_none() {
        request.customers.clear();
        let Some(some) = some(&request.objects) else { return Ok(None) };
        made = stripe.create_redaction(some, &key(&some[0], request.attempts)).await?;
    }
    if made.is_none() {
        // One that it does not know must not keep the others as they are.
        let mut known = Vec::new();
        for id in std::mem::take(&mut request.objects) {
            if stripe.knows(&id).await? {
                known.push(id);
            }
        }
        request.objects = known;
        let Some(some) = some(&request.objects) else { return Ok(None) };
        let key = key(&format!("known {}", some[0]), request.attempts);
        made = stripe.create_redaction(some, &key).await?;
    }
    let made = made.ok_or_else(|| Error::internal("Stripe knows of nothing to redact"))?;
    request.redaction = Some(made.id.clone());
    save(&app.store, request).await?;
    Ok(Some(made.id))
}

/// As many as one redaction takes; `None` where there are none.
fn some(objects: &[String]) -> Option<&[String]> {
    Some(&objects[..objects.len().min(MOST_OBJECTS)]).filter(|it| !it.is_empty())
}

async fn finish(app: &App, request: &mut Request, now: OffsetDateTime) -> Result<(), Error> {
    request.done.insert(REDACTED.to_owned(), now.unix_timestamp());
    let details = serde_json::json!({ "request": request.id.to_string() });
    audit::append(&app.store, "erasures", now, REDACTED, &details).await?;
    request.redaction = None;
    request.close(State::Done, now);
    save(&app.store, request).await
}

/// It has gone on: failures before count no more.
async fn wait(app: &App, request: &mut Request, until: OffsetDateTime) -> Result<(), Error> {
    request.attempts = 0;
    request.next_at = Some(until.unix_timestamp());
    save(&app.store, request).await
}
