use std::{path::PathBuf, sync::Arc};

use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::{super::poller::failures, *};
use crate::{http::Client, runtime::Spec, template::Function};

type Answer = dyn Fn(&Value) -> Result<Value, String> + Send + Sync;

/// A real runtime of one function that is fed from `Work`. Its process only says where its interface
/// is; what it would do there is done in this test.
struct Stage {
    sqs: Sqs,
    clock: Clock,
    /// The bodies of each event, in the order they came.
    events: Arc<Mutex<Vec<Value>>>,
    tasks: Vec<AbortHandle>,
    _runtime: Runtime,
    _folder: tempfile::TempDir,
}

impl Stage {
    async fn start(
        source: QueueSource,
        answer: impl Fn(&Value) -> Result<Value, String> + Send + Sync + 'static,
    ) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let runtime = placeholder(folder.path().join("bootstrap")).await?;
        let (sqs, clock) = sqs(&Access::default())?;
        let events = Arc::new(Mutex::new(Vec::new()));
        let function = tokio::spawn(play(runtime.clone(), Arc::clone(&events), Arc::new(answer)));
        let mut tasks = sqs.feed(&runtime, [&source])?;
        tasks.push(function.abort_handle());
        Ok(Self { sqs, clock, events, tasks, _runtime: runtime, _folder: folder })
    }

    fn send(&self, bodies: &[&str]) -> Result<()> {
        self.sqs.pause();
        for body in bodies {
            self.sqs.send("Work", body)?;
        }
        self.sqs.resume();
        Ok(())
    }

    async fn settled(&self) -> Result<()> {
        Ok(timeout(Duration::from_secs(20), self.sqs.settled()).await?)
    }

    /// The bodies that came, one list for each event.
    fn batches(&self) -> Vec<Vec<String>> {
        let events = self.events.lock().expect("a lock");
        events.iter().map(bodies_of).collect()
    }

    fn delivered(&self) -> Vec<String> {
        self.batches().concat()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

async fn placeholder(script: PathBuf) -> Result<Runtime> {
    std::fs::write(&script, "#!/bin/sh\necho $AWS_LAMBDA_RUNTIME_API\nexec sleep 600\n")?;
    std::process::Command::new("chmod").arg("+x").arg(&script).status()?;
    let function = Function {
        id: "Worker".to_owned(),
        binary: "worker".to_owned(),
        timeout: Duration::from_secs(10),
        memory_mb: 128,
        environment: BTreeMap::new(),
        routes: Vec::new(),
        schedules: Vec::new(),
        queues: Vec::new(),
        permissions: Vec::new(),
    };
    let environment = BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]);
    Runtime::start(vec![Spec { function, program: script, environment }], 4, false).await
}

/// Plays every environment of the function that is started.
async fn play(runtime: Runtime, events: Arc<Mutex<Vec<Value>>>, answer: Arc<Answer>) -> Result<()> {
    let mut playing: Vec<JoinHandle<Result<()>>> = Vec::new();
    loop {
        for address in runtime.logs("Worker")?.lines().into_iter().skip(playing.len()) {
            let (events, answer) = (Arc::clone(&events), Arc::clone(&answer));
            playing.push(tokio::spawn(environment(address, events, answer)));
        }
        sleep(Duration::from_millis(2)).await;
    }
}

async fn environment(
    address: String,
    events: Arc<Mutex<Vec<Value>>>,
    answer: Arc<Answer>,
) -> Result<()> {
    const PATH: &str = "/2018-06-01/runtime/invocation";
    let client = Client::new(address);
    loop {
        let next = client.get(format!("{PATH}/next")).send().await?;
        let id = next.header("lambda-runtime-aws-request-id").context("an id")?.to_owned();
        let event: Value = serde_json::from_slice(&next.body)?;
        events.lock().expect("a lock").push(event.clone());
        // Long enough for others to be at work meanwhile.
        sleep(Duration::from_millis(5)).await;
        let (kind, body) = match answer(&event) {
            Ok(answer) => ("response", answer),
            Err(message) => ("error", json!({ "errorType": "Failed", "errorMessage": message })),
        };
        client.post(format!("{PATH}/{id}/{kind}"), &body).send().await?;
    }
}

fn bodies_of(event: &Value) -> Vec<String> {
    let records = event["Records"].as_array().expect("records");
    records.iter().map(|it| it["body"].as_str().expect("a body").to_owned()).collect()
}

