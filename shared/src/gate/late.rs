//! What a Redis that answered too late has done is undone, before Lambda may freeze the environment.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use ::redis::{Value, pipe};
use futures_util::future::join_all;
use time::OffsetDateTime;
use tokio::{task::JoinHandle, time::timeout};

use super::{
    Admission, GIVE_BACK, Gate, RELEASE, Reply, Token, first, gate_key, give_back_direct,
    reply::not_understood,
};
use crate::{
    error::Error,
    ids::AccountId,
    redis::{Late, RedisError, is_no_script},
};

/// How long an environment that has answered waits for the late answers of Redis. What comes after that
/// is undone too, if the environment goes on.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is still being undone. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct LateAnswers(Arc<Mutex<Vec<JoinHandle<()>>>>);

/// A request at the gate that was not waited for.
pub(super) struct Asked {
    pub(super) account: AccountId,
    /// What it was to hold a refill with.
    pub(super) token: String,
    /// Requests that it was to take from the period.
    pub(super) cost: u64,
    pub(super) now: OffsetDateTime,
}

impl Gate {
    /// Waits, for two seconds at most, until what Redis did too late for its request has been undone. To
    /// be called once the request is answered.
    pub async fn settle(&self) {
        let tasks =
            std::mem::take(&mut *self.late.0.lock().unwrap_or_else(PoisonError::into_inner));
        if !tasks.is_empty() && timeout(PATIENCE, join_all(tasks)).await.is_err() {
            tracing::warn!("Redis has not answered yet: what it took may be lost");
        }
    }

    pub(super) fn undo_when_late(&self, asked: Asked, late: Late) {
        let gate = self.clone();
        self.await_later(async move {
            let Ok(Ok(value)) = late.await else { return };
            let Ok((reply, _)) = first(value) else { return };
            let parsed = Reply::parse(&asked.account, reply, asked.cost, asked.now);
            let Ok(reply) = parsed else { return };
            gate.undo(&asked, reply).await;
        });
    }

    /// Returns `count` requests to `lease`, if that is still the live one: whether that is done, or will be.
    /// `id` makes it happen once.
    pub(super) async fn return_to_lease(
        &self,
        admission: &Admission,
        lease: &str,
        count: u64,
        id: &str,
    ) -> Result<bool, RedisError> {
        let (key, args) = (gate_key(&admission.account), [lease, &count.to_string()]);
        for _ in 0..2 {
            let mut pipeline = pipe();
            GIVE_BACK.add_to(&mut pipeline, &key, &args);
            match self.redis.query_raw(pipeline).await {
                Ok(value) => return is_returned(value),
                Err((RedisError::Failed(error), None)) if is_no_script(&error) => {
                    if GIVE_BACK.load(&self.redis).await.is_err() {
                        break;
                    }
                }
                Err((error, None)) => return Err(error),
                Err((_, Some(late))) => {
                    self.return_when_late(admission.clone(), count, id.to_owned(), late);
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    fn return_when_late(&self, admission: Admission, count: u64, id: String, late: Late) {
        let gate = self.clone();
        self.await_later(async move {
            let is_returned = match late.await {
                Ok(Ok(value)) => is_returned(value),
                Ok(Err(error)) if is_no_script(&error) => Ok(false),
                Ok(Err(error)) => Err(error.into()),
                Err(_) => Err(RedisError::Timeout),
            };
            let outcome = match is_returned {
                Ok(true) => return,
                Ok(false) => {
                    let (account, period) = (&admission.account, &admission.period);
                    give_back_direct(&gate.store, account, period, count, &id).await
                }
                // It may have been returned: returning it again would give one away.
                Err(error) => Err(Error::unavailable("Redis", &error)),
            };
            if let Err(error) = outcome {
                tracing::error!(error = %error, "a failed request could not be given back");
            }
        });
    }

    fn await_later(&self, work: impl Future<Output = ()> + Send + 'static) {
        let task = tokio::spawn(work);
        self.late.0.lock().unwrap_or_else(PoisonError::into_inner).push(task);
    }

    async fn undo(&self, asked: &Asked, reply: Reply) {
        let key = gate_key(&asked.account);
        let told = match reply {
            Reply::Ok(admission) if asked.cost > 0 => {
                let Token::Leased { lease, seq } = &admission.token else { return };
                // Not into its lease: Redis is slow, and what is sent to it twice would count twice.
                let (period, id) = (&admission.period, format!("late {lease} {seq}"));
                let account = &asked.account;
                let given = give_back_direct(&self.store, account, period, asked.cost, &id).await;
                if let Err(error) = given {
                    tracing::warn!(error = %error, "a late answer's request is not returned");
                    return;
                }
                // The period is not used up any more, if it was.
                GIVE_BACK.run_patiently::<u8>(&self.redis, &key, &[lease, "0"]).await
            }
            // It was chosen to load the account, and did not hear of it: the next one may.
            Reply::Load(_) => RELEASE.run_patiently::<u8>(&self.redis, &key, &[&asked.token]).await,
            _ => return,
        };
        if let Err(error) = told {
            tracing::warn!(error = %error, "Redis could not be told of what was undone");
        }
    }
}

fn is_returned(value: Value) -> Result<bool, RedisError> {
    let (returned,): (u8,) = ::redis::from_redis_value(value).map_err(|_| not_understood())?;
    Ok(returned == 1)
}
