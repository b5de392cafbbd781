use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use super::{ConfigError, required_var, var};

/// Where Redis is and how long to wait for it.
#[derive(Clone, Debug)]
pub struct RedisConfig {
    /// `redis://` or `rediss://`. In the environment it holds no password: that is part of the secret.
    pub url: SecretString,
    /// Longest wait for an answer before the request goes on without Redis.
    pub response_timeout: Duration,
    /// Longest wait for a new connection (TCP and TLS).
    pub connect_timeout: Duration,
}

impl RedisConfig {
    /// Reads `REDIS_URL` and `REDIS_TIMEOUT_MS` (50 if unset).
    pub fn from_env() -> Result<Self, ConfigError> {
        let name = "REDIS_TIMEOUT_MS";
        let milliseconds = var(name).map_or(Ok(50), |it| it.parse()).map_err(|_| {
            ConfigError::Invalid { name, reason: "must be a number of milliseconds".to_owned() }
        })?;
        let name = "REDIS_URL";
        let url = required_var(name)?;
        if Url::parse(&url).is_ok_and(|it| it.password().is_some() || !it.username().is_empty()) {
            let reason = "holds credentials; they belong in the secret, as `redis`".to_owned();
            return Err(ConfigError::Invalid { name, reason });
        }
        Ok(Self {
            url: url.into(),
            response_timeout: Duration::from_millis(milliseconds),
            connect_timeout: Duration::from_millis(250),
        })
    }
}
