//! The one secret of the service, read from Secrets Manager and kept for a while.

mod kept;

use aws_sdk_secretsmanager::Client;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use self::kept::Kept;
use crate::{aws::Lazy, error::Error};

/// Fewest characters of what proves that a request came through the CDN: it is guessed against over HTTP.
const SHORTEST_PROOF: usize = 32;

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
    /// What Redis is told, where it asks who connects.
    #[serde(default)]
    pub redis: Option<RedisCredentials>,
    /// What proves that a request came through the CDN, where there is one.
    #[serde(default)]
    pub cdn: Option<CdnProof>,
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

/// Credentials at Redis.
#[derive(Clone, Debug, Deserialize)]
pub struct RedisCredentials {
    /// Name of the user; without one, Redis takes the password for that of its default user.
    #[serde(default)]
    pub username: Option<String>,
    /// The password.
    pub password: SecretString,
}

/// What the CDN sends with every request that it passes on, and no client knows.
#[derive(Clone, Debug, Deserialize)]
pub struct CdnProof {
    current: SecretString,
    /// While the CDN is being told a new one, it sends the one before it.
    #[serde(default)]
    previous: Option<SecretString>,
}

impl CdnProof {
    /// Whether `given` is what the CDN sends. Takes the same time whatever is given.
    pub fn is(&self, given: &str) -> bool {
        // Hashes are compared in constant time, and are as long for any text.
        let given = blake3::hash(given.as_bytes());
        let mut all = std::iter::once(&self.current).chain(&self.previous);
        all.any(|it| blake3::hash(it.expose_secret().as_bytes()) == given)
    }

    fn is_usable(&self) -> bool {
        let mut all = std::iter::once(&self.current).chain(&self.previous);
        all.all(|it| it.expose_secret().len() >= SHORTEST_PROOF)
    }
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
    kept: Kept<Secret>,
}

impl Secrets {
    /// Reads the secret named `id` through `client`, later.
    pub fn new(client: Lazy<Client>, id: String) -> Self {
        Self { client, id, kept: Kept::default() }
    }

    /// The secret. While Secrets Manager does not answer, the last read one serves on.
    pub async fn get(&self) -> Result<Secret, Error> {
        self.kept.get(self.read()).await
    }

    /// Has the secret read again before it is used the next time: something in it was not accepted. At most
    /// once a minute.
    pub fn doubt(&self) {
        self.kept.doubt();
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
        if secret.cdn.as_ref().is_some_and(|it| !it.is_usable()) {
            return Err(Error::internal("what proves the CDN must have 32 characters or more"));
        }
        Ok(secret)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proof_of_the_cdn_is_the_current_one_or_the_one_before_it() {
        let (one, two) = ("1".repeat(32), "2".repeat(32));
        let proof = |previous: Option<&str>| CdnProof {
            current: two.clone().into(),
            previous: previous.map(|it| it.to_owned().into()),
        };
        let both = proof(Some(&one));
        assert!(both.is(&one) && both.is(&two) && both.is_usable());
        for wrong in ["", &one[1..], &format!("{one},{two}"), &"3".repeat(32)] {
            assert!(!both.is(wrong), "{wrong}");
        }
        assert!(!proof(None).is(&one));
        assert!(!proof(Some("short")).is_usable());
        assert!(!format!("{both:?}").contains("22"));
    }
}
