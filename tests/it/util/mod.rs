//! The tests' world: a local cloud and customers in it.

mod app;
pub(crate) mod ask;
pub(crate) mod billing;
pub(crate) mod catalogue;
pub(crate) mod copy;
pub(crate) mod crowd;
mod customers;
pub(crate) mod endpoints;
pub(crate) mod lives;
pub(crate) mod objections;
pub(crate) mod plant;
pub(crate) mod purchases;
pub(crate) mod research;
mod shopping;
pub(crate) mod stored;
pub(crate) mod subject;

use local::{
    cloud::{Cloud, Options},
    http::{Outgoing, Response},
};
use serde_json::{Value, json};
use time::Duration;

pub(crate) use self::app::{
    account_item, advance, advance_until, app_of, far_away, library_of, store_account,
};

/// A cloud for one test.
pub(crate) struct World {
    pub(crate) cloud: Cloud,
}

/// A customer with an account.
#[derive(Clone, Debug)]
pub(crate) struct Customer {
    pub(crate) account_id: String,
    pub(crate) key: String,
    pub(crate) key_id: String,
}

impl World {
    /// A fresh cloud whose clock stands at noon on 24 November 2026.
    pub(crate) async fn start() -> Self {
        Self::start_with(patient()).await
    }

    pub(crate) async fn start_with(options: Options) -> Self {
        Self { cloud: Cloud::start(options).await.expect("the local cloud starts") }
    }

    /// Lets event time pass; no schedule runs.
    pub(crate) fn wait(&self, duration: Duration) {
        let clock = &self.cloud.clock;
        clock.set(clock.now() + duration);
    }

    /// Runs a scheduled function once everything before has come to its end, logs included.
    pub(crate) async fn run_job(&self, function: &str) -> Value {
        self.cloud.runtime.settled().await;
        self.cloud.run_job(function).await.expect("the job runs")
    }

    /// Changes the service's secret. Environments that have read it keep the one before.
    pub(crate) fn change_secret(&self, change: impl FnOnce(&mut Value)) {
        let secrets = &self.cloud.secrets;
        let function = self.cloud.template.function("GetVideoFunction").expect("a function");
        let id = &function.environment["SECRET_ID"];
        let mut secret = secrets.current(id).expect("a secret");
        change(&mut secret);
        secrets.put(id, &secret);
    }

    /// What a function has logged.
    pub(crate) fn logs(&self, function: &str) -> String {
        self.cloud.logs(function).expect("a function").lines().join("\n")
    }

    /// Sends a request after a rest of a minute, as far as what is not metered goes: a test does at one
    /// instant what takes a customer hours. `unmetered.rs` holds those limits, without a rest.
    pub(crate) async fn send(&self, request: Outgoing<'_>) -> Response {
        for pattern in ["{*}:w:account", "{*}:w:payment"] {
            self.cloud.redis.evict(pattern).await.expect("forgotten");
        }
        request.send().await.expect("an answer")
    }

    pub(crate) async fn get(&self, path: &str, customer: &Customer) -> Response {
        let client = self.cloud.client();
        self.send(client.get(path).key(&customer.key)).await
    }

    /// Asks for the `n`-th video of the stand-in's catalogue.
    pub(crate) async fn video(&self, n: usize, customer: &Customer) -> Response {
        self.get(&format!("/v1/videos/{}", self.video_id(n)), customer).await
    }

    pub(crate) fn video_id(&self, n: usize) -> u64 {
        self.cloud.tiktok.catalogue()[n].id
    }

    /// Signs up and reads the token from the mail.
    pub(crate) async fn ask_for_token(&self, email: &str) -> String {
        let before = self.cloud.ses.mails().len();
        let client = self.cloud.client();
        let answer = self.send(client.post("/v1/accounts", &sign_up(email))).await;
        assert_eq!(answer.status, 202, "{}", answer.text());
        // Mails about other accounts may come meanwhile.
        let mails = self.cloud.ses.mails().split_off(before);
        let mail = mails.iter().rfind(|it| it.to == [email]).expect("a mail");
        token_in(mail.text.as_deref().expect("a text part"))
    }

    /// A new customer on the Free plan.
    pub(crate) async fn customer(&self, email: &str) -> Customer {
        let token = self.ask_for_token(email).await;
        let client = self.cloud.client();
        let answer =
            self.send(client.post("/v1/accounts/verify", &json!({ "token": token }))).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        let body = answer.json();
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        Customer {
            account_id: text(&body["account_id"]),
            key: text(&body["api_key"]["key"]),
            key_id: text(&body["api_key"]["id"]),
        }
    }
}

/// Options of a cloud whose functions are patient with Redis: a machine that is busy with other
/// tests is no failure of it.
pub(crate) fn patient() -> Options {
    let mut options = Options::test();
    options.parameters.insert("RedisTimeoutMs".to_owned(), "1000".to_owned());
    options
}

/// Checks that the file at `path` in the repository is `fresh`; writes it, where that is wanted.
pub(crate) fn assert_kept(path: &str, fresh: &str) {
    let file = local::workspace().join(path);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&file, fresh).expect("written");
    }
    let kept = std::fs::read_to_string(file).unwrap_or_default();
    assert!(kept == fresh, "run `BLESS=1 cargo test --workspace fresh` and commit {path}");
}

/// A valid sign-up.
pub(crate) fn sign_up(email: &str) -> Value {
    json!({ "email": email, "policy_version": "1.0", "is_13_or_older": true })
}

/// The token in a confirmation mail: the one indented line of 32 letters and digits.
pub(crate) fn token_in(text: &str) -> String {
    text.lines()
        .map(str::trim)
        .find(|line| line.len() == 32 && line.bytes().all(|byte| byte.is_ascii_alphanumeric()))
        .expect("a token in the mail")
        .to_owned()
}

/// Checks that `response` is a well-formed problem of this status whose type ends with `kind`.
pub(crate) fn assert_problem(response: &Response, status: u16, kind: &str) {
    let body = response.json();
    assert_eq!(response.status, status, "{}", response.text());
    assert_eq!(response.header("content-type"), Some("application/problem+json"));
    let name = body["type"].as_str().unwrap_or_default();
    assert!(name.ends_with(kind), "{name} is not {kind}");
    assert_eq!(body["status"], status);
    assert!(!body["title"].as_str().unwrap_or_default().is_empty());
    assert!(!body["detail"].as_str().unwrap_or_default().is_empty());
    assert_eq!(body["request_id"].as_str(), response.header("x-request-id"));
}

/// `r` or `t` of the `minute` or `month` policy in a `RateLimit` field.
pub(crate) fn rate_limit(response: &Response, policy: &str, parameter: char) -> u64 {
    let field = response.header("ratelimit").expect("a RateLimit field");
    let item = field
        .split(", ")
        .find(|item| item.starts_with(&format!("\"{policy}\"")))
        .expect("the policy is there");
    item.split(';')
        .find_map(|part| part.strip_prefix(&format!("{parameter}=")))
        .and_then(|value| value.parse().ok())
        .expect("a number")
}
