//! Bodies that belong to one endpoint only.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::{
    dates,
    keys::{Environment, KeyView},
    mail::{MailStop, Why},
    plans::Plan,
    redis::RedisError,
    usage::DayUsage,
    video::SourceState,
};

/// What making a key asks for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateKeyRequest {
    /// Your name for it: 1 to 64 printable characters.
    #[schema(example = "production", min_length = 1, max_length = 64)]
    pub name: String,
    /// `live` for real data, `test` for the sandbox; `live` if you do not say.
    #[serde(default)]
    #[schema(example = "live")]
    pub environment: Environment,
}

/// An account's keys.
#[derive(Serialize, ToSchema)]
pub struct KeyList {
    /// Oldest first.
    pub keys: Vec<KeyView>,
}

/// Quota and use of a period.
#[derive(Serialize, ToSchema)]
pub struct UsageView {
    /// The plan.
    #[schema(example = "basic")]
    pub plan: Plan,
    /// First instant of the period.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime, example = "2026-11-01T00:00:00Z")]
    pub period_start: OffsetDateTime,
    /// When the quota starts anew.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime, example = "2026-12-01T00:00:00Z")]
    pub resets_at: OffsetDateTime,
    /// Requests in the period: all that the plan has, or a share of them until the period is paid.
    #[schema(example = 10_000)]
    pub limit: u64,
    /// Requests served and charged.
    #[schema(example = 1_234)]
    pub used: u64,
    /// Requests left.
    #[schema(example = 8_766)]
    pub remaining: u64,
    /// Requests lost to a failure of ours: they may have been served, so they are not handed out
    /// again. Zero in all but very rare cases.
    #[schema(example = 0)]
    pub withheld: u64,
    /// Requests allowed in any minute.
    #[schema(example = 60)]
    pub per_minute: u64,
    /// Set if mail to your address is stopped; null otherwise.
    #[schema(required = true, example = json!(null))]
    pub mail_stopped: Option<MailStoppedView>,
    /// Each day asked for with use in it (UTC), about a minute behind.
    pub days: Vec<DayUsage>,
}

/// That mail to an account's address is stopped.
#[derive(Serialize, ToSchema)]
pub struct MailStoppedView {
    /// Why: mail came back (`bounce`), or was called spam (`complaint`).
    #[schema(example = "bounce")]
    pub reason: Why,
    /// Since when.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime, example = "2026-11-24T12:00:00Z")]
    pub since: OffsetDateTime,
    /// What that means, and what to do.
    #[schema(
        example = "Your address refuses our mail, so only what the law demands is sent to it. To get all mail again, sign up again with the address (POST /v1/accounts) and use the token that is mailed: POST /v1/accounts/recover."
    )]
    pub message: &'static str,
}

impl From<MailStop> for MailStoppedView {
    fn from(stop: MailStop) -> Self {
        Self {
            reason: stop.why,
            since: dates::at(stop.at),
            message: "Your address refuses our mail, so only what the law demands is sent to it. To get all mail \
                      again, sign up again with the address (POST /v1/accounts) and use the token that is mailed: \
                      POST /v1/accounts/recover.",
        }
    }
}

/// State of the service.
#[derive(Serialize, ToSchema)]
pub struct Health {
    /// `ok`, `degraded` (slower, and still exact) or `down`.
    #[schema(example = "ok")]
    pub status: &'static str,
    /// Version of the service.
    #[schema(example = "0.1.0")]
    pub version: &'static str,
    /// Each part.
    pub parts: Vec<PartHealth>,
}

/// State of a part.
#[derive(Serialize, ToSchema)]
pub struct PartHealth {
    /// `redis`, `dynamodb`, a source, or `restore` while a backup is being restored.
    #[schema(example = "research")]
    pub name: &'static str,
    /// `ok`, `degraded` or `down`. Of a source, which is not asked by this: `off`, `ok` or `failing` as
    /// it did when it was last asked, `unknown` if nobody asked within the hour.
    #[schema(example = "ok")]
    pub status: &'static str,
    /// Why, where the operator has to change something: `cluster-mode` (Redis runs in it, so it is not used)
    /// or `eviction-policy` (Redis throws keys away when its memory is full).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "eviction-policy")]
    pub reason: Option<&'static str>,
    /// When the source last answered, within the hour.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, example = "2026-11-24T11:59:30Z")]
    pub last_answer_at: Option<OffsetDateTime>,
    /// When the source last failed, within the hour.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, example = "2026-11-24T11:12:00Z")]
    pub last_failure_at: Option<OffsetDateTime>,
}

impl PartHealth {
    /// A part that was asked just now.
    pub fn asked(name: &'static str, is_up: bool) -> Self {
        let status = if is_up { "ok" } else { "down" };
        let reason = None;
        Self { name, status, reason, last_answer_at: None, last_failure_at: None }
    }

    /// Redis, from what it did when it was asked to do what it is there for.
    pub fn redis(outcome: &Result<(), RedisError>, may_evict: bool) -> Self {
        let (status, reason) = match outcome {
            Ok(()) if may_evict => ("degraded", Some("eviction-policy")),
            Ok(()) => ("ok", None),
            Err(RedisError::Cluster) => ("down", Some("cluster-mode")),
            Err(_) => ("down", None),
        };
        Self { status, reason, ..Self::asked("redis", outcome.is_ok()) }
    }

    /// A source, from what is noted of it.
    pub fn source(name: &'static str, enabled: bool, state: SourceState) -> Self {
        let status = match (enabled, state.is_answering()) {
            (false, _) => "off",
            (true, Some(true)) => "ok",
            (true, Some(false)) => "failing",
            (true, None) => "unknown",
        };
        let at = |seconds: Option<i64>| OffsetDateTime::from_unix_timestamp(seconds?).ok();
        Self {
            name,
            status,
            reason: None,
            last_answer_at: at(state.answered_at),
            last_failure_at: at(state.failed_at),
        }
    }
}
