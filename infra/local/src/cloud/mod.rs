//! The whole cloud: what the command line starts, and what every test starts for itself.

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use axum::body::Bytes;
use serde_json::{Value, json};
use time::macros::datetime;
use tokio::task::AbortHandle;
use url::Url;

use crate::{
    access::{Access, FUNCTION_KEY_PREFIX},
    binaries::{Binaries, Profile},
    clock::Clock,
    control::{self, Controls},
    dynamodb::{DynamoDb, OTHER_SERVER},
    gateway::Gateway,
    http::Client,
    redis::{Kind as RedisKind, Redis},
    runtime::{InvokeError, Logs, Runtime, Spec},
    serve::{listen, serve},
    standins::{
        REGION,
        events::Bus,
        operator::Operator,
        s3::{S3, SECRET_KEY},
        secrets::Secrets,
        ses::Ses,
        sqs::Sqs,
        stripe::{self, Stripe, Webhooks},
        tiktok::{CLIENT_KEY, CLIENT_SECRET, TikTok},
    },
    template::{Function, Template},
    timeline::{AdvanceReport, Pace, Timeline},
};

/// What kind of cloud to start.
#[derive(Clone, Debug)]
pub struct Options {
    /// The SAM template.
    pub template: PathBuf,
    /// Values of its parameters in place of the defaults.
    pub parameters: BTreeMap<String, String>,
    /// Functions that the template does not have: yardsticks.
    pub more_functions: Vec<Function>,
    /// The cloud's time.
    pub clock: Clock,
    /// Whether scheduled functions are run as the clock passes their time.
    pub runs_schedules: bool,
    /// Port of the API; otherwise a free one.
    pub port: Option<u16>,
    /// Port of mailbox and controls; otherwise a free one.
    pub console_port: Option<u16>,
    /// Where data is kept between starts; otherwise it is thrown away.
    pub state: Option<PathBuf>,
    /// How the functions are built.
    pub profile: Profile,
    /// How many environments of one function may run at once.
    pub max_environments: usize,
    /// Whether the functions' output is shown as it comes.
    pub shows_logs: bool,
    /// Whether the functions reach Redis through the proxy that counts and can fail; without it,
    /// faults have no effect.
    pub has_redis_proxy: bool,
    /// What kind of Redis there is.
    pub redis: RedisKind,
}

impl Options {
    /// For a test: the clock stands still at noon of 24 November 2026, nothing is kept, and jobs
    /// run only when told.
    pub fn test() -> Self {
        Self {
            template: crate::workspace().join("template.yaml"),
            parameters: BTreeMap::new(),
            more_functions: Vec::new(),
            clock: Clock::frozen_at(datetime!(2026-11-24 12:00 UTC)),
            runs_schedules: false,
            port: None,
            console_port: None,
            state: None,
            profile: Profile::default(),
            max_environments: 8,
            shows_logs: false,
            has_redis_proxy: true,
            redis: RedisKind::default(),
        }
    }
}

/// A running cloud. When it is dropped, everything it has started ends.
#[derive(Debug)]
pub struct Cloud {
    /// Its time.
    pub clock: Clock,
    /// Who called what.
    pub access: Access,
    /// What was started.
    pub template: Arc<Template>,
    /// The functions.
    pub runtime: Runtime,
    /// The cache.
    pub redis: Redis,
    /// The tables.
    pub dynamodb: DynamoDb,
    /// Sent mail.
    pub ses: Ses,
    /// Queues.
    pub sqs: Sqs,
    /// What AWS's services tell.
    pub events: Bus,
    /// The service's secret.
    pub secrets: Secrets,
    /// The source of videos.
    pub tiktok: TikTok,
    /// Payments.
    pub stripe: Stripe,
    /// Files.
    pub s3: S3,
    /// What the operator's AWS CLI asks, at the address of the controls.
    pub operator: Operator,
    timeline: Timeline,
    url: String,
    console_url: String,
    settings: BTreeMap<&'static str, String>,
    parameters: BTreeMap<String, String>,
    source: PathBuf,
    programs: Binaries,
    state: Option<PathBuf>,
    tasks: Vec<AbortHandle>,
}

