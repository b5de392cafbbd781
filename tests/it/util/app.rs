use std::time::Duration;

use local::cloud::Cloud;
use vidintel::{
    app::App,
    config::{AwsConfig, Config, RedisConfig, ServiceConfig, SourcesSettings},
};

/// The shared library's own clients against `cloud`, with the operator's credentials.
pub(crate) fn app_of(cloud: &Cloud, redis_url: &str) -> App {
    App::new(Config {
        aws: AwsConfig {
            region: "eu-west-1".to_owned(),
            access_key_id: local::access::OPERATOR_KEY.to_owned(),
            secret_access_key: "local".to_owned().into(),
            session_token: None,
            dynamodb_endpoint: Some(cloud.dynamodb.endpoint().to_owned()),
            secrets_endpoint: None,
            ses_endpoint: None,
        },
        redis: RedisConfig {
            url: redis_url.to_owned().into(),
            response_timeout: Duration::from_millis(500),
            connect_timeout: Duration::from_millis(500),
        },
        service: ServiceConfig {
            table_prefix: cloud.dynamodb.table(""),
            secret_id: "unused".to_owned(),
            public_url: cloud.url().to_owned(),
            mail_from: "no-reply@example.com".to_owned(),
        },
        sources: SourcesSettings {
            oembed_url: "http://127.0.0.1:1/".to_owned(),
            api_url: "http://127.0.0.1:1/".to_owned(),
            research: false,
        },
    })
    .expect("a valid configuration")
}
