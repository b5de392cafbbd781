use super::{ConfigError, required_var};

/// Names and addresses of the service itself.
#[derive(Clone, Debug)]
pub struct ServiceConfig {
    /// Physical name of a table = this prefix and its name in the inventory.
    pub table_prefix: String,
    /// Secrets Manager id of the one secret.
    pub secret_id: String,
    /// Base URL of the API without a final slash, for mails.
    pub public_url: String,
    /// Sender of every mail.
    pub mail_from: String,
}

impl ServiceConfig {
    /// Reads `TABLE_PREFIX`, `SECRET_ID`, `PUBLIC_URL` and `MAIL_FROM`.
    pub fn from_env() -> Result<Self, ConfigError> {
        Ok(Self {
            table_prefix: required_var("TABLE_PREFIX")?,
            secret_id: required_var("SECRET_ID")?,
            public_url: required_var("PUBLIC_URL")?.trim_end_matches('/').to_owned(),
            mail_from: required_var("MAIL_FROM")?,
        })
    }
}
