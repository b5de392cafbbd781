//! How long a job that works on many accounts waits for one of them, so that one keeps no other from it.

use std::time::{Duration, Instant};

use tokio::time::timeout_at;

use crate::error::Error;

/// How long one account may take…
const MOST: Duration = Duration::from_secs(10);

/// …and how long what has been begun may go on after the run's deadline.
const GRACE: Duration = Duration::from_secs(3);

/// The patience of one run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    end: Instant,
}

impl Patience {
    /// That of a run with this deadline.
    pub(crate) fn until(deadline: Instant) -> Self {
        Self { end: deadline + GRACE }
    }

    /// What `work` on one account comes to, if it does in time.
    pub(crate) async fn with<T>(
        self,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let end = (Instant::now() + MOST).min(self.end);
        timeout_at(end.into(), work).await.unwrap_or_else(|_| {
            let detail = "an account took too long".to_owned();
            Err(Error::Unavailable { dependency: "DynamoDB", detail })
        })
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test]
    async fn what_takes_too_long_ends_soon_after_the_deadline() {
        let began = Instant::now();
        // The grace is over by then.
        let patience = Patience::until(began - GRACE);
        let ended = patience.with(pending::<Result<(), Error>>()).await;
        assert!(matches!(ended, Err(Error::Unavailable { .. })));
        assert!(began.elapsed() < Duration::from_secs(1));
        assert_eq!(patience.with(ready(Ok(1))).await.ok(), Some(1));
    }
}
