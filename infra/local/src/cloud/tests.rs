use std::time::Instant;

use axum::http::Method;

use super::*;

/// A service of one function that says hello to requests and to the clock.
const SMALL: &str = r#"
Resources:
  HelloFunction:
    Type: AWS::Serverless::Function
    Metadata: { BuildMethod: rust-cargolambda, BuildProperties: { Binary: hello } }
    Properties:
      Timeout: 3
      Environment: { Variables: { SECRET_ID: a-secret } }
      Events:
        Get: { Type: HttpApi, Properties: { Method: GET, Path: /hello } }
        Post: { Type: HttpApi, Properties: { Method: POST, Path: "/hello/{name}" } }
        Hook: { Type: HttpApi, Properties: { Method: POST, Path: /webhooks/stripe } }
        Tick: { Type: Schedule, Properties: { Schedule: rate(5 minutes) } }
  Things:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: !Sub ${AWS::StackName}-things
      KeySchema: [{ AttributeName: id, KeyType: HASH }]
      AttributeDefinitions: [{ AttributeName: id, AttributeType: S }]
      TimeToLiveSpecification: { AttributeName: expires_at, Enabled: true }
"#;

async fn start() -> Result<Cloud> {
    let folder = tempfile::tempdir()?;
    let template = folder.path().join("template.yaml");
    std::fs::write(&template, SMALL)?;
    Cloud::start(Options { template, ..Options::test() }).await
}

#[tokio::test]
async fn a_cloud_starts_quickly_and_answers() -> Result<()> {
    Binaries::build(Profile::Debug).await?;
    let begun = Instant::now();
    let cloud = start().await?;
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(1), "took {took:?}");
    let client = cloud.client();
    let answer = client.get("/hello").send().await?;
    assert_eq!((answer.status.as_u16(), answer.text().as_str()), (200, "hello"));
    assert!(answer.header("apigw-requestid").is_some());
    let answer = client.post("/hello/you", &json!({ "a": 1 })).send().await?;
    assert_eq!(answer.status, 200);
    Ok(())
}

#[tokio::test]
async fn the_gateway_refuses_what_api_gateway_refuses() -> Result<()> {
    let cloud = start().await?;
    let client = cloud.client();
    for (method, path) in [
        (Method::GET, "/"),
        (Method::GET, "/hello/"),
        (Method::HEAD, "/hello"),
        (Method::DELETE, "/hello"),
        (Method::POST, "/hello/"),
        (Method::GET, "/hello%2F"),
        (Method::GET, "//hello"),
    ] {
        let answer = client.request(method.clone(), path).send().await?;
        assert_eq!(answer.status, 404, "{method} {path}");
        if method != Method::HEAD {
            assert_eq!(answer.json(), json!({ "message": "Not Found" }));
        }
    }
    let large = vec![b'a'; 10 * 1024 * 1024 + 1];
    let answer = client.post("/hello/a", &json!(0)).body("text/plain", large).send().await?;
    assert_eq!(answer.json(), json!({ "message": "Request Entity Too Large" }));
    let answer = client.get("/hello").header("x-long", &"a".repeat(10_240)).send().await?;
    assert_eq!(answer.status, 431);
    let answer = client.get(format!("/hello?{}", "a=1&".repeat(2_600))).send().await?;
    assert_eq!(answer.status, 431);
    for host in ["a b", "u@a", "1.2.3.4.5", "a:b:c"] {
        let answer = client.get("/hello").header("host", host).send().await?;
        assert_eq!(answer.json(), json!({ "message": "Forbidden" }), "{host}");
    }
    // Odd, but no reason to refuse.
    for path in ["/hell%6F", "/hello?%zz&&=", "/hello?a=%ff"] {
        assert_eq!(client.get(path).send().await?.status, 200, "{path}");
    }
    Ok(())
}

