use std::{
    pin::Pin,
    task::Poll,
    time::{Duration, Instant},
};

use local::cloud::Cloud;
use serde_json::{Value, json};
use vidintel::{
    app::App,
    config::{
        AwsConfig, BillingSettings, CdnSettings, Config, RedisConfig, ServiceConfig,
        SourcesSettings,
    },
    ids::AccountId,
    plans::Plan,
    store::TableNames,
};

/// The shared library's own clients against `cloud`, with the operator's credentials.
pub(crate) fn app_of(cloud: &Cloud, redis_url: &str) -> App {
    app_as(local::access::OPERATOR_KEY, cloud, redis_url)
}

/// As [`app_of`], and its calls meet the troubles that functions meet.
pub(crate) fn library_of(cloud: &Cloud, redis_url: &str) -> App {
    app_as(local::access::LIBRARY_KEY, cloud, redis_url)
}

fn app_as(access_key: &str, cloud: &Cloud, redis_url: &str) -> App {
    let setting = |name| cloud.setting(name).map(str::to_owned);
    App::new(Config {
        aws: AwsConfig {
            region: "eu-west-1".to_owned(),
            access_key_id: access_key.to_owned(),
            secret_access_key: "local".to_owned().into(),
            session_token: None,
            s3_endpoint: setting("AWS_ENDPOINT_URL_S3"),
            dynamodb_endpoint: setting("AWS_ENDPOINT_URL_DYNAMODB"),
            secrets_endpoint: setting("AWS_ENDPOINT_URL_SECRETS_MANAGER"),
            ses_endpoint: setting("AWS_ENDPOINT_URL_SES"),
            sqs_endpoint: setting("AWS_ENDPOINT_URL_SQS"),
        },
        redis: RedisConfig {
            url: redis_url.to_owned().into(),
            response_timeout: Duration::from_secs(2),
            connect_timeout: Duration::from_secs(2),
        },
        service: ServiceConfig {
            table_names: TableNames::new(cloud.dynamodb.prefix(), &cloud.dynamodb.suffixes())
                .expect("names"),
            exports_bucket: cloud.template.buckets[0].clone(),
            secret_id: "video-intelligence".to_owned(),
            public_url: cloud.url().to_owned(),
            mail_from: "no-reply@example.com".to_owned(),
            support_address: "support@example.com".to_owned(),
            mail_configuration_set: cloud
                .template
                .configuration_sets
                .keys()
                .next()
                .expect("one")
                .clone(),
            deletion_grace_days: 7,
        },
        billing: BillingSettings {
            stripe_url: setting("STRIPE_API_URL"),
            is_taxed: false,
            events_queue_url: None,
        },
        // Whatever is in front of the service, the library does not meet it.
        cdn: CdnSettings::from_env().expect("none"),
        sources: SourcesSettings {
            oembed_url: "http://127.0.0.1:1/".to_owned(),
            api_url: "http://127.0.0.1:1/".to_owned(),
            web_url: None,
            research: false,
        },
    })
    .expect("a valid configuration")
}

/// Stores an account on the Free plan, without a key, past the functions that open one.
pub(crate) async fn store_account(cloud: &Cloud, id: &AccountId) {
    let put = json!({ "TableName": cloud.dynamodb.table("accounts"), "Item": account_item(id) });
    cloud.dynamodb.call("PutItem", &put).await.expect("an account");
}

/// An account on the Free plan, as it is stored.
pub(crate) fn account_item(id: &AccountId) -> Value {
    json!({
        "id": { "S": id.to_string() },
        "email": { "S": "made-up@example.com" },
        "email_hash": { "S": "0" },
        "plan": { "S": Plan::Free.name() },
        "status": { "S": "active" },
        "created_at": { "N": "0" },
        "policy_version": { "S": "1.0" },
        "policy_accepted_at": { "N": "0" },
        "gate_version": { "N": "1" },
        "key_count": { "N": "0" },
    })
}

/// A deadline that no run of a test comes near.
pub(crate) fn far_away() -> Instant {
    Instant::now() + Duration::from_secs(600)
}

/// Polls `future` at most `polls` times, then lets what it has sent arrive.
pub(crate) async fn advance<F: Future>(mut future: Pin<&mut F>, polls: usize) -> Option<F::Output> {
    let mut left = polls;
    let outcome = std::future::poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        future.as_mut().poll(context).map(Some)
    })
    .await;
    tokio::time::sleep(Duration::from_millis(10)).await;
    outcome
}

/// Polls `future` until `is_reached` says so, which is asked whenever something has arrived for it; then lets
/// what it has sent arrive.
pub(crate) async fn advance_until<F: Future>(
    mut future: Pin<&mut F>,
    is_reached: impl Fn() -> bool,
) -> Option<F::Output> {
    let outcome = std::future::poll_fn(|context| {
        if is_reached() {
            return Poll::Ready(None);
        }
        match future.as_mut().poll(context) {
            Poll::Pending if is_reached() => Poll::Ready(None),
            outcome => outcome.map(Some),
        }
    })
    .await;
    tokio::time::sleep(Duration::from_millis(10)).await;
    outcome
}
