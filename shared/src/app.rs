//! Everything a handler works with: one struct of clients, built once in `main` and shared.

use std::sync::{Arc, OnceLock};

use aws_credential_types::Credentials;
use aws_sdk_dynamodb::config::{Region, SharedCredentialsProvider, retry::RetryConfig};
use aws_smithy_http_client::{
    Builder as HttpClientBuilder,
    tls::{Provider, rustls_provider::CryptoMode},
};
use secrecy::ExposeSecret;

use crate::{
    config::{AwsConfig, Config},
    error::Error,
    gate::Gate,
    mail::Mailer,
    redis::Redis,
    secrets::Secrets,
    store::{Store, time_limits},
    upstream,
    usage::Log,
    video::{ResearchCredentials, Sources, SourcesConfig},
};

/// The clients. They connect on first use; clones share them.
#[derive(Clone, Debug)]
pub struct App {
    /// Settings.
    pub config: Arc<Config>,
    /// DynamoDB.
    pub store: Store,
    /// Redis.
    pub redis: Redis,
    /// The gate of metered endpoints.
    pub gate: Gate,
    /// The service's secret.
    pub secrets: Arc<Secrets>,
    /// Mail.
    pub mailer: Mailer,
    /// The usage log.
    pub usage: Log,
    sources: Arc<OnceLock<Sources>>,
}

impl App {
    /// Builds the clients from the environment's settings. Nothing is sent.
    pub fn from_env() -> Result<Self, Error> {
        Self::new(Config::from_env().map_err(Error::internal)?)
    }

    /// Builds the clients from `config`.
    pub fn new(config: Config) -> Result<Self, Error> {
        let aws = SharedAws::new(&config.aws);
        let dynamodb = aws_sdk_dynamodb::Config::builder();
        let dynamodb = aws_client!(aws_sdk_dynamodb, aws, dynamodb, &config.aws.dynamodb_endpoint);
        let secrets = aws_sdk_secretsmanager::Config::builder();
        let secrets =
            aws_client!(aws_sdk_secretsmanager, aws, secrets, &config.aws.secrets_endpoint);
        let ses = aws_sdk_ses::Config::builder();
        let ses = aws_client!(aws_sdk_ses, aws, ses, &config.aws.ses_endpoint);
        let store = Store::new(dynamodb, config.service.table_prefix.clone());
        let redis = Redis::new(&config.redis)
            // The error would repeat the URL, which may hold a password.
            .map_err(|_| Error::internal("REDIS_URL is not a URL of a Redis server"))?;
        Ok(Self {
            gate: Gate::new(redis.clone(), store.clone()),
            secrets: Arc::new(Secrets::new(secrets, config.service.secret_id.clone())),
            mailer: Mailer::new(ses, config.service.mail_from.clone()),
            usage: Log::immediate(redis.clone(), store.clone()),
            sources: Arc::default(),
            config: Arc::new(config),
            store,
            redis,
        })
    }

    /// TikTok's interfaces, with the operator's credentials where the Research source is on.
    pub async fn sources(&self) -> Result<&Sources, Error> {
        if let Some(sources) = self.sources.get() {
            return Ok(sources);
        }
        let settings = &self.config.sources;
        let research = if settings.research {
            let credentials = self.secrets.get().await?.tiktok.ok_or_else(|| {
                Error::internal("TIKTOK_RESEARCH is on, but the secret has no `tiktok` credentials")
            })?;
            Some(ResearchCredentials {
                client_key: credentials.client_key,
                client_secret: credentials.client_secret,
            })
        } else {
            None
        };
        let config = SourcesConfig {
            oembed_url: settings.oembed_url.clone(),
            api_url: settings.api_url.clone(),
            research,
        };
        Ok(self.sources.get_or_init(|| Sources::new(&config, upstream::Client::default())))
    }
}

/// What every AWS client is given.
struct SharedAws {
    region: Region,
    credentials: SharedCredentialsProvider,
    http: aws_sdk_dynamodb::config::SharedHttpClient,
}

impl SharedAws {
    fn new(config: &AwsConfig) -> Self {
        let credentials = Credentials::new(
            &config.access_key_id,
            config.secret_access_key.expose_secret(),
            config.session_token.as_ref().map(|token| token.expose_secret().to_owned()),
            None,
            "environment",
        );
        Self {
            region: Region::new(config.region.clone()),
            credentials: SharedCredentialsProvider::new(credentials),
            // One pool and one parsed set of TLS roots for all services.
            http: HttpClientBuilder::new()
                .tls_provider(Provider::Rustls(CryptoMode::Ring))
                .build_https(),
        }
    }
}

/// The services' configuration builders are different types with the same methods.
macro_rules! aws_client {
    ($sdk:ident, $aws:ident, $builder:ident, $endpoint:expr) => {{
        let mut builder = $builder
            .behavior_version($sdk::config::BehaviorVersion::latest())
            .region($aws.region.clone())
            .credentials_provider($aws.credentials.clone())
            .http_client($aws.http.clone())
            .timeout_config(time_limits())
            .retry_config(RetryConfig::standard());
        if let Some(endpoint) = $endpoint {
            builder = builder.endpoint_url(endpoint);
        }
        $sdk::Client::from_conf(builder.build())
    }};
}
use aws_client;
