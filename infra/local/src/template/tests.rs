use std::collections::BTreeMap;

use time::macros::datetime;

use super::*;

const SMALL: &str = r#"
Transform: AWS::Serverless-2016-10-31
Parameters:
  Level: { Type: String, Default: info }
  Subnets: { Type: CommaDelimitedList, Default: "" }
Conditions:
  NoVpc: !Equals [!Join ["", !Ref Subnets], ""]
  Verbose: !And [!Condition NoVpc, !Equals [!Ref Level, debug]]
  Quiet: !Not [!Condition Verbose]
Globals:
  Function:
    Timeout: 10
    MemorySize: 256
    VpcConfig: !If [NoVpc, !Ref AWS::NoValue, { SubnetIds: !Ref Subnets }]
    Environment:
      Variables: { LEVEL: !Ref Level, PREFIX: !Sub "${AWS::StackName}-", COUNT: 3 }
Resources:
  ReadFunction:
    Type: AWS::Serverless::Function
    Metadata: { BuildMethod: rust-cargolambda, BuildProperties: { Binary: read } }
    Properties:
      Timeout: 60
      Environment: { Variables: { LEVEL: trace } }
      Events:
        Route: { Type: HttpApi, Properties: { Method: get, Path: "/things/{id}" } }
        Rest: { Type: HttpApi, Properties: { ApiId: an-api } }
        Tick: { Type: Schedule, Properties: { Schedule: rate(5 minutes) } }
      Policies:
        - Statement:
            - Effect: Allow
              Action: [dynamodb:GetItem, dynamodb:Query]
              Resource: [!GetAtt Things.Arn, !Sub "${Things.Arn}/index/*"]
              Condition: { StringEquals: { "ses:FromAddress": !Ref Level } }
  LoudFunction:
    Type: AWS::Serverless::Function
    Condition: Verbose
    Metadata: { BuildProperties: { Binary: loud } }
  Things:
    Type: AWS::DynamoDB::Table
    DeletionPolicy: Retain
    Properties:
      TableName: !Sub ${AWS::StackName}-things
      KeySchema: [{ AttributeName: id, KeyType: HASH }]
      AttributeDefinitions: [{ AttributeName: id, AttributeType: S }]
      TimeToLiveSpecification: { AttributeName: expires_at, Enabled: true }
      SSESpecification: { SSEEnabled: true }
  Logs:
    Type: AWS::Logs::LogGroup
    Properties: { LogGroupName: !Join ["/", [a, !Ref Level]], RetentionInDays: 14 }
"#;

fn parse(text: &str) -> Result<Template> {
    Template::parse(text, "local", &BTreeMap::new())
}

#[test]
fn globals_and_own_settings_are_merged() -> Result<()> {
    let template = parse(SMALL)?;
    let function = template.function("ReadFunction").context("the function")?;
    assert_eq!((function.timeout.as_secs(), function.memory_mb), (60, 256));
    let environment: Vec<_> =
        function.environment.iter().map(|it| (it.0.as_str(), it.1.as_str())).collect();
    assert_eq!(environment, [("COUNT", "3"), ("LEVEL", "trace"), ("PREFIX", "local-")]);
    let keys: Vec<_> = function.routes.iter().map(Route::key).collect();
    assert!(keys.contains(&"GET /things/{id}".to_owned()), "{keys:?}");
    assert!(keys.contains(&"$default".to_owned()), "{keys:?}");
    let from = datetime!(2026-11-24 12:00 UTC);
    assert_eq!(function.schedules[0].next_after(from), datetime!(2026-11-24 12:05 UTC));
    assert_eq!(template.functions.len(), 1, "the condition of the other does not hold");
    Ok(())
}

#[test]
fn a_route_has_a_method_and_a_path_or_neither() {
    let half = SMALL.replace("{ ApiId: an-api }", "{ Path: /a }");
    assert!(parse(&half).is_err());
}