#[tokio::test]
async fn a_function_that_dies_is_a_500_and_then_well_again() -> Result<()> {
    let cloud = start().await?;
    let client = cloud.client();
    assert_eq!(client.get("/hello").send().await?.status, 200);
    assert_eq!(cloud.kill("HelloFunction").await?, 1);
    assert_eq!(client.get("/hello").send().await?.status, 200);
    // An event that the runtime inside cannot read is an error of the function.
    let error = cloud.invoke("HelloFunction", &json!([])).await.expect_err("not a request");
    assert!(!error.message.is_empty());
    let event = json!({ "version": "2.0" });
    assert!(cloud.invoke("HelloFunction", &event).await.is_err());
    assert_eq!(client.get("/hello").send().await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn time_passes_for_schedules_items_and_keys() -> Result<()> {
    let cloud = start().await?;
    let mut connection = cloud.redis.connection().await?;
    let _: () =
        redis::cmd("SET").arg("k").arg(1).arg("EX").arg(600).query_async(&mut connection).await?;
    let soon = (cloud.clock.now().unix_timestamp() + 600).to_string();
    let item = json!({ "id": { "S": "a" }, "expires_at": { "N": soon } });
    let put = json!({ "TableName": cloud.dynamodb.table("things"), "Item": item });
    cloud.dynamodb.call("PutItem", &put).await?;

    let report = cloud.advance(Duration::from_secs(299)).await?;
    assert_eq!(report.jobs.len(), 0);
    let report = cloud.advance(Duration::from_secs(301)).await?;
    // Hello reads every event as a request, which that of a schedule is not.
    let job = &report.jobs["HelloFunction"];
    assert_eq!((job.invocations, job.failures), (2, 2));
    assert_eq!(cloud.clock.now(), datetime!(2026-11-24 12:10 UTC));
    assert_eq!(cloud.redis.keys().await?, []);
    let report = cloud.advance(Duration::from_secs(1)).await?;
    // DynamoDB Local goes by its own clock.
    if std::env::var_os(OTHER_SERVER).is_none() {
        assert_eq!(report.expired_items, 1);
    }
    Ok(())
}

#[tokio::test]
async fn a_pace_leaves_runs_out_and_says_so() -> Result<()> {
    let cloud = start().await?;
    let hour = Duration::from_secs(3600);
    let report = cloud.advance_at(2 * hour, Pace::OncePer(hour)).await?;
    // At 12:05, 13:05 and, the last one due, 14:00.
    let job = &report.jobs["HelloFunction"];
    assert_eq!((job.invocations, job.skipped), (3, 21));
    assert_eq!(cloud.clock.now(), datetime!(2026-11-24 14:00 UTC));
    Ok(())
}

#[tokio::test]
async fn the_console_moves_the_clock_and_invokes() -> Result<()> {
    let cloud = start().await?;
    let console = Client::new(cloud.console_url());
    let report = control::advance_by(&console, Duration::from_secs(60), Pace::Every).await?;
    assert_eq!(report.to, "2026-11-24T12:01:00Z");
    let answer = control::invoke_at(&console, "HelloFunction", &json!({})).await?;
    assert!(answer.is_err(), "{answer:?}");
    assert_eq!(console.get("/mailbox").send().await?.status, 200);
    // A page of another site can send this much without asking.
    let answer =
        console.request(Method::POST, "/control/advance").body("text/plain", "{}").send().await?;
    assert_eq!(answer.status, 415);
    Ok(())
}

/// Asks Stripe as a function would.
async fn ask_stripe(cloud: &Cloud, path: &str, form: String) -> Result<Value> {
    let client = Client::new(cloud.setting("STRIPE_API_URL").expect("set"));
    let key = format!("Bearer {}", stripe::SECRET_KEY);
    let request = client.request(Method::POST, path).header("authorization", &key);
    let answer = request.body("application/x-www-form-urlencoded", form).send().await?;
    assert_eq!(answer.status, 200, "{}", answer.text());
    Ok(answer.json())
}

/// Makes a customer with a paid subscription: the customer's id.
async fn subscribe(cloud: &Cloud) -> Result<String> {
    ask_stripe(cloud, "/v1/products", "id=plan&name=Plan".to_owned()).await?;
    let price = "product=plan&currency=usd&unit_amount=500&recurring[interval]=month";
    let price = ask_stripe(cloud, "/v1/prices", price.to_owned()).await?;
    let customer = ask_stripe(cloud, "/v1/customers", String::new()).await?;
    let (price, customer) = (price["id"].as_str(), customer["id"].as_str());
    let (price, customer) = (price.expect("an id"), customer.expect("an id"));
    let form = format!(
        "mode=subscription&customer={customer}&success_url=https://example.com\
         &line_items[0][quantity]=1&line_items[0][price]={price}\
         &subscription_data[billing_mode][type]=classic"
    );
    let session = ask_stripe(cloud, "/v1/checkout/sessions", form).await?;
    let id = session["id"].as_str().expect("an id");
    assert_eq!(cloud.stripe.pay(id, stripe::Card::Good)?, "https://example.com");
    Ok(customer.to_owned())
}

#[tokio::test]
async fn stripe_lives_by_the_clouds_clock_and_tells_the_service() -> Result<()> {
    let cloud = start().await?;
    let customer = subscribe(&cloud).await?;
    let month = Duration::from_secs(31 * 86_400);
    cloud.advance_at(month, Pace::OncePer(month)).await?;
    assert_eq!(cloud.stripe.totals(&customer).charged, 1_000);
    cloud.settle().await;
    let events = cloud.stripe.events();
    for event in &events {
        assert!(event.payload.contains(r#""pending_webhooks":0"#), "{event:?}");
    }
    // At its own instants, not at the end of the jump.
    let renewed = events.iter().rev().find(|it| it.kind == "invoice.finalized").expect("renewed");
    let due = datetime!(2026-12-24 13:00 UTC).unix_timestamp();
    assert_eq!(renewed.created, due);
    Ok(())
}

#[tokio::test]
async fn many_clouds_live_side_by_side() -> Result<()> {
    let clouds = futures_util::future::try_join_all((0..6).map(|_| start())).await?;
    for cloud in &clouds {
        assert_eq!(cloud.client().get("/hello").send().await?.status, 200);
        let mut connection = cloud.redis.connection().await?;
        let count: u64 = redis::cmd("INCR").arg("count").query_async(&mut connection).await?;
        assert_eq!(count, 1, "its own key space");
    }
    Ok(())
}

#[tokio::test]
async fn kept_data_is_there_again() -> Result<()> {
    if std::env::var_os(OTHER_SERVER).is_some() {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let template = folder.path().join("template.yaml");
    std::fs::write(&template, SMALL)?;
    let state = Some(folder.path().join("state"));
    let options = Options { template, state, ..Options::test() };
    let cloud = Cloud::start(options.clone()).await?;
    let item = json!({ "id": { "S": "a" } });
    let put = json!({ "TableName": cloud.dynamodb.table("things"), "Item": item });
    cloud.dynamodb.call("PutItem", &put).await?;
    let customer = subscribe(&cloud).await?;
    cloud.save().await?;
    drop(cloud);
    let cloud = Cloud::start(options).await?;
    assert_eq!(cloud.stripe.totals(&customer).charged, 500);
    assert_eq!(cloud.dynamodb.items("things").await?, [item]);
    Ok(())
}

/// Hello reads every event as a request, which messages are not: it fails on all of them.
const FED: &str = r#"
Resources:
  HelloFunction:
    Type: AWS::Serverless::Function
    Metadata: { BuildProperties: { Binary: hello } }
    Properties:
      Events:
        Messages: { Type: SQS, Properties: { Queue: !GetAtt Work.Arn } }
        Tick: { Type: Schedule, Properties: { Schedule: rate(5 minutes) } }
  Work:
    Type: AWS::SQS::Queue
    Properties: { RedrivePolicy: { deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 2 } }
  Dead: { Type: AWS::SQS::Queue }
"#;

#[tokio::test]
async fn queues_are_worked_off_before_the_clock_moves_on_and_are_kept() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let template = folder.path().join("template.yaml");
    std::fs::write(&template, FED)?;
    let state = Some(folder.path().join("state"));
    let options = Options { template, state, ..Options::test() };
    let cloud = Cloud::start(options.clone()).await?;
    cloud.sqs.send("Work", "first")?;
    cloud.settle().await;
    assert_eq!(cloud.sqs.dead("Work")?, ["first"]);
    cloud.sqs.send("Work", "second")?;
    cloud.advance(Duration::from_secs(600)).await?;
    assert_eq!(cloud.sqs.dead("Work")?, ["first", "second"]);
    // Both deliveries came before the clock moved.
    let received = cloud.sqs.messages("Dead")?[1].first_received_at;
    assert_eq!(received, Some(datetime!(2026-11-24 12:00 UTC)));
    assert!(cloud.setting("AWS_ENDPOINT_URL_SQS").is_some());
    cloud.save().await?;
    drop(cloud);
    let cloud = Cloud::start(options).await?;
    assert_eq!(cloud.sqs.dead("Work")?, ["first", "second"]);
    Ok(())
}