impl Cloud {
    /// Builds the functions if need be, and starts everything.
    pub async fn start(options: Options) -> Result<Self> {
        let binaries = Binaries::build(options.profile).await?;
        let stack = stack_name();
        let template = Template::read(&options.template, &stack, &options.parameters)?;
        if let Some(folder) = &options.state {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("{} cannot be created", folder.display()))?;
        }
        let (clock, access) = (options.clock, Access::default());
        let prefix = format!("{stack}-");
        let saved = options.state.as_ref().map(|it| it.join(TABLES_FILE));
        let (redis, dynamodb) = tokio::try_join!(
            Redis::start_as(options.redis),
            DynamoDb::start(&clock, &access, &prefix, &template.tables, saved.as_deref()),
        )?;
        dynamodb.deploy(&template.tables, &[], suffixes(&template)).await?;
        let ses = Ses::new(clock.clone(), access.clone());
        let sqs = Sqs::new(clock.clone(), access.clone(), &template.queues);
        if let Some(file) = options.state.as_ref().map(|it| it.join(QUEUES_FILE))
            && file.is_file()
        {
            sqs.load(&file)?;
        }
        let events = Bus::new(clock.clone(), sqs.clone(), template.rules.clone());
        ses.publish_to(events.clone(), template.configuration_sets.clone());
        let secrets = Secrets::new(clock.clone(), access.clone());
        let tiktok = TikTok::new(clock.clone());
        let stripe = Stripe::new(clock.clone());
        if let Some(folder) = &options.state {
            stripe.load(&folder.join(STRIPE_FILE))?;
        }
        let folder = options.state.as_ref().map(|it| it.join("s3"));
        let s3 = S3::start(folder, &template.buckets, &access).await?;

