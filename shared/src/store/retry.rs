//! What is tried again at DynamoDB, for every operation in one place: the SDK's own retries, and what it does not
//! count among them. A single write that meets a transaction is refused, a transaction that meets any other
//! write is cancelled, and nothing has been done in either case.

use std::time::Duration;

use aws_sdk_dynamodb::{
    config::{
        Builder,
        retry::{ClassifyRetry, RetryAction, RetryConfig, RetryPartition, TokenBucket},
    },
    error::ProvideErrorMetadata,
    operation::{
        batch_write_item::BatchWriteItemError, delete_item::DeleteItemError,
        put_item::PutItemError, transact_write_items::TransactWriteItemsError,
        update_item::UpdateItemError,
    },
    types::CancellationReason,
};
use aws_smithy_runtime_api::client::{
    interceptors::context::{Error, InterceptorContext},
    retries::classifiers::RetryClassifierPriority,
};

/// Attempts of one operation, the first one included.
const ATTEMPTS: u32 = 10;
/// Pause before the second attempt at most; it doubles with each, and a random part of it is waited. A
/// transaction takes milliseconds, so this begins small.
const FIRST_PAUSE: Duration = Duration::from_millis(25);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// How many retries a client has in hand (five units each), and how many units come back in a second. Without
/// the latter, a client that has lived through an outage would not retry any more.
const IN_HAND: usize = 500;
const BACK_PER_SECOND: f32 = 20.0;

/// Lets the client be built from `config` retry.
pub(crate) fn retrying(config: Builder) -> Builder {
    let pauses = RetryConfig::standard()
        .with_max_attempts(ATTEMPTS)
        .with_initial_backoff(FIRST_PAUSE)
        .with_max_backoff(LONGEST_PAUSE);
    let bucket = TokenBucket::builder().capacity(IN_HAND).refill_rate(BACK_PER_SECOND).build();
    config
        .retry_config(pauses)
        .retry_partition(RetryPartition::custom("dynamodb").token_bucket(bucket).build())
        .retry_classifier(Conflicts)
}

/// A random pause before the `attempt`-th attempt (from 0) of what is read and written anew.
pub(crate) async fn pause(attempt: u32) {
    let most = (10_u64 << attempt.min(8)).min(500);
    let jitter = getrandom::u32().map_or(0, |it| u64::from(it) % most);
    tokio::time::sleep(Duration::from_millis(jitter)).await;
}

/// Tells conflicts, and transactions that were throttled.
#[derive(Debug)]
struct Conflicts;

impl ClassifyRetry for Conflicts {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let error = context.output_or_error().and_then(Result::err);
        match error.and_then(|it| it.as_operation_error()) {
            Some(error) if is_passing(error) => RetryAction::throttling_error(),
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "conflicts between writes"
    }

    fn priority(&self) -> RetryClassifierPriority {
        RetryClassifierPriority::run_after(RetryClassifierPriority::transient_error_classifier())
    }
}

fn is_passing(error: &Error) -> bool {
    if let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) =
        error.downcast_ref()
    {
        return may_pass(cancelled.cancellation_reasons());
    }
    let code = None
        .or_else(|| error.downcast_ref::<UpdateItemError>()?.code())
        .or_else(|| error.downcast_ref::<PutItemError>()?.code())
        .or_else(|| error.downcast_ref::<DeleteItemError>()?.code())
        .or_else(|| error.downcast_ref::<BatchWriteItemError>()?.code());
    code == Some("TransactionConflictException")
}

/// Whether a transaction that was cancelled for `reasons` may go through when it is sent again: a condition
/// that did not hold is for its caller to look at.
fn may_pass(reasons: &[CancellationReason]) -> bool {
    let passing = ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"];
    let mut codes = reasons.iter().filter_map(CancellationReason::code).filter(|it| *it != "None");
    codes.next().is_some_and(|it| passing.contains(&it)) && codes.all(|it| passing.contains(&it))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_is_sent_again_unless_a_condition_stood_against_it() {
        let may_pass = |codes: &[&str]| {
            let reasons: Vec<_> =
                codes.iter().map(|it| CancellationReason::builder().code(*it).build()).collect();
            may_pass(&reasons)
        };
        assert!(may_pass(&["None", "TransactionConflict"]));
        assert!(may_pass(&["ThrottlingError", "None", "ProvisionedThroughputExceeded"]));
        assert!(!may_pass(&["TransactionConflict", "ConditionalCheckFailed"]));
        assert!(!may_pass(&["ValidationError"]));
        assert!(!may_pass(&["None"]) && !may_pass(&[]));
    }
}
