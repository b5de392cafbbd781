//! The operator's tool, `infra/operate`: with the AWS CLI itself, and with one that notes how it was called.

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use local::standins::{Fault, stripe::Card};
use serde_json::{Value, json};
use time::Duration;
use vidintel::plans::Plan;

use crate::util::{
    World,
    objections::instant,
    purchases::{buy, order},
};

/// Runs the tool with the CLI that is in `folder`, against the cloud of `world`.
async fn operate(folder: &Path, world: Option<&World>, args: &[&str]) -> Output {
    let path = std::env::var("PATH").expect("a path");
    let mut command = Command::new(local::workspace().join("infra/operate"));
    command.args(args).env("PATH", format!("{}:{path}", folder.display()));
    let prefix = world.map_or("local-".to_owned(), |it| it.cloud.dynamodb.prefix());
    command.env("STACK", prefix.trim_end_matches('-')).env("AWS_ACCESS_KEY_ID", "OPERATOR");
    command.env("AWS_SECRET_ACCESS_KEY", "local").env("AWS_DEFAULT_REGION", "eu-west-1");
    // Nothing of this machine's own settings.
    command.env("AWS_CONFIG_FILE", "/dev/null").env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
    match world {
        Some(world) => command.env("AWS_ENDPOINT_URL", world.cloud.console_url()),
        None => command.env_remove("AWS_ENDPOINT_URL"),
    };
    let run = tokio::task::spawn_blocking(move || command.output());
    run.await.expect("it ends").expect("it runs")
}

/// A folder with the AWS CLI, version 2.
fn cli() -> tempfile::TempDir {
    let named = std::env::var_os("AWS_CLI").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|it| it.join("aws")).collect::<Vec<_>>();
    let found = named.into_iter().chain(on_path).find(|it| {
        let version = Command::new(it).arg("--version").output();
        version.is_ok_and(|it| it.stdout.starts_with(b"aws-cli/2."))
    });
    let found =
        found.expect("the AWS CLI, version 2: apt-get install awscli, or name it in AWS_CLI");
    let folder = tempfile::tempdir().expect("a folder");
    std::os::unix::fs::symlink(found, folder.path().join("aws")).expect("linked");
    folder
}

/// A folder with an AWS CLI that notes its arguments in `calls`, its order in `orders`, and answers what is
/// in `answers`, line by line.
fn recorder(answers: &[&str]) -> tempfile::TempDir {
    const CODE: &str = r#"#!/bin/sh
folder=$(dirname "$0")
echo "attempts=$AWS_MAX_ATTEMPTS $*" >>"$folder/calls"
case $1 in
cloudformation) echo local-Function-Name ;;
lambda)
    for arg; do
        case $arg in fileb://*) cat "${arg#fileb://}" >>"$folder/orders"; echo >>"$folder/orders" ;; esac
        case $arg in *answer.json) answer=$arg ;; esac
    done
    head -n 1 "$folder/answers" >"$answer"
    sed -i 1d "$folder/answers"
    echo None
    ;;
esac
"#;
    let folder = tempfile::tempdir().expect("a folder");
    let program = folder.path().join("aws");
    std::fs::write(&program, CODE).expect("written");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("set");
    std::fs::write(folder.path().join("answers"), answers.join("\n")).expect("written");
    folder
}