        let (listener, address) = listen(options.port).await?;
        let (console, console_address) = listen(options.console_port).await?;
        let (ses_listener, ses_address) = listen(None).await?;
        let (sqs_listener, sqs_address) = listen(None).await?;
        let (secrets_listener, secrets_address) = listen(None).await?;
        let (tiktok_listener, tiktok_address) = listen(None).await?;
        let (stripe_listener, stripe_address) = listen(None).await?;
        let url = format!("http://{address}");
        stripe.set_url(&format!("http://{stripe_address}"));
        stripe.set_webhooks(Webhooks {
            url: Some(format!("{url}/webhooks/stripe")),
            // As docs/OPERATIONS.md tells to set the endpoint up.
            events: Some(stripe::ENDPOINT_EVENTS.map(str::to_owned).into()),
            secrets: vec![stripe::WEBHOOK_SECRET.to_owned()],
            ..Webhooks::default()
        });
        let redis_url = if options.has_redis_proxy { redis.url() } else { redis.direct_url() };
        let (redis_url, redis_password) = without_password(redis_url)?;
        let common = BTreeMap::from([
            ("TABLE_PREFIX", prefix),
            ("REDIS_URL", redis_url),
            ("PUBLIC_URL", url.clone()),
            ("STRIPE_API_URL", format!("http://{stripe_address}/")),
            ("TIKTOK_OEMBED_URL", format!("http://{tiktok_address}/oembed")),
            ("TIKTOK_API_URL", format!("http://{tiktok_address}")),
            ("TIKTOK_WEB_URL", format!("http://{tiktok_address}/web")),
            ("AWS_ENDPOINT_URL_DYNAMODB", dynamodb.endpoint().to_owned()),
            ("AWS_ENDPOINT_URL_S3", s3.endpoint().to_owned()),
            ("AWS_ENDPOINT_URL_SECRETS_MANAGER", format!("http://{secrets_address}")),
            ("AWS_ENDPOINT_URL_SES", format!("http://{ses_address}")),
            ("AWS_ENDPOINT_URL_SQS", format!("http://{sqs_address}")),
        ]);
        let mut specs = Vec::new();
        let functions: Vec<_> =
            template.functions.iter().chain(&options.more_functions).cloned().collect();
        for function in &functions {
            access.permit(&function.id, function.permissions.clone());
            let program = binaries.path(&function.binary)?.to_owned();
            let environment = environment(&stack, function, &common);
            specs.push(Spec { function: function.clone(), program, environment });
        }
        let mut secret = secret(options.state.as_deref())?;
        secret["redis"] = redis_password;
        for id in functions.iter().filter_map(|it| it.environment.get("SECRET_ID")) {
            secrets.put(id, &secret);
        }
        let runtime = Runtime::start(specs, options.max_environments, options.shows_logs).await?;
        let timeline = Timeline::new(
            clock.clone(),
            runtime.clone(),
            redis.clone(),
            dynamodb.clone(),
            sqs.clone(),
            stripe.clone(),
            functions.iter().flat_map(|it| it.schedules.clone()).collect(),
        );
        let gateway = Gateway {
            runtime: runtime.clone(),
            clock: clock.clone(),
            routes: Arc::new(functions.iter().flat_map(|it| it.routes.clone()).collect()),
        };
        let ids = functions.iter().map(|it| it.id.as_str());
        let operator = Operator::new(&stack, ids, runtime.clone());
        let console_url = format!("http://{console_address}");
        let template = Arc::new(template);
        let controls = Controls {
            runtime: runtime.clone(),
            timeline: timeline.clone(),
            clock: clock.clone(),
            dynamodb: dynamodb.clone(),
            template: Arc::clone(&template),
        };
        let mut tasks = vec![
            gateway.serve(listener),
            serve(console, control::router(controls, &ses).merge(operator.router())),
            serve(ses_listener, ses.router()),
            serve(sqs_listener, sqs.router()),
            serve(secrets_listener, secrets.router()),
            serve(tiktok_listener, tiktok.router()),
            serve(stripe_listener, stripe.router()),
            stripe.start(),
        ];
        tasks.extend(sqs.feed(&runtime, functions.iter().flat_map(|it| &it.queues))?);
        if options.runs_schedules {
            tasks.push(tokio::spawn(timeline.clone().run()).abort_handle());
        }
        let state = options.state;
        Ok(Self {
            clock,
            access,
            template,
            runtime,
            redis,
            dynamodb,
            ses,
            sqs,
            events,
            secrets,
            tiktok,
            stripe,
            s3,
            operator,
            timeline,
            url,
            console_url,
            settings: common,
            parameters: options.parameters,
            source: options.template,
            programs: binaries,
            state,
            tasks,
        })
    }

    /// Deploys the template once more, with these `parameters` in place of what they were: policies and environments
    /// change, tables that are new are made, what leaves the stack stays. Routes, schedules and queues are those
    /// of the start.
    pub async fn deploy(&mut self, parameters: BTreeMap<String, String>) -> Result<()> {
        let mut all = self.parameters.clone();
        all.extend(parameters);
        let stack = self.dynamodb.prefix().trim_end_matches('-').to_owned();
        let template = Template::read(&self.source, &stack, &all)?;
        let before = &self.template.tables;
        self.dynamodb.deploy(before, &template.tables, suffixes(&template)).await?;
        for function in &template.functions {
            self.access.permit(&function.id, function.permissions.clone());
            let program = self.programs.path(&function.binary)?.to_owned();
            let environment = environment(&stack, function, &self.settings);
            self.runtime.renew(Spec { function: function.clone(), program, environment }).await?;
        }
        self.template = Arc::new(template);
        self.parameters = all;
        Ok(())
    }

    /// Address of the API.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Address of the mailbox page and the controls.
    pub fn console_url(&self) -> &str {
        &self.console_url
    }

    /// What every function finds under `name` in its environment, where it is of this machine: the
    /// endpoints of the stand-ins, for example.
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.settings.get(name).map(String::as_str)
    }

    /// A client of the API.
    pub fn client(&self) -> Client {
        Client::new(&self.url)
    }

    /// Moves the clock and runs every schedule that falls in between; see [`Timeline::advance`].
    pub async fn advance(&self, by: Duration) -> Result<AdvanceReport> {
        self.timeline.advance(by, Pace::Every).await
    }

    /// As [`Cloud::advance`], leaving runs out as `pace` says.
    pub async fn advance_at(&self, by: Duration, pace: Pace) -> Result<AdvanceReport> {
        self.timeline.advance(by, pace).await
    }

    /// Waits until Stripe's events are taken, and the functions are done with what lies in their queues; see
    /// [`Stripe::settled`] and [`Sqs::settled`].
    pub async fn settle(&self) {
        self.stripe.settled().await;
        self.sqs.settled().await;
    }

    /// Runs a scheduled function once, for the present time.
    pub async fn run_job(&self, function: &str) -> Result<Value, InvokeError> {
        let declared = self.template.function(function);
        let schedule = declared.and_then(|it| it.schedules.first()).ok_or_else(|| InvokeError {
            error_type: "ResourceNotFoundException".to_owned(),
            message: format!("{function} has no schedule"),
        })?;
        self.invoke(function, &schedule.event(self.clock.now())).await
    }

    /// Gives any event to a function.
    pub async fn invoke(&self, function: &str, event: &Value) -> Result<Value, InvokeError> {
        let answer = self.runtime.invoke(function, Bytes::from(event.to_string())).await?;
        Ok(serde_json::from_slice(&answer).unwrap_or_default())
    }

    /// Kills every environment of a function, busy ones too; how many there were.
    pub async fn kill(&self, function: &str) -> Result<usize> {
        self.runtime.kill(function).await
    }

    /// What a function has written.
    pub fn logs(&self, function: &str) -> Result<&Logs> {
        self.runtime.logs(function)
    }

    /// Writes down what is to be kept, where something is.
    pub async fn save(&self) -> Result<()> {
        match &self.state {
            Some(folder) => {
                self.sqs.save(&folder.join(QUEUES_FILE))?;
                self.stripe.save(&folder.join(STRIPE_FILE))?;
                self.dynamodb.save(&folder.join(TABLES_FILE)).await
            }
            None => Ok(()),
        }
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
        // Open connections to the gateway keep the functions from being dropped.
        self.runtime.shut_down();
    }
}

