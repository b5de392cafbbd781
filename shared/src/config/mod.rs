//! Settings from the environment, one file a concern. An error names the variable.

mod aws;
mod billing;
mod cdn;
mod redis;
mod service;
mod sources;

pub use self::{
    aws::AwsConfig, billing::BillingSettings, cdn::CdnSettings, redis::RedisConfig,
    service::ServiceConfig, sources::SourcesSettings,
};

/// A variable is missing or cannot be used. Holds no value: it could be a secret.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The variable must be set.
    #[error("the environment variable {0} is not set")]
    Missing(&'static str),
    /// The variable is set to what cannot be used.
    #[error("the environment variable {name} is not usable: {reason}")]
    Invalid {
        /// Name of the variable.
        name: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

/// Every setting of a function.
#[derive(Clone, Debug)]
pub struct Config {
    /// Region, credentials and endpoints of AWS.
    pub aws: AwsConfig,
    /// Where Redis is.
    pub redis: RedisConfig,
    /// The service itself.
    pub service: ServiceConfig,
    /// TikTok's interfaces.
    pub sources: SourcesSettings,
    /// Payment.
    pub billing: BillingSettings,
    /// What is in front of the service.
    pub cdn: CdnSettings,
}

impl Config {
    /// Reads every setting.
    pub fn from_env() -> Result<Self, ConfigError> {
        Ok(Self {
            aws: AwsConfig::from_env()?,
            redis: RedisConfig::from_env()?,
            service: ServiceConfig::from_env()?,
            sources: SourcesSettings::from_env()?,
            billing: BillingSettings::from_env()?,
            cdn: CdnSettings::from_env()?,
        })
    }
}

/// The variable's value; an empty one counts as unset, because a template cannot leave one out.
fn var(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn required_var(name: &'static str) -> Result<String, ConfigError> {
    var(name).ok_or(ConfigError::Missing(name))
}
