//! EventBridge schedules: when they are due, and the event they send.

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};

use crate::standins::{ACCOUNT, REGION};

/// One rule that runs one function at a steady rate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Logical id of the function it runs.
    pub function: String,
    /// Name of the rule, as its events give it.
    pub rule: String,
    /// Whole minutes between two runs.
    rate: Duration,
}

impl Schedule {
    /// A schedule from the template's expression, for example `rate(5 minutes)`.
    pub fn parse(function: &str, rule: &str, expression: &str) -> Result<Self> {
        ensure!(
            !expression.starts_with("cron("),
            "{expression}: cron schedules are not supported by the local cloud yet"
        );
        let inner = expression.strip_prefix("rate(").and_then(|it| it.strip_suffix(')'));
        let (count, unit) = inner
            .and_then(|it| it.trim().split_once(' '))
            .with_context(|| format!("{expression} is not of the form rate(5 minutes)"))?;
        let count: i64 = count.parse().with_context(|| format!("in {expression}"))?;
        ensure!((1..=100_000).contains(&count), "{expression}: the number is out of range");
        let rate = match unit.trim() {
            "minute" | "minutes" => Duration::minutes(count),
            "hour" | "hours" => Duration::hours(count),
            "day" | "days" => Duration::days(count),
            other => bail!("{expression}: {other} is not a unit of rates"),
        };
        Ok(Self { function: function.to_owned(), rule: rule.to_owned(), rate })
    }

    /// The first due instant after `now`. Due are the multiples of the rate since 1970, so that a
    /// schedule does not depend on when the cloud was started.
    pub fn next_after(&self, now: OffsetDateTime) -> OffsetDateTime {
        let rate = self.rate.whole_seconds();
        let next = (now.unix_timestamp().div_euclid(rate) + 1) * rate;
        // Beyond the year 9999 there is no next.
        OffsetDateTime::from_unix_timestamp(next).unwrap_or(now + self.rate)
    }

    /// The event as EventBridge sends it for the due instant `at`.
    pub fn event(&self, at: OffsetDateTime) -> Value {
        let at = at.replace_nanosecond(0).unwrap_or(at);
        json!({
            "version": "0",
            "id": uuid::Uuid::new_v4().to_string(),
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": ACCOUNT,
            // Never fails: the year is one of four digits.
            "time": at.format(&Rfc3339).unwrap_or_default(),
            "region": REGION,
            "resources": [format!("arn:aws:events:{REGION}:{ACCOUNT}:rule/{}", self.rule)],
            "detail": {},
        })
    }
}

/// The earliest due instant after `now`, and the schedules that are due then, in their order.
pub fn next_due(
    schedules: &[Schedule],
    now: OffsetDateTime,
) -> Option<(OffsetDateTime, Vec<&Schedule>)> {
    let at = schedules.iter().map(|it| it.next_after(now)).min()?;
    Some((at, schedules.iter().filter(|it| it.next_after(now) == at).collect()))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn schedule(expression: &str) -> Schedule {
        Schedule::parse("F", "R", expression).expect(expression)
    }

    #[test]
    fn due_instants_are_multiples_of_the_rate() {
        let now = datetime!(2026-11-24 12:00:30.5 UTC);
        let next = |rate: &str| schedule(rate).next_after(now);
        assert_eq!(next("rate(1 minute)"), datetime!(2026-11-24 12:01 UTC));
        assert_eq!(next("rate(1 hour)"), datetime!(2026-11-24 13:00 UTC));
        assert_eq!(next("rate(1 day)"), datetime!(2026-11-25 0:00 UTC));
        let due = datetime!(2026-11-24 12:01 UTC);
        assert_eq!(schedule("rate(1 minute)").next_after(due), due + Duration::MINUTE);
    }

    #[test]
    fn two_schedules_due_at_once_keep_their_order() {
        let both = [schedule("rate(1 hour)"), schedule("rate(1 minute)")];
        let (at, due) = next_due(&both, datetime!(2026-11-24 12:59 UTC)).expect("a next");
        assert_eq!(at, datetime!(2026-11-24 13:00 UTC));
        assert_eq!(due, [&both[0], &both[1]]);
        assert_eq!(next_due(&[], at), None);
    }

    #[test]
    fn the_event_carries_the_due_instant() {
        let event = schedule("rate(1 hour)").event(datetime!(2026-11-24 13:00 UTC));
        assert_eq!(event["time"], "2026-11-24T13:00:00Z");
        assert_eq!(event["detail-type"], "Scheduled Event");
    }

    #[test]
    fn other_expressions_are_refused_in_words() {
        for wrong in ["cron(0 12 * * ? *)", "rate(0 minutes)", "rate(5 weeks)", "rate()", "often"] {
            let error = Schedule::parse("F", "R", wrong).expect_err(wrong).to_string();
            assert!(!error.is_empty());
        }
    }
}