const TABLES_FILE: &str = "dynamodb.sqlite";
const QUEUES_FILE: &str = "sqs.json";
const STRIPE_FILE: &str = "stripe.json";
const SECRET_FILE: &str = "secret.json";

/// What the names of tables end with, as the functions are told; by name without prefix.
fn suffixes(template: &Template) -> BTreeMap<String, String> {
    let told = template.functions.iter().find_map(|it| it.environment.get("TABLE_SUFFIXES"));
    let all = told.into_iter().flat_map(|it| it.split(',')).filter_map(|it| it.split_once('='));
    all.map(|(name, end)| (name.to_owned(), end.to_owned())).collect()
}

/// On a server of their own, clouds share nothing; on another one they are told apart by name.
fn stack_name() -> String {
    match std::env::var_os(OTHER_SERVER) {
        Some(url) if !url.is_empty() => format!("local-{:.8}", uuid::Uuid::new_v4().simple()),
        _ => "local".to_owned(),
    }
}

/// The secret: made up, or the one that is kept, because kept hashes belong to its pepper.
fn secret(state: Option<&std::path::Path>) -> Result<Value> {
    let file = state.map(|it| it.join(SECRET_FILE));
    let stripe = json!({
        "secret_key": stripe::SECRET_KEY,
        "webhook_secrets": [stripe::WEBHOOK_SECRET],
    });
    if let Some(file) = file.as_ref().filter(|it| it.is_file()) {
        let kept: Option<Value> = serde_json::from_slice(&std::fs::read(file)?).ok();
        let mut secret = kept
            .filter(Value::is_object)
            .with_context(|| format!("{} is damaged", file.display()))?;
        // It may have been kept before there was this stand-in.
        secret["stripe"] = stripe;
        return Ok(secret);
    }
    let random = || uuid::Uuid::new_v4().simple();
    let secret = json!({
        "pepper": {
            "current": { "version": 1, "key": format!("{}{}", random(), random()) },
            "previous": null,
        },
        "stripe": stripe,
        "tiktok": { "client_key": CLIENT_KEY, "client_secret": CLIENT_SECRET },
    });
    if let Some(file) = &file {
        std::fs::write(file, secret.to_string())?;
    }
    Ok(secret)
}

/// The address of Redis without its credentials, and those in the form of the secret.
fn without_password(url: &str) -> Result<(String, Value)> {
    let mut url = Url::parse(url).context("REDIS_URL is no URL")?;
    let decoded =
        |it: &str| percent_encoding::percent_decode_str(it).decode_utf8_lossy().into_owned();
    let Some(password) = url.password().map(decoded) else { return Ok((url.into(), Value::Null)) };
    let username = Some(decoded(url.username())).filter(|it| !it.is_empty());
    let bare = url.set_password(None).and_then(|()| url.set_username(""));
    anyhow::ensure!(bare.is_ok(), "REDIS_URL: the password cannot be taken out");
    Ok((url.into(), json!({ "username": username, "password": password })))
}

/// Everything a function finds in its environment: what Lambda sets, then the template's variables,
/// then what is different on this machine.
fn environment(
    stack: &str,
    function: &Function,
    common: &BTreeMap<&str, String>,
) -> BTreeMap<String, String> {
    let name = format!("{stack}-{}", function.id);
    let lambda = [
        ("AWS_EXECUTION_ENV", "AWS_Lambda_provided.al2023".to_owned()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", function.memory_mb.to_string()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
        ("AWS_LAMBDA_LOG_FORMAT", "JSON".to_owned()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{name}")),
        ("AWS_LAMBDA_FUNCTION_NAME", name),
        ("AWS_REGION", REGION.to_owned()),
        ("AWS_DEFAULT_REGION", REGION.to_owned()),
        // The stand-ins know a function by its access key.
        ("AWS_ACCESS_KEY_ID", format!("{FUNCTION_KEY_PREFIX}{}", function.id)),
        ("AWS_SECRET_ACCESS_KEY", SECRET_KEY.to_owned()),
        ("AWS_SESSION_TOKEN", "local".to_owned()),
        ("_HANDLER", "bootstrap".to_owned()),
        ("LAMBDA_TASK_ROOT", "/var/task".to_owned()),
        ("LAMBDA_RUNTIME_DIR", "/var/runtime".to_owned()),
        ("LANG", "en_US.UTF-8".to_owned()),
        ("TZ", ":UTC".to_owned()),
        ("PATH", "/usr/local/bin:/usr/bin:/bin".to_owned()),
    ];
    let mut all: BTreeMap<_, _> = lambda.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
    all.extend(function.environment.clone());
    all.extend(common.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    // Wanted by whoever looks for the place of a panic; a function does not act on it.
    all.extend(std::env::var("RUST_BACKTRACE").ok().map(|it| ("RUST_BACKTRACE".to_owned(), it)));
    all
}
