//! AWS's clients: the environment's credentials, one pool of connections, and each built when it is
//! first used, because a cold start waits for everything that is built before it.

use std::{
    fmt,
    ops::Deref,
    sync::{Arc, LazyLock},
};

use aws_credential_types::Credentials;
use aws_sdk_dynamodb::config::{Region, SharedCredentialsProvider, retry::RetryConfig};
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

use crate::{config::AwsConfig, store::time_limits};

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
            dynamodb: client!(aws_sdk_dynamodb, common, config.dynamodb_endpoint),
            secrets: client!(aws_sdk_secretsmanager, common, config.secrets_endpoint),
            ses: client!(aws_sdk_ses, common, config.ses_endpoint),
        }
    }
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
macro_rules! client {
    ($sdk:ident, $common:ident, $endpoint:expr) => {{
        let (common, endpoint) = ($common.clone(), $endpoint.clone());
        Lazy::new(move || {
            let builder = $sdk::Config::builder()
                .behavior_version($sdk::config::BehaviorVersion::latest())
                .http_client(common.http(endpoint.as_ref()))
                .region(common.region)
                .credentials_provider(common.credentials)
                .timeout_config(time_limits())
                .retry_config(RetryConfig::standard());
            let builder = match endpoint {
                Some(endpoint) => builder.endpoint_url(endpoint),
                None => builder,
            };
            $sdk::Client::from_conf(builder.build())
        })
    }};
}
use client;
