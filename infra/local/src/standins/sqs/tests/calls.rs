use serde_json::{Value, json};
use vidintel::{aws::unavailable, error::Error};

use super::*;
use crate::standins::tests::call;

fn url(queue: &str) -> String {
    crate::template::queue_url(&format!("local-{queue}"))
}

/// A call without the SDK, by the operator.
async fn raw(sqs: &Sqs, operation: &str, body: &Value) -> (u16, Value) {
    let target = format!("AmazonSQS.{operation}");
    let headers = [("x-amz-target", target.as_str())];
    let (status, text) = call(sqs.router(), Some(OPERATOR_KEY), &headers, &body.to_string()).await;
    (status, serde_json::from_str(&text).expect("JSON"))
}

/// The code that the SDK reads from a refusal.
macro_rules! code {
    ($call:expr) => {
        match unavailable("SQS", &$call.await.expect_err("a refusal")) {
            Error::Unavailable { detail, .. } => detail,
            other => other.to_string(),
        }
    };
}

#[tokio::test]
async fn what_is_sent_is_received_and_deleted() -> Result<()> {
    let service = Service::start().await?;
    let client = service.client(OPERATOR_KEY);
    let sent = client.send_message().queue_url(url("work")).message_body("hello").send().await?;
    assert_eq!(sent.md5_of_message_body(), Some("5d41402abc4b2a76b9719d911017c592"));
    let receive = || client.receive_message().queue_url(url("work")).max_number_of_messages(10);
    let received = receive().send().await?;
    let [message] = received.messages() else { panic!("one message") };
    assert_eq!((message.body(), message.message_id()), (Some("hello"), sent.message_id()));
    assert_eq!(service.sqs.depth("Work")?, (0, 1));
    assert_eq!(receive().send().await?.messages().len(), 0, "it is hidden");

    service.clock.set(service.clock.now() + Duration::from_secs(60));
    let again = receive().send().await?;
    let handle = again.messages()[0].receipt_handle().expect("a handle").to_owned();
    let delete =
        |handle: &str| client.delete_message().queue_url(url("work")).receipt_handle(handle).send();
    delete(message.receipt_handle().expect("a handle")).await?;
    assert_eq!(service.sqs.depth("Work")?, (0, 1), "the first handle is not good any more");
    delete(&handle).await?;
    assert_eq!(service.sqs.depth("Work")?, (0, 0));
    delete(&handle).await?;
    assert_eq!(code!(delete("nonsense")), "ReceiptHandleIsInvalid");
    Ok(())
}