#[test]
fn policies_become_pairs_of_action_and_resource() -> Result<()> {
    let template = parse(SMALL)?;
    let function = template.function("ReadFunction").context("the function")?;
    let table = "arn:aws:dynamodb:eu-west-1:000000000000:table/local-things";
    let pairs: Vec<_> =
        function.permissions.iter().map(|it| (&it.action[9..], it.resource.as_str())).collect();
    let index = format!("{table}/index/*");
    assert_eq!(
        pairs,
        [("GetItem", table), ("GetItem", &index), ("Query", table), ("Query", &index)]
    );
    let condition = Condition::all(&json!({ "StringEquals": { "ses:FromAddress": "info" } }))?;
    assert!(function.permissions.iter().all(|it| it.conditions == condition));
    Ok(())
}

#[test]
fn a_condition_that_cannot_be_evaluated_is_refused() {
    for (right, wrong, said) in [
        ("StringEquals:", "StringNotEquals:", "operator StringNotEquals"),
        ("ses:FromAddress", "aws:SourceIp", "key aws:SourceIp"),
    ] {
        let error = format!("{:#}", parse(&SMALL.replace(right, wrong)).expect_err(wrong));
        assert!(error.contains(said) && error.contains("in ReadFunction"), "{error}");
    }
}

#[test]
fn tables_become_what_create_table_takes() -> Result<()> {
    let template = parse(SMALL)?;
    let table = &template.tables[0];
    assert_eq!(table.name, "local-things");
    assert_eq!(table.ttl_attribute.as_deref(), Some("expires_at"));
    assert_eq!(
        table.create,
        json!({
            "TableName": "local-things",
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{ "AttributeName": "id", "AttributeType": "S" }],
            "KeySchema": [{ "AttributeName": "id", "KeyType": "HASH" }],
        })
    );
    let (_, logs) = template.of_kind("AWS::Logs::LogGroup").next().context("the log group")?;
    assert_eq!(logs.properties, json!({ "LogGroupName": "a/info", "RetentionInDays": 14 }));
    assert_eq!(template.resources["Things"].attributes["DeletionPolicy"], "Retain");
    Ok(())
}

#[test]
fn given_parameters_replace_defaults_and_decide_conditions() -> Result<()> {
    let given = BTreeMap::from([("Level".to_owned(), "debug".to_owned())]);
    assert_eq!(Template::parse(SMALL, "local", &given)?.functions.len(), 2);
    let unknown = BTreeMap::from([("Lvel".to_owned(), "debug".to_owned())]);
    assert!(Template::parse(SMALL, "local", &unknown).is_err());
    Ok(())
}

#[test]
fn mistakes_are_named_with_their_place() {
    for (mistake, said) in [
        ("!Ref Nowhere", "nothing is named Nowhere"),
        ("!Sub \"${Open\"", "not closed"),
        ("!ImportValue x", "Fn::ImportValue is not supported"),
        ("!GetAtt Bucket.DomainName", "DomainName of Bucket"),
        ("!If [Sometimes, 1, 2]", "no condition Sometimes"),
    ] {
        let text = format!(
            "Resources:\n  Bucket: {{ Type: AWS::S3::Bucket }}\n  It:\n    Type: AWS::X\n    \
             Properties: {{ Name: {mistake} }}\n"
        );
        let error = format!("{:#}", parse(&text).expect_err(mistake));
        assert!(error.contains(said) && error.contains("in It"), "{mistake}: {error}");
    }
}

#[test]
fn circles_are_refused() {
    let text = "Conditions: { A: !Condition B, B: !Condition A }\nResources:\n  It: { Type: \
                AWS::X, Condition: A }\n";
    let error = format!("{:#}", parse(text).expect_err("a circle"));
    assert!(error.contains("depends on itself"), "{error}");
}

#[test]
fn the_service_template_is_understood() -> Result<()> {
    let path = crate::workspace().join("template.yaml");
    let template = Template::read(&path, "local", &BTreeMap::new())?;
    assert!(template.functions.iter().any(|it| it.binary == "health"));
    assert!(template.tables.iter().all(|it| it.name.starts_with("local-")));
    Ok(())
}

