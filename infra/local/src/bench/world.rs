//! The cloud that is measured, its customers, and the yardstick.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use axum::{body::Bytes, http::StatusCode};
use serde_json::{Value, json};

use crate::{
    Cloud, Options,
    binaries::Profile,
    gateway::Route,
    http::{Client, Response},
    template::Function,
};

/// The function that is measured.
pub(super) const VIDEO: &str = "GetVideoFunction";
/// The yardstick.
pub(super) const HELLO: &str = "HelloFunction";

/// Enough that no measurement brings any of them to the limit of its minute…
const CUSTOMERS: usize = 64;
/// …which is 500 requests: so many are sent for one of them at most before the clock moves on.
const PER_MINUTE: usize = 440;
const VIDEOS: usize = 16;

/// Requests sent at once, and twice as many environments: each is busy for a moment after its
/// answer, and Lambda would not let the next request wait for that.
pub(super) const CONCURRENCY: usize = 8;
const ENVIRONMENTS: usize = 2 * CONCURRENCY;

/// A request, as its path and API key.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) path: String,
    pub(super) key: String,
}

pub(super) struct World {
    pub(super) cloud: Cloud,
    pub(super) client: Client,
    keys: Vec<String>,
    videos: Vec<u64>,
    /// Requests of customers since the clock was last moved on.
    sent: usize,
}

impl World {
    /// Its functions reach Redis through the counting proxy, or as they would when deployed.
    pub(super) async fn start(has_redis_proxy: bool) -> Result<Self> {
        let mut options = Options {
            has_redis_proxy,
            profile: Profile::Release,
            max_environments: ENVIRONMENTS,
            more_functions: vec![Function {
                id: HELLO.to_owned(),
                binary: "hello".to_owned(),
                timeout: Duration::from_secs(10),
                memory_mb: 256,
                environment: BTreeMap::new(),
                routes: vec![Route::new(HELLO, "GET", "/hello")?],
                schedules: Vec::new(),
                queues: Vec::new(),
                permissions: Vec::new(),
            }],
            ..Options::test()
        };
        // As it is by default when deployed.
        options.parameters.insert("TikTokResearch".to_owned(), "off".to_owned());
        let cloud = Cloud::start(options).await?;
        let client = cloud.client();
        let videos = cloud.tiktok.catalogue().iter().map(|it| it.id).take(VIDEOS).collect();
        let mut world = Self { cloud, client, keys: Vec::new(), videos, sent: 0 };
        for n in 0..CUSTOMERS {
            let key = world.sign_up(&format!("customer-{n}@example.com")).await?;
            world.keys.push(key);
        }
        Ok(world)
    }

    /// The account that `key` is of.
    pub(super) fn account_of(&self, key: &str) -> Result<String> {
        let tag = key.split('_').nth(2).context("the key holds no tag")?;
        Ok(format!("acc_{tag}"))
    }

    /// A customer on the Business plan; its API key.
    pub(super) async fn sign_up(&self, email: &str) -> Result<String> {
        // Only so many may sign up from one network within an hour: Redis forgets them.
        self.cloud.redis.flush().await?;
        let form = json!({ "email": email, "policy_version": "1.0", "is_13_or_older": true });
        expect(&self.client.post("/v1/accounts", &form).send().await?, StatusCode::ACCEPTED)?;
        let mails = self.cloud.ses.mails();
        let mail = mails.last().filter(|it| it.to == [email]).context("no mail has come")?;
        let token = token_in(mail.text.as_deref().unwrap_or_default());
        let token = json!({ "token": token.context("the mail holds no token")? });
        let answer = self.client.post("/v1/accounts/verify", &token).send().await?;
        expect(&answer, StatusCode::CREATED)?;
        let answer = answer.json();
        let text = |pointer| answer.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let account = text("/account_id").context("no account id")?;
        let update = json!({
            "TableName": self.cloud.dynamodb.table("accounts"),
            "Key": { "id": { "S": account } },
            "ConditionExpression": "attribute_exists(id)",
            "UpdateExpression": "SET #plan = :plan",
            "ExpressionAttributeNames": { "#plan": "plan" },
            "ExpressionAttributeValues": { ":plan": { "S": "business" } },
        });
        self.cloud.dynamodb.call("UpdateItem", &update).await?;
        text("/api_key/key").context("no API key")
    }