#[tokio::test]
async fn refusals_have_the_names_that_sdks_know() -> Result<()> {
    let service = Service::start().await?;
    let client = service.client(OPERATOR_KEY);
    let send = |queue: &str, body: String| {
        client.send_message().queue_url(url(queue)).message_body(body).send()
    };
    let nowhere = send("nowhere", "a".to_owned()).await.expect_err("a refusal");
    assert!(nowhere.as_service_error().is_some_and(|it| it.is_queue_does_not_exist()));
    let odd = send("work", "\u{1}".to_owned()).await.expect_err("a refusal");
    assert!(odd.as_service_error().is_some_and(|it| it.is_invalid_message_contents()));
    assert_eq!(code!(send("work", String::new())), "MissingParameter");
    assert_eq!(code!(send("work", "a".repeat(1024 * 1024 + 1))), "InvalidParameterValue");
    send("work", "\"".repeat(1024 * 1024)).await?;
    let late = client.send_message().queue_url(url("work")).message_body("a").delay_seconds(901);
    assert_eq!(code!(late.send()), "InvalidParameterValue");
    let (status, answer) = raw(&service.sqs, "CreateQueue", &json!({})).await;
    assert_eq!((status, answer["__type"].as_str().is_some()), (400, true));
    let (_, answer) = raw(&service.sqs, "SendMessage", &json!({ "MessageBody": "a" })).await;
    assert_eq!(answer["message"], "The request must contain the parameter QueueUrl.");

    service.sqs.fault(Fault::Down);
    assert_eq!(code!(send("work", "a".to_owned())), "InternalFailure");
    service.sqs.fault(Fault::Throttle);
    assert_eq!(code!(send("work", "a".to_owned())), "RequestThrottled");
    assert_eq!(service.sqs.messages("Work")?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_function_does_only_what_its_policy_names() -> Result<()> {
    let service = Service::start().await?;
    let permission = Permission {
        action: "sqs:SendMessage".to_owned(),
        resource: crate::template::queue_arn("local-work"),
        conditions: Vec::new(),
    };
    service.access.permit("Sender", vec![permission]);
    let client = service.client("LOCALSender");
    client.send_message().queue_url(url("work")).message_body("a").send().await?;
    let other = client.send_message().queue_url(url("dead")).message_body("a").send();
    assert_eq!(code!(other), "AccessDenied");
    assert_eq!(code!(client.receive_message().queue_url(url("work")).send()), "AccessDenied");
    assert_eq!(service.access.count("Sender"), 3);
    assert_eq!(service.sqs.messages("Work")?[0].sender, "LOCALSender");
    Ok(())
}

#[tokio::test]
async fn attributes_say_how_a_queue_is_and_how_full() -> Result<()> {
    let service = Service::start().await?;
    let client = service.client(OPERATOR_KEY);
    for queue in ["Work", "Work", "local-Slow"] {
        service.sqs.send(queue, "a")?;
    }
    client.receive_message().queue_url(url("work")).send().await?;
    let names = json!(["All"]);
    let ask = json!({ "QueueUrl": url("work"), "AttributeNames": names });
    let (_, answer) = raw(&service.sqs, "GetQueueAttributes", &ask).await;
    let all = &answer["Attributes"];
    assert_eq!(all["ApproximateNumberOfMessages"], "1");
    assert_eq!(all["ApproximateNumberOfMessagesNotVisible"], "1");
    assert_eq!(all["VisibilityTimeout"], "60");
    let policy: Value = serde_json::from_str(all["RedrivePolicy"].as_str().expect("text"))?;
    assert_eq!(policy["maxReceiveCount"], 3);
    let ask = json!({ "QueueUrl": url("Slow"), "AttributeNames": names });
    let (_, answer) = raw(&service.sqs, "GetQueueAttributes", &ask).await;
    assert_eq!(answer["Attributes"]["ApproximateNumberOfMessagesDelayed"], "1");
    let ask = json!({ "QueueUrl": url("work"), "AttributeNames": ["Colour"] });
    assert_eq!(raw(&service.sqs, "GetQueueAttributes", &ask).await.0, 400);
    let found = client.get_queue_url().queue_name("local-work").send().await?;
    assert_eq!(found.queue_url(), Some(url("work").as_str()));
    client.purge_queue().queue_url(url("work")).send().await?;
    assert_eq!(service.sqs.depth("Work")?, (0, 0));
    Ok(())
}

#[tokio::test]
async fn the_entries_of_a_batch_stand_for_themselves() -> Result<()> {
    let (sqs, _) = sqs(&Access::default())?;
    let batch = |entries: Value| json!({ "QueueUrl": url("work"), "Entries": entries });
    let entries = json!([
        { "Id": "a", "MessageBody": "one" },
        { "Id": "b", "MessageBody": "\u{2}" },
    ]);
    let (_, answer) = raw(&sqs, "SendMessageBatch", &batch(entries)).await;
    assert_eq!(
        (&answer["Successful"][0]["Id"], &answer["Failed"][0]["Id"]),
        (&"a".into(), &"b".into())
    );
    assert_eq!(answer["Failed"][0]["Code"], "InvalidMessageContents");
    assert_eq!(bodies(&sqs, "Work")?, ["one"]);
    let same = json!([{ "Id": "a", "MessageBody": "1" }, { "Id": "a", "MessageBody": "2" }]);
    assert_eq!(raw(&sqs, "SendMessageBatch", &batch(same)).await.0, 400);
    assert_eq!(raw(&sqs, "SendMessageBatch", &batch(json!([]))).await.0, 400);
    let (_, received) = raw(&sqs, "ReceiveMessage", &json!({ "QueueUrl": url("work") })).await;
    let handle = &received["Messages"][0]["ReceiptHandle"];
    let entries = json!([{ "Id": "x", "ReceiptHandle": handle }]);
    raw(&sqs, "DeleteMessageBatch", &batch(entries)).await;
    assert_eq!(sqs.messages("Work")?.len(), 0);
    Ok(())
}

#[tokio::test]
async fn attributes_of_a_message_arrive_with_the_sum_that_sdks_compute() -> Result<()> {
    let (sqs, _) = sqs(&Access::default())?;
    let attributes = json!({ "kind": { "DataType": "String", "StringValue": "a" } });
    let send = json!({
        "QueueUrl": url("work"), "MessageBody": "a", "MessageAttributes": attributes
    });
    let (_, sent) = raw(&sqs, "SendMessage", &send).await;
    // By hand: printf '\0\0\0\4kind\0\0\0\6String\1\0\0\0\1a' | md5sum
    assert_eq!(sent["MD5OfMessageAttributes"], "fb72dec7a16b6ccb08a928e255fd6b21");
    let receive = json!({
        "QueueUrl": url("work"), "MessageAttributeNames": ["k.*"], "AttributeNames": ["All"]
    });
    let (_, received) = raw(&sqs, "ReceiveMessage", &receive).await;
    let message = &received["Messages"][0];
    assert_eq!(message["MessageAttributes"], attributes);
    assert_eq!(message["MD5OfMessageAttributes"], sent["MD5OfMessageAttributes"]);
    assert_eq!(message["Attributes"]["ApproximateReceiveCount"], "1");
    raw(&sqs, "SendMessage", &send).await;
    let receive = json!({ "QueueUrl": url("work"), "MessageAttributeNames": ["other"] });
    let (_, received) = raw(&sqs, "ReceiveMessage", &receive).await;
    assert_eq!(received["Messages"][0].get("MessageAttributes"), None, "not asked for");
    let empty = json!({ "kind": { "DataType": "String", "StringValue": "" } });
    let send = json!({ "QueueUrl": url("work"), "MessageBody": "a", "MessageAttributes": empty });
    assert_eq!(raw(&sqs, "SendMessage", &send).await.0, 400);
    Ok(())
}

#[tokio::test]
async fn a_long_poll_ends_with_the_first_message() -> Result<()> {
    let service = Service::start().await?;
    let client = service.client(OPERATOR_KEY);
    let poll = client.receive_message().queue_url(url("work")).wait_time_seconds(2).send();
    let send = async {
        sleep(Duration::from_millis(50)).await;
        service.sqs.send("Work", "late")
    };
    let (received, sent) = tokio::join!(poll, send);
    assert_eq!(received?.messages()[0].message_id(), Some(sent?.as_str()));
    let visible = json!({
        "QueueUrl": url("work"), "ReceiptHandle": service.sqs.messages("Work")?[0].receipt,
        "VisibilityTimeout": 0,
    });
    raw(&service.sqs, "ChangeMessageVisibility", &visible).await;
    assert_eq!(service.sqs.depth("Work")?, (1, 0));
    Ok(())
}

#[tokio::test]
async fn messages_end_with_time_and_dead_letters_by_the_time_they_were_sent() -> Result<()> {
    let (sqs, clock) = sqs(&Access::default())?;
    sqs.send("Work", "old")?;
    clock.set(clock.now() + Duration::from_secs(3600));
    sqs.send("Work", "new")?;
    clock.set(clock.now() + Duration::from_secs(86_400 - 3600));
    assert_eq!(bodies(&sqs, "Work")?, ["new"]);
    sqs.send("Slow", "slow")?;
    assert_eq!(sqs.depth("Slow")?, (0, 0));
    clock.set(clock.now() + Duration::from_secs(10));
    assert_eq!(sqs.depth("Slow")?, (1, 0));
    assert!(sqs.messages("Fast").is_err());
    assert!(sqs.dead("Slow").is_err());
    Ok(())
}

#[tokio::test]
async fn kept_messages_are_there_again() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("sqs.json");
    let (before, _) = sqs(&Access::default())?;
    before.send("Work", "kept")?;
    raw(&before, "ReceiveMessage", &json!({ "QueueUrl": url("work") })).await;
    before.save(&file)?;
    let (after, _) = sqs(&Access::default())?;
    after.load(&file)?;
    assert_eq!(after.depth("Work")?, (1, 0), "it can be received again");
    let (was, is) = (&before.messages("Work")?[0], &after.messages("Work")?[0]);
    assert_eq!((&is.id, &is.body, is.sent_at), (&was.id, &was.body, was.sent_at));
    assert_eq!(is.receive_count, 1);
    std::fs::write(&file, "{")?;
    assert!(after.load(&file).is_err());
    Ok(())
}