const QUEUES: &str = r#"
Resources:
  WorkFunction:
    Type: AWS::Serverless::Function
    Metadata: { BuildProperties: { Binary: work } }
    Properties:
      Timeout: 10
      Environment: { Variables: { URL: !Ref Work, NAME: !GetAtt Work.QueueName } }
      Events:
        Messages:
          Type: SQS
          Properties:
            Queue: !GetAtt Work.Arn
            BatchSize: 5
            MaximumBatchingWindowInSeconds: 1
            FunctionResponseTypes: [ReportBatchItemFailures]
            ScalingConfig: { MaximumConcurrency: 2 }
      Policies:
        - Statement: [{ Effect: Allow, Action: sqs:SendMessage, Resource: !GetAtt Dead.Arn }]
  Work:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: !Sub ${AWS::StackName}-work
      VisibilityTimeout: 60
      RedrivePolicy: { deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 5 }
      SqsManagedSseEnabled: true
  Dead:
    Type: AWS::SQS::Queue
    Properties: { MessageRetentionPeriod: 1209600 }
"#;

#[test]
fn queues_and_what_they_feed_are_read() -> Result<()> {
    let template = parse(QUEUES)?;
    let dead = "arn:aws:sqs:eu-west-1:000000000000:local-Dead";
    let [work, other] = template.queues.as_slice() else { panic!("two queues") };
    assert_eq!((work.name.as_str(), work.visibility.as_secs()), ("local-work", 60));
    assert_eq!((work.retention.as_secs(), other.retention.as_secs()), (345_600, 1_209_600));
    let policy = DeadLetters { target: dead.to_owned(), max_receives: 5 };
    assert_eq!((&work.dead_letters, &other.dead_letters), (&Some(policy), &None));
    let function = template.function("WorkFunction").context("the function")?;
    assert_eq!(
        function.queues,
        [QueueSource {
            function: "WorkFunction".to_owned(),
            queue: work.arn(),
            batch_size: 5,
            window: Duration::from_secs(1),
            reports_failures: true,
            max_concurrency: Some(2),
        }]
    );
    let url = "https://sqs.eu-west-1.amazonaws.com/000000000000/local-work";
    assert_eq!((function.environment["URL"].as_str(), work.url().as_str()), (url, url));
    assert_eq!(function.environment["NAME"], "local-work");
    // Only what the code is given: the poller's permissions are its own.
    let permissions: Vec<_> =
        function.permissions.iter().map(|it| (it.action.as_str(), it.resource.as_str())).collect();
    assert_eq!(permissions, [("sqs:SendMessage", dead)]);
    Ok(())
}

#[test]
fn queues_that_aws_would_refuse_are_refused() {
    for (right, wrong, said) in [
        ("BatchSize: 5", "BatchSize: 10001", "BatchSize is not a number from 1 to 10000"),
        ("BatchSize: 5", "BatchSize: 11", ""),
        ("InSeconds: 1", "InSeconds: 301", "MaximumBatchingWindowInSeconds is not"),
        ("Concurrency: 2", "Concurrency: 1", "MaximumConcurrency is not"),
        ("[ReportBatchItemFailures]", "[Report]", "FunctionResponseTypes takes"),
        ("VisibilityTimeout: 60", "VisibilityTimeout: 9", "shorter than the function's Timeout"),
        ("VisibilityTimeout: 60", "FifoQueue: true", "keep an order"),
        ("maxReceiveCount: 5", "maxReceives: 5", "names no maxReceiveCount"),
        ("Queue: !GetAtt Work.Arn", "Queue: !Ref Work", "no queue is https://"),
        ("Arn: !GetAtt Dead.Arn", "Arn: !Sub \"${Dead.Arn}s\"", "no queue is arn:aws:sqs"),
    ] {
        let text = QUEUES.replace(right, wrong);
        assert_ne!(text, QUEUES, "{right}");
        match parse(&text) {
            // A larger batch is right where it may be gathered.
            Ok(_) => assert_eq!(said, "", "{wrong}"),
            Err(error) => {
                let error = format!("{error:#}");
                assert!(!said.is_empty() && error.contains(said), "{wrong}: {error}");
            }
        }
    }
    let large =
        QUEUES.replace("BatchSize: 5", "BatchSize: 11").replace("InSeconds: 1", "InSeconds: 0");
    assert!(parse(&large).is_err());
}