/// Fails on the messages whose body begins with `bad`, as a function reports it.
fn reports(event: &Value) -> Result<Value, String> {
    let records = event["Records"].as_array().ok_or("no records")?;
    let failed = records
        .iter()
        .filter(|it| it["body"].as_str().is_some_and(|body| body.starts_with("bad")))
        .map(|it| json!({ "itemIdentifier": it["messageId"] }));
    Ok(json!({ "batchItemFailures": failed.collect::<Vec<_>>() }))
}

fn source(batch_size: usize) -> QueueSource {
    QueueSource {
        function: "Worker".to_owned(),
        queue: crate::template::queue_arn("local-work"),
        batch_size,
        window: Duration::ZERO,
        reports_failures: true,
        max_concurrency: Some(2),
    }
}

#[tokio::test]
async fn a_function_gets_batches_as_lambda_sends_them() -> Result<()> {
    let stage = Stage::start(source(2), reports).await?;
    stage.send(&["a", "b", "c"])?;
    stage.settled().await?;
    let mut batches = stage.batches();
    batches.sort();
    assert_eq!(batches, [vec!["a", "b"], vec!["c"]]);
    assert_eq!(stage.sqs.depth("Work")?, (0, 0));
    let events = stage.events.lock().expect("a lock").clone();
    let event = events.iter().find(|it| bodies_of(it).len() == 2).context("the batch of two")?;
    let record = &event["Records"][0];
    let ids = [&record["messageId"], &record["receiptHandle"]];
    assert!(ids.iter().all(|it| it.as_str().is_some_and(|it| it.len() >= 36)));
    let mut rest = record.clone();
    rest["messageId"].take();
    rest["receiptHandle"].take();
    assert_eq!(
        rest,
        json!({
            "messageId": null,
            "receiptHandle": null,
            "body": "a",
            "attributes": {
                "ApproximateReceiveCount": "1",
                "SentTimestamp": "1795521600000",
                "SenderId": "OPERATOR",
                "ApproximateFirstReceiveTimestamp": "1795521600000",
            },
            "messageAttributes": {},
            "md5OfBody": "0cc175b9c0f1b6a831c399e269772661",
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:eu-west-1:000000000000:local-work",
            "awsRegion": "eu-west-1",
        })
    );
    Ok(())
}

#[tokio::test]
async fn only_what_failed_comes_again_and_at_last_is_dead() -> Result<()> {
    let stage = Stage::start(source(10), reports).await?;
    stage.sqs.retry_after(Duration::from_millis(5));
    stage.send(&["good", "bad one", "fine"])?;
    stage.settled().await?;
    assert_eq!(
        stage.batches(),
        [vec!["good", "bad one", "fine"], vec!["bad one"], vec!["bad one"]]
    );
    assert_eq!(stage.sqs.dead("Work")?, ["bad one"]);
    let dead = &stage.sqs.messages("Dead")?[0];
    assert_eq!(dead.dead_from.as_deref(), Some("arn:aws:sqs:eu-west-1:000000000000:local-work"));
    assert_eq!(stage.sqs.redrive("Dead")?, 1);
    stage.settled().await?;
    assert_eq!((stage.delivered().len(), stage.sqs.dead("Work")?.len()), (8, 1));
    // What somebody put there was not sent elsewhere before.
    stage.sqs.send("Dead", "stray")?;
    assert_eq!(stage.sqs.redrive("Dead")?, 1);
    stage.settled().await?;
    assert_eq!(stage.sqs.dead("Work")?, ["stray", "bad one"]);
    Ok(())
}

