use super::*;
use crate::{access::Permission, standins::ACCOUNT};

const PUT: &str = "dynamodb:PutItem";
const DELETE: &str = "dynamodb:DeleteItem";
const BATCH: &str = "dynamodb:BatchWriteItem";

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
        has_backups: true,
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
    let permissions = [PUT, DELETE, BATCH].map(|action| Permission {
        action: action.to_owned(),
        resource: resource.clone(),
        conditions: Vec::new(),
    });
    access.permit("F", permissions.to_vec());
}

/// A transaction that puts the items of these ids.
fn putting(dynamodb: &DynamoDb, ids: &[&str]) -> Value {
    let parts: Vec<_> = ids.iter().map(|id| json!({ "Put": item(dynamodb, id, 0) })).collect();
    json!({ "TransactItems": parts })
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
    let again = DynamoDb::start(&clock, &access, &dynamodb.prefix(), &[], Some(&file)).await?;
    assert_eq!(again.items("things").await?[0]["id"]["S"], "long");
    Ok(())
}

#[tokio::test]
async fn an_item_of_a_transaction_is_in_the_way_of_every_other_write() -> Result<()> {
    let (dynamodb, access, _) = started().await?;
    permit(&access, &dynamodb);
    dynamodb.slow_transactions(Duration::from_millis(300));
    let first = putting(&dynamodb, &["a", "b"]);
    let others = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let key = json!({ "TableName": dynamodb.table("things"), "Key": { "id": { "S": "a" } } });
        for (operation, body) in [("PutItem", item(&dynamodb, "b", 1)), ("DeleteItem", key)] {
            let (status, body) = call(&dynamodb, operation, &body).await?;
            assert!(status == 400 && body.contains("#TransactionConflictException"), "{body}");
        }
        let second = putting(&dynamodb, &["c", "b"]);
        let (status, body) = call(&dynamodb, "TransactWriteItems", &second).await?;
        assert!(status == 400 && body.contains("#TransactionCanceledException"), "{body}");
        let body: Value = serde_json::from_str(&body)?;
        let codes: Vec<_> = (0..2).map(|at| &body["CancellationReasons"][at]["Code"]).collect();
        assert_eq!(codes, ["None", "TransactionConflict"]);
        let batch = json!({ "RequestItems": { dynamodb.table("things"): [
            { "PutRequest": { "Item": item(&dynamodb, "d", 0)["Item"] } },
            { "PutRequest": { "Item": item(&dynamodb, "a", 0)["Item"] } },
        ] } });
        let (status, body) = call(&dynamodb, "BatchWriteItem", &batch).await?;
        let body: Value = serde_json::from_str(&body)?;
        let left = &body["UnprocessedItems"][dynamodb.table("things")];
        assert_eq!((status, left.as_array().map(Vec::len)), (200, Some(1)), "{body}");
        assert_eq!(left[0]["PutRequest"]["Item"]["id"]["S"], "a");
        // Another item is free.
        assert_eq!(call(&dynamodb, "PutItem", &item(&dynamodb, "e", 0)).await?.0, 200);
        // The harness looks and plants as ever.
        dynamodb.call("PutItem", &item(&dynamodb, "a", 5)).await
    };
    let (first, others) = tokio::join!(call(&dynamodb, "TransactWriteItems", &first), others);
    others?;
    assert_eq!(first?.0, 200);
    assert_eq!(dynamodb.conflicts(), 3);
    assert_eq!(call(&dynamodb, "PutItem", &item(&dynamodb, "a", 1)).await?.0, 200, "it is over");
    assert_eq!(dynamodb.items("things").await?.len(), 4);
    Ok(())
}

#[tokio::test]
async fn troubles_meet_the_calls_on_their_table() -> Result<()> {
    let (dynamodb, access, _) = started().await?;
    permit(&access, &dynamodb);
    let put = item(&dynamodb, "a", 0);
    dynamodb.trouble("things", Trouble::Conflict, Which::Next(2));
    dynamodb.trouble("others", Trouble::Fail, Which::Every(1));
    let (status, body) = call(&dynamodb, "PutItem", &put).await?;
    assert!(status == 400 && body.contains("#TransactionConflictException"), "{body}");
    let both = putting(&dynamodb, &["a", "b"]);
    let (_, body) = call(&dynamodb, "TransactWriteItems", &both).await?;
    assert!(body.contains("[TransactionConflict, TransactionConflict]"), "{body}");
    assert_eq!(call(&dynamodb, "TransactWriteItems", &both).await?.0, 200);
    assert_eq!(dynamodb.end_troubles(), 2);
    dynamodb.trouble("things", Trouble::Throttle, Which::Every(2));
    assert_eq!(call(&dynamodb, "PutItem", &put).await?.0, 200);
    let (_, body) = call(&dynamodb, "TransactWriteItems", &both).await?;
    assert!(body.contains("[ThrottlingError, ThrottlingError]"), "{body}");
    dynamodb.end_troubles();
    dynamodb.trouble("things", Trouble::Lose, Which::Some(1.0));
    assert!(call(&dynamodb, "PutItem", &item(&dynamodb, "c", 0)).await.is_err());
    dynamodb.end_troubles();
    dynamodb.trouble("things", Trouble::Half, Which::Every(1));
    let delete = |id: &str| json!({ "DeleteRequest": { "Key": { "id": { "S": id } } } });
    let table = dynamodb.table("things");
    let batch = json!({ "RequestItems": { &table: [delete("a"), delete("b"), delete("c")] } });
    let (_, body) = call(&dynamodb, "BatchWriteItem", &batch).await?;
    let body: Value = serde_json::from_str(&body)?;
    assert_eq!(body["UnprocessedItems"][&table], json!([delete("c")]));
    assert_eq!(dynamodb.items("things").await?.len(), 1);
    Ok(())
}

