//! Works off the requests of one kind whose time has come, each as far as it goes. One that fails is
//! tried again later and stops no other.

use std::time::Instant;

use futures_util::future::BoxFuture;
use serde::Serialize;
use time::{Duration, OffsetDateTime};

use super::{
    request::{Kind, Request, State, due, load, save},
    restore::is_closed,
};
use crate::{app::App, error::Error, jobs::Report, telemetry::Metric};

/// After so many failures, about two days with the pauses between them, a mail is not tried any more.
pub(super) const GIVE_UP_MAILING: u32 = 12;

/// How long a held request waits before it is looked at again.
pub(super) const HELD_FOR: Duration = Duration::days(1);

/// Takes one request as far as it goes and stores where it stands.
pub(super) type Advance = for<'a> fn(
    &'a App,
    &'a mut Request,
    OffsetDateTime,
    Instant,
) -> BoxFuture<'a, Result<(), Error>>;

/// What one run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Processed {
    /// Requests that came to their end.
    pub done: u64,
    /// Requests that wait for their next step.
    pub waiting: u64,
    /// Requests that a legal hold stops.
    pub held: u64,
    /// Requests of which a step failed; it is tried again.
    pub failed: u64,
    /// Requests that have failed three times or more.
    pub stuck: u64,
    /// Seconds until the first deadline of an open request; negative when it has passed.
    pub seconds_left: Option<i64>,
}

impl Processed {
    /// What two kinds of requests came to.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            done: self.done + other.done,
            waiting: self.waiting + other.waiting,
            held: self.held + other.held,
            failed: self.failed + other.failed,
            stuck: self.stuck + other.stuck,
            seconds_left: [self.seconds_left, other.seconds_left].into_iter().flatten().min(),
        }
    }

    /// For the job's invoker and its alarms. The metrics have the same names for each kind of request;
    /// the job tells them apart.
    pub fn report(&self) -> Result<Report, Error> {
        let mut metrics = vec![
            Metric::count("RequestsDone", self.done),
            Metric::count("RequestsFailed", self.failed),
            Metric::count("RequestsStuck", self.stuck),
        ];
        if let Some(left) = self.seconds_left {
            metrics.push(Metric::seconds("RequestSecondsLeft", left.max(0).unsigned_abs()));
        }
        Report::new(self, metrics)
    }
}

pub(super) async fn work_off(
    app: &App,
    kind: Kind,
    now: OffsetDateTime,
    deadline: Instant,
    advance: Advance,
) -> Result<Processed, Error> {
    let mut processed = Processed::default();
    // While a backup is being restored, the tables are not what the requests go by.
    if is_closed(&app.store).await? {
        return Ok(processed);
    }
    for id in due(&app.store, kind, now).await? {
        if Instant::now() >= deadline {
            break;
        }
        let mut request = match load(&app.store, &id).await {
            Ok(Some(request)) if request.is_due(now) => request,
            // Closed or gone on since the index was read.
            Ok(_) => continue,
            Err(error) => {
                tracing::error!(error = %error, request = %id, "a request cannot be read");
                processed.failed += 1;
                processed.stuck += 1;
                continue;
            }
        };
        match advance(app, &mut request, now, deadline).await {
            Ok(()) => match request.state {
                State::Done => processed.done += 1,
                State::OnHold => processed.held += 1,
                _ => processed.waiting += 1,
            },
            Err(error) => {
                processed.failed += 1;
                // Nobody is named by it.
                tracing::error!(error = %error, request = %request.id, "a request's step failed");
                // What another run or the customer has stored meanwhile stands.
                if !matches!(error, Error::Conflict(_)) {
                    note_failure(app, &mut request, now, &mut processed).await;
                }
            }
        }
        if request.state != State::Done {
            let left = request.due_at - now.unix_timestamp();
            processed.seconds_left =
                Some(processed.seconds_left.map_or(left, |first: i64| first.min(left)));
        }
    }
    Ok(processed)
}

async fn note_failure(
    app: &App,
    request: &mut Request,
    now: OffsetDateTime,
    processed: &mut Processed,
) {
    request.attempts += 1;
    processed.stuck += u64::from(request.attempts >= 3);
    let pause = Duration::minutes(5) * 2_i32.pow(request.attempts.min(6));
    request.next_at = Some((now + pause).unix_timestamp());
    if let Err(error) = save(&app.store, request).await {
        tracing::warn!(error = %error, "the failure could not be noted");
    }
}
