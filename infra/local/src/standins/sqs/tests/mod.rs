mod calls;
mod delivery;

use std::{collections::BTreeMap, time::Duration};

use anyhow::Result;
use time::macros::datetime;
use vidintel::config::AwsConfig;

use super::*;
use crate::{
    access::Permission,
    serve::{listen, serve},
    template::Template,
};

/// Two queues for functions, and one for what they cannot work off.
const QUEUES: &str = r#"
Resources:
  Work:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: !Sub ${AWS::StackName}-work
      VisibilityTimeout: 60
      MessageRetentionPeriod: 86400
      SqsManagedSseEnabled: true
      RedrivePolicy: { deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 3 }
  Slow: { Type: AWS::SQS::Queue, Properties: { DelaySeconds: 10 } }
  Dead: { Type: AWS::SQS::Queue, Properties: { MessageRetentionPeriod: 1209600 } }
"#;

fn sqs(access: &Access) -> Result<(Sqs, Clock)> {
    let template = Template::parse(QUEUES, "local", &BTreeMap::new())?;
    let clock = Clock::frozen_at(datetime!(2026-11-24 12:00 UTC));
    Ok((Sqs::new(clock.clone(), access.clone(), &template.queues), clock))
}

fn bodies(sqs: &Sqs, queue: &str) -> Result<Vec<String>> {
    Ok(sqs.messages(queue)?.into_iter().map(|it| it.body).collect())
}

/// The service at an address of its own, and clients of it.
struct Service {
    sqs: Sqs,
    clock: Clock,
    access: Access,
    endpoint: String,
}

impl Service {
    async fn start() -> Result<Self> {
        let access = Access::default();
        let (sqs, clock) = sqs(&access)?;
        let (listener, address) = listen(None).await?;
        serve(listener, sqs.router());
        Ok(Self { sqs, clock, access, endpoint: format!("http://{address}") })
    }

    fn client(&self, key: &str) -> aws_sdk_sqs::Client {
        vidintel::aws::sqs(&AwsConfig {
            region: "eu-west-1".to_owned(),
            access_key_id: key.to_owned(),
            secret_access_key: "local".to_owned().into(),
            session_token: None,
            dynamodb_endpoint: None,
            s3_endpoint: None,
            secrets_endpoint: None,
            ses_endpoint: None,
            sqs_endpoint: Some(self.endpoint.clone()),
        })
    }
}