/// As the engine does it, and as the service does.
#[tokio::test]
async fn the_services_limits_hold() -> Result<()> {
    let (dynamodb, access, _) = started().await?;
    permit(&access, &dynamodb);
    let mut large = item(&dynamodb, "large", 0);
    large["Item"]["text"] = json!({ "S": "x".repeat(400 * 1024) });
    let (status, body) = call(&dynamodb, "PutItem", &large).await?;
    assert!(status == 400 && body.contains("maximum allowed size"), "{body}");
    let ids: Vec<_> = (0..101).map(|n| n.to_string()).collect();
    let ids: Vec<_> = ids.iter().map(String::as_str).collect();
    assert_eq!(call(&dynamodb, "TransactWriteItems", &putting(&dynamodb, &ids)).await?.0, 400);
    let most = putting(&dynamodb, &ids[..100]);
    assert_eq!(call(&dynamodb, "TransactWriteItems", &most).await?.0, 200);
    let twice = putting(&dynamodb, &["a", "a"]);
    let (status, body) = call(&dynamodb, "TransactWriteItems", &twice).await?;
    assert!(status == 400 && body.contains("multiple operations on one item"), "{body}");
    let mut heavy = putting(&dynamodb, &ids[..11]);
    for part in heavy["TransactItems"].as_array_mut().into_iter().flatten() {
        part["Put"]["Item"]["text"] = json!({ "S": "x".repeat(390 * 1024) });
    }
    let (status, body) = call(&dynamodb, "TransactWriteItems", &heavy).await?;
    assert!(status == 400 && body.contains("ValidationException"), "{body}");
    Ok(())
}

#[tokio::test]
async fn a_backup_is_restored_into_a_new_table_only_which_has_no_backups_of_its_own() -> Result<()>
{
    let (dynamodb, ..) = started().await?;
    dynamodb.call("PutItem", &item(&dynamodb, "1", 9_000_000_000)).await?;
    dynamodb.remember().await?;
    dynamodb.call("PutItem", &item(&dynamodb, "2", 9_000_000_000)).await?;
    let things = dynamodb.table("things");
    let at = time::macros::datetime!(2026-11-24 12:00 UTC).unix_timestamp();
    let restore = async |source: &str, target: &str, at: i64| {
        let body =
            json!({ "SourceTableName": source, "TargetTableName": target, "RestoreDateTime": at });
        dynamodb.call("RestoreTableToPointInTime", &body).await.map_err(|it| it.to_string())
    };
    let new = format!("{things}-r1");
    let over = restore(&things, &things, at).await.expect_err("over itself");
    assert!(over.contains("TableAlreadyExistsException"), "{over}");
    let then = restore(&things, &new, at - 1).await.expect_err("nothing of then");
    assert!(then.contains("InvalidRestoreTimeException"), "{then}");
    restore(&things, &new, at).await.expect("restored");
    let again = restore(&things, &new, at).await.expect_err("over what is there");
    assert!(again.contains("TableAlreadyExistsException"), "{again}");
    let items = dynamodb.call("Scan", &json!({ "TableName": new })).await?;
    assert_eq!(items["Count"], 1);
    let unbacked = restore(&new, &format!("{new}2"), at).await.expect_err("no backups");
    assert!(unbacked.contains("PointInTimeRecoveryUnavailableException"), "{unbacked}");
    let on = json!({
        "TableName": new, "PointInTimeRecoverySpecification": { "PointInTimeRecoveryEnabled": true },
    });
    dynamodb.call("UpdateContinuousBackups", &on).await?;
    let described =
        dynamodb.call("DescribeContinuousBackups", &json!({ "TableName": new })).await?;
    let status =
        "/ContinuousBackupsDescription/PointInTimeRecoveryDescription/PointInTimeRecoveryStatus";
    assert_eq!(described.pointer(status), Some(&json!("ENABLED")));
    Ok(())
}
