//! AWS's clients: the environment's credentials, one pool of connections, and each built when it is
//! first used, because a cold start waits for everything that is built before it.

use std::{
    fmt,
    ops::Deref,
    sync::{Arc, LazyLock},
    time::Duration,
};

use aws_credential_types::Credentials;
use aws_sdk_dynamodb::{
    config::{Region, SharedCredentialsProvider, retry::RetryConfig, timeout::TimeoutConfig},
    error::{ProvideErrorMetadata, SdkError},
};
use aws_smithy_http_client::{
    Builder as HttpClientBuilder,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::{
    client::{
        http::{HttpClient, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector},
        runtime_components::RuntimeComponents,
    },
    shared::IntoShared,
};
use secrecy::ExposeSecret;

use crate::{config::AwsConfig, error::Error};

/// A client that is built when it is first used. Clones share it.
pub struct Lazy<C>(Arc<LazyLock<C, Box<dyn FnOnce() -> C + Send>>>);

impl<C> Lazy<C> {
    fn new(build: impl FnOnce() -> C + Send + 'static) -> Self {
        Self(Arc::new(LazyLock::new(Box::new(build))))
    }
}

impl<C> Clone for Lazy<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<C> Deref for Lazy<C> {
    type Target = C;

    fn deref(&self) -> &C {
        &self.0
    }
}

impl<C> fmt::Debug for Lazy<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lazy").finish_non_exhaustive()
    }
}

/// The clients of AWS's services.
#[derive(Clone, Debug)]
pub struct Aws {
    /// DynamoDB.
    pub dynamodb: Lazy<aws_sdk_dynamodb::Client>,
    /// Secrets Manager.
    pub secrets: Lazy<aws_sdk_secretsmanager::Client>,
    /// SES.
    pub ses: Lazy<aws_sdk_ses::Client>,
}

impl Aws {
    /// Prepares the clients; nothing is built or sent.
    pub fn new(config: &AwsConfig) -> Self {
        let common = Common::new(config);
        Self {
            dynamodb: {
                let (common, endpoint) = (common.clone(), config.dynamodb_endpoint.clone());
                Lazy::new(move || {
                    let config = configured!(aws_sdk_dynamodb, common, endpoint, 2);
                    aws_sdk_dynamodb::Client::from_conf(crate::store::retrying(config).build())
                })
            },
            secrets: client!(aws_sdk_secretsmanager, common, config.secrets_endpoint),
            ses: client!(aws_sdk_ses, common, config.ses_endpoint),
        }
    }
}

/// `service` failed with `error`, after the SDK's own retries.
pub fn unavailable<E, R>(service: &'static str, error: &SdkError<E, R>) -> Error
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
    R: std::fmt::Debug + 'static,
{
    // The code is enough; messages can quote keys and addresses.
    let detail = match error.code() {
        Some(code) => code,
        None => match &error {
            SdkError::TimeoutError(_) => "time-out",
            SdkError::DispatchFailure(_) => "connection failed",
            SdkError::ConstructionFailure(_) => "request not built",
            _ => "answer not understood",
        },
    };
    Error::Unavailable { dependency: service, detail: detail.to_owned() }
}

/// Time limits for every call: `attempt` in seconds, and three times as much with its retries.
fn time_limits(attempt: u64) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(1))
        .operation_attempt_timeout(Duration::from_secs(attempt))
        .operation_timeout(Duration::from_secs(3 * attempt))
        .build()
}

/// What every client is given.
#[derive(Clone)]
struct Common {
    region: Region,
    credentials: SharedCredentialsProvider,
    // One pool and one parsed set of TLS roots for all services.
    tls: SharedHttpClient,
    plain: SharedHttpClient,
}

impl Common {
    fn new(config: &AwsConfig) -> Self {
        let credentials = Credentials::new(
            &config.access_key_id,
            config.secret_access_key.expose_secret(),
            config.session_token.as_ref().map(|token| token.expose_secret().to_owned()),
            None,
            "environment",
        );
        let tls = HttpClientBuilder::new().tls_provider(Provider::Rustls(CryptoMode::Ring));
        Self {
            region: Region::new(config.region.clone()),
            credentials: SharedCredentialsProvider::new(credentials),
            tls: OnDemand(tls.build_https()).into_shared(),
            plain: OnDemand(HttpClientBuilder::new().build_http()).into_shared(),
        }
    }

    /// The HTTP client for `endpoint`: one without TLS (a local stand-in) needs no roots.
    fn http(&self, endpoint: Option<&String>) -> SharedHttpClient {
        let is_plain = endpoint.is_some_and(|it| it.starts_with("http://"));
        if is_plain { self.plain.clone() } else { self.tls.clone() }
    }
}

/// Makes connectors when they are first needed. The SDK's own client makes one, TLS roots and all, for
/// each service that is configured, and drops it again: milliseconds of every cold start.
#[derive(Debug)]
struct OnDemand(SharedHttpClient);

impl HttpClient for OnDemand {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        self.0.http_connector(settings, components)
    }
}

/// The services' configuration builders are different types with the same methods.
macro_rules! configured {
    ($sdk:ident, $common:expr, $endpoint:expr, $seconds:literal) => {{
        let (common, endpoint) = ($common, $endpoint);
        let builder = $sdk::Config::builder()
            .behavior_version($sdk::config::BehaviorVersion::latest())
            .http_client(common.http(endpoint.as_ref()))
            .region(common.region)
            .credentials_provider(common.credentials)
            .timeout_config(time_limits($seconds))
            .retry_config(RetryConfig::standard());
        match endpoint {
            Some(endpoint) => builder.endpoint_url(endpoint),
            None => builder,
        }
    }};
}
use configured;

macro_rules! client {
    ($sdk:ident, $common:ident, $endpoint:expr) => {{
        let (common, endpoint) = ($common.clone(), $endpoint.clone());
        Lazy::new(move || $sdk::Client::from_conf(configured!($sdk, common, endpoint, 2).build()))
    }};
}
use client;

/// SQS's client. Not one of [`Aws`], for the same reason as S3's.
pub fn sqs(config: &AwsConfig) -> aws_sdk_sqs::Client {
    let endpoint = config.sqs_endpoint.clone();
    let builder = configured!(aws_sdk_sqs, Common::new(config), endpoint, 2);
    aws_sdk_sqs::Client::from_conf(builder.build())
}

/// S3's client. Not one of [`Aws`]: each function would carry its code, and few use it.
pub(crate) fn s3(config: &AwsConfig) -> aws_sdk_s3::Client {
    let endpoint = config.s3_endpoint.clone();
    // A stand-in has no host name for each bucket.
    let by_path = endpoint.is_some();
    // A part of a file takes longer than an item.
    let builder = configured!(aws_sdk_s3, Common::new(config), endpoint, 30);
    aws_sdk_s3::Client::from_conf(builder.force_path_style(by_path).build())
}
