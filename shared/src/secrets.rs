//! The one secret of the service, read from Secrets Manager and kept for a while.

use std::time::{Duration, Instant};

use aws_sdk_secretsmanager::Client;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::sync::Mutex;

use crate::{aws::Lazy, error::Error};

/// How long a read secret is used: the longest time a rotation needs to reach every environment.
const KEEP: Duration = Duration::from_secs(15 * 60);

/// The secret's content.
#[derive(Clone, Debug, Deserialize)]
pub struct Secret {
    /// Keys for hashing what must be found again but not read.
    pub pepper: Peppers,
    /// Credentials of the operator's TikTok application.
    #[serde(default)]
    pub tiktok: Option<TikTokCredentials>,
    /// Credentials of the operator's account at Stripe.
    #[serde(default)]
    pub stripe: Option<StripeCredentials>,
}

/// The pepper in use, during a rotation the one after it and then the one before it, and those before that.
///
/// Environments read the secret at different times. So a new pepper is first only accepted (`next`), and put
/// into use (`current`) when every environment accepts it.
#[derive(Clone, Debug, Deserialize)]
pub struct Peppers {
    /// New hashes are made with this one.
    pub current: Pepper,
    /// Hashes made with this one are still found.
    #[serde(default)]
    pub previous: Option<Pepper>,
    /// Hashes made with this one are found already: others may be making them.
    #[serde(default)]
    pub next: Option<Pepper>,
    /// Older ones, with which only creators' objections are still found: nobody but the creator may
    /// end one, and a hash cannot be made anew without the name.
    #[serde(default)]
    pub retired: Vec<Pepper>,
}

impl Peppers {
    /// The pepper in use, then the one before it and the one after it.
    pub fn all(&self) -> impl Iterator<Item = &Pepper> {
        std::iter::once(&self.current).chain(&self.previous).chain(&self.next)
    }

    /// As [`all`](Self::all), without the one in use.
    pub fn others(&self) -> impl Iterator<Item = &Pepper> {
        self.all().filter(|it| it.version != self.current.version)
    }

    /// Every pepper there has been, the one in use first: for what outlives all rotations.
    pub fn ever(&self) -> impl Iterator<Item = &Pepper> {
        self.all().chain(&self.retired)
    }
}

/// A 256-bit key of keyed BLAKE3.
#[derive(Clone, Deserialize)]
pub struct Pepper {
    /// Counts up with each rotation; stored beside each hash.
    pub version: u32,
    key: SecretString,
}

impl std::fmt::Debug for Pepper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pepper").field("version", &self.version).finish_non_exhaustive()
    }
}

/// Client key and secret at TikTok.
#[derive(Clone, Debug, Deserialize)]
pub struct TikTokCredentials {
    /// Public name of the application.
    pub client_key: String,
    /// Its secret.
    pub client_secret: SecretString,
}

/// Key of the API, and what webhooks are signed with.
#[derive(Clone, Debug, Deserialize)]
pub struct StripeCredentials {
    /// `sk_…` or, better, a restricted `rk_…`.
    pub secret_key: SecretString,
    /// `whsec_…`: the endpoint's signing secret, and while it is rotated the one before it too.
    pub webhook_secrets: Vec<SecretString>,
}

impl Pepper {
    /// A pepper of the given 32 bytes.
    pub fn new(version: u32, key: [u8; 32]) -> Self {
        Self { version, key: blake3::Hash::from_bytes(key).to_hex().to_string().into() }
    }

    /// Keyed hash of `text` for one `purpose`: the same text has unrelated hashes for two purposes.
    /// 64 hexadecimal digits.
    pub fn hash(&self, purpose: &str, text: &str) -> String {
        self.hasher(purpose, text).finalize().to_hex().to_string()
    }

    /// A stream of pseudo-random bytes that only the holder of the pepper can compute.
    pub fn derive(&self, purpose: &str, text: &str) -> blake3::OutputReader {
        self.hasher(purpose, text).finalize_xof()
    }

    fn hasher(&self, purpose: &str, text: &str) -> blake3::Hasher {
        // Checked when the secret was read.
        let key = blake3::Hash::from_hex(self.key.expose_secret()).map_or([0; 32], Into::into);
        let mut hasher = blake3::Hasher::new_keyed(&key);
        hasher.update(purpose.as_bytes()).update(&[0]).update(text.as_bytes());
        hasher
    }

    fn is_usable(&self) -> bool {
        blake3::Hash::from_hex(self.key.expose_secret()).is_ok()
    }
}

/// Reads the secret when first needed and again after a quarter of an hour.
#[derive(Debug)]
pub struct Secrets {
    client: Lazy<Client>,
    id: String,
    kept: Mutex<Option<(Instant, Secret)>>,
}

impl Secrets {
    /// Reads the secret named `id` through `client`, later.
    pub fn new(client: Lazy<Client>, id: String) -> Self {
        Self { client, id, kept: Mutex::new(None) }
    }

    /// The secret. While Secrets Manager does not answer, the last read one serves on.
    pub async fn get(&self) -> Result<Secret, Error> {
        let mut kept = self.kept.lock().await;
        if let Some((read, secret)) = &*kept
            && read.elapsed() < KEEP
        {
            return Ok(secret.clone());
        }
        match self.read().await {
            Ok(secret) => {
                *kept = Some((Instant::now(), secret.clone()));
                Ok(secret)
            }
            Err(error) => match &*kept {
                Some((_, secret)) => {
                    tracing::warn!(error = %error, "the secret could not be read again");
                    Ok(secret.clone())
                }
                None => Err(error),
            },
        }
    }

    async fn read(&self) -> Result<Secret, Error> {
        let answer =
            self.client.get_secret_value().secret_id(&self.id).send().await.map_err(|error| {
                Error::unavailable("Secrets Manager", &error.into_service_error())
            })?;
        let text = answer.secret_string().unwrap_or_default();
        // The parser's own message could quote the secret.
        let secret: Secret = serde_json::from_str(text)
            .map_err(|_| Error::internal("the secret is not of the documented form"))?;
        if !secret.pepper.ever().all(Pepper::is_usable) {
            return Err(Error::internal("a pepper is not of 64 hexadecimal digits"));
        }
        Ok(secret)
    }
}
