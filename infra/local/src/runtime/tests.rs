use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::time::{sleep, timeout};

use super::{environment::Event, *};
use crate::{
    binaries::{Binaries, Profile},
    http::Client,
};

// --- The interfaces, against an environment without a process ------------------------------------

struct Stage {
    environment: Arc<Environment>,
    client: Client,
}

const REQUEST: &str = "/2018-06-01/runtime/invocation";
const EXTENSION: &str = "/2020-01-01/extension";

impl Stage {
    async fn start() -> Result<Self> {
        let registry = Registry::default();
        let environment = Arc::new(Environment::new());
        registry.add(&environment);
        let (listener, address) = listen(None).await?;
        serve(listener, api::router(registry));
        let client = Client::new(format!("http://{address}/{}", environment.id));
        Ok(Self { environment, client })
    }

    async fn register(&self, events: &[&str]) -> Result<String> {
        let body = json!({ "events": events });
        let answer = self.client.post(format!("{EXTENSION}/register"), &body).send().await?;
        let id = answer.header("lambda-extension-identifier").map(str::to_owned);
        id.with_context(|| answer.text())
    }

    /// A request that stays open, on a connection of its own.
    fn ask(&self, path: &str, extension: Option<&str>) -> tokio::task::JoinHandle<Result<String>> {
        let (client, path) = (self.client.clone(), path.to_owned());
        let extension = extension.map(str::to_owned);
        tokio::spawn(async move {
            let request = client.get(path);
            let request = match &extension {
                Some(id) => request.header("lambda-extension-identifier", id),
                None => request,
            };
            let answer = request.send().await?;
            Ok(match answer.header("lambda-runtime-aws-request-id") {
                Some(id) => id.to_owned(),
                None => answer.text(),
            })
        })
    }

    async fn becomes_idle(&self) -> bool {
        timeout(Duration::from_secs(5), self.environment.idle()).await.unwrap_or(false)
    }

    async fn is_idle(&self) -> bool {
        timeout(Duration::from_millis(50), self.environment.idle()).await.unwrap_or(false)
    }
}

#[tokio::test]
async fn an_environment_is_idle_when_runtime_and_extensions_have_asked() -> Result<()> {
    let stage = Stage::start().await?;
    let extension = stage.register(&["INVOKE"]).await?;
    let next = stage.ask(&format!("{REQUEST}/next"), None);
    assert!(!stage.is_idle().await, "the extension has not asked yet");
    let event = stage.ask(&format!("{EXTENSION}/event/next"), Some(&extension));
    assert!(stage.becomes_idle().await);

    let environment = Arc::clone(&stage.environment);
    let invocation = tokio::spawn(async move {
        let limit = Duration::from_secs(5);
        environment.invoke(Event::new("{}".into(), limit), limit).await
    });
    let request_id = next.await??;
    let event: Value = serde_json::from_str(&event.await??)?;
    assert_eq!(
        (&event["eventType"], &event["requestId"]),
        (&"INVOKE".into(), &request_id.clone().into())
    );
    let path = format!("{REQUEST}/{request_id}/response");
    let accepted = stage.client.post(&path, &json!("done")).send().await?;
    assert_eq!(accepted.status, 202);
    assert_eq!(invocation.await??, "\"done\"", "the answer does not wait for the extension");

    let _next = stage.ask(&format!("{REQUEST}/next"), None);
    assert!(!stage.is_idle().await, "the extension still works");
    let _event = stage.ask(&format!("{EXTENSION}/event/next"), Some(&extension));
    assert!(stage.becomes_idle().await);
    let again = stage.client.post(&path, &json!("twice")).send().await?;
    assert_eq!(again.status, 400);
    Ok(())
}

#[tokio::test]
async fn registration_follows_the_rules_of_internal_extensions() -> Result<()> {
    let stage = Stage::start().await?;
    assert!(stage.register(&["INVOKE", "SHUTDOWN"]).await.is_err());
    assert!(stage.register(&["SLEEP"]).await.is_err());
    let silent = stage.register(&[]).await?;
    let _next = stage.ask(&format!("{REQUEST}/next"), None);
    let _event = stage.ask(&format!("{EXTENSION}/event/next"), Some(&silent));
    assert!(stage.becomes_idle().await);
    assert!(stage.register(&["INVOKE"]).await.is_err(), "too late");
    let unknown = stage.ask(&format!("{EXTENSION}/event/next"), Some("nobody")).await??;
    assert!(unknown.contains("UnknownExtensionIdentifier"), "{unknown}");
    Ok(())
}

// --- A real function -------------------------------------------------------------------------------

async fn hello(max_environments: usize) -> Result<Runtime> {
    let program = Binaries::build(Profile::Debug).await?.path("hello")?.to_owned();
    started(program, max_environments, Duration::from_secs(3)).await
}