#[tokio::test]
async fn an_error_fails_the_whole_batch_and_time_brings_it_back() -> Result<()> {
    let fails = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let switch = Arc::clone(&fails);
    let stage = Stage::start(source(10), move |_| {
        if switch.load(std::sync::atomic::Ordering::Relaxed) {
            return Err("out of order".to_owned());
        }
        Ok(Value::Null)
    })
    .await?;
    stage.sqs.retry_after(Duration::from_secs(3600));
    stage.send(&["a", "b"])?;
    let failed = async {
        while stage.delivered().len() < 2 || stage.sqs.depth("Work")? != (0, 2) {
            sleep(Duration::from_millis(2)).await;
        }
        anyhow::Ok(())
    };
    timeout(Duration::from_secs(20), failed).await??;
    // The event has been seen before it was answered: let the answer arrive.
    sleep(Duration::from_millis(100)).await;
    assert_eq!(stage.delivered().len(), 2, "not before its time");
    fails.store(false, std::sync::atomic::Ordering::Relaxed);
    stage.clock.set(stage.clock.now() + Duration::from_secs(60));
    stage.settled().await?;
    assert_eq!(stage.batches(), [["a", "b"], ["a", "b"]]);
    assert_eq!((stage.sqs.depth("Work")?, stage.sqs.dead("Work")?.len()), ((0, 0), 0));
    Ok(())
}

#[tokio::test]
async fn delivery_is_at_least_once_and_in_any_order_when_told_so() -> Result<()> {
    let stage = Stage::start(source(1), reports).await?;
    stage.sqs.retry_after(Duration::from_millis(5));
    stage.sqs.duplicates(2);
    stage.send(&["a", "bad", "c"])?;
    stage.settled().await?;
    let mut delivered = stage.delivered();
    delivered.sort();
    // Three times by its own right, and once more.
    assert_eq!(delivered, ["a", "a", "bad", "bad", "bad", "bad", "c"]);
    assert_eq!(stage.sqs.dead("Work")?, ["bad"]);

    let all = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
    let mut orders = Vec::new();
    for seed in [Some(7), Some(7), Some(8), None] {
        let stage = Stage::start(source(10), reports).await?;
        stage.sqs.reorder(seed);
        stage.send(&all)?;
        stage.settled().await?;
        orders.push(stage.delivered());
    }
    assert_eq!(orders[0], orders[1]);
    assert_ne!(orders[0], orders[2]);
    assert_ne!(orders[0], all);
    assert_eq!(orders[3], all);
    orders[0].sort();
    assert_eq!(orders[0], all);
    Ok(())
}

#[tokio::test]
async fn no_more_events_at_once_than_wanted_and_none_in_a_pause() -> Result<()> {
    let stage = Stage::start(source(1), reports).await?;
    stage.sqs.pause();
    for n in 0..20 {
        stage.sqs.send("Work", &n.to_string())?;
    }
    stage.settled().await?;
    sleep(Duration::from_millis(50)).await;
    assert_eq!((stage.delivered().len(), stage.sqs.depth("Work")?), (0, (20, 0)));
    stage.sqs.resume();
    let mut most = 0;
    while stage.sqs.state().is_pending(stage.clock.now()) {
        most = most.max(stage.sqs.depth("Work")?.1);
        sleep(Duration::from_millis(1)).await;
    }
    assert_eq!((stage.delivered().len(), most), (20, 2));
    Ok(())
}

#[tokio::test]
async fn a_window_gathers_what_comes_shortly_after() -> Result<()> {
    let source = QueueSource { window: Duration::from_secs(5), ..source(100) };
    let stage = Stage::start(source, reports).await?;
    for n in 0..15 {
        stage.sqs.send("Work", &n.to_string())?;
        tokio::task::yield_now().await;
    }
    stage.settled().await?;
    assert_eq!(stage.batches().iter().map(Vec::len).collect::<Vec<_>>(), [15]);
    Ok(())
}

#[test]
fn answers_are_read_as_lambda_reads_them() {
    let failed = |answer: &str| {
        let failed = failures(answer.as_bytes(), ["a", "b"].into_iter());
        failed.into_iter().collect::<Vec<_>>().join("")
    };
    for success in ["null", "{}", r#"{"batchItemFailures":[]}"#, r#"{"batchItemFailures":null}"#] {
        assert_eq!(failed(success), "", "{success}");
    }
    assert_eq!(failed(r#"{"batchItemFailures":[{"itemIdentifier":"b"}]}"#), "b");
    for failure in [
        "",
        "no JSON",
        "\"done\"",
        r#"{"batchItemFailures":[{"itemIdentifier":""}]}"#,
        r#"{"batchItemFailures":[{"itemIdentifier":null}]}"#,
        r#"{"batchItemFailures":[{"id":"a"}]}"#,
        r#"{"batchItemFailures":[{"itemIdentifier":"c"}]}"#,
    ] {
        assert_eq!(failed(failure), "ab", "{failure}");
    }
}
