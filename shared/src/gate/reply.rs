//! The gate script's answer, parsed.

use std::time::Duration;

use redis::{ErrorKind, Value};
use time::OffsetDateTime;

use super::{Admission, Denial, Limits, Token, Window};
use crate::{
    ids::{AccountId, KeyId},
    plans::{Period, Plan},
    redis::RedisError,
    video::Calls,
};

/// What the script said.
pub(super) enum Reply {
    Ok(Box<Admission>),
    Denied(Denial),
    UnknownKey,
    Wait,
    Load(Seen),
}

/// What the gate knew when it asked to be loaded; `refill` says what follows from it.
#[derive(Debug)]
pub(super) struct Seen {
    /// Tokens of earlier refills that were not finished.
    pub(super) abandoned: Vec<String>,
    /// The lease in the gate.
    pub(super) lease: String,
    /// A lease whose rest was put aside, and how much.
    pub(super) aside: (String, u64),
    /// The period that it knew, if any: of the lease and of what was put aside.
    pub(super) period_start: Option<OffsetDateTime>,
}

pub(super) fn not_understood() -> RedisError {
    redis::RedisError::from((
        ErrorKind::UnexpectedReturnType,
        "the gate's answer is not understood",
    ))
    .into()
}

impl Reply {
    pub(super) fn parse(
        account: &AccountId,
        value: Value,
        cost: u64,
        now: OffsetDateTime,
    ) -> Result<Self, RedisError> {
        let Value::Array(values) = value else { return Err(not_understood()) };
        let mut fields = Fields(values.into_iter());
        let reply = match fields.text()?.as_str() {
            "OK" => {
                let (key_id, plan, period, limit) = fields.account()?;
                let (remaining, (minute, _)) = (fields.number()?, fields.minute()?);
                let token = Token::Leased { lease: fields.text()?, seq: fields.number()? };
                let limits = limits(minute, period, limit, remaining, now);
                let account = account.clone();
                let calls = Calls::default();
                let admission =
                    Admission { account, key_id, plan, period, limits, token, cost, calls };
                Self::Ok(Box::new(admission))
            }
            "RATE" => {
                let (key_id, _, period, limit) = fields.account()?;
                let (remaining, (minute, retry_after)) = (fields.number()?, fields.minute()?);
                let limits = limits(minute, period, limit, remaining, now);
                Self::Denied(Denial::Rate { retry_after, limits, key_id })
            }
            "QUOTA" => {
                let (key_id, _, period, limit) = fields.account()?;
                let (remaining, (minute, _)) = (fields.number()?, fields.minute()?);
                Self::Denied(Denial::Quota {
                    limits: limits(minute, period, limit, remaining, now),
                    key_id,
                })
            }
            "STATUS" => Self::Denied(Denial::Inactive(fields.text()?)),
            "KEY" => Self::UnknownKey,
            "WAIT" => Self::Wait,
            "LOAD" => {
                fields.text()?; // why, for a person who watches the server
                Self::Load(Seen {
                    abandoned: tokens(&fields.text()?),
                    lease: fields.text()?,
                    aside: (fields.text()?, fields.number()?),
                    period_start: instant(&fields.text()?),
                })
            }
            _ => return Err(not_understood()),
        };
        Ok(reply)
    }
}

/// The tokens in the gate's list of refills that were not finished.
pub(super) fn tokens(list: &str) -> Vec<String> {
    list.split_terminator(' ').map(str::to_owned).collect()
}

/// The instant that a field of the gate holds, if it holds one.
pub(super) fn instant(ms: &str) -> Option<OffsetDateTime> {
    let ms: i128 = ms.parse().ok()?;
    OffsetDateTime::from_unix_timestamp_nanos(ms * 1_000_000).ok()
}

/// Both limits as they stand at `now`.
pub(super) fn limits(
    minute: Window,
    period: Period,
    limit: u64,
    remaining: u64,
    now: OffsetDateTime,
) -> Limits {
    let seconds = |span: time::Duration| span.whole_seconds().max(0).unsigned_abs();
    Limits {
        minute,
        period: Window { limit, remaining, reset_seconds: seconds(period.end - now) },
        period_seconds: seconds(period.end - period.start),
    }
}

struct Fields(std::vec::IntoIter<Value>);

impl Fields {
    fn text(&mut self) -> Result<String, RedisError> {
        let value = self.0.next().ok_or_else(not_understood)?;
        redis::from_redis_value(value).map_err(|_| not_understood())
    }

    fn number(&mut self) -> Result<u64, RedisError> {
        let value = self.0.next().ok_or_else(not_understood)?;
        redis::from_redis_value(value).map_err(|_| not_understood())
    }

    /// Key id, plan, period, limit: how every answer about a known account begins.
    fn account(&mut self) -> Result<(KeyId, Plan, Period, u64), RedisError> {
        let key_id = self.text()?.parse().map_err(|_| not_understood())?;
        let plan = Plan::from_name(&self.text()?).ok_or_else(not_understood)?;
        let (start, end) = (self.instant()?, self.instant()?);
        Ok((key_id, plan, Period { start, end }, self.number()?))
    }

    /// Limit, milliseconds until more are free (or as many as were asked for), free: how every answer
    /// about a minute goes on.
    fn minute(&mut self) -> Result<(Window, Duration), RedisError> {
        let (limit, wait) = (self.number()?, Duration::from_millis(self.number()?));
        Ok((Window::new(limit, self.number()?, wait), wait))
    }

    fn instant(&mut self) -> Result<OffsetDateTime, RedisError> {
        instant(&self.text()?).ok_or_else(not_understood)
    }
}
