use super::{ConfigError, required_var, var};

/// Names and addresses of the service itself.
#[derive(Clone, Debug)]
pub struct ServiceConfig {
    /// Physical name of a table = this prefix and its name in the inventory.
    pub table_prefix: String,
    /// Bucket of the exports.
    pub exports_bucket: String,
    /// Secrets Manager id of the one secret.
    pub secret_id: String,
    /// Base URL of the API without a final slash, for mails.
    pub public_url: String,
    /// Sender of every mail.
    pub mail_from: String,
    /// Where whoever needs help writes to: named in answers, pages and mails.
    pub support_address: String,
    /// Days in which a confirmed deletion of an account can be cancelled.
    pub deletion_grace_days: i64,
}

impl ServiceConfig {
    /// Reads `TABLE_PREFIX`, `EXPORTS_BUCKET`, `SECRET_ID`, `PUBLIC_URL`, `MAIL_FROM`,
    /// `SUPPORT_ADDRESS` and `DELETION_GRACE_DAYS` (7 if unset, 14 at most: the deletion itself is promised within 30).
    pub fn from_env() -> Result<Self, ConfigError> {
        let name = "DELETION_GRACE_DAYS";
        let grace = var(name).map_or(Ok(7), |it| it.parse()).ok();
        let grace = grace.filter(|days| (0..=14).contains(days)).ok_or_else(|| {
            ConfigError::Invalid { name, reason: "must be a number of days, 0 to 14".to_owned() }
        })?;
        Ok(Self {
            deletion_grace_days: grace,
            table_prefix: required_var("TABLE_PREFIX")?,
            exports_bucket: required_var("EXPORTS_BUCKET")?,
            secret_id: required_var("SECRET_ID")?,
            public_url: required_var("PUBLIC_URL")?.trim_end_matches('/').to_owned(),
            mail_from: required_var("MAIL_FROM")?,
            support_address: required_var("SUPPORT_ADDRESS")?,
        })
    }
}
