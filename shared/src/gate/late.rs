//! What a Redis that answered too late has done is undone, before Lambda may freeze the environment.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::future::join_all;
use time::OffsetDateTime;
use tokio::{task::JoinHandle, time::timeout};

use super::{GIVE_BACK, Gate, RELEASE, Reply, Token, first, gate_key, give_back_direct};
use crate::{ids::AccountId, redis::Late};

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
        let task = tokio::spawn(async move {
            let Ok(Ok(value)) = late.await else { return };
            let Ok((reply, _)) = first(value) else { return };
            let parsed = Reply::parse(&asked.account, reply, asked.cost, asked.now);
            let Ok(reply) = parsed else { return };
            gate.undo(&asked, reply).await;
        });
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
