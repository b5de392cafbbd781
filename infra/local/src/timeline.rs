//! Time passing: the clock moves, and what is due on the way is run.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::Result;
use axum::body::Bytes;
use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::{
    sync::Mutex,
    time::{MissedTickBehavior, interval},
};

use crate::{
    clock::Clock,
    dynamodb::DynamoDb,
    redis::{self, Redis},
    runtime::Runtime,
    schedules::{Schedule, next_due},
    standins::{sqs::Sqs, stripe::Stripe},
};

/// How often a running clock is looked at.
const TICK: Duration = Duration::from_millis(200);

/// Moves the cloud through time. Clones share one position.
#[derive(Clone, Debug)]
pub struct Timeline(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: Clock,
    runtime: Runtime,
    redis: Redis,
    dynamodb: DynamoDb,
    sqs: Sqs,
    stripe: Stripe,
    schedules: Vec<Schedule>,
    /// Everything due up to here has been run. `None`: nobody runs what is due as the clock passes.
    done: Mutex<Option<OffsetDateTime>>,
}

/// Which of the due runs take place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pace {
    /// All of them, as on AWS.
    #[default]
    Every,
    /// For long jumps: of each schedule the first, the last, and between them one in so much time.
    /// The others are counted in the report. A job that works off whatever has gathered since its
    /// last run brings about the same.
    OncePer(Duration),
}

/// What happened on the way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdvanceReport {
    /// Where the clock stood, RFC 3339.
    pub from: String,
    /// Where it stands now.
    pub to: String,
    /// What was run, by the function's logical id.
    pub jobs: BTreeMap<String, JobReport>,
    /// Items that DynamoDB's native expiry has deleted in the end.
    pub expired_items: usize,
}

/// The runs of one job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobReport {
    /// How often it was run.
    pub invocations: u64,
    /// How many of these failed.
    pub failures: u64,
    /// How many due runs were left out, as the [`Pace`] asked for.
    pub skipped: u64,
    /// The last failure.
    pub last_error: Option<String>,
}

impl AdvanceReport {
    /// All failures together.
    pub fn failures(&self) -> u64 {
        self.jobs.values().map(|it| it.failures).sum()
    }

    /// Joins the report of a jump that began where this one ended.
    pub fn extend(&mut self, next: Self) {
        self.to = next.to;
        self.expired_items += next.expired_items;
        for (function, runs) in next.jobs {
            let job = self.jobs.entry(function).or_default();
            job.invocations += runs.invocations;
            job.failures += runs.failures;
            job.skipped += runs.skipped;
            job.last_error = runs.last_error.or(job.last_error.take());
        }
    }
}

impl Timeline {
    pub(crate) fn new(
        clock: Clock,
        runtime: Runtime,
        redis: Redis,
        dynamodb: DynamoDb,
        sqs: Sqs,
        stripe: Stripe,
        schedules: Vec<Schedule>,
    ) -> Self {
        let done = Mutex::new(None);
        Self(Arc::new(Inner { clock, runtime, redis, dynamodb, sqs, stripe, schedules, done }))
    }

    /// Moves the clock by `by`, stopping at every due instant on the way to run what is due, one
    /// job after the other; so does what is due at Stripe, whose webhooks are waited for. Keys in Redis
    /// age along; DynamoDB's expiry runs at the end.
    pub async fn advance(&self, by: Duration, pace: Pace) -> Result<AdvanceReport> {
        let mut done = self.0.done.lock().await;
        let from = self.0.clock.now();
        let target = from + by;
        let mut report = AdvanceReport { from: from.format(&Rfc3339)?, ..AdvanceReport::default() };
        let mut redis = self.0.redis.connection().await?;
        let mut position = done.unwrap_or(from);
        let mut last_runs = BTreeMap::new();
        while let Some((at, mut due)) = next_due(&self.0.schedules, position)
            && at <= target
        {
            position = at;
            self.pass_stripe(&mut redis, at).await?;
            if let Pace::OncePer(rest) = pace {
                due.retain(|schedule| {
                    let is_last = schedule.next_after(at) > target;
                    let last = last_runs.get(&schedule.rule).copied();
                    let runs = is_last || last.is_none_or(|last| at - last >= rest);
                    if runs {
                        last_runs.insert(schedule.rule.clone(), at);
                    } else {
                        report.jobs.entry(schedule.function.clone()).or_default().skipped += 1;
                    }
                    runs
                });
            }
            if !due.is_empty() {
                self.jump(&mut redis, at).await?;
                self.run_all(due, at, &mut report).await;
            }
        }
        self.pass_stripe(&mut redis, target).await?;
        self.jump(&mut redis, target).await?;
        // The clock has moved, so hidden messages have come back.
        self.0.sqs.drain().await?;
        if done.is_some() {
            *done = Some(target);
        }
        report.expired_items = self.0.dynamodb.sweep().await?;
        report.to = self.0.clock.now().format(&Rfc3339)?;
        Ok(report)
    }

    /// Sets the clock, unless it has run past `to` by itself. What lies in queues is worked off first,
    /// so that no message meets a later time than it was sent for.
    async fn jump(
        &self,
        redis: &mut ::redis::aio::MultiplexedConnection,
        to: OffsetDateTime,
    ) -> Result<()> {
        self.0.sqs.drain().await?;
        let by = to - self.0.clock.now();
        if by.is_positive() {
            redis::age(redis, by.unsigned_abs()).await?;
            self.0.clock.set(to);
        }
        Ok(())
    }

    /// Stops wherever something is due at Stripe up to `to`, and lets its webhooks be taken.
    async fn pass_stripe(
        &self,
        redis: &mut ::redis::aio::MultiplexedConnection,
        to: OffsetDateTime,
    ) -> Result<()> {
        while let Some(at) = self.0.stripe.next_due().filter(|at| *at <= to) {
            self.jump(redis, at).await?;
            self.0.stripe.run_due(at);
            self.0.stripe.settled().await;
        }
        Ok(())
    }

    async fn run_all(&self, due: Vec<&Schedule>, at: OffsetDateTime, report: &mut AdvanceReport) {
        for schedule in due {
            let event = Bytes::from(schedule.event(at).to_string());
            let outcome = self.0.runtime.invoke(&schedule.function, event).await;
            let job = report.jobs.entry(schedule.function.clone()).or_default();
            job.invocations += 1;
            if let Err(error) = outcome {
                tracing::warn!(function = schedule.function, %error, "a scheduled run failed");
                job.failures += 1;
                job.last_error = Some(error.to_string());
            }
        }
    }

    /// Runs what is due as a running clock passes it, for ever.
    pub(crate) async fn run(self) {
        *self.0.done.lock().await = Some(self.0.clock.now());
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let mut done = self.0.done.lock().await;
            let now = self.0.clock.now();
            if self.0.stripe.next_due().is_some_and(|at| at <= now) {
                self.0.stripe.run_due(now);
            }
            // Set back by hand: what is due in between comes again.
            let mut position = done.unwrap_or(now).min(now);
            while let Some((at, due)) = next_due(&self.0.schedules, position)
                && at <= now
            {
                self.run_all(due, at, &mut AdvanceReport::default()).await;
                position = at;
                if let Err(error) = self.0.dynamodb.sweep().await {
                    tracing::warn!(%error, "DynamoDB's expiry failed");
                }
            }
            *done = Some(position);
        }
    }
}
