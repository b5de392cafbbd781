//! Everything a handler works with: one struct of clients, built once in `main` and shared.

use std::sync::{Arc, OnceLock};

use secrecy::{ExposeSecret, ExposeSecretMut, SecretBox, SecretString};
use tokio::sync::Mutex;

use crate::{
    aws::Aws,
    billing::{BillingError, Stripe},
    config::Config,
    error::Error,
    files::Files,
    flight::Alone,
    gate::Gate,
    mail::Mailer,
    objections::Objections,
    queue::Queue,
    redis::Redis,
    secrets::Secrets,
    store::Store,
    upstream,
    usage::Log,
    video::{Cursors, ResearchCredentials, Sources, SourcesConfig, WebAddress},
};

/// The clients. They connect on first use; clones share them.
#[derive(Clone, Debug)]
pub struct App {
    /// Settings.
    pub config: Arc<Config>,
    /// DynamoDB.
    pub store: Store,
    /// Files in S3.
    pub files: Files,
    /// The queue of Stripe's events.
    pub events: Queue,
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
    /// Answers of this process, for while Redis is away.
    pub alone: Alone,
    sources: Arc<OnceLock<Sources>>,
    stripe: Arc<Mutex<Option<(SecretString, Stripe)>>>,
}

impl App {
    /// Builds the clients from the environment's settings. Nothing is sent.
    pub fn from_env() -> Result<Self, Error> {
        Self::new(Config::from_env().map_err(Error::internal)?)
    }

    /// Builds the clients from `config`.
    pub fn new(config: Config) -> Result<Self, Error> {
        let aws = Aws::new(&config.aws);
        let store = Store::new(aws.dynamodb, config.service.table_names.clone());
        let secrets = Arc::new(Secrets::new(aws.secrets, config.service.secret_id.clone()));
        let redis = Redis::with_secrets(&config.redis, Arc::clone(&secrets))
            // The error would repeat the URL.
            .map_err(|_| Error::internal("REDIS_URL is not a URL of a Redis server"))?;
        Ok(Self {
            gate: Gate::new(redis.clone(), store.clone()),
            secrets,
            mailer: Mailer::new(
                aws.ses,
                config.service.mail_from.clone(),
                config.service.mail_configuration_set.clone(),
            ),
            usage: Log::new(redis.clone(), store.clone()),
            alone: Alone::default(),
            sources: Arc::default(),
            stripe: Arc::default(),
            files: Files::new(config.aws.clone(), config.service.exports_bucket.clone()),
            events: Queue::new(config.aws.clone(), config.billing.events_queue_url.clone()),
            config: Arc::new(config),
            store,
            redis,
        })
    }

    /// The creators who objected.
    pub async fn objections(&self) -> Result<Objections, Error> {
        let peppers = self.secrets.get().await?.pepper;
        Ok(Objections::new(self.store.clone(), self.redis.clone(), peppers))
    }

    /// What seals the cursors of searches.
    pub async fn cursors(&self) -> Result<Cursors, Error> {
        Ok(Cursors::new(&self.secrets.get().await?.pepper))
    }

    /// Stripe, with the operator's credentials.
    pub async fn stripe(&self) -> Result<Stripe, Error> {
        let secret = self.secrets.get().await?;
        let credentials = secret.stripe.ok_or(BillingError::NotEnabled)?;
        let mut kept = self.stripe.lock().await;
        let key = credentials.secret_key.expose_secret();
        if let Some((of, stripe)) = &*kept
            && of.expose_secret() == key
        {
            return Ok(stripe.clone());
        }
        let stripe = Stripe::new(&credentials, self.config.billing.stripe_url.as_deref())?;
        *kept = Some((credentials.secret_key, stripe.clone()));
        Ok(stripe)
    }

    /// TikTok's interfaces, with the operator's credentials where the Research source is on.
    pub async fn sources(&self) -> Result<&Sources, Error> {
        if let Some(sources) = self.sources.get() {
            return Ok(sources);
        }
        let settings = &self.config.sources;
        let research = if settings.research {
            let secret = self.secrets.get().await?;
            let credentials = secret.tiktok.ok_or_else(|| {
                Error::internal("TIKTOK_RESEARCH is on, but the secret has no `tiktok` credentials")
            })?;
            let mut seal = SecretBox::new(Box::new([0; 32]));
            secret.pepper.current.derive("research-token", "").fill(seal.expose_secret_mut());
            Some(ResearchCredentials {
                client_key: credentials.client_key,
                client_secret: credentials.client_secret,
                seal: Arc::new(seal),
            })
        } else {
            None
        };
        let config = SourcesConfig {
            oembed_url: settings.oembed_url.clone(),
            api_url: settings.api_url.clone(),
            web: WebAddress::new(settings.web_url.clone()),
            research,
        };
        let client = upstream::Client::default();
        let (redis, store) = (self.redis.clone(), self.store.clone());
        Ok(self.sources.get_or_init(|| Sources::new(&config, client, redis, store)))
    }
}