async fn started(program: PathBuf, max: usize, time_limit: Duration) -> Result<Runtime> {
    let function = Function {
        id: "Hello".to_owned(),
        binary: "hello".to_owned(),
        timeout: time_limit,
        memory_mb: 128,
        environment: BTreeMap::new(),
        routes: Vec::new(),
        schedules: Vec::new(),
        queues: Vec::new(),
        permissions: Vec::new(),
    };
    let environment = [
        ("AWS_LAMBDA_FUNCTION_NAME", "hello"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("PATH", "/usr/bin:/bin"),
    ];
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let spec = Spec { function, program, environment: environment.into() };
    Runtime::start(vec![spec], max, false).await
}

fn request() -> Bytes {
    let http = json!({
        "method": "GET", "path": "/", "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": ""
    });
    let context = json!({
        "accountId": "0", "apiId": "local", "http": http, "routeKey": "GET /", "stage": "$default",
        "requestId": "1", "time": "24/Nov/2026:12:00:00 +0000", "timeEpoch": 0,
    });
    let event = json!({
        "version": "2.0", "routeKey": "GET /", "rawPath": "/", "rawQueryString": "",
        "headers": { "host": "localhost" }, "requestContext": context, "isBase64Encoded": false,
    });
    event.to_string().into()
}

fn is_hello(answer: Result<Bytes, InvokeError>) -> bool {
    answer
        .is_ok_and(|it| serde_json::from_slice::<Value>(&it).is_ok_and(|it| it["body"] == "hello"))
}

#[tokio::test]
async fn an_environment_is_started_once_and_used_again() -> Result<()> {
    let runtime = hello(4).await?;
    for _ in 0..20 {
        assert!(is_hello(runtime.invoke("Hello", request()).await));
        // It is free again once it asks for the next one.
        runtime.settled().await;
    }
    assert_eq!(runtime.cold_starts("Hello")?, 1);
    let unknown = runtime.invoke("Nobody", request()).await.expect_err("no such function");
    assert_eq!(unknown.error_type, "ResourceNotFoundException");
    Ok(())
}

#[tokio::test]
async fn load_starts_more_up_to_the_limit() -> Result<()> {
    let runtime = hello(3).await?;
    let requests = (0..60).map(|_| runtime.invoke("Hello", request()));
    let answers = futures_util::future::join_all(requests).await;
    assert!(answers.into_iter().all(is_hello));
    let started = runtime.cold_starts("Hello")?;
    assert!((2..=3).contains(&started), "{started} environments");
    Ok(())
}

#[tokio::test]
async fn the_killed_are_replaced() -> Result<()> {
    let runtime = hello(2).await?;
    assert!(is_hello(runtime.invoke("Hello", request()).await));
    assert_eq!(runtime.kill("Hello").await?, 1);
    assert!(runtime.process_ids("Hello")?.is_empty());
    assert!(is_hello(runtime.invoke("Hello", request()).await));
    // Killed from outside, while idle.
    let id = runtime.process_ids("Hello")?[0].to_string();
    tokio::process::Command::new("kill").args(["-9", &id]).status().await?;
    let gone = async {
        while !runtime.process_ids("Hello")?.is_empty() {
            sleep(Duration::from_millis(5)).await;
        }
        anyhow::Ok(())
    };
    timeout(Duration::from_secs(10), gone).await??;
    assert!(is_hello(runtime.invoke("Hello", request()).await));
    assert_eq!(runtime.cold_starts("Hello")?, 3);
    Ok(())
}

#[tokio::test]
async fn everything_ends_with_the_runtime() -> Result<()> {
    let runtime = hello(2).await?;
    assert!(is_hello(runtime.invoke("Hello", request()).await));
    let id = runtime.process_ids("Hello")?[0];
    drop(runtime);
    let gone = async {
        while std::path::Path::new(&format!("/proc/{id}")).exists() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(5), gone).await.context("it still runs")
}

#[tokio::test]
async fn what_cannot_start_is_an_error_with_a_log() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let script = folder.path().join("bootstrap");
    std::fs::write(&script, "#!/bin/sh\necho out; echo err >&2; exit 3\n")?;
    std::process::Command::new("chmod").arg("+x").arg(&script).status()?;
    let runtime = started(script, 2, Duration::from_secs(1)).await?;
    let error = runtime.invoke("Hello", request()).await.expect_err("it exits");
    assert_eq!(error.error_type, "Runtime.ExitError");
    assert!(error.message.contains("exit status: 3"), "{error}");
    let mut lines = runtime.logs("Hello")?.lines();
    lines.sort();
    assert_eq!(lines, ["err", "out"]);

    let runtime = started("/nonexistent".into(), 2, Duration::from_secs(1)).await?;
    let error = runtime.invoke("Hello", request()).await.expect_err("nothing to run");
    assert_eq!(error.error_type, "Runtime.InvalidEntrypoint");
    Ok(())
}

#[tokio::test]
async fn the_time_limit_ends_environment_and_event() -> Result<()> {
    let stage = Stage::start().await?;
    let _next = stage.ask(&format!("{REQUEST}/next"), None);
    assert!(stage.becomes_idle().await);
    // The stage has no process that could end: whoever waits for that waits in vain.
    let limit = Duration::from_millis(50);
    let environment = Arc::clone(&stage.environment);
    let begun = Instant::now();
    let invocation = environment.invoke(Event::new("{}".into(), limit), limit);
    assert!(timeout(Duration::from_millis(300), invocation).await.is_err());
    assert!(begun.elapsed() >= limit);
    let end = stage.environment.end().context("it has been stopped")?;
    assert_eq!(end.error_type, "Sandbox.Timedout");
    assert!(end.message.contains("timed out after 0.05 seconds"), "{end}");
    Ok(())
}
