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
        Tick: { Type: Schedule, Properties: { Schedule: rate(5 minutes) } }
      Policies:
        - Statement:
            - Effect: Allow
              Action: [dynamodb:GetItem, dynamodb:Query]
              Resource: [!GetAtt Things.Arn, !Sub "${Things.Arn}/index/*"]
              Condition: { StringEquals: { "a:b": !Ref Level } }
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
    assert_eq!(function.routes[0].key(), "GET /things/{id}");
    let from = datetime!(2026-11-24 12:00 UTC);
    assert_eq!(function.schedules[0].next_after(from), datetime!(2026-11-24 12:05 UTC));
    assert_eq!(template.functions.len(), 1, "the condition of the other does not hold");
    Ok(())
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
    Ok(())
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