    /// `count` requests that the cache answers, shared out over customers and videos. Moves the
    /// clock on where the minute's limits want it; then, and at first, every customer has sent one
    /// request already, so that leases and answers are there.
    pub(super) async fn hits(&mut self, count: usize) -> Result<Vec<Request>> {
        ensure!(count <= PER_MINUTE * CUSTOMERS, "too many requests for one minute");
        if self.sent == 0 || self.sent + count > PER_MINUTE * CUSTOMERS {
            self.move_on().await;
            for n in 0..CUSTOMERS {
                self.get(&self.hit(n)).await?;
            }
            self.sent = CUSTOMERS;
        }
        self.sent += count;
        self.cloud.runtime.settled().await;
        Ok((0..count).map(|n| self.hit(n)).collect())
    }

    /// Requests of the first `customers`, `each` of them so often, in a new minute.
    pub(super) async fn minute_of(
        &mut self,
        customers: usize,
        each: usize,
    ) -> Result<Vec<Request>> {
        ensure!(customers <= CUSTOMERS && each <= PER_MINUTE, "beyond the limits");
        self.move_on().await;
        self.sent = PER_MINUTE * CUSTOMERS;
        Ok((0..customers * each).map(|n| self.hit(n % customers)).collect())
    }

    /// Two minutes, so that no request of before is in view.
    async fn move_on(&self) {
        self.wait(time::Duration::minutes(2)).await;
    }

    fn hit(&self, n: usize) -> Request {
        Request {
            path: format!("/v1/videos/{}", self.videos[n % self.videos.len()]),
            key: self.keys[n % self.keys.len()].clone(),
        }
    }

    /// Sends a request and sees to it that it is served.
    pub(super) async fn get(&self, request: &Request) -> Result<Response> {
        let answer = self.client.get(&request.path).key(&request.key).send().await?;
        expect(&answer, StatusCode::OK)?;
        Ok(answer)
    }

    /// Sends `body` and returns the answer's.
    pub(super) async fn post(&self, request: &Request, body: &Value) -> Result<Value> {
        let answer = self.client.post(&request.path, body).key(&request.key).send().await?;
        ensure!(answer.status.is_success(), "{}: {}", answer.status, answer.text());
        Ok(answer.json())
    }

    /// Lets time pass once nothing works any more.
    pub(super) async fn wait(&self, time: time::Duration) {
        self.cloud.runtime.settled().await;
        self.cloud.clock.set(self.cloud.clock.now() + time);
    }

    /// Asks the yardstick; how long its answer took.
    pub(super) async fn hello(&self) -> Result<Duration> {
        let started = Instant::now();
        let answer = self.client.get("/hello").send().await?;
        let took = started.elapsed();
        expect(&answer, StatusCode::OK)?;
        Ok(took)
    }

    /// The event that the gateway would make of `request`.
    pub(super) fn event(&self, request: &Request) -> Result<Bytes> {
        let file = crate::workspace().join("events/get-video.json");
        let text = std::fs::read(&file).with_context(|| file.display().to_string())?;
        let mut event: Value = serde_json::from_slice(&text)?;
        let id = request.path.rsplit('/').next().unwrap_or_default();
        let now = self.cloud.clock.now().unix_timestamp() * 1000;
        event["rawPath"] = request.path.as_str().into();
        event["headers"]["x-api-key"] = request.key.as_str().into();
        event["pathParameters"]["video_id"] = id.into();
        event["requestContext"]["timeEpoch"] = now.into();
        Ok(event.to_string().into())
    }
}

fn expect(answer: &Response, status: StatusCode) -> Result<()> {
    ensure!(answer.status == status, "{} in place of {status}: {}", answer.status, answer.text());
    Ok(())
}

/// The one line of the mail that is a token.
fn token_in(text: &str) -> Option<&str> {
    let is_token = |it: &&str| it.len() >= 20 && it.bytes().all(|it| it.is_ascii_alphanumeric());
    text.lines().map(str::trim).find(is_token)
}
