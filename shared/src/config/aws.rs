use secrecy::SecretString;

use super::{ConfigError, required_var, var};

/// Region, credentials and endpoints of AWS, as Lambda sets them.
#[derive(Clone, Debug)]
pub struct AwsConfig {
    /// For example `eu-west-1`.
    pub region: String,
    /// Temporary credentials of the function's role. They live as long as the environment.
    pub access_key_id: String,
    /// Second part of the credentials.
    pub secret_access_key: SecretString,
    /// Third part; absent for long-lived credentials.
    pub session_token: Option<SecretString>,
    /// Another endpoint for DynamoDB (AWS's own variable name, as the others).
    pub dynamodb_endpoint: Option<String>,
    /// Another endpoint for S3.
    pub s3_endpoint: Option<String>,
    /// Another endpoint for Secrets Manager.
    pub secrets_endpoint: Option<String>,
    /// Another endpoint for SES.
    pub ses_endpoint: Option<String>,
    /// Another endpoint for SQS.
    pub sqs_endpoint: Option<String>,
}

impl AwsConfig {
    /// Reads `AWS_REGION`, the credentials and `AWS_ENDPOINT_URL_*`.
    pub fn from_env() -> Result<Self, ConfigError> {
        Ok(Self {
            region: required_var("AWS_REGION")?,
            access_key_id: required_var("AWS_ACCESS_KEY_ID")?,
            secret_access_key: required_var("AWS_SECRET_ACCESS_KEY")?.into(),
            session_token: var("AWS_SESSION_TOKEN").map(Into::into),
            dynamodb_endpoint: var("AWS_ENDPOINT_URL_DYNAMODB"),
            s3_endpoint: var("AWS_ENDPOINT_URL_S3"),
            secrets_endpoint: var("AWS_ENDPOINT_URL_SECRETS_MANAGER"),
            ses_endpoint: var("AWS_ENDPOINT_URL_SES"),
            sqs_endpoint: var("AWS_ENDPOINT_URL_SQS"),
        })
    }
}