fn lines(folder: &tempfile::TempDir, name: &str) -> Vec<String> {
    let text = std::fs::read_to_string(folder.path().join(name)).expect("noted");
    text.lines().map(str::to_owned).collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_reaches_its_function_and_its_answer_the_operator() {
    let (world, cli) = (World::start().await, cli());
    let run = async |args: &[&str]| operate(cli.path(), Some(&world), args).await;
    let made = run(&["prepare-billing"]).await;
    assert!(made.status.success(), "{}", text(&made.stderr));
    let answer: Value = serde_json::from_slice(&made.stdout).expect("JSON alone");
    assert_eq!((&answer["made"], &answer["lacking"]), (&json!(3), &json!([])));

    let ada = world.customer("ada@example.com").await;
    let hold = json!({ "account": ada.account_id, "hold": true, "reason": "file 2026-1: \"ä\"" });
    let placed = run(&["SetLegalHold", &format!("{hold:#}")]).await;
    assert!(placed.status.success(), "{}", text(&placed.stderr));
    let (function, mut event) = world.cloud.operator.orders().pop().expect("an order");
    assert_eq!(function, "SetLegalHoldFunction");
    let time = event.as_object_mut().expect("an object").remove("time").expect("a time");
    assert!(time.as_str().expect("a text").ends_with('Z'), "{time}");
    assert_eq!(event, hold);

    // What a function refuses, and what is no function.
    let refused = run(&["DecideBillingFunction", r#"{"account":"acc_1","task":"refund#1"}"#]).await;
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("the event is not valid"), "{}", text(&refused.stderr));
    let sent = world.cloud.operator.orders().len();
    for (args, code) in [
        (&["drop-everything"][..], 1),
        (&["prepare-billing", "[1]"], 2),
        (&["prepare-billing", "{}", "{}"], 2),
        (&["--help"], 2),
        (&[], 2),
    ] {
        let output = run(args).await;
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", text(&output.stderr));
        assert!(!output.stderr.is_empty());
    }
    assert_eq!(world.cloud.operator.orders().len(), sent, "nothing was sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_whose_answer_is_lost_is_sent_once() {
    let (world, cli) = (World::start().await, cli());
    for (n, fault) in [(1, Fault::Down), (2, Fault::Throttle)] {
        world.cloud.operator.fault(fault);
        let output = operate(cli.path(), Some(&world), &["prepare-billing"]).await;
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
        assert!(text(&output.stderr).contains("aws logs tail"), "{}", text(&output.stderr));
        assert_eq!(world.cloud.operator.orders().len(), n, "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cli_is_told_to_wait_and_to_ask_once() {
    let cli = recorder(&[r#"{"made":0}"#]);
    let output = operate(cli.path(), None, &["prepare-billing"]).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    let calls = lines(&cli, "calls");
    assert_eq!(calls.len(), 2, "{calls:?}");
    assert!(calls.iter().all(|it| it.starts_with("attempts=1 ")), "{calls:?}");
    assert!(calls[0].contains("--stack-name local --logical-resource-id PrepareBillingFunction"));
    assert!(calls[1].contains("--function-name local-Function-Name"), "{calls:?}");
    assert!(calls[1].contains("--cli-read-timeout 930"), "{calls:?}");
    assert!(!calls.concat().contains("--endpoint-url"), "{calls:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_run_is_repeated_until_it_is_complete() {
    let cli =
        recorder(&[r#"{"complete":false}"#, r#"{"complete": false}"#, r#"{"complete":true}"#]);
    let output = operate(cli.path(), None, &["--until-complete", "replay-erasures"]).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    let orders = lines(&cli, "orders");
    assert_eq!(orders.len(), 3, "{orders:?}");
    for order in orders {
        let order: Value = serde_json::from_str(&order).expect("JSON");
        assert_eq!(order["seconds"], 240);
        assert!(order["time"].is_string(), "{order}");
    }
    // One that says nothing of it is not run for ever.
    let cli = recorder(&["{}"]);
    let output = operate(cli.path(), None, &["--until-complete", "prepare-billing"]).await;
    assert_eq!((output.status.code(), lines(&cli, "orders").len()), (Some(1), 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_of_one_order_go_on_with_the_closing_that_they_began_with() {
    let begun = r#"{"closing":"x7Kq","complete":false,"overtaken":false}"#;
    let overtaken = r#"{"closing":null,"complete":false,"overtaken":true}"#;
    let cli = recorder(&[begun, overtaken, r#"{"complete":true}"#]);
    let output = operate(cli.path(), None, &["--until-complete", "replay-erasures"]).await;
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
    assert!(text(&output.stderr).contains("closed once more"), "{}", text(&output.stderr));
    let orders = lines(&cli, "orders");
    assert_eq!(orders.len(), 2, "{orders:?}");
    let closing = |at: usize| {
        let order: Value = serde_json::from_str(&orders[at]).expect("JSON");
        order["closing"].as_str().map(str::to_owned)
    };
    assert_eq!((closing(0), closing(1).as_deref()), (None, Some("x7Kq")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_stops_after_the_seconds_of_its_order() {
    const RECONCILE: &str = "ReconcileBillingFunction";
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    buy(&world, &ada, Plan::Pro, Card::Good).await;
    let run = async |seconds: u64| {
        let run = order(&world, RECONCILE, &json!({ "seconds": seconds })).await.expect("it runs");
        ["accounts", "complete"].map(|name| run[name].clone())
    };
    assert_eq!(run(0).await, [json!(0), json!(false)]);
    assert_eq!(run(240).await, [json!(1), json!(true)]);
    // Never later than Lambda ends it.
    world.wait(Duration::days(1));
    assert_eq!(run(u64::MAX).await, [json!(1), json!(true)]);
}

const REPLAY: &str = "ReplayErasuresFunction";

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_ends_leaves_the_mark_of_the_one_after_it() {
    let world = World::start().await;
    // One that was thought to be killed: another has begun after it.
    let later = (world.cloud.clock.now() + Duration::days(1)).unix_timestamp();
    let mark = json!({
        "TableName": world.cloud.dynamodb.table("jobs"),
        "Item": {
            "name": { "S": "order#replay-erasures" },
            "state": { "S": "running" },
            "done_to": { "N": later.to_string() },
        },
    });
    let another = async {
        // It closes the service first, which takes six seconds.
        let runs = async || {
            let items = world.cloud.dynamodb.items("jobs").await.expect("the items");
            items.iter().any(|it| it["name"]["S"] == "order#replay-erasures")
        };
        while !runs().await {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        world.cloud.dynamodb.call("PutItem", &mark).await.expect("put");
    };
    let none = json!({});
    let (run, ()) = futures_util::join!(order(&world, REPLAY, &none), another);
    assert_eq!(run.expect("replayed")["complete"], true);
    let refused = order(&world, REPLAY, &none).await.expect_err("one runs");
    assert!(refused.contains("still running"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_is_refused_while_another_one_runs() {
    let world = World::start().await;
    let running = async || {
        let items = world.cloud.dynamodb.items("jobs").await.expect("the items");
        items.into_iter().find(|it| it["name"]["S"] == "order#replay-erasures")
    };
    assert_eq!(order(&world, REPLAY, &json!({})).await.expect("replayed")["complete"], true);
    assert_eq!(running().await, None, "it is over");
    // One that was begun, and has neither ended nor been given up by Lambda.
    let until = (world.cloud.clock.now() + Duration::minutes(10)).unix_timestamp();
    let put = json!({
        "TableName": world.cloud.dynamodb.table("jobs"),
        "Item": {
            "name": { "S": "order#replay-erasures" },
            "state": { "S": "running" },
            "done_to": { "N": until.to_string() },
        },
    });
    world.cloud.dynamodb.call("PutItem", &put).await.expect("put");
    let refused = order(&world, REPLAY, &json!({})).await.expect_err("one runs");
    assert!(refused.contains("still running"), "{refused}");
    // The service can be closed all the same.
    let closed = order(&world, REPLAY, &json!({ "close": true })).await.expect("closed");
    assert_eq!(closed["closed"], true);
    world.wait(Duration::minutes(10));
    let replayed = order(&world, REPLAY, &json!({})).await.expect("that one is over by now");
    assert_eq!(replayed["complete"], true, "{}", instant(&world));
    assert_eq!(running().await, None);
}
