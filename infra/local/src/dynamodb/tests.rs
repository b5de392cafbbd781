use super::*;
use crate::{access::Permission, standins::ACCOUNT};

const PUT: &str = "dynamodb:PutItem";

/// With a prefix of its own, as another server's tables are shared.
async fn started() -> Result<(DynamoDb, Access, Clock)> {
    let clock = Clock::frozen_at(time::macros::datetime!(2026-11-24 12:00 UTC));
    let access = Access::default();
    let prefix = format!("t{:.8}-", uuid::Uuid::new_v4().simple());
    let name = format!("{prefix}things");
    let table = Table {
        id: "Things".to_owned(),
        name: name.clone(),
        create: json!({
            "TableName": name,
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{ "AttributeName": "id", "AttributeType": "S" }],
            "KeySchema": [{ "AttributeName": "id", "KeyType": "HASH" }],
        }),
        ttl_attribute: Some("expires_at".to_owned()),
    };
    let dynamodb = DynamoDb::start(&clock, &access, &prefix, &[table], None).await?;
    Ok((dynamodb, access, clock))
}

fn item(dynamodb: &DynamoDb, id: &str, expires_at: i64) -> Value {
    let item = json!({ "id": { "S": id }, "expires_at": { "N": expires_at.to_string() } });
    json!({ "TableName": dynamodb.table("things"), "Item": item })
}

/// A call of the function `F`: status and body, or no answer at all.
async fn call(dynamodb: &DynamoDb, operation: &str, body: &Value) -> Result<(u16, String)> {
    let scope = "20261124/eu-west-1/dynamodb/aws4_request";
    let credential =
        format!("AWS4-HMAC-SHA256 Credential=LOCALF/{scope}, SignedHeaders=host, Signature=0");
    let client = Client::new(dynamodb.endpoint());
    let response = client
        .request(Method::POST, "/")
        .body("application/x-amz-json-1.0", body.to_string())
        .header("x-amz-target", &format!("DynamoDB_20120810.{operation}"))
        .header("x-amz-date", "20261124T120000Z")
        .header("authorization", &credential)
        .send()
        .await?;
    Ok((response.status.as_u16(), response.text()))
}

fn permit(access: &Access, dynamodb: &DynamoDb) {
    let table = dynamodb.table("things");
    let resource = format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{table}");
    access.permit("F", vec![Permission { action: PUT.to_owned(), resource }]);
}

#[tokio::test]
async fn only_permitted_calls_pass_and_are_counted() -> Result<()> {
    let (dynamodb, access, _) = started().await?;
    let (status, body) = call(&dynamodb, "PutItem", &item(&dynamodb, "a", 0)).await?;
    assert_eq!(status, 400);
    assert!(body.contains("AccessDeniedException") && body.contains(PUT), "{body}");
    permit(&access, &dynamodb);
    assert_eq!(call(&dynamodb, "PutItem", &item(&dynamodb, "a", 0)).await?.0, 200);
    let counts = dynamodb.counts();
    let count = counts[&("F".to_owned(), "PutItem".to_owned())];
    assert_eq!((count.requests, count.units), (1, 1.0));
    assert_eq!(dynamodb.requests(), 1);
    assert_eq!(dynamodb.items("things").await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn faults_meet_functions_only() -> Result<()> {
    let (dynamodb, access, _) = started().await?;
    permit(&access, &dynamodb);
    dynamodb.fault(Fault::Down);
    assert!(call(&dynamodb, "PutItem", &item(&dynamodb, "a", 0)).await.is_err());
    dynamodb.fault(Fault::Throttle);
    let (status, body) = call(&dynamodb, "PutItem", &item(&dynamodb, "a", 0)).await?;
    assert!(status == 400 && body.contains("ProvisionedThroughputExceededException"), "{body}");
    dynamodb.fault(Fault::FailNext(1));
    assert_eq!(call(&dynamodb, "PutItem", &item(&dynamodb, "a", 0)).await?.0, 500);
    assert_eq!(dynamodb.items("things").await?.len(), 0, "nothing was done");
    dynamodb.fault(Fault::LoseNext(1));
    assert!(call(&dynamodb, "PutItem", &item(&dynamodb, "a", 0)).await.is_err());
    assert_eq!(dynamodb.items("things").await?.len(), 1, "done, but the answer was lost");
    assert_eq!(call(&dynamodb, "PutItem", &item(&dynamodb, "b", 0)).await?.0, 200);
    Ok(())
}

#[tokio::test]
async fn items_expire_by_our_clock_and_survive_a_restart() -> Result<()> {
    let (dynamodb, access, clock) = started().await?;
    let now = clock.now().unix_timestamp();
    for (id, life) in [("short", 60), ("long", 3600)] {
        dynamodb.call("PutItem", &item(&dynamodb, id, now + life)).await?;
    }
    assert_eq!(dynamodb.sweep().await?, 0);
    clock.set(clock.now() + time::Duration::minutes(2));
    // The other server, if one is used, goes by its own clock and is not saved.
    if std::env::var_os(OTHER_SERVER).is_some() {
        return Ok(());
    }
    assert_eq!(dynamodb.sweep().await?, 1);
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("dynamodb.sqlite");
    dynamodb.save(&file).await?;
    dynamodb.save(&file).await?;
    let again = DynamoDb::start(&clock, &access, &dynamodb.table(""), &[], Some(&file)).await?;
    assert_eq!(again.items("things").await?[0]["id"]["S"], "long");
    Ok(())
}
