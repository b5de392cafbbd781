use std::time::Duration;

use secrecy::SecretString;

use super::{ConfigError, required_var, var};

/// Where Redis is and how long to wait for it.
#[derive(Clone, Debug)]
pub struct RedisConfig {
    /// `redis://` or `rediss://`; may hold a password.
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
        Ok(Self {
            url: required_var("REDIS_URL")?.into(),
            response_timeout: Duration::from_millis(milliseconds),
            connect_timeout: Duration::from_millis(250),
        })
    }
}
